"""Both stabilities of paper B, measured on the subnetworks that IMP finds.

For each initialisation W_0, with independent data orders u_0, u_1, ...:

    W_k        = A(W_0, u_0) up to step k                      (k = 0: W_0 itself)
    m          = the masks of IMP with u_0, rewound to W_k
    random     = masks with m's count in each layer
    dense      = A(W_k, u),  subnetwork = A(m * W_k, u)        for each u

    pruning    : d(dense, subnetwork) on m, the SAME u for both
    data order : d(subnetwork with u, subnetwork with u') for every pair of orders

Their numerical noise floors are what rounding alone makes of them: the distance of the
run with u_0 and the same run added up in another order (`study.Study.reordered`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from experiments.study import Study
from theory.lottery_tickets import (
    Ticket,
    Weights,
    iterative_magnitude_pruning,
    random_masks,
)
from theory.masked_distance import angle, distance
from theory.masks import Masks, counts

Row = dict[str, str | int | float]


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
        floor: train once more, added up in another order (linear layers only).

    Raises:
        ValueError: other than 1 <= dense_orders <= orders <= those of the samples.
    """
    known = min(len(sample.orders) for sample in study.samples)
    if not 1 <= dense_orders <= orders <= known:
        raise ValueError(
            f"expected 1 <= dense_orders <= orders <= {known}, the data orders that "
            f"the samples have; got {dense_orders} and {orders}"
        )
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
    for kind, (masks, number, before) in kinds.items():
        runs = {0: [ticket.weights for ticket in before]} if before else {}
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
