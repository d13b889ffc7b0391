"""How many weights can go: paper C's limit and the exact ones, as fixed points in n.

n of the N prunable weights are removed by magnitude, k = D - n parameters remain, and
R^2(n) is the sum of the n smallest squares. With a dimension delta(n) of the cone from
the pruned point into S the limit is the largest n that is within it,

    n <= delta(n)        paper C: T(R^2(n)); exact: T(s0) and its next term,
    n <= 1 + delta(n)    survivors orthogonal to what went (`theory.orthogonal_limit`),

found by a bracketing root finder over whole n, where R is never rounded. Paper C's
delta falls with n, so that the n with n <= delta(n) are 0..n* (theorem,
`theory.pruning_lower_bound`). The other two also depend on directions: the search ends
at some n with n <= delta(n) but not n + 1 <= delta(n + 1), and the set need not be an
interval.

The limit as a density of what remains is 1 - n / D.
"""

import math
from collections.abc import Callable, Iterable

import numpy as np
from jaxtyping import Bool, Float, Int

from theory.confocal import Vector, effective_dimension, scaled
from theory.measure import Measure
from theory.orthogonal_limit import orthogonal_dimension
from theory.spectral_dimension import cone_dimension

Along = Callable[[int], Measure]
"""The spectral measure of the removed weights' vector, for n removed."""


def removal_order(
    weights: Vector, prunable: Bool[np.ndarray, " n"] | None = None
) -> Int[np.ndarray, " m"]:
    """Return the positions of prunable weights in the order in which they go.

    Ascending magnitude; of equals the last goes first (the tie rule of `theory.masks`).
    """
    positions = np.arange(len(weights))
    if prunable is not None:
        positions = positions[prunable]
    sizes = np.abs(weights[positions])
    return np.asarray(positions[np.lexsort((-positions, sizes))])


def removed_squares(weights: Vector) -> Float[np.ndarray, " counts"]:
    """Return R^2(n) for n = 0..N removed: sums of the smallest squared weights.

    In float64 whatever the weights' own precision.

    Raises:
        ValueError: weights that are no vector of finite numbers.
    """
    if np.ndim(weights) != 1 or not np.isfinite(weights).all():
        raise ValueError(
            f"expected a vector of finite weights, got shape {np.shape(weights)} and "
            f"{int(np.isnan(weights).sum())} NaN; flatten the layers into one vector"
        )
    squares = np.square(weights, dtype=np.float64)
    return np.concatenate([[0.0], np.cumsum(np.sort(squares))])


def check_sizes(weights: Vector, dimension: int) -> None:
    """Refuse more prunable weights than the Hessian has parameters.

    Raises:
        ValueError: there are more.
    """
    if len(weights) > dimension:
        raise ValueError(
            f"expected at most D = {dimension} prunable weights, the rows of the "
            f"Hessian, got {len(weights)}; give both the same parameters"
        )


def largest(holds: Callable[[int], bool], count: int) -> int:
    """Return an n <= count that holds while n + 1 does not (or n = count).

    0 is taken to hold. If what holds is an interval from 0, n is its end.
    """
    low, high = 0, count + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def fixed_point(
    dimension: Callable[[int], float], count: int, tried: Iterable[int] = ()
) -> int:
    """Return an n <= count with n <= delta(n) but not n + 1 <= delta(n + 1).

    Or n = count; 0 is taken to hold. Each delta may cost a Lanczos run. So the next n
    is where the line through both ends of the bracket meets n = delta(n), moved towards
    the middle, and never so far from it that there is more than one step more than of
    bisection (ITP of Oliveira and Takahashi 2020, kappa_2 = 2, n_0 = 1). Of a smooth
    delta half the steps of bisection are enough. The ends of the first bracket are not
    asked for: an estimate of delta may be poor where nearly all weights go.

    Args:
        dimension: delta, asked for at 1 <= n <= count.
        count: N.
        tried: numbers at which delta costs nothing; they narrow the first bracket.
    """
    low, high = (0, count + 1.0), (count + 1, -count - 1.0)
    for n in tried:
        low, high = _narrowed(low, high, n, dimension)
    size = high[0] - low[0]
    steps = math.ceil(math.log2(size)) + 1
    while high[0] - low[0] > 1:
        steps -= 1
        width, middle = high[0] - low[0], (low[0] + high[0]) / 2
        line = low[0] + width * low[1] / (low[1] - high[1])
        away = math.copysign(1.0, line - middle)
        distance = max(abs(line - middle) - 0.2 * width**2 / size, 0.0)
        guess = middle + away * min(distance, 2.0**steps - width / 2)
        n = math.floor(guess) if away > 0 else math.ceil(guess)
        n = min(max(n, low[0] + 1), high[0] - 1)
        low, high = _narrowed(low, high, n, dimension)
    return low[0]


End = tuple[int, float]
"""n and delta(n) - n."""


def _narrowed(
    low: End, high: End, n: int, dimension: Callable[[int], float]
) -> tuple[End, End]:
    """Return the bracket with n in the place of one of its ends, if it is inside."""
    if not low[0] < n < high[0]:
        return low, high
    gap = dimension(n) - n
    return ((n, gap), high) if gap >= 0 else (low, (n, gap))


def paper_dimension(
    trace: Measure, dimension: int, squared_length: float, epsilon: float
) -> float:
    """Return T(R^2) = sum r_i^2 / (R^2 + r_i^2), r_i^2 = 2 epsilon / lambda_i.

    Paper C's stand-in for the dimension of the cone; a lower bound of it.

    Raises:
        ValueError: as `theory.confocal.scaled`.
    """
    a, counts = scaled(trace, float(dimension), epsilon)
    return effective_dimension(a, counts, squared_length)


def paper_limit(weights: Vector, trace: Measure, dimension: int, epsilon: float) -> int:
    """Return the largest n <= T(R^2(n)): removable by paper C's form.

    Args:
        weights: the prunable weights.
        trace: eigenvalues of H and their shares.
        dimension: D, the parameters of H (at least as many as weights).
        epsilon: rise of the loss that S allows.

    Raises:
        ValueError: as `check_sizes`, `removed_squares` and `theory.confocal.scaled`.
    """
    check_sizes(weights, dimension)
    squares = removed_squares(weights)

    def within(n: int) -> float:
        return paper_dimension(trace, dimension, float(squares[n]), epsilon)

    return fixed_point(within, len(weights))


def exact_limit(
    weights: Vector, trace: Measure, along: Along, dimension: int, epsilon: float
) -> int:
    """Return an n <= delta(n) of the exact dimension that n + 1 exceeds.

    What a random k-dimensional subspace through w^k can do. One measure of `along` is
    asked for at each step of `fixed_point`. Arguments and errors as `paper_limit`.
    """
    check_sizes(weights, dimension)
    squares = removed_squares(weights)

    def within(n: int) -> float:
        square = float(squares[n])
        return cone_dimension(trace, along(n), dimension, square, epsilon).value

    return fixed_point(within, len(weights))


def orthogonal_limit(
    weights: Vector, trace: Measure, along: Along, dimension: int, epsilon: float
) -> int:
    """Return an n <= 1 + delta(n) of the cone cut by v^perp that n + 1 exceeds.

    What the surviving weights can do. Arguments and errors as `exact_limit`.
    """
    check_sizes(weights, dimension)
    squares = removed_squares(weights)

    def within(n: int) -> float:
        square = float(squares[n])
        return 1 + orthogonal_dimension(trace, along(n), dimension, square, epsilon)

    return fixed_point(within, len(weights))
