"""The networks of paper B: how each is made, trained and pruned.

Recipes count in steps (one step an epoch). LeNet is pruned layer by layer, its output
layer at half the rate; the convolutional networks of all layers together, but neither
shortcuts nor output layer. Sources: paper B, figure 2 and section 2; Frankle & Carbin
2019 (arXiv 1803.03635), whose are what is pruned, weight decay and augmentation.
Figure 2 prints the drops of ResNet and VGG exchanged: its ResNet would end before them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from experiments import architectures, data, subjects
from experiments.recipes import Recipe
from experiments.sources import Name
from theory.masks import Masks

Architecture = subjects.Architecture | Literal["resnet20", "vgg19"]
"""Paper B calls resnet20 Resnet-18."""

RATE = 0.2
"""Share of the survivors removed in each round."""

WHOLE = ("downsample", "fc", "classifier")
"""Parts of convolutional networks, by name, that are not pruned."""


@dataclass(frozen=True)
class Case:
    """A network with its data and its training."""

    architecture: Architecture
    dataset: Name
    recipe: Recipe
    device: str = "cpu"
    """Where it is trained; weights and masks stay on the CPU."""


def _schedules(case: Case, low: float, warm: float, rise: int) -> dict[str, Case]:
    """Return the case, with a low rate, and with a rate reached after `rise` steps."""
    recipes = {
        "standard": case.recipe,
        "low": replace(case.recipe, learning_rate=low),
        "warmup": replace(case.recipe, learning_rate=warm, warmup=rise),
    }
    return {
        f"{case.architecture}-{case.dataset}-{name}": replace(case, recipe=recipe)
        for name, recipe in recipes.items()
    }


_RESNET6 = Recipe(420, 60, 0.1, weight_decay=1e-4, drops=(280, 350))
_RESNET20 = Recipe(
    *(30_000, 128, 0.1), weight_decay=1e-4, drops=(20_000, 25_000), crop=4, flip=True
)
_VGG19 = replace(_RESNET20, epochs=112_000, batch_size=64, drops=(56_000, 84_000))

CASES = {
    "lenet-digits": Case("lenet", "digits", Recipe(1000, 60, 1.2e-3, optimizer="adam")),
    "lenet-mnist": Case("lenet", "mnist", Recipe(50_000, 60, 1.2e-3, optimizer="adam")),
    **_schedules(Case("resnet6", "digits", _RESNET6), 0.01, 0.03, 280),
    **_schedules(Case("resnet20", "cifar10", _RESNET20, "cuda"), 0.01, 0.03, 20_000),
    **_schedules(Case("resnet20", "cifar10-jpeg", _RESNET20), 0.01, 0.03, 20_000),
    **_schedules(Case("vgg19", "cifar10", _VGG19, "cuda"), 0.01, 0.1, 10_000),
}
"""Digits: LeNet as on MNIST, in fewer steps; ResNet6 as ResNet-18 on CIFAR-10, in 20
epochs (ours). Of the rates 0.01 ... 0.8 its standard one is the largest that is
within a standard error of the best on validation images (five other seeds).
"""


def images(case: Case) -> data.DataSet:
    """Return the images; LeNet's with intensities from 0 to 1, not standardised.

    Paper B does not say how it scales them. The public code of arXiv 1803.03635 divides
    each image by its length, which makes the distances much larger than the published
    ones; standardised pixels make them much smaller (figure b10).
    """
    found = data.load(case.dataset)
    mean, deviation = (
        torch.tensor(numbers).view(1, -1, 1, 1)
        for numbers in data.STANDARD[case.dataset]
    )

    def prepared(split: data.Split) -> data.Split:
        pixels = split.images
        if case.architecture == "lenet":
            pixels = pixels * deviation + mean
        return data.Split(
            pixels.to(case.device), split.labels.to(case.device), split.indices
        )

    parts = (prepared(part) for part in (found.train, found.validation, found.test))
    return data.DataSet(found.name, found.classes, *parts)


def network(case: Case, found: data.DataSet, seed: int) -> nn.Module:
    """Return the network with the weights that a seed draws, on the CPU."""
    generator = torch.Generator().manual_seed(seed)
    shape = found.train.images.shape[1:]
    match case.architecture:
        case "resnet20":
            return architectures.resnet20(found.classes, generator=generator)
        case "vgg19":
            return architectures.vgg_cifar(19, found.classes, generator=generator)
        case small:
            return subjects.network(small, shape, found.classes, generator)


def dense(weights: Mapping[str, Tensor]) -> Masks:
    """Return masks that keep all weights that can be pruned."""
    return {
        name: torch.ones(p.shape, dtype=torch.bool)
        for name, p in weights.items()
        if p.ndim > 1 and not set(WHOLE) & set(name.split("."))
    }


def rates(case: Case, masks: Masks) -> float | dict[str, float]:
    """Return the share of survivors that a round removes, of all layers or of each."""
    if case.architecture != "lenet":
        return RATE
    *hidden, output = masks
    return {**dict.fromkeys(hidden, RATE), output: RATE / 2}
