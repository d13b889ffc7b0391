"""Pruning runs on exact integer networks: every step what is left, nothing rounded.

The score of paper A and those that break a hypothesis of its theorem 3, each on what is
left of a `positive_paths.Units`; runs that remove one parameter at a time, follow a
schedule, or take the largest steps of prune size < cut size; and the count at which a
run collapses. Tie rule as in `theory.masks`: of equal scores the last goes first.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, takewhile

from theory.masks import exponential
from theory.masks import kept as rounded
from theory.positive_paths import Kept, Units

Scores = dict[int, int]
"""One for each parameter that is left; the larger, the more it is worth keeping."""

Score = Callable[[Units, Kept], Scores]


def saliency(units: Units, kept: Kept) -> Scores:
    """Return S of the weights as they are, with its sign."""
    return units.scores(kept)


def synflow(units: Units, kept: Kept) -> Scores:
    """Return S of |w|: sums over paths of positive weight."""
    return units.positive().scores(kept)


def snip(units: Units, kept: Kept) -> Scores:
    """Return |S| (R itself in the place of a loss)."""
    return {p: abs(s) for p, s in units.scores(kept).items()}


def magnitude(units: Units, kept: Kept) -> Scores:
    """Return |w|."""
    return {p: abs(units.weights[p]) for p in sorted(kept)}


def removal_order(scores: Scores) -> list[int]:
    """Return the parameters, lowest score first; of equal ones the last goes first."""
    return sorted(scores, key=lambda p: (scores[p], -p))


def one_at_a_time(units: Units, score: Score) -> Iterator[Kept]:
    """Yield what is left, from everything to nothing, re-scored at every removal."""
    kept = units.everything
    yield kept
    while kept:
        kept = kept - {removal_order(score(units, kept))[0]}
        yield kept


def scheduled(units: Units, score: Score, counts: Iterable[int]) -> Iterator[Kept]:
    """Yield what is left after each step to falling counts, scored before each."""
    kept = units.everything
    for count in counts:
        if count < len(kept):
            order = removal_order(score(units, kept))
            kept = kept.difference(order[: len(kept) - count])
        yield kept


def safely(units: Units) -> Iterator[Kept]:
    """Yield what is left after each largest SynFlow step of prune size < R.

    The steps end when not even one parameter can go.
    """
    positive, kept = units.positive(), units.everything
    while True:
        yield kept
        scores, limit = positive.scores(kept), positive.flow(kept)
        order = removal_order(scores)
        sizes = accumulate(scores[p] for p in order)
        count = sum(1 for _ in takewhile(limit.__gt__, sizes))
        if not count:
            return
        kept = kept.difference(order[:count])


def exponential_counts(size: int, target: int, steps: int) -> list[int]:
    """Return the counts after each step of paper A's schedule down to the target."""
    return [
        rounded(size, exponential(target / size, step, steps))
        for step in range(1, steps + 1)
    ]


def collapsed(units: Units, kept: Kept) -> bool:
    """Return whether a layer has no parameter left."""
    return 0 in units.counts(kept)


def disconnected(units: Units, kept: Kept) -> bool:
    """Return whether no path of nonzero weight is left."""
    return units.positive().flow(kept) == 0


def critical_count(
    units: Units,
    runs: Iterable[Kept],
    failed: Callable[[Units, Kept], bool] = collapsed,
) -> int:
    """Return how many parameters were left before the first failure.

    Args:
        units: the network.
        runs: what is left, by falling counts: the states of one run, or the last
            states of runs to falling targets.
        failed: what ends the search; `collapsed` or `disconnected`.
    """
    sound = takewhile(lambda kept: not failed(units, kept), runs)
    return min((len(kept) for kept in sound), default=len(units.weights))


def to_every_target(units: Units, score: Score, steps: int) -> Iterator[Kept]:
    """Yield the last state of a run of `steps` steps to each count, from N - 1 down."""
    size = len(units.weights)
    for target in range(size - 1, -1, -1):
        counts = exponential_counts(size, target, steps) if target else [0]
        *_, last = scheduled(units, score, counts)
        yield last
