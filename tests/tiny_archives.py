"""Data sets of a few images in the forms of the real ones, with their checksums."""

import gzip
import hashlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from experiments import sources
from experiments.vision import torchvision


def pixels(*shape: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def checksum(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def write_mnist(root: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Put 40 training and 20 test images below root; return the arrays by file."""
    arrays = {
        "train-images-idx3-ubyte.gz": pixels(40, 28, 28),
        "train-labels-idx1-ubyte.gz": np.arange(40, dtype=np.uint8) % 4,
        "t10k-images-idx3-ubyte.gz": pixels(20, 28, 28, seed=1),
        "t10k-labels-idx1-ubyte.gz": np.arange(20, dtype=np.uint8) % 4,
    }
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file, array in arrays.items():
        header = bytes([0, 0, 8, array.ndim])
        sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
        (raw / file).write_bytes(gzip.compress(header + sizes + array.tobytes()))
    sums = [(file, checksum(raw / file)) for file in arrays]
    monkeypatch.setattr(torchvision.datasets.MNIST, "resources", sums)
    return arrays


def write_cifar(name: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put 40 training and 10 test images of 4 classes below root."""
    reader = getattr(torchvision.datasets, name.upper())
    folder = root / reader.base_folder
    folder.mkdir(parents=True)
    key = "fine_labels" if name == "cifar100" else "labels"
    made = []
    for files, count, seed in (("train_list", 40, 0), ("test_list", 10, 1)):
        names = [file for file, _ in getattr(reader, files)]
        images = pixels(count, 3, 32, 32, seed=seed)
        made.append(images)
        parts = zip(
            names,
            np.split(images.reshape(count, -1), len(names)),
            np.split(np.arange(count) % 4, len(names)),
            strict=True,
        )
        for file, rows, labels in parts:
            entry = {"data": rows, key: labels.tolist()}
            (folder / file).write_bytes(pickle.dumps(entry))
        sums = [[file, checksum(folder / file)] for file in names]
        monkeypatch.setattr(reader, files, sums)
    meta = folder / reader.meta["filename"]
    meta.write_bytes(pickle.dumps({reader.meta["key"]: list("abcd")}))
    monkeypatch.setattr(reader, "meta", {**reader.meta, "md5": checksum(meta)})
    return made


def write_images(folder: Path, size: tuple[int, int], count: int, suffix: str) -> None:
    folder.mkdir(parents=True)
    for number in range(count):
        # one grey level an image, told apart by class and number, even through JPEG
        level = 10 * number + (100 if folder.name > "y" else 0)
        Image.new("RGB", size, (level,) * 3).save(folder / f"{number:04}{suffix}")


def write_tiny_imagenet(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = root / "tiny-imagenet-200"
    for kind in ("n01", "z02"):
        write_images(folder / "train" / kind / "images", (64, 64), 10, ".JPEG")
    write_images(folder / "val" / "images", (64, 64), 3, ".JPEG")
    kinds = ("z02", "n01", "z02")
    lines = [f"{n:04}.JPEG\t{kind}\t0\t0\t9\t9\n" for n, kind in enumerate(kinds)]
    (folder / "val" / "val_annotations.txt").write_text("".join(lines))
    monkeypatch.setitem(sources.FILES, "tiny-imagenet", (2, 20, 3))
