"""Pruning problems in rational arithmetic: flat spectra, and confocal points.

**Flat spectra.** If all eigenvalues are equal S is a ball, and a random k-dimensional
subspace through w^k meets it if |Pi e|^2 >= 1 - r^2 / R^2, e the unit vector from w^k
to w*. |Pi e|^2 has the beta law of k / 2 and (D - k) / 2: rational for even D and k.

**Confocal points.** For any half-axes r_i, s0 > 0 and shares q_i that sum to 1, the
point with v_i^2 = q_i (r_i^2 + s0) has the confocal distance sqrt(s0).
"""

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, floor
from random import Random

from theory.exact_cones import beta_tail
from theory.intrinsic_volumes import margin


def flat_case(rng: Random, *, above: bool) -> tuple[int, int, Fraction, Fraction]:
    """Return D, an even k on one side of D - delta by the margin, r^2 / R^2 and eta.

    For a ball delta = D share to within 1, which is allowed for.
    """
    size, eta = 2 * rng.randint(60, 120), Fraction(rng.randint(5, 9), 10)
    share = Fraction(rng.randint(3, 7), 10)
    least, allowed = size * (1 - share), Fraction(margin(size, float(eta))) + 1
    if above:
        return size, min(2 * ceil((least + allowed) / 2), size), share, eta
    return size, max(2 * floor((least - allowed) / 2), 0), share, eta


def meeting(size: int, k: int, share: Fraction) -> Fraction:
    """Return P(a random subspace meets the ball), share = r^2 / R^2; D and k even."""
    if k in (0, size):
        return Fraction(int(k > 0))
    return beta_tail(k // 2, (size - k) // 2, 1 - share)


def rational_point(rng: Random) -> tuple[list[Fraction], list[Fraction], Fraction]:
    """Return r^2, v^2 and s0 of a random confocal point."""
    size = rng.randint(1, 6)
    axes = [Fraction(rng.randint(1, 60), rng.randint(1, 60)) for _ in range(size)]
    square = Fraction(rng.randint(1, 60), rng.randint(1, 60))
    draws = [rng.randint(0, 9) for _ in range(size - 1)] + [rng.randint(1, 9)]
    shares = [Fraction(draw, sum(draws)) for draw in draws]
    return axes, [q * (r + square) for q, r in zip(shares, axes, strict=True)], square


def dimension_at(axes: Sequence[Fraction], square: Fraction) -> Fraction:
    """Return T(s) = sum r^2 / (r^2 + s) in fractions."""
    return sum((r / (r + square) for r in axes), Fraction(0))
