"""The critical count: the fewest kept parameters that leave no layer empty.

Measured for any algorithm by bisection over integer counts, and for one-shot pruning
also in closed form from ranks; `theory.layer_collapse` states why both are the same.
The critical compression is rho_cr = N / count: exact, never read off a grid.
"""

from collections.abc import Callable, Sequence

from torch import Tensor

from theory.masks import Masks, Scope, collapsed, keep_largest

Scores = dict[str, Tensor]


def critical_count(masks_at: Callable[[int], Masks], size: int) -> int:
    """Return the smallest count of kept parameters without collapse, by bisection.

    For an iterated algorithm collapse need not be monotone in the count: the result n
    is then a boundary, collapsed at n - 1 and not at n (both are always tried; a count
    of 0 is known to be collapsed), but perhaps not the only one.

    Args:
        masks_at: the masks that keep the given count, in [1, size].
        size: N, the number of parameters.

    Raises:
        ValueError: a layer is empty though all parameters are kept.
    """
    if empty := collapsed(masks_at(size)):
        raise ValueError(
            f"layers {list(empty)} are empty even with all {size} parameters kept; "
            "leave layers without parameters out"
        )
    low, high = 0, size
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if collapsed(masks_at(middle)) else (low, middle)
    return high


def ranks(scores: Scores) -> dict[str, int]:
    """Return for each layer the rank of its best parameter among all, from 1.

    The layer is empty if and only if fewer parameters are kept. The largest of the
    ranks is the critical count of one-shot pruning. Linear time and no copy.

    Raises:
        ValueError: a layer without parameters, or with NaN scores.
    """
    result: dict[str, int] = {}
    for number, (name, own) in enumerate(scores.items()):
        if not own.numel() or bool(own.isnan().any()):
            raise ValueError(
                f"the scores of {name} are empty or have NaN entries, which have no "
                "rank; leave empty layers out, score in float64 or in the log domain"
            )
        best = own.max()
        ahead = (
            # of equal scores the one of the earlier layer is ranked first
            (other >= best if place < number else other > best).count_nonzero()
            for place, other in enumerate(scores.values())
        )
        result[name] = 1 + sum(int(count) for count in ahead)
    return result


def conserved_count(sizes: Sequence[int]) -> int:
    """Return N - N_max + 1, the largest critical count of conserved scores.

    Raises:
        ValueError: no layer.
    """
    if not sizes:
        raise ValueError("expected the sizes of at least one layer, got none")
    return sum(sizes) - max(sizes) + 1


def measured_count(scores: Scores, scope: Scope = "global") -> int:
    """Return the critical count of one ranking by bisection with real masks."""
    size = sum(score.numel() for score in scores.values())
    return critical_count(lambda n: keep_largest(scores, n / size, scope=scope), size)
