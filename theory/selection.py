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
        following = float(values.min(initial=np.inf))
        return Lowest(np.empty(0, np.int64), -np.inf, following)
    found = _candidates(values, count)
    scores = values[found]
    # One edge: for two of them NumPy's partition takes ten times as long.
    ordered = np.partition(scores, count - 1)
    highest, following = ordered[count - 1], ordered[count:].min(initial=np.inf)
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
    return Lowest(positions, float(highest), float(following))


def _candidates(
    values: Shaped[np.ndarray, " size"], count: int
) -> Int64[np.ndarray, " candidates"]:
    """Return positions, ascending, that hold the `count` + 1 lowest values (or all).

    Should too few be below the threshold of a sample of every so-many-th value, every
    position is returned: slower, and the result is the same.
    """
    if values.size > 2 * SAMPLE:
        sample = values[:: values.size // SAMPLE]
        found = np.flatnonzero(values <= threshold(sample, count, values.size))
        if found.size > count:
            return found
    return np.arange(values.size)


def threshold(sample: Shaped[np.ndarray, " sample"], count: int, size: int) -> float:
    """Return a value that very probably more than `count` of `size` do not exceed.

    As many as a sample of them tells, and a margin of four standard deviations; inf if
    the sample has too few values to tell.
    """
    rank = sample.size * (count + 1) / max(1, size)
    rank += 4 * rank**0.5 + 4
    if rank < sample.size - 1:
        return float(np.partition(sample, int(rank))[int(rank)])
    return np.inf
