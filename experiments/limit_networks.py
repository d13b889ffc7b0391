"""The networks of paper C, and three small ones for digits (ours), with new weights."""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Literal

import torch
from torch import nn

from experiments import architectures
from experiments.initialisation import build

Architecture = Literal[
    "mlp",
    "fc5-narrow",
    "convnet",
    "lenet-300-100",
    "fc5",
    "fc12",
    "small-vgg",
    "alexnet",
    "vgg16",
    "resnet18",
    "resnet50",
]
Layers = Callable[[], Iterator[nn.Module]]


def network(
    architecture: Architecture,
    shape: tuple[int, ...],
    classes: int,
    generator: torch.Generator | None,
) -> nn.Module:
    """Return a network for images of a shape; shapes only without a generator."""
    inputs = math.prod(shape)
    match architecture:
        case "mlp":
            return _built(_dense(inputs, 20, classes), generator)
        case "fc5-narrow":
            return _built(_dense(inputs, 16, 14, 12, 10, classes), generator)
        case "convnet":
            return _built(_convnet(classes), generator)
        case "lenet-300-100":
            return architectures.lenet_300_100(classes, generator=generator)
        case "fc5":
            return architectures.fc5(classes, inputs, generator=generator)
        case "fc12":
            return architectures.fc12(classes, inputs, generator=generator)
        case "small-vgg":
            return _built(_small_vgg(shape, classes), generator)
        case "alexnet":
            return architectures.alexnet(classes, generator=generator)
        case "vgg16":
            return architectures.vgg_cifar(16, classes, generator=generator)
        case "resnet18" | "resnet50":
            depth = int(architecture.removeprefix("resnet"))
            return architectures.resnet_cifar(depth, classes, generator=generator)


def _built(layers: Layers, generator: torch.Generator | None) -> nn.Module:
    return build(lambda: nn.Sequential(*layers()), "kaiming", generator)


def _dense(*sizes: int) -> Layers:
    def layers() -> Iterator[nn.Module]:
        yield nn.Flatten()
        for number, (before, after) in enumerate(pairwise(sizes)):
            if number:
                yield nn.ReLU()
            yield nn.Linear(before, after)

    return layers


def _convnet(classes: int) -> Layers:
    """Two convolutions and a linear layer for 8x8 digits: 3x3 and 2x2 positions."""

    def layers() -> Iterator[nn.Module]:
        yield from (nn.Conv2d(1, 6, 4, stride=2), nn.ReLU())
        yield from (nn.Conv2d(6, 8, 2), nn.ReLU())
        yield from (nn.Flatten(), nn.Linear(8 * 2 * 2, classes))

    return layers


def _small_vgg(shape: tuple[int, ...], classes: int) -> Layers:
    """Four 3x3 convolutions with a pool after every second, and a linear layer."""

    def layers() -> Iterator[nn.Module]:
        widths = (shape[0], 16, 16, 32, 32)
        for number, (before, after) in enumerate(pairwise(widths)):
            yield from (nn.Conv2d(before, after, 3, padding=1), nn.ReLU())
            if number % 2:
                yield nn.MaxPool2d(2)
        flat = widths[-1] * (shape[1] // 4) * (shape[2] // 4)
        yield from (nn.Flatten(), nn.Linear(flat, classes))

    return layers
