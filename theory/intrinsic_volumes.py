"""Intrinsic volumes of cones, and the chance that a random subspace meets a cone.

v_k(C), k = 0..n, is the probability that the projection of a normal g onto a polyhedral
cone C lies inside a face of dimension k (other closed convex cones: by limits). It is
a distribution; its mean is the statistical dimension. For a uniformly random subspace
L of dimension m, and C not a subspace,

    P(C and L share a ray) = 2 (v_(n-m+1) + v_(n-m+3) + ...)          (Crofton),

and, with a = sqrt(8 log(4 / eta)) (the approximate kinematic formula),

    m <= n - delta - a sqrt(n)  implies  P <= eta,
    m >= n - delta + a sqrt(n)  implies  P >= 1 - eta.

The variance of the distribution is that of |Pi_C(g)|^2 less 2 delta. Where it is large
the distribution is nearly normal, and P nearly Phi((m + delta - n) / sqrt(variance)).

Sources: Amelunxen, Lotz, McCoy, Tropp 2014, arXiv 1303.6672, section 5, theorem I,
appendix D.1; variance: McCoy and Tropp 2014, arXiv 1308.5265; normal limit: Goldstein,
Nourdin, Peccati 2017, arXiv 1411.6265; monotone cone: Stirling numbers, from Sparre
Andersen's theorem on convex minorants.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import TypeVar

import numpy as np
from jaxtyping import Float
from scipy.special import betainc, gammaln, ndtr

Number = TypeVar("Number", float, Fraction)


def orthant(dimension: int) -> list[Fraction]:
    """Return C(n, k) / 2^n of the cone of non-negative vectors."""
    return [Fraction(math.comb(dimension, k), 2**dimension) for k in _to(dimension)]


def monotone(dimension: int) -> list[Fraction]:
    """Return |s(n, k)| / n! of {x_1 <= ... <= x_n}: cycles of random permutations."""
    volumes = [Fraction(1)]
    for size in range(1, dimension + 1):  # the new element opens a cycle, or joins one
        opened, joined = [Fraction(0), *volumes], [*volumes, Fraction(0)]
        volumes = [
            (a + (size - 1) * b) / size for a, b in zip(opened, joined, strict=True)
        ]
    return volumes


def subspace(dimension: int, of: int) -> list[Fraction]:
    """Return the volumes of a k-dimensional subspace: all at k."""
    return [Fraction(int(k == dimension)) for k in _to(of)]


def circular(dimension: int, angle: float) -> Float[np.ndarray, " volumes"]:
    """Return the volumes of {x : x_1 >= |x| cos(angle)}, n >= 2.

    v_k = 1/2 binom((n-2)/2, (k-1)/2) sin^(k-1) cos^(n-k-1) for 0 < k < n, the end terms
    are shares of the sphere.

    Raises:
        ValueError: a dimension below 2, or an angle outside (0, pi / 2).
    """
    check_circular(dimension, angle)
    n, k = dimension, np.arange(1, dimension)
    binomials = (
        gammaln(n / 2) - gammaln((k + 1) / 2) - gammaln((n - k + 1) / 2) - math.log(2)
    )
    sine, cosine = math.log(math.sin(angle)), math.log(math.cos(angle))
    inner = np.exp(binomials + (k - 1) * sine + (n - k - 1) * cosine)
    ends = [
        betainc((n - 1) / 2, 0.5, part**2) / 2
        for part in (math.cos(angle), math.sin(angle))
    ]
    return np.concatenate([ends[:1], inner, ends[1:]])


def check_circular(dimension: int, angle: float) -> None:
    """Raise ValueError unless n >= 2 and the angle is inside (0, pi / 2)."""
    if dimension < 2 or not 0 < angle < math.pi / 2:
        raise ValueError(
            "expected a dimension of at least 2 and an angle in (0, pi / 2), got "
            f"{dimension} and {angle}; a half-space has delta = n - 1/2"
        )


def rational_circular(dimension: int, share: Fraction) -> list[Fraction]:
    """Return the v_k of odd k < n of a circular cone with sin(angle)^2 = share, n even.

    For even n they are half the binomial distribution of (n - 2) / 2 trials.
    The others are returned as 0: they are not rational.
    """
    trials = dimension // 2 - 1
    volumes = [Fraction(0)] * (dimension + 1)
    for i in range(trials + 1):
        odds = share**i * (1 - share) ** (trials - i)
        volumes[2 * i + 1] = math.comb(trials, i) * odds / 2
    return volumes


def mean(volumes: Sequence[Number]) -> Number:
    """Return sum_k k v_k, the statistical dimension."""
    return sum((k * v for k, v in enumerate(volumes)), start=0 * volumes[0])


def variance(volumes: Sequence[Number]) -> Number:
    """Return sum_k (k - delta)^2 v_k."""
    centre = mean(volumes)
    terms = ((k - centre) ** 2 * v for k, v in enumerate(volumes))
    return sum(terms, start=0 * volumes[0])


def crossing(volumes: Sequence[Number], subspace_dimension: int) -> Number:
    """Return P(C and L share a ray) by Crofton's formula, C not a subspace.

    Raises:
        ValueError: a dimension of L outside 0, ..., n.
    """
    if not 0 <= subspace_dimension < len(volumes):
        raise ValueError(
            f"expected a dimension from 0 to {len(volumes) - 1}, that of the space, "
            f"got {subspace_dimension}"
        )
    first = len(volumes) - subspace_dimension
    return sum((2 * v for v in volumes[first::2]), start=0 * volumes[0])


def margin(dimension: int, probability: float) -> float:
    """Return a sqrt(n), a = sqrt(8 log(4 / eta)), of the approximate formula.

    Raises:
        ValueError: a probability outside (0, 1).
    """
    if not 0 < probability < 1:
        raise ValueError(f"expected a probability in (0, 1), got {probability}")
    return math.sqrt(8 * math.log(4 / probability) * dimension)


def normal_crossing(subspace_dimension: int, codimension: float, sd: float) -> float:
    """Return Phi((m - (n - delta)) / sd), the limit of P for sd -> oo.

    Args:
        subspace_dimension: m.
        codimension: n - delta.
        sd: square root of the volumes' variance.

    Raises:
        ValueError: an sd that is not positive: only subspaces have that.
    """
    if not sd > 0:
        raise ValueError(
            f"expected a positive deviation, got {sd}: a subspace is met exactly from "
            "its codimension on"
        )
    return float(ndtr((subspace_dimension - codimension) / sd))


def _to(dimension: int) -> range:
    return range(dimension + 1)
