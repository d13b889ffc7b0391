"""Every kind of data set is read as it lies on disk, checked, and missed clearly.

The archives and trees are made here. The real MNIST is read where the environment
variable PRUNING_DATA names a folder that holds it.
"""

import gzip
import os
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_archives
import torch

from experiments import data, sources


def as_pixels(split: data.Split, name: str) -> np.ndarray[Any, Any]:
    """The images' original pixel values, from the standardised ones."""
    mean, deviation = (torch.tensor(v).view(1, -1, 1, 1) for v in data.STANDARD[name])
    values = (split.images.double() * deviation + mean) * 255
    assert (values - values.round()).abs().max() < 1e-3  # float32 standardisation
    return values.round().numpy().astype(np.uint8)


def check_splits(loaded: data.DataSet, total: int, tests: int) -> None:
    parts = (loaded.train, loaded.validation, loaded.test)
    indices = [part.indices.tolist() for part in parts]
    assert sorted(chain.from_iterable(indices)) == list(
        range(total)
    )  # disjoint and complete
    assert sorted(indices[2]) == list(range(total - tests, total))
    for part in parts:
        assert len(part.images) == len(part.labels) == len(part.indices) > 0
        assert part.images.dtype == torch.float32 and part.labels.dtype == torch.int64


def test_mnist_is_read_from_its_archives_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, labels, test_images, test_labels = tiny_archives.write_mnist(
        tmp_path, monkeypatch
    ).values()
    before = sorted(tmp_path.rglob("*"))
    loaded = data.load("mnist", root=tmp_path)
    assert sorted(tmp_path.rglob("*")) == before
    check_splits(loaded, 60, 20)
    train = loaded.train.indices.numpy()
    assert (as_pixels(loaded.train, "mnist")[:, 0] == images[train]).all()
    assert (loaded.train.labels.numpy() == labels[train]).all()
    assert (as_pixels(loaded.test, "mnist")[:, 0] == test_images).all()
    assert (loaded.test.labels.numpy() == test_labels).all()
    assert loaded.validation.labels.bincount().tolist() == [1] * 4
    other = data.load("mnist", root=tmp_path, split_seed=1)
    assert torch.equal(loaded.test.images, other.test.images)


def test_the_root_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_archives.write_mnist(tmp_path / "there", monkeypatch)
    monkeypatch.setenv("PRUNING_DATA", str(tmp_path / "there"))
    assert len(data.load("mnist").test.labels) == 20
    with pytest.raises(FileNotFoundError):  # the argument goes first
        data.load("mnist", root=tmp_path)
    monkeypatch.delenv("PRUNING_DATA")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").rename(tmp_path / "data")
    assert len(data.load("mnist").test.labels) == 20


def test_a_wrong_checksum_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_archives.write_mnist(tmp_path, monkeypatch)
    file = tmp_path / "MNIST" / "raw" / "t10k-labels-idx1-ubyte.gz"
    file.write_bytes(gzip.compress(b"other"))
    with pytest.raises(
        ValueError, match=r"t10k-labels.* has MD5 .*, expected .* fetch"
    ):
        data.load("mnist", root=tmp_path)


@pytest.mark.skipif(
    not (Path(os.environ.get("PRUNING_DATA", "absent")) / "MNIST").is_dir(),
    reason="PRUNING_DATA names no folder that holds MNIST",
)
def test_real_mnist_has_the_stated_mean_and_deviation() -> None:
    loaded = data.load("mnist")
    check_splits(loaded, 70_000, 10_000)
    labels = torch.cat([loaded.train.labels, loaded.validation.labels])
    tenths = (labels.bincount() / 10).round().long()
    assert torch.equal(loaded.validation.labels.bincount(), tenths)
    images = torch.cat([loaded.train.images, loaded.validation.images]).double()
    # standardised by constants of four digits
    assert abs(images.mean()) < 5e-4 and abs(images.std() - 1) < 5e-4


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_is_read_through_torchvision(
    name: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, test_images = tiny_archives.write_cifar(name, tmp_path, monkeypatch)
    loaded = data.load(name, root=tmp_path)
    check_splits(loaded, 50, 10)
    train = loaded.train.indices.numpy()
    assert (as_pixels(loaded.train, name) == images[train]).all()
    assert (loaded.train.labels.numpy() == train % 4).all()
    assert (as_pixels(loaded.test, name) == test_images).all()


def test_a_changed_cifar_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_archives.write_cifar("cifar10", tmp_path, monkeypatch)
    (tmp_path / "cifar-10-batches-py" / "data_batch_3").write_bytes(b"other")
    with pytest.raises(ValueError, match="wrong MD5 sum: delete the folder and run"):
        data.load("cifar10", root=tmp_path)


def levels(split: data.Split, name: str) -> list[int]:
    mean, deviation = (torch.tensor(v).view(1, -1, 1, 1) for v in data.STANDARD[name])
    values = ((split.images * deviation + mean) * 255).mean((1, 2, 3))
    return values.round().int().tolist()


def test_cifar10_jpeg_is_a_tree_of_class_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "cifar10-jpeg"
    for kind in ("ape", "zebra"):
        tiny_archives.write_images(root / "train" / kind, (32, 32), 10, ".jpg")
        tiny_archives.write_images(root / "test" / kind, (32, 32), 3, ".jpg")
    with pytest.raises(ValueError, match=r"holds \(2, 20, 6\) .* \(10, 50000, 10000\)"):
        data.load("cifar10-jpeg", root=tmp_path)
    monkeypatch.setitem(sources.FILES, "cifar10-jpeg", (2, 20, 6))
    loaded = data.load("cifar10-jpeg", root=tmp_path)
    assert loaded.name == "cifar10-jpeg"
    check_splits(loaded, 26, 6)
    assert loaded.test.images.shape == (6, 3, 32, 32)
    assert levels(loaded.test, "cifar10-jpeg") == [0, 10, 20, 100, 110, 120]
    assert loaded.test.labels.tolist() == [0, 0, 0, 1, 1, 1]
    expected = [10 * i for i in loaded.train.indices.tolist()]
    assert levels(loaded.train, "cifar10-jpeg") == expected
    (root / "test" / "ape").rename(root / "test" / "bee")
    with pytest.raises(ValueError, match="not those of the training images"):
        data.load("cifar10-jpeg", root=tmp_path)


def test_tiny_imagenet_takes_its_test_labels_from_the_annotations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_archives.write_tiny_imagenet(tmp_path, monkeypatch)
    loaded = data.load("tiny-imagenet", root=tmp_path)
    check_splits(loaded, 23, 3)
    assert loaded.train.images.shape[1:] == (3, 64, 64)
    assert loaded.test.labels.tolist() == [1, 0, 1]
    assert levels(loaded.test, "tiny-imagenet") == [0, 10, 20]


def test_imagenet_is_cropped_and_must_be_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in ("n01", "z02"):
        tiny_archives.write_images(
            tmp_path / "imagenet" / "train" / kind, (300, 280), 10, ".JPEG"
        )
        tiny_archives.write_images(
            tmp_path / "imagenet" / "val" / kind, (200, 300), 2, ".JPEG"
        )
    monkeypatch.setitem(sources.FILES, "imagenet", (2, 20, 4))
    with pytest.raises(ValueError, match=r"800 GB.* per_class=10"):
        data.load("imagenet", root=tmp_path)
    loaded = data.load("imagenet", root=tmp_path, per_class=1)
    assert loaded.train.images.shape == (2, 3, 224, 224)
    assert levels(loaded.test, "imagenet") == [0, 100]


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("mnist", "MNIST/raw/train-images-idx3-ubyte.gz"),
        ("cifar10", "cifar-10-batches-py"),
        ("cifar100", "cifar-100-python"),
        ("tiny-imagenet", "tiny-imagenet-200/train"),
        ("imagenet", "imagenet/train"),
    ],
)
def test_a_missing_data_set_says_where_it_looked_and_what_to_run(
    name: Any, place: str, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        data.load(name, root=tmp_path, per_class=1)
    message = str(caught.value)
    assert f"looked in {tmp_path / place} " in message
    assert f"python -m experiments.data fetch {name} --root {tmp_path}" in message
    assert ("licence" in message) is (name == "imagenet")
