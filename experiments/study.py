"""Initialisations of one network that are trained together, from step k to step T.

The noise floor of a distance is what rounding alone makes of a distance of zero: that
of two runs that are equal in exact arithmetic. `Study.reordered` is the second run:
same weights, masks and data order, but hidden units permuted, and permuted back after
training, so that every sum over them is added up in another order.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from experiments.seeds import generators, seeds
from experiments.stacked_training import Run
from theory.lottery_tickets import Weights
from theory.masked_distance import inverse, permuted
from theory.masks import Masks

Train = Callable[[Sequence[Run], int, int, str], Sequence[Weights]]
"""(runs, first step, step to stop before, a name of its own): the trained weights."""


@dataclass(frozen=True)
class Initialisation:
    """One sample: first weights and all that is drawn for it."""

    seed: int
    weights: Weights
    """W_0."""
    orders: tuple[int, ...]
    """Seeds of u_0, u_1, ..."""
    ranking: torch.Generator
    """Draws the random masks."""
    units: torch.Generator
    """Draws the permutations of hidden units."""

    @classmethod
    def of(
        cls, seed: int, orders: int, weights: Callable[[int], Weights]
    ) -> "Initialisation":
        """Return the sample of a seed, `weights` making W_0 from a seed of its own."""
        first, *orders_ = seeds(seed, 1 + orders)
        ranking, units = generators(first, 2)
        return cls(seed, weights(first), tuple(orders_), ranking, units)


@dataclass(frozen=True)
class Study:
    """Initialisations that are trained together, from step `first` to `last`."""

    samples: Sequence[Initialisation]
    train: Train
    first: int
    """k."""
    last: int
    """T."""
    starts: Sequence[Weights]
    """W_k of each sample."""

    @classmethod
    def rewound(
        cls, samples: Sequence[Initialisation], train: Train, *, first: int, last: int
    ) -> "Study":
        """Return the study with W_k trained from W_0 with u_0."""
        runs = [Run(s.weights, {}, s.orders[0]) for s in samples]
        starts = train(runs, 0, first, "start") if first else [r.weights for r in runs]
        return cls(samples, train, first, last, starts)

    def trained(
        self, masks: Sequence[Masks], orders: Sequence[int], name: str
    ) -> dict[int, list[Weights]]:
        """Return A(m * W_k, u) of every sample for each order, by its number."""
        runs = [
            Run(start, mask, sample.orders[number])
            for number in orders
            for start, mask, sample in zip(
                self.starts, masks, self.samples, strict=True
            )
        ]
        trained = self.train(runs, self.first, self.last, name)
        size = len(self.samples)
        parts = [trained[i : i + size] for i in range(0, len(runs), size)]
        return {n: list(part) for n, part in zip(orders, parts, strict=True)}

    def reordered(self, masks: Sequence[Masks], name: str) -> list[Weights]:
        """Return what `trained` does with u_0, added up in another order.

        Raises:
            ValueError: there is more than masked linear layers and their biases.
        """
        layers = list(masks[0])
        biases = [layer.removesuffix("weight") + "bias" for layer in layers]
        others = self.starts[0].keys() - {*layers, *biases}
        if others or any(self.starts[0][layer].ndim != 2 for layer in layers):
            raise ValueError(
                "only units between linear layers can be permuted, got layers "
                f"{layers} and {sorted(others)} beside them; measure no noise floor "
                "of this network"
            )
        orders = [
            [
                torch.randperm(sample.weights[layer].shape[0], generator=sample.units)
                for layer in layers[:-1]
            ]
            for sample in self.samples
        ]
        runs = [
            Run(
                permuted(start, layers, order),
                permuted(mask, layers, order),
                sample.orders[0],
            )
            for start, mask, order, sample in zip(
                self.starts, masks, orders, self.samples, strict=True
            )
        ]
        trained = self.train(runs, self.first, self.last, name)
        return [
            permuted(weights, layers, inverse(order))
            for weights, order in zip(trained, orders, strict=True)
        ]
