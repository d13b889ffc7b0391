"""Statistical dimensions E |Pi_C(g)|^2 of cones that have a formula, and their widths.

The statements, with proofs and sources, are in `theory.statistical_dimension`.
"""

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq
from scipy.special import betainc, betaln, ndtr

from theory.intrinsic_volumes import check_circular
from theory.width_formulas import sphere

NODES, WEIGHTS = np.polynomial.legendre.leggauss(200)
"""Gauss-Legendre rule (ours: 1e-13 for the integrands below, n <= 1000)."""
Samples = Float[np.ndarray, "samples n"]


def monotone(dimension: int) -> Fraction:
    """Return 1 + 1/2 + ... + 1/n of the cone {x_1 <= ... <= x_n}."""
    return sum((Fraction(1, k) for k in range(1, dimension + 1)), Fraction(0))


def circular(dimension: int, angle: float) -> float:
    """Return delta of {x : x_1 >= |x| cos(angle)}: n sin(angle)^2 + O(1).

    By quadrature: with t the angle between g and the axis, |Pi(g)| is |g| inside the
    cone, |g| cos(t - angle) within a right angle of it, and 0 beyond.

    Raises:
        ValueError: a dimension below 2, or an angle outside (0, pi / 2).
    """
    return dimension * circular_mean(dimension, angle, lambda t: np.cos(t) ** 2)


def circular_moment(dimension: int, angle: float) -> float:
    """Return E |Pi(g)|^4 of a circular cone, with the same errors."""
    mean = circular_mean(dimension, angle, lambda t: np.cos(t) ** 4)
    return dimension * (dimension + 2) * mean


def circular_width(dimension: int, angle: float) -> float:
    """Return w of the intersection of a circular cone and the unit sphere.

    E |g| cos(distance of g's direction from the cone), negative ones included.
    """
    mean = circular_mean(dimension, angle, np.cos, math.pi - angle)
    return sphere(dimension) * mean


def circular_mean(
    dimension: int,
    angle: float,
    value: Callable[[Float[np.ndarray, " t"]], Float[np.ndarray, " t"]],
    reach: float = math.pi / 2,
) -> float:
    """Return the mean over directions of a function of the distance from a cone.

    Args:
        dimension: n.
        angle: half-angle of the cone.
        value: function of the angle between a direction and the cone; 1 at 0.
        reach: the angle from which on the function counts as 0.

    Raises:
        ValueError: a dimension below 2, or an angle outside (0, pi / 2).
    """
    check_circular(dimension, angle)
    power = (dimension - 1) / 2
    inside = float(betainc(power, 0.5, math.sin(angle) ** 2)) / 2
    end, total = min(math.pi, angle + reach), inside
    for low, high in ((angle, math.pi / 2), (math.pi / 2, end)):
        t = (low + high) / 2 + (high - low) / 2 * NODES
        density = np.exp((dimension - 2) * np.log(np.sin(t)) - betaln(power, 0.5))
        total += (high - low) / 2 * float(WEIGHTS @ (density * value(t - angle)))
    return total


def descent_objective(nonzeros: int, dimension: int, level: float) -> float:
    """Return E dist^2(g, level * subdifferential of the l1 norm at an s-sparse point).

    s (1 + level^2) + (n - s) E (|g| - level)_+^2, an upper bound of delta for any
    level >= 0.
    """
    tail, density = float(ndtr(-level)), _density(level)
    excess = 2 * ((1 + level**2) * tail - level * density)
    return nonzeros * (1 + level**2) + (dimension - nonzeros) * excess


def descent(nonzeros: int, dimension: int) -> float:
    """Return the least `descent_objective`: delta of the l1 norm's descent cone.

    At most 2 sqrt(n / s) too large. The objective is convex in the level, and its
    derivative s level - 2 (n - s) E (g - level)_+ vanishes at one level.

    Raises:
        ValueError: unless 0 < nonzeros < dimension.
    """
    if not 0 < nonzeros < dimension:
        raise ValueError(
            f"expected 0 < nonzeros < dimension, got {nonzeros} of {dimension}: with "
            "none the cone is {0}, with no zeros a half-space (n - 1/2)"
        )

    def slope(level: float) -> float:
        mean_excess = _density(level) - level * float(ndtr(-level))
        return nonzeros * level - 2 * (dimension - nonzeros) * mean_excess

    highest = 2 * dimension / nonzeros  # E (g - level)_+ < 1/2
    level = float(brentq(slope, 0.0, highest, xtol=1e-14, rtol=1e-14))
    return descent_objective(nonzeros, dimension, level)


def descent_projection(samples: Samples, nonzeros: int) -> Float[np.ndarray, " m"]:
    """Return |Pi(g)|^2 for the descent cone of the l1 norm at (1, .., 1, 0, .., 0).

    The distance of g from the polar cone, which is spanned by the subdifferential:
    min over level >= 0 of sum_S (g - level)^2 + sum_others (|g| - level)_+^2. It is a
    quadratic between the sorted |g| of the others; the slope's sign finds the piece.
    """
    on, off = samples[:, :nonzeros], np.abs(samples[:, nonzeros:])
    off = -np.sort(-off, axis=1)
    count = np.arange(off.shape[1] + 1)
    sums = np.concatenate([np.zeros((len(off), 1)), np.cumsum(off, axis=1)], axis=1)
    levels = (on.sum(1, keepdims=True) + sums) / (nonzeros + count)
    above = np.concatenate([np.full((len(off), 1), np.inf), off], axis=1)
    below = np.concatenate([off, np.full((len(off), 1), -np.inf)], axis=1)
    piece = np.argmax((levels <= above) & (levels >= below), axis=1)
    level = np.maximum(levels[np.arange(len(off)), piece], 0.0)[:, None]
    rest = np.concatenate([on - level, np.maximum(off - level, 0.0)], axis=1)
    return np.asarray(np.square(rest).sum(1))


def _density(level: float) -> float:
    return math.exp(-(level**2) / 2) / math.sqrt(2 * math.pi)
