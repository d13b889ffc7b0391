"""A small trained network, for the tests of paper C's experiments."""

from functools import cache
from itertools import pairwise

import torch
from torch import nn

from experiments.data import DataSet, Split
from experiments.limit_problem import Problem
from experiments.limit_training import Trained, train
from experiments.recipes import Recipe

RECIPE = Recipe(epochs=20, batch_size=32, learning_rate=0.1, cosine=True)


def images(count: int, shape: tuple[int, ...], *, classes: int, seed: int) -> Split:
    """Return images around a centre for each class, the same for every seed."""
    centres = torch.randn(classes, *shape, generator=torch.Generator().manual_seed(99))
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    noise = torch.randn(count, *shape, generator=generator)
    return Split(centres[labels] + noise, labels, torch.arange(count))


def dataset(shape: tuple[int, ...], *, classes: int, count: int) -> DataSet:
    """Return three sets of generated images."""
    parts = (images(count, shape, classes=classes, seed=s) for s in (0, 1, 2))
    return DataSet("generated", classes, *parts)


def mlp(*sizes: int, seed: int = 0) -> nn.Module:
    """Return a ReLU network with weights from a seed."""
    generator = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = [nn.Flatten()]
    for before, after in pairwise(sizes):
        linear = nn.utils.skip_init(nn.Linear, before, after)
        for parameter in linear.parameters():
            nn.init.normal_(parameter, std=before**-0.5, generator=generator)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@cache
def trained(strength: float) -> Trained:
    """Return an MLP 6-5-3 trained on 150 vectors."""
    split = images(150, (6,), classes=3, seed=0)
    generator = torch.Generator().manual_seed(1)
    return train(mlp(6, 5, 3), split, RECIPE, strength=strength, generator=generator)


@cache
def problem(strength: float = 0.0) -> Problem:
    """Return its problem: D = 53, N = 45."""
    parts = (images(150, (6,), classes=3, seed=seed) for seed in (0, 1))
    return Problem.of(trained(strength).model, *parts)
