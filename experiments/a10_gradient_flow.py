"""Figure a10 (new): what gradient flow conserves, and how training moves it.

Claim `gradient-flow-conservation`. A 64-32-16-10 network on digits, once without
biases (differences of neighbouring layers) and once with (hidden units). Descent on the
whole batch at several rates over the same time, and the flow itself by an ODE solver at
several tolerances.

Time is rate * steps / (1 - momentum): momentum, at the same time, has come about as far
as plain descent. The paper has no such figure; data, sizes and rates are ours.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from experiments import data
from experiments.initialisation import build
from experiments.seeds import generators
from theory.conserved_quantities import layer_law, magnitude, quantity, unit_law
from theory.flow_solver import gradient_flow, gradient_of
from theory.gradient_descent import Gradient, Sgd, drift_exponent
from theory.networks import Network, Parameters, cross_entropy

MARKS = 25
"""Equally spaced times at which descent is looked at (ours)."""


@dataclass(frozen=True)
class Config:
    """One network, trained from one start at several step sizes or tolerances."""

    method: Literal["descent", "flow"]
    values: tuple[float, ...]
    """Descent: rate / (1 - momentum); flow: the solver's rtol and atol."""
    bias: bool = False
    """Biases, and the balance of hidden units instead of layers."""
    activation: Literal["relu", "linear"] = "relu"
    momentum: float = 0.0
    decay: float = 0.0
    """Weight decay lambda, per unit of time."""
    horizon: float = 3.0
    """Time that every run takes."""
    samples: int = 200
    """Class-balanced images in the one batch that every step sees."""
    seed: int = 0
    """Of the initialisation and of the batch."""


RATES = (0.024, 0.012, 0.006, 0.003, 0.0015)
DEFAULT = (
    *(
        Config("descent", RATES, bias, momentum=momentum, decay=decay, seed=seed)
        for bias in (False, True)
        for momentum in (0.0, 0.9)
        for decay in (0.0, 0.1)
        for seed in range(3)
    ),
    *(
        Config("flow", (1e-3, 1e-5, 1e-7, 1e-9, 1e-11), activation="linear", seed=seed)
        for seed in range(3)
    ),
    *(Config("flow", (1e-3, 1e-4, 1e-5), bias, seed=0) for bias in (False, True)),
)
GRID = {"default": DEFAULT, "published": DEFAULT}


def run(config: Config) -> list[dict[str, str | int | float]]:
    """Return the drift at several times, for each step size or tolerance.

    ratio: |Q(t)| / |Q(0)|, Euclidean norms over all quantities; expected:
    exp(-2 decay t); drift: |Q(t) - expected Q(0)| over the norm of Q's terms at the
    start; loss; evaluations of the gradient. exponent: slope of log(drift at the
    horizon) against log(value), with its 95 % interval over the values (regression).
    """
    network, x, labels = _subject(config)
    law = unit_law(network, x) if config.bias else layer_law(network)
    loss, start = cross_entropy(labels), network.parameters
    gradient = gradient_of(network, x, loss)
    first, size = quantity(law, start), magnitude(law, start).norm()
    rows: list[dict[str, str | int | float]] = []
    for value in config.values:
        for time, theta, evaluations in _path(config, gradient, start, value):
            now, expected = quantity(law, theta), math.exp(-2 * config.decay * time)
            rows.append(
                {
                    "value": value,
                    "time": time,
                    "ratio": float(now.norm() / first.norm()),
                    "expected": expected,
                    "drift": float((now - expected * first).norm() / size),
                    "loss": float(loss(network(theta, x))),
                    "evaluations": evaluations,
                }
            )
    ends = {float(row["value"]): float(row["drift"]) for row in rows}  # the last time
    fit = drift_exponent(list(ends), list(ends.values()))
    fitted: dict[str, str | int | float] = {
        "exponent": fit.slope,
        "exponent_low": fit.low,
        "exponent_high": fit.high,
    }
    return [row | fitted for row in rows]


def _subject(config: Config) -> tuple[Network, Tensor, Tensor]:
    initial, drawn = generators(config.seed, 2)

    def make() -> nn.Module:
        activation = nn.ReLU if config.activation == "relu" else nn.Identity
        return nn.Sequential(
            nn.Linear(64, 32, bias=config.bias),
            activation(),
            nn.Linear(32, 16, bias=config.bias),
            activation(),
            nn.Linear(16, 10, bias=config.bias),
        )

    network = Network.of(build(make, "kaiming", initial))
    split = data.load("digits").train
    images, labels = data.batch(split, config.samples, balanced=True, generator=drawn)
    return network, images.flatten(1).double(), labels


def _path(
    config: Config, gradient: Gradient, start: Parameters, value: float
) -> Iterator[tuple[float, Parameters, int]]:
    """Yield time, parameters and gradients evaluated, the last at the horizon."""
    if config.method == "flow":
        end = gradient_flow(
            gradient,
            start,
            config.horizon,
            decay=config.decay,
            rtol=value,
            atol=value,
        )
        yield end.time, end.parameters, end.evaluations
        return
    sgd = Sgd(value * (1 - config.momentum), config.momentum, config.decay)
    steps = round(config.horizon / value)
    theta, velocity = start, {k: torch.zeros_like(p) for k, p in start.items()}
    marks = {round(steps * mark / MARKS) for mark in range(1, MARKS + 1)}
    for step in range(1, steps + 1):
        theta, velocity = sgd.step(theta, velocity, gradient(theta))
        if step in marks:
            yield step * value, theta, step
