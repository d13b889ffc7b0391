"""Labelled images as tensors, split into training, validation and test images.

``digits`` (1,797 images of 8x8 pixels) comes with scikit-learn; the others must lie
below the data root: the argument ``root``, else the environment variable PRUNING_DATA,
else ./data. ``python -m experiments.data fetch NAME --root DIR`` puts them there.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import torch
import tyro
from torch import Tensor

from experiments.fetching import command
from experiments.sources import Indices, Name, Source, data_root, open_source

_CIFAR10 = ((0.491, 0.482, 0.447), (0.247, 0.243, 0.262))
STANDARD: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "digits": ((0.3053,), (0.3760,)),
    "mnist": ((0.1307,), (0.3081,)),
    "cifar10": _CIFAR10,
    "cifar10-jpeg": _CIFAR10,
    "cifar100": ((0.507, 0.487, 0.441), (0.267, 0.256, 0.276)),
    "tiny-imagenet": ((0.480, 0.448, 0.397), (0.276, 0.269, 0.282)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
"""Mean and standard deviation of each channel, full intensity being 1.

Digits: over all its images (ours); the others as in paper A's code, Utils/load.py.
"""

HELD_OUT = 0.1
"""Share of each class of the training images kept for validation, as paper B does
(45,000 of CIFAR-10's 50,000 images are left). Digits gives twice that share to testing.
"""


@dataclass(frozen=True)
class Split:
    """Some images of a data set.

    ``images``: N x C x height x width, float32, standardised; ``labels``: N, int64;
    ``indices``: N positions in the source, its training images before its test images.
    """

    images: Tensor
    labels: Tensor
    indices: Tensor


@dataclass(frozen=True)
class DataSet:
    """Disjoint sets of images; ``name`` is the one to show with any result."""

    name: str
    classes: int
    train: Split
    validation: Split
    test: Split


def load(
    name: Name,
    *,
    root: str | Path | None = None,
    split_seed: int = 0,
    per_class: int | None = None,
) -> DataSet:
    """Return the named data set, every class split in the same proportions.

    The test images are the source's own (of ImageNet and Tiny ImageNet the labelled
    "val" images); digits has none, so that ``split_seed`` chooses those too.

    Args:
        name: which data set.
        root: folder of the data; the module's docstring names the defaults.
        split_seed: seed of the choice of validation images.
        per_class: at most so many images a class in each split; None takes all.

    Raises:
        FileNotFoundError: if the data set is missing; says where and how to get it.
        ValueError: if the name is unknown, a checksum or number of files is wrong, or
            ImageNet is asked for without ``per_class``.
    """
    if name not in get_args(Name):
        raise ValueError(f"unknown data set {name!r}: choose from {get_args(Name)}")
    if per_class is not None and per_class < 1:
        raise ValueError(f"per_class must be at least 1 or None, got {per_class}")
    if name == "imagenet" and per_class is None:
        raise ValueError(
            "all of ImageNet takes 800 GB as a tensor: say how many images a class, "
            "for instance per_class=10"
        )
    source = open_source(name, data_root(root))
    parts = _partition(source, split_seed, per_class)
    train, validation, test = (_read(name, source, part) for part in parts)
    return DataSet(name, int(source.labels.max()) + 1, train, validation, test)


def batch(
    split: Split, size: int, *, balanced: bool, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return ``size`` images and their labels, drawn without replacement.

    Args:
        split: where to draw from.
        size: number of images; if balanced, a multiple of the number of classes.
        balanced: whether every class gives the same number of images.
        generator: source of the draw; on the CPU.

    Raises:
        ValueError: if there are not enough images, or none are asked for.
    """
    chosen = torch.randperm(len(split.labels), generator=generator)
    groups = [chosen]
    if balanced:
        labels = split.labels[chosen]
        groups = [chosen[labels == label] for label in sorted(set(labels.tolist()))]
    quota = size // max(1, len(groups))
    if quota < 1 or quota * len(groups) != size or quota > min(map(len, groups)):
        raise ValueError(
            f"cannot draw {size} images from {len(groups)} groups of at least "
            f"{min(map(len, groups), default=0)}: ask for a positive multiple of the "
            "number of groups, small enough (balanced: one group a class)"
        )
    chosen = torch.cat([group[:quota] for group in groups])
    return split.images[chosen], split.labels[chosen]


def _partition(source: Source, seed: int, per_class: int | None) -> list[Indices]:
    """Positions of training, validation and test images, each in ascending order."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    first_test = len(source.labels) - source.tests
    parts: list[list[Indices]] = [[], [], []]
    for label in np.unique(source.labels):
        members = np.flatnonzero(source.labels == label)
        pool, tests = members[members < first_test], members[members >= first_test]
        pool = rng.permutation(pool)
        held_out = round(HELD_OUT * len(pool))
        if not source.tests:
            tests, pool = np.split(pool, [2 * held_out])
        validation, train = np.split(pool, [held_out])
        for part, chosen in zip(parts, (train, validation, tests), strict=True):
            part.append(chosen[:per_class])
    return [np.sort(np.concatenate(part)) for part in parts]


def _read(name: str, source: Source, positions: Indices) -> Split:
    mean, deviation = (torch.tensor(v).view(1, -1, 1, 1) for v in STANDARD[name])
    images = torch.from_numpy(source.read(positions)).float().div_(source.peak)
    labels = torch.from_numpy(source.labels[positions])
    return Split(images.sub_(mean).div_(deviation), labels, torch.from_numpy(positions))


if __name__ == "__main__":
    tyro.cli(command)
