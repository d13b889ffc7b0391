"""Four spectra of known shape: flat, power law, spiked, Marchenko-Pastur.

Deterministic, D eigenvalues in falling order, so that a limit computed from them has no
sampling error of its own.
"""

import math

import numpy as np

from theory.confocal import Vector
from theory.measure import Measure

GRID = 100_001
"""Points of the Marchenko-Pastur grid (ours: moments to 1e-9 before the quantiles)."""


def flat(dimension: int, level: float = 1.0) -> Vector:
    """Return D equal eigenvalues."""
    return np.full(dimension, level)


def power_law(dimension: int, exponent: float = 1.5, top: float = 10.0) -> Vector:
    """Return top * i^-exponent for i = 1..D."""
    return np.asarray(top * np.arange(1.0, dimension + 1) ** -exponent)


def spiked(
    dimension: int, share: float = 0.01, top: float = 100.0, bulk: float = 0.01
) -> Vector:
    """Return ceil(share D) eigenvalues at the top, the others in the bulk.

    As of a trained classifier: a few large eigenvalues over a flat rest.
    """
    spikes = math.ceil(share * dimension)
    return np.asarray(np.where(np.arange(dimension) < spikes, top, bulk))


def marchenko_pastur(dimension: int, ratio: float = 0.5) -> Vector:
    """Return the quantiles (i - 1/2) / D of the Marchenko-Pastur law, 0 < ratio < 1.

    The law of the eigenvalues of X'X / m, X an m x (ratio m) matrix of independent
    entries of variance 1: density sqrt((b - x) (x - a)) / (2 pi ratio x) between
    a, b = (1 -+ sqrt(ratio))^2. With x = 1 + ratio - 2 sqrt(ratio) cos t it is a smooth
    function of t, which is summed on a fine grid and inverted.

    Raises:
        ValueError: a ratio outside (0, 1).
    """
    if not 0 < ratio < 1:
        raise ValueError(
            f"expected a ratio in (0, 1), got {ratio}: from 1 on eigenvalues are 0"
        )
    t = np.linspace(0.0, math.pi, GRID)
    x = 1 + ratio - 2 * math.sqrt(ratio) * np.cos(t)
    density = np.sin(t) ** 2 / x
    below = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    levels = (np.arange(dimension, 0, -1) - 0.5) / dimension
    return np.asarray(np.interp(levels, below / below[-1], x))


def measures(curvatures: Vector, point: Vector) -> tuple[Measure, Measure]:
    """Return the measure of the trace and the measure of v, in the eigenbasis."""
    shares = point**2 / float(point @ point)
    equal = np.full(len(curvatures), 1 / len(curvatures))
    return Measure(curvatures, equal), Measure(curvatures, shares)


def isotropic(dimension: int, length: float, *, rng: np.random.Generator) -> Vector:
    """Return a vector of a given length in a uniformly random direction."""
    drawn = rng.standard_normal(dimension)
    return np.asarray(length * drawn / np.linalg.norm(drawn))
