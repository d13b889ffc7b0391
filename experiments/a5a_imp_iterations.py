"""Figure a5a (paper A, figure 5a): iterative magnitude pruning, with n iterations.

    masks = 1
    for k in 1 ... n:  train; keep the rho^(-k/n) N largest kept |theta|; rewind
    train

"Rewind" puts the kept weights, biases and BatchNorm back to their initial values. The
published runs did not, by mistake: both are run here. Density after k of n iterations
as in the authors' code.

Deviations from the paper: by default narrow VGG5 on digits, 5 epochs each training, in
place of VGG-11 on CIFAR-10 with 50 (profile "published"); three seeds in place of one;
10 % of the training images are held out.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from experiments.pruned_training import RECIPES, Row, constant, fit, remains
from experiments.recipes import Recipe
from experiments.seeds import generators
from experiments.sources import Name
from experiments.subjects import Architecture, Subject, subject
from experiments.training import train
from theory.masks import Masks, exponential, keep_largest
from theory.networks import Network


@dataclass(frozen=True)
class Config:
    """Iterative magnitude pruning to evenly spaced log10 of the compression."""

    iterations: int
    """Of training and pruning, before the last training."""
    rewind: bool
    """Whether pruned networks are put back to their initial weights."""
    seed: int = 0
    """Of weights and training."""
    architecture: Architecture = "vgg5-narrow"
    dataset: Name = "digits"
    recipe: str = "digits-vgg5"
    """Of `pruned_training.RECIPES`."""
    epochs: int = 5
    """Of each training."""
    start: float = 0.0
    """log10 of the smallest compression."""
    stop: float = 3.5
    """log10 of the largest."""
    points: int = 9
    device: str = "cpu"


GRID = {
    "default": tuple(
        Config(iterations, rewind, seed)
        for iterations in (1, 2, 3)
        for rewind in (True, False)
        for seed in range(3)
    ),
    "published": tuple(
        Config(
            *(iterations, rewind, seed, "vgg11", "cifar10", "imp-cifar", 50),
            start=compression,
            stop=compression,
            points=1,
            device="cuda",
        )
        for iterations in range(1, 6)
        for rewind in (True, False)
        for seed in range(3)
        for compression in np.linspace(0, 4.9, 50).tolist()
    ),
}


def run(config: Config) -> list[Row]:
    """Return a row for each compression: what is left, and its test accuracies.

    `initial_accuracy` is that before the last training: of a network at its initial
    values if rewound, of a trained one if not. Others as in figure a1.
    """
    chosen = subject(
        config.architecture,
        config.dataset,
        per_class=1,
        seed=config.seed,
        device=config.device,
    )
    recipe = replace(RECIPES[config.recipe], epochs=config.epochs)
    dense = _trained(chosen, chosen.model, recipe, {}, 0)
    rows: list[Row] = []
    for compression in np.linspace(config.start, config.stop, config.points).tolist():
        density = 10**-compression
        model, masks = _pruned(config, chosen, recipe, dense, density)
        left = remains(chosen, masks)
        if left["path"]:
            order = _order(chosen, config.iterations)
            _, measured = fit(model, chosen.dataset, recipe, masks, generator=order)
        else:
            measured = constant(chosen.dataset)
        rows.append({"compression_log10": compression, **left, **measured})
    return rows


def _pruned(
    config: Config, chosen: Subject, recipe: Recipe, dense: nn.Module, density: float
) -> tuple[nn.Module, Masks]:
    """Return the network that the last training starts from, and its masks."""
    model, start, network = dense, dense, Network.of(dense)
    masks = {
        name: torch.ones_like(network.parameters[name], dtype=torch.bool)
        for name in network.prunable
    }
    for step in range(1, config.iterations + 1):
        weights = Network.of(model).parameters
        magnitudes = {name: weights[name].abs() for name in masks}
        reached = exponential(density, step, config.iterations)
        masks = keep_largest(magnitudes, reached, among=masks)
        start = chosen.model if config.rewind else model
        if step < config.iterations:
            model = _trained(chosen, start, recipe, masks, step)
    return start, masks


def _trained(
    chosen: Subject, model: nn.Module, recipe: Recipe, masks: Masks, phase: int
) -> nn.Module:
    order = _order(chosen, phase)
    return train(model, chosen.dataset.train, recipe, masks=masks, generator=order)[0]


def _order(chosen: Subject, phase: int) -> torch.Generator:
    """Return the generator of one training: each has an order of its own."""
    return generators(chosen.order, phase + 1)[phase]
