"""Where a run can end, for every data order: distances, variances, forks.

Exact sums over all orders, each equally likely, of one training run; fractions, so that
the two sides of an identity are equal or not. Notation of
`theory.stability_to_data_order`: X is the end of a run, as a vector.
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from statistics import mean

Order = tuple[int, ...]
"""The numbers of the batches, in the order in which they are seen."""
Vector = tuple[Fraction, ...]
"""m * W_T: the kept weights after training."""
Ends = Mapping[Order, Vector]
"""X by order."""


def gap(x: Vector, y: Vector) -> Fraction:
    """Return d^2 = |x - y|^2."""
    return sum(((a - b) ** 2 for a, b in zip(x, y, strict=True)), Fraction(0))


def centre(vectors: Iterable[Vector]) -> Vector:
    """Return the mean vector."""
    return tuple(mean(entries) for entries in zip(*vectors, strict=True))


def spread(vectors: Sequence[Vector]) -> Fraction:
    """Return tr Cov X = E|X|^2 - |E X|^2, each vector equally likely."""
    nought = (Fraction(0),) * len(vectors[0])
    return mean(gap(x, nought) for x in vectors) - gap(centre(vectors), nought)


def fork(ends: Ends, k: int) -> Fraction:
    """Return E d^2 of two orders that are independent given the same first k batches.

    The two may be the same order: they are draws.
    """
    return mean(
        mean(gap(end, other) for o, other in ends.items() if o[:k] == order[:k])
        for order, end in ends.items()
    )


def decided(ends: Ends, t: int) -> Fraction:
    """Return E|Delta_t|^2, Delta_t = E[X | batches 0..t] - E[X | batches 0..t-1]."""
    before, after = _expected(ends, t), _expected(ends, t + 1)
    return mean(gap(before[order[:t]], after[order[: t + 1]]) for order in ends)


def _expected(ends: Ends, k: int) -> dict[Order, Vector]:
    """Return E[X | first k batches] by these batches."""
    groups: dict[Order, list[Vector]] = {}
    for order, end in ends.items():
        groups.setdefault(order[:k], []).append(end)
    return {first: centre(group) for first, group in groups.items()}
