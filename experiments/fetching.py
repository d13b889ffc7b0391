"""Downloading data sets and checking that they arrived whole."""

import sys
from pathlib import Path
from typing import Literal

from experiments.sources import Name, data_root, missing
from experiments.vision import torchvision

TINY_IMAGENET = (
    "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
    "90528d7ca1a48142e341f4ef8d21d0de",
)
"""Address and MD5 sum of the archive (248,100,043 bytes); torchvision has neither."""


def fetch(name: Name, root: str | Path | None = None) -> None:
    """Put the named data set below ``root`` unless it is there; verify its archives.

    Raises:
        FileNotFoundError: if it must be fetched by hand; says how.
        OSError: if a server cannot be reached.
        RuntimeError: if a download has the wrong MD5 sum.
    """
    folder, sets = data_root(root), torchvision.datasets
    if name == "mnist":
        for file, checksum in sets.MNIST.resources:
            url, raw = sets.MNIST.mirrors[0] + file, folder / "MNIST" / "raw"
            sets.utils.download_url(url, raw, md5=checksum)
    elif name in ("cifar10", "cifar100"):
        getattr(sets, name.upper())(folder, download=True)
    elif name == "tiny-imagenet":
        url, checksum = TINY_IMAGENET
        sets.utils.download_and_extract_archive(url, folder, md5=checksum)
    elif name == "imagenet":
        try:
            for split in ("train", "val"):
                sets.ImageNet(folder / name, split)
        except RuntimeError as error:  # an archive is not there, or has a wrong MD5 sum
            hint = missing(name, folder / name, folder)
            raise FileNotFoundError(f"{error} {hint}") from error
    elif name == "cifar10-jpeg":
        raise missing(name, folder / name, folder)


def command(
    action: Literal["fetch"], name: Name, /, *, root: Path | None = None
) -> None:
    """Fetch a data set into a folder (default: PRUNING_DATA, else ./data)."""
    try:
        fetch(name, root)
    except (OSError, RuntimeError) as error:
        sys.exit(f"{action} {name} failed: {error}")
    print(f"{name} is ready")
