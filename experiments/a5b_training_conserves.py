"""Figure a5b (paper A, figure 5b): mean squared weights of the layers during training.

Claim `gradient-flow-conservation`: without decay and biases all layers gain the same
total, so that the mean of W(t)^2 - W(0)^2 over layer l is proportional to 1 / N_l. With
decay the differences of the layers' totals shrink as exp(-2 lambda t).

Deviations from the paper: the small VGG on 500 digits. "published" has the authors'
network (their "lottery" VGG-19 without BatchNorm: 17 layers), data and schedule; their
weight decay is inferred: 1e-3 from the stored numbers (both runs lose 0.78 % of their
differences an epoch), where the script in their repository says 1e-4.

The run is repeated from the start for each epoch that is looked at.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import nn

from experiments import data
from experiments.architectures import prunable_weights, small_vgg, vgg_cifar
from experiments.evaluation import accuracy
from experiments.initialisation import initialise
from experiments.recipes import Recipe
from experiments.seeds import generators
from experiments.sources import Name
from experiments.training import train
from theory.layer_scaling import PowerLaw, power_law


@dataclass(frozen=True)
class Config:
    """One training run."""

    initialization: Literal["xavier", "default"]
    """Glorot's or Kaiming's normal distribution."""
    bias: bool
    """Biases of the small VGG; VGG-19 has them. They count as their layer's weights."""
    weight_decay: float
    architecture: Literal["small-vgg-digits", "vgg19-cifar10"] = "small-vgg-digits"
    epochs: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    """When the weights are looked at, in ascending order; the last ends the run."""
    learning_rate: float = 0.002
    momentum: float = 0.9
    drops: tuple[int, ...] = ()
    """Epochs after which the rate falls to a tenth."""
    batch_size: int = 50
    per_class: int = 50
    """Training images of each class; 0 takes all."""
    augment: bool = False
    """Random crops and mirror images."""
    device: str = "cpu"
    seed: int = 0
    """Of the initialisation and of the order of the images."""


GRID = {
    "default": tuple(
        Config(initialization, bias, decay, seed=seed)
        for initialization in ("xavier", "default")
        for bias, decay in ((False, 0.0), (True, 0.0), (True, 0.02))
        for seed in range(3)
    ),
    "published": tuple(
        Config(
            initialization,
            True,
            1e-3,
            "vgg19-cifar10",
            (1, 2, 5, 10, 20, 50, 100),
            0.001,
            drops=(30, 60, 80),
            batch_size=128,
            per_class=0,
            augment=True,
            device="cuda",
            seed=seed,
        )
        for initialization in ("xavier", "default")
        for seed in range(3)
    ),
}


def run(config: Config) -> list[dict[str, str | int | float]]:
    """Return a row for each layer, before training and after each of the epochs.

    size: weights and biases of the layer; mean_square: mean of their squares, total:
    the sum; change: |mean(W(t)^2 - W(0)^2)|. slope, intercept and r_squared belong to
    the line of log(mean_square) against log(1 / size), change_slope, ... to that of
    log(change), NaN before training. The totals less their mean over layers, D(t), are
    fitted as kept * D(0) (least squares), and left_over = |D(t) - kept D(0)| / |D(0)|;
    decayed = exp(-2 lambda t), t the time that momentum has covered (`_time`).
    """
    initial, order = generators(config.seed, 2)
    name: Name = "digits" if "digits" in config.architecture else "cifar10"
    images = data.load(name, per_class=config.per_class or None)
    train_split, test = (
        replace(s, images=s.images.to(config.device), labels=s.labels.to(config.device))
        for s in (images.train, images.test)
    )
    initial_model = _model(config, initial).to(config.device)
    sizes, first = _totals(initial_model)
    rows: list[dict[str, str | int | float]] = []
    seed, steps = order.initial_seed(), -(-len(train_split.labels) // config.batch_size)
    for epoch in (0, *config.epochs):
        recipe = _recipe(config, epoch)
        order = torch.Generator().manual_seed(seed)  # the same run, a while longer
        model, _ = train(initial_model, train_split, recipe, generator=order)
        time = _time(recipe, steps)
        _, totals = _totals(model)
        whole: dict[str, str | int | float] = {
            "epoch": epoch,
            "time": time,
            "decayed": math.exp(-2 * config.weight_decay * time),
            "test_accuracy": accuracy(model, test),
            **_summary(sizes, first, totals, np.random.default_rng(config.seed)),
        }
        rows += [row | whole for row in _layers(sizes, first, totals)]
    return rows


def _layers(
    sizes: list[int], first: list[float], totals: list[float]
) -> list[dict[str, str | int | float]]:
    return [
        {
            "layer": layer,
            "size": size,
            "total": now,
            "mean_square": now / size,
            "change": abs(now - start) / size,
        }
        for layer, (size, start, now) in enumerate(
            zip(sizes, first, totals, strict=True), start=1
        )
    ]


def _model(config: Config, generator: torch.Generator) -> nn.Module:
    if config.architecture == "small-vgg-digits":
        model = small_vgg(bias=config.bias, generator=generator)
    else:
        model = vgg_cifar(19, 10, generator=generator)
        features = model.get_submodule("features")
        for name, layer in features.named_children():
            if isinstance(layer, nn.BatchNorm2d):
                setattr(features, name, nn.Identity())
    if config.initialization == "xavier":
        initialise(model, "glorot", generator=generator)
    return model


def _recipe(config: Config, epochs: int) -> Recipe:
    return Recipe(
        epochs=epochs,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        optimizer="nesterov",
        drops=config.drops,
        crop=4 if config.augment else 0,
        flip=config.augment,
    )


def _time(recipe: Recipe, steps: int) -> float:
    """Return the sum over gradients of the rates that have been applied to them.

    Nesterov's momentum has applied the gradient of the m-th step from the end
    (1 - mu^(m+1)) / (1 - mu) times.
    """
    mu, count = recipe.momentum, recipe.epochs * steps
    weights = [(1 - mu ** (count - s + 1)) / (1 - mu) for s in range(count)]
    return sum(recipe.rate(s, steps) * w for s, w in enumerate(weights))


def _totals(model: nn.Module) -> tuple[list[int], list[float]]:
    """Return the size and the sum of squares of each layer, biases included."""
    parameters = dict(model.named_parameters())
    layers = [name.removesuffix(".weight") for name in prunable_weights(model)]
    names = [(f"{layer}.weight", f"{layer}.bias") for layer in layers]
    parts = [
        [parameters[name].detach() for name in pair if name in parameters]
        for pair in names
    ]
    sizes = [sum(p.numel() for p in part) for part in parts]
    return sizes, [
        sum(float(p.double().square().sum()) for p in part) for part in parts
    ]


def _summary(
    sizes: list[int], first: list[float], now: list[float], rng: np.random.Generator
) -> dict[str, float]:
    means = [total / size for total, size in zip(now, sizes, strict=True)]
    changes = [abs(b - a) / n for a, b, n in zip(first, now, sizes, strict=True)]
    start, end = (np.array(totals) - np.mean(totals) for totals in (first, now))
    kept = float(end @ start / (start @ start))
    left_over = float(np.linalg.norm(end - kept * start) / np.linalg.norm(start))
    law = power_law(sizes, means, rng=rng)
    change = power_law(sizes, changes, rng=rng) if all(changes) else None
    return {
        **_line("", law),
        **_line("change_", change),
        "kept": kept,
        "left_over": left_over,
    }


def _line(prefix: str, law: PowerLaw | None) -> dict[str, float]:
    names = ("slope", "intercept", "r_squared", "slope_low", "slope_high")
    values = [math.nan] * 5
    if law is not None:
        values = [law.slope, law.intercept, law.r_squared, law.low, law.high]
    return {prefix + name: value for name, value in zip(names, values, strict=True)}
