"""The networks of paper B: how each is made, trained and pruned.

Recipes count in steps (one step an epoch). LeNet is pruned layer by layer, its output
layer at half the rate; the convolutional networks of all layers together. Sources:
paper B, figure 2 and section 2; Frankle & Carbin 2019 (arXiv 1803.03635).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from experiments import data, subjects
from experiments.recipes import Recipe
from experiments.sources import Name
from theory.masks import Masks

RATE = 0.2
"""Share of the survivors removed in each round."""


@dataclass(frozen=True)
class Case:
    """A network with its data and its training."""

    architecture: subjects.Architecture
    dataset: Name
    recipe: Recipe


CASES = {
    "lenet-digits": Case("lenet", "digits", Recipe(1000, 60, 1.2e-3, optimizer="adam")),
    "lenet-mnist": Case("lenet", "mnist", Recipe(50_000, 60, 1.2e-3, optimizer="adam")),
}
"""Digits: as MNIST, in fewer steps (ours)."""


def images(case: Case) -> data.DataSet:
    """Return the images; LeNet's with intensities from 0 to 1, not standardised.

    That is what the public code of arXiv 1803.03635 feeds it with.
    """
    found = data.load(case.dataset)
    if case.architecture != "lenet":
        return found
    means, deviations = (
        torch.tensor(numbers).view(1, -1, 1, 1)
        for numbers in data.STANDARD[case.dataset]
    )

    def raw(split: data.Split) -> data.Split:
        pixels = split.images * deviations + means
        return data.Split(pixels, split.labels, split.indices)

    parts = (raw(part) for part in (found.train, found.validation, found.test))
    return data.DataSet(found.name, found.classes, *parts)


def network(case: Case, found: data.DataSet, seed: int) -> nn.Module:
    """Return the network with the weights that a seed draws."""
    generator = torch.Generator().manual_seed(seed)
    shape = found.train.images.shape[1:]
    return subjects.network(case.architecture, shape, found.classes, generator)


def dense(weights: Mapping[str, Tensor]) -> Masks:
    """Return masks that keep all weights of linear and convolutional layers."""
    return {
        name: torch.ones(p.shape, dtype=torch.bool)
        for name, p in weights.items()
        if p.ndim > 1
    }


def rates(case: Case, masks: Masks) -> float | dict[str, float]:
    """Return the share of survivors that a round removes, of all layers or of each."""
    if case.architecture != "lenet":
        return RATE
    *hidden, output = masks
    return {**dict.fromkeys(hidden, RATE), output: RATE / 2}
