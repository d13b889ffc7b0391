"""The networks that are pruned at initialisation and trained, each with its images.

Our own small ones for digits (8x8 pixels, one channel) stand for the networks of the
papers that need larger images and a GPU. VGG5 and ResNet6 count their layers as VGG-16
and ResNet-18 do, and have BatchNorm like those.
"""

import math
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from experiments import architectures, data
from experiments.initialisation import build
from experiments.residual import residual
from experiments.seeds import seeds
from experiments.sources import Name
from experiments.vision import torchvision

Architecture = Literal[
    "lenet",
    "vgg5",
    "vgg5-narrow",
    "resnet6",
    "resnet6-wide",
    "vgg11",
    "vgg16",
    "resnet18",
    "resnet18-wide",
]


@dataclass(frozen=True)
class Subject:
    """A network at initialisation with all that prunes and trains it."""

    model: nn.Module
    dataset: data.DataSet
    images: Tensor
    """Class-balanced training images, for scores that see data."""
    labels: Tensor
    ranking: int
    """Seed of random scores."""
    order: int
    """Seed of training: order and augmentation of the images."""


def subject(
    architecture: Architecture,
    dataset: Name,
    *,
    per_class: int,
    seed: int,
    device: str = "cpu",
) -> Subject:
    """Return the network with new weights, its images and four independent seeds.

    Args:
        architecture: VGG5 and ResNet6 for digits; LeNet for any; the others for RGB.
        dataset: name of the images.
        per_class: images of each class that SNIP and GraSP see.
        seed: of weights, of the images drawn, of random scores, of training.
        device: where network and images are.
    """
    weights, batch, ranking, order = seeds(seed, 4)
    found = data.load(dataset)
    images, labels = data.batch(
        found.train,
        per_class * found.classes,
        balanced=True,
        generator=torch.Generator().manual_seed(batch),
    )
    generator = torch.Generator().manual_seed(weights)
    model = network(architecture, images.shape[1:], found.classes, generator)
    return Subject(
        model.to(device),
        _moved(found, device),
        images.to(device),
        labels.to(device),
        ranking,
        order,
    )


def network(
    architecture: Architecture,
    shape: tuple[int, ...],
    classes: int,
    generator: torch.Generator | None,
) -> nn.Module:
    """Return a network for images of a shape; shapes only without a generator."""
    match architecture:
        case "lenet":
            make = partial(_lenet, math.prod(shape), classes)
            return build(make, "glorot", generator)
        case "vgg5" | "vgg5-narrow":
            width = 16 if architecture == "vgg5" else 8
            return build(partial(_vgg5, width, classes), "kaiming", generator)
        case "resnet6" | "resnet6-wide":
            width = 8 if architecture == "resnet6" else 16
            return build(partial(_resnet6, width, classes), "resnet", generator)
        case "vgg11" | "vgg16":
            depth = int(architecture.removeprefix("vgg"))
            return architectures.vgg_cifar(depth, classes, generator=generator)
        case "resnet18":
            return architectures.resnet_cifar(18, classes, generator=generator)
        case "resnet18-wide":
            return architectures.wide_resnet18(classes, generator=generator)


def _lenet(inputs: int, classes: int) -> nn.Module:
    layers: list[nn.Module] = [nn.Flatten()]
    for before, after in pairwise((inputs, 300, 100, classes)):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _vgg5(width: int, classes: int) -> nn.Module:
    """Four 3x3 convolutions of 1, 2, 4, 4 times the width, and a linear layer."""
    layers: list[nn.Module] = []
    channels = (1, width, 2 * width, 4 * width, 4 * width)
    for number, (before, after) in enumerate(pairwise(channels)):
        convolution = nn.Conv2d(before, after, 3, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(after), nn.ReLU()]
        if number % 2:
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(16 * width, classes))


def _resnet6(width: int, classes: int) -> nn.Module:
    """Two residual blocks, the second with half the pixels and twice the width."""
    block = torchvision.models.resnet.BasicBlock
    model = residual(block, (width, 2 * width), (1, 1), classes)
    model[0] = nn.Conv2d(1, width, 3, padding=1, bias=False)
    return model


def _moved(dataset: data.DataSet, device: str) -> data.DataSet:
    parts = (
        data.Split(part.images.to(device), part.labels.to(device), part.indices)
        for part in (dataset.train, dataset.validation, dataset.test)
    )
    return data.DataSet(dataset.name, dataset.classes, *parts)
