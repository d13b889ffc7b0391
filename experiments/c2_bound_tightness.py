"""Figure c2 (new): paper C's form beside the exact dimension, over R, for four spectra.

Claim `exact-statistical-dimension`. The cone from a point at distance R, in a uniformly
random direction, into the sublevel ellipsoid of a Hessian of known spectrum at epsilon
= 0.01. Its statistical dimension by Monte Carlo (every sample projected exactly, by
its secular equation), by brute force (random subspaces through the point, which meet
the ellipsoid from n - delta + 1/2 dimensions on average), by the two Lanczos measures'
formula with its bounds, and by paper C's form, which knows R but not the direction.

Not in the paper, which compares its form with trained networks only.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from experiments.seeds import seeds
from theory import model_spectra
from theory.confocal import Vector
from theory.ellipsoid_cone import EllipsoidCone, Sampled
from theory.pruning_limit import paper_dimension
from theory.random_subspaces import critical_draws
from theory.spectral_dimension import ConeDimension, cone_dimension

EPSILON = 0.01
RADII = tuple(10 ** (i / 12) for i in range(-12, 13))
SAMPLED = RADII[::3]
"""Radii with Monte Carlo."""
SPECTRA: dict[str, Callable[[int], Vector]] = {
    "flat": model_spectra.flat,
    "power-law": model_spectra.power_law,
    "spiked": model_spectra.spiked,
    "marchenko-pastur": model_spectra.marchenko_pastur,
}


@dataclass(frozen=True)
class Config:
    """One spectrum with one direction of the point."""

    spectrum: Literal["flat", "power-law", "spiked", "marchenko-pastur"]
    size: int
    """D, the number of parameters."""
    draws: int
    """Of random subspaces at each of the two radii with brute force."""
    pairs: int = 400
    """Of samples g and -g, projected at every third radius."""
    seed: int = 0
    """Of the direction, the samples and the subspaces."""


NAMES: tuple[Literal["flat", "power-law", "spiked", "marchenko-pastur"], ...] = (
    "flat",
    "power-law",
    "spiked",
    "marchenko-pastur",
)
GRID = {
    "default": tuple(
        Config(name, size, draws, seed=seed)
        for name in NAMES
        for size, draws in ((300, 60), (1000, 12))
        for seed in range(3)
    ),
    "published": tuple(
        Config(name, size, draws, pairs=4000, seed=seed)
        for name in NAMES
        for size, draws in ((300, 600), (1000, 120))
        for seed in range(10)
    ),
}


def run(config: Config) -> list[dict[str, str | int | float]]:
    """Return, for each radius and method, an estimate of delta and its standard error.

    Methods: "formula" at every radius, "projections" at every third, "subspaces" at
    R = 1 and where delta is nearest D / 2, unless the point is inside the ellipsoid.
    Beside them, `exact` (the formula's value) between `low` and `high`, the
    `deviation` of the transition, and paper C's `paper`.
    """
    eigenvalues = SPECTRA[config.spectrum](config.size)
    rngs = [np.random.default_rng(child) for child in seeds(config.seed, 3)]
    direction = model_spectra.isotropic(config.size, 1.0, rng=rngs[0])
    trace, along = model_spectra.measures(eigenvalues, direction)
    found = {
        radius: cone_dimension(trace, along, config.size, radius**2, EPSILON)
        for radius in RADII
    }
    half = min(SAMPLED, key=lambda radius: abs(found[radius].value - config.size / 2))

    def estimates(radius: float) -> Iterator[tuple[str, Sampled]]:
        yield "formula", Sampled(found[radius].value, 0.0)
        if radius not in SAMPLED:
            return
        curvatures, point = eigenvalues / (2 * EPSILON), radius * direction
        cone = EllipsoidCone(curvatures, point)
        yield "projections", cone.dimension(config.pairs, rng=rngs[1])
        if radius in (1.0, half) and found[radius].deviation > 0:
            yield "subspaces", _crossing(curvatures, point, config.draws, rngs[2])

    return [
        {"radius": radius, "method": method, **_row(exact, sampled)}
        | {"paper": paper_dimension(trace, config.size, radius**2, EPSILON)}
        for radius, exact in found.items()
        for method, sampled in estimates(radius)
    ]


def _row(exact: ConeDimension, sampled: Sampled) -> dict[str, str | int | float]:
    return {
        "estimate": sampled.mean,
        "standard_error": sampled.error,
        "exact": exact.value,
        "low": exact.low,
        "high": exact.high,
        "deviation": exact.deviation,
    }


def _crossing(
    curvatures: Vector, point: Vector, draws: int, rng: np.random.Generator
) -> Sampled:
    """Return D + 1/2 less the mean least dimension that meets, with its error."""
    least = np.array(critical_draws(curvatures, point, draws, rng=rng))
    error = float(least.std(ddof=1)) / math.sqrt(draws)
    return Sampled(len(point) + 0.5 - float(least.mean()), error)
