"""Gaussian widths of spheres and ellipsoids: an integral, and closed forms.

What the formulas are of, and why they hold, is said in `theory.gaussian_width`.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.special import ellipe, elliprg, poch

Vector = Float[np.ndarray, " n"]

STEP = 0.25
"""Step in log t (ours): the trapezoidal rule on an integrand that is analytic for
|Im log t| < pi / 2 has an error of the order exp(-pi^2 / STEP) = 1e-17."""
REACH = 80.0
"""|log t| where the integral ends (ours): what is left is of the order exp(-40)."""


def sphere(dimension: int) -> float:
    """Return w of the unit sphere (or ball) of a k-dimensional subspace, E |g|.

    Raises:
        ValueError: a dimension below 1.
    """
    if dimension < 1:
        raise ValueError(f"expected a dimension of at least 1, got {dimension}")
    return math.sqrt(2) * float(poch(dimension / 2, 0.5))


def ellipsoid(radii: Vector, counts: Vector | None = None) -> float:
    """Return w of an ellipsoid, E |r * g|, by the integral above.

    Args:
        radii: half-axes r_i >= 0, finite.
        counts: how many axes have each radius (default: one each); need not be whole
            numbers, so that D times the weights of a spectral measure will do.

    Raises:
        ValueError: negative or infinite radii, or counts that do not fit.
    """
    counts = np.ones(len(radii)) if counts is None else counts
    if counts.shape != radii.shape or not (counts >= 0).all():
        raise ValueError(
            f"expected a non-negative count for each of {radii.size} radii, got "
            f"{counts.size} counts"
        )
    if not (np.isfinite(radii).all() and (radii >= 0).all()):
        raise ValueError(
            "expected finite radii >= 0; a direction without curvature has an infinite "
            "radius, and the set no finite width: leave it out"
        )
    length = math.hypot(*(np.sqrt(counts) * radii))
    if length == 0.0:
        return 0.0
    logs = np.arange(-REACH, REACH + STEP, STEP)
    exponent = np.zeros_like(logs)
    for radius, count in zip(radii / length, counts, strict=True):
        exponent += count / 2 * np.log1p(2 * radius**2 * np.exp(logs))
    integral = STEP * float(np.exp(-logs / 2) @ -np.expm1(-exponent))
    return length / (2 * math.sqrt(math.pi)) * integral


def closed_form(radii: Sequence[float]) -> float:
    """Return w of an ellipsoid with 1 to 3 axes: |g| times a mean over the sphere.

    The mean of sqrt(sum r_i^2 u_i^2) is an elliptic integral for two axes, and for
    three Carlson's R_G (its definition; also the surface of an ellipsoid).

    Raises:
        ValueError: another number of axes.
    """
    if radii and not any(radii):
        return 0.0
    if len(radii) == 1:
        return sphere(1) * radii[0]
    if len(radii) == 2:
        small, large = sorted(radii)
        mean = 2 / math.pi * large * float(ellipe(1 - (small / large) ** 2))
        return sphere(2) * mean
    if len(radii) == 3:
        return sphere(3) * float(elliprg(*(radius**2 for radius in radii)))
    raise ValueError(f"expected 1 to 3 axes, got {len(radii)}; use `ellipsoid`")


def paired_closed_form(radii: Sequence[float]) -> float:
    """Return w of an ellipsoid that has each of some different radii twice.

    |r * g|^2 is a sum of exponential variables of means m_i = 2 r_i^2; in partial
    fractions w = Gamma(3/2) sum_i sqrt(m_i) prod_{j != i} m_i / (m_i - m_j).
    """
    means = [2 * radius**2 for radius in radii]
    terms = [
        math.sqrt(m) * math.prod(m / (m - other) for other in means if other != m)
        for m in means
    ]
    return math.gamma(1.5) * math.fsum(terms)
