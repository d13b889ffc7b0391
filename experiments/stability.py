"""Both stabilities of paper B, measured on the subnetworks that IMP finds.

For each initialisation W_0, with independent data orders u_0, u_1, ...:

    W_k        = A(W_0, u_0) up to step k                      (k = 0: W_0 itself)
    m          = the masks of IMP with u_0, rewound to W_k
    random     = masks with m's count in each layer
    dense      = A(W_k, u),  subnetwork = A(m * W_k, u)        for each u

    pruning    : d(dense, subnetwork) on m, the SAME u for both
    data order : d(subnetwork with u, subnetwork with u') for every pair of orders

The numerical noise floor is the distance of two runs that are equal in exact
arithmetic: same weights, masks and data order, but hidden units permuted, and permuted
back after training. It is what rounding alone makes of a distance of zero.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import torch

from experiments.seeds import generators, seeds
from experiments.stacked_training import Run
from theory.lottery_tickets import (
    Ticket,
    Weights,
    iterative_magnitude_pruning,
    random_masks,
)
from theory.masked_distance import angle, distance, inverse, permuted
from theory.masks import Masks, counts

Row = dict[str, str | int | float]
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

        The hidden units of LeNet's linear layers are permuted while it trains.
        """
        layers = list(masks[0])
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


@dataclass(frozen=True)
class Trained:
    """Runs of one kind of subnetwork: dense, imp or random."""

    masks: Sequence[Masks]
    """Of each sample."""
    runs: Mapping[int, Sequence[Weights]]
    """By number of the data order: the weights of each sample."""
    again: Sequence[Weights]
    """The runs with u_0, rounded otherwise; empty where no floor is measured."""


def tickets(
    study: Study, dense: Masks, rates: float | Mapping[str, float], rounds: int
) -> list[list[Ticket]]:
    """Return the tickets of all rounds of IMP with u_0, one a sample."""
    number = iter(range(rounds + 1))

    def train(_: Sequence[Weights], masks: Sequence[Masks]) -> Sequence[Weights]:
        return study.trained(masks, [0], f"imp-{next(number)}")[0]

    wholes = [dense] * len(study.samples)
    return list(iterative_magnitude_pruning(train, study.starts, wholes, rates, rounds))


def controlled(
    study: Study,
    found: Sequence[Sequence[Ticket]],
    *,
    orders: int,
    dense_orders: int,
    floor: bool,
) -> dict[str, Trained]:
    """Return the dense networks, IMP's last subnetworks and random ones, by kind.

    Args:
        study: the trainings.
        found: IMP's tickets; what it has trained with u_0 is not trained again.
        orders: data orders of the subnetworks.
        dense_orders: data orders of the dense networks.
        floor: train once more with permuted units (linear layers only).
    """
    imp = [ticket.masks for ticket in found[-1]]
    kinds = {
        "dense": ([ticket.masks for ticket in found[0]], dense_orders, found[0]),
        "imp": (imp, orders, found[-1]),
        "random": (
            [
                random_masks(mask, sample.ranking)
                for mask, sample in zip(imp, study.samples, strict=True)
            ],
            orders,
            [],
        ),
    }
    trained = {}
    for kind, (masks, number, known) in kinds.items():
        runs = {0: [ticket.weights for ticket in known]} if known else {}
        runs |= study.trained(masks, range(len(runs), number), kind)
        again = study.reordered(masks, f"{kind}-floor") if floor else []
        trained[kind] = Trained(masks, runs, again)
    return trained


def rows(
    study: Study,
    found: Sequence[Sequence[Ticket]],
    trained: Mapping[str, Trained],
    accuracy: Callable[[Weights], float],
) -> Iterator[Row]:
    """Yield one row for each distance, angle and accuracy.

    Columns: initialisation; subnetwork (dense, imp, random); round and density (share
    of the prunable weights kept) of its mask; quantity; first and second, the numbers
    of the two data orders; unit (L2, degrees, share of 1); value.
    """
    dense, last = trained["dense"], len(found) - 1
    for index, sample in enumerate(study.samples):
        for number, round_ in enumerate(found):
            ticket, whole = round_[index], dense.runs[0][index]
            one = _Subnetwork(sample.seed, "imp", number, ticket.masks)
            yield one.row("round accuracy", 0, 0, "share", accuracy(ticket.weights))
            yield from one.between("round pruning", 0, 0, whole, ticket.weights)
        for kind, own in trained.items():
            number = 0 if kind == "dense" else last
            one = _Subnetwork(sample.seed, kind, number, own.masks[index])
            runs = {u: weights[index] for u, weights in own.runs.items()}
            for u, weights in runs.items():
                yield one.row("accuracy", u, u, "share", accuracy(weights))
            for u, v in combinations(runs, 2):
                yield from one.between("data order", u, v, runs[u], runs[v])
            for u in dense.runs.keys() & runs.keys():
                whole = dense.runs[u][index]
                yield from one.between("pruning", u, u, whole, runs[u])
            if own.again:
                again, whole = own.again[index], dense.again[index]
                yield from one.between("data order floor", 0, 0, runs[0], again)
                yield from one.between(
                    "pruning floor", 0, 0, dense.runs[0][index], whole
                )


@dataclass(frozen=True)
class _Subnetwork:
    """What the rows of one subnetwork have in common."""

    seed: int
    kind: str
    round_: int
    masks: Masks

    def row(self, quantity: str, u: int, v: int, unit: str, value: float) -> Row:
        size = sum(mask.numel() for mask in self.masks.values())
        return {
            "initialisation": self.seed,
            "subnetwork": self.kind,
            "round": self.round_,
            "density": sum(counts(self.masks).values()) / size,
            "quantity": quantity,
            "first": u,
            "second": v,
            "unit": unit,
            "value": value,
        }

    def between(
        self, quantity: str, u: int, v: int, a: Weights, b: Weights
    ) -> Iterator[Row]:
        yield self.row(quantity, u, v, "L2", distance(a, b, self.masks))
        yield self.row(quantity, u, v, "degrees", angle(a, b, self.masks))
