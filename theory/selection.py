"""The lowest of many scores: an exact count of them, in linear time.

Tie rule: of equal scores the last ones are taken, so that the first ones are kept.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, Shaped

SAMPLE = 1 << 14
"""Scores that guess how low the lowest are (ours); any number gives the same result."""


@dataclass(frozen=True)
class Lowest:
    """The lowest scores, and the two scores between which the line was drawn."""

    positions: Int64[np.ndarray, " count"]
    """Where they stand, ascending."""
    highest: float
    """The highest of them; -inf if there are none."""
    following: float
    """The lowest of the others; inf if there are none."""


def lowest(
    values: Shaped[np.ndarray, " size"], count: int, *, limit: float = np.inf
) -> Lowest:
    """Return the `count` lowest values, or fewer: as many as sum to less than `limit`.

    With a limit they are taken in ascending order, equal ones from the last, until the
    next would bring the sum (float64) to the limit. NaN cannot be ranked: the caller
    must have looked for it.

    Raises:
        ValueError: count outside 0, ..., size.
    """
    if not 0 <= count <= values.size:
        raise ValueError(f"expected a count from 0 to {values.size}, got {count}")
    if count == 0:
        return Lowest(
            np.empty(0, np.int64), -np.inf, float(min(values, default=np.inf))
        )
    found = _candidates(values, count)
    scores = values[found]
    edges = np.partition(scores, [count - 1, min(count, scores.size - 1)])
    highest = edges[count - 1]
    chosen = scores < highest
    ties = np.flatnonzero(scores == highest)
    chosen[ties[chosen.sum() - count :]] = True
    positions = found[chosen]
    if limit < np.inf:
        ascending = np.lexsort((-positions, values[positions]))
        sums = np.cumsum(values[positions[ascending]], dtype=np.float64)
        reached = np.flatnonzero(sums >= limit)
        if reached.size:
            return lowest(values, int(reached[0]))
    following = edges[count] if count < scores.size else np.inf
    return Lowest(positions, float(highest), float(following))


def _candidates(
    values: Shaped[np.ndarray, " size"], count: int
) -> Int64[np.ndarray, " candidates"]:
    """Return positions, ascending, that hold the `count` + 1 lowest values (or all).

    Every so-many-th value is a sample; the value that about `count` are below, and a
    margin of four standard deviations, is taken from it. Should too few be below it
    after all, every position is returned: slower, and the result is the same.
    """
    if values.size > 2 * SAMPLE:
        sample = values[:: values.size // SAMPLE]
        rank = sample.size * (count + 1) / values.size
        rank += 4 * rank**0.5 + 4
        if rank < sample.size - 1:
            pivot = np.partition(sample, int(rank))[int(rank)]
            found = np.flatnonzero(values <= pivot)
            if found.size > count:
                return found
    return np.arange(values.size)
