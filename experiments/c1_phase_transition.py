"""Figure c1 (paper C, section 2): random subspaces meet a cone from n - delta on.

Claim `statistical-dimension`. A uniformly random subspace of dimension k meets a cone
of statistical dimension delta in n dimensions almost surely if k + delta - n is some
sqrt(n) above 0, and almost never as far below. Brute force at n = 50 to 400 for five
cones: by ranks (subspace), non-negative least squares (orthant), least squares
(circular, ellipsoid) and linear programmes (descent cone of the l1 norm, n <= 200).

Not in the paper, which only cites the formula. Subspaces of one draw are nested, so the
counts of one curve are not independent of each other.
"""

from dataclasses import dataclass

import numpy as np

from experiments.random_crossings import Kind, cone, meeting_counts
from experiments.seeds import seeds

LEVELS, REACH = 13, 3.0
"""Dimensions of subspaces that are tried, and how many deviations from n - delta."""


@dataclass(frozen=True)
class Config:
    """One cone, and draws of subspaces."""

    kind: Kind
    size: int
    """n, the dimension of the space."""
    draws: int
    """Random subspaces of each dimension."""
    seed: int = 0
    """Of the subspaces."""
    cone_seed: int = 0
    """Of the ellipsoid's point, and of the projections for the descent cone's delta."""


DRAWS: dict[Kind, dict[int, int]] = {
    "subspace": {50: 20, 100: 20, 200: 20, 400: 5},
    "orthant": {50: 200, 100: 200, 200: 200, 400: 50},
    "circular": {50: 200, 100: 200, 200: 200, 400: 100},
    "descent": {50: 100, 100: 70, 200: 25},
    "ellipsoid": {50: 200, 100: 200, 200: 200, 400: 100},
}
"""By cone and n: what a core does in a few seconds."""
GRID = {
    "default": tuple(
        Config(kind, size, draws, seed)
        for kind, sizes in DRAWS.items()
        for size, draws in sizes.items()
        for seed in range(3)
    ),
    "published": tuple(
        Config(kind, size, draws, seed)
        for kind, sizes in DRAWS.items()
        for size, draws in sizes.items()
        for seed in range(30)
    ),
}


def run(config: Config) -> list[dict[str, str | int | float]]:
    """Return, for each dimension, how many of the subspaces meet the cone.

    `predicted` is exact (Crofton) for the subspace, the orthant and the circular cone,
    and the normal limit for the others; `deviation` is the square root of the variance
    of the intrinsic volumes.
    """
    of_cone, _ = seeds(config.cone_seed, 2)
    _, of_draws = seeds(config.seed, 2)
    rng = np.random.default_rng(of_cone)
    subject = cone(config.kind, config.size, rng=rng)
    levels = subject.levels(LEVELS, REACH)
    rng = np.random.default_rng(of_draws)
    counts = meeting_counts(subject, levels, config.draws, rng=rng)
    return [
        {
            "subspace_dimension": level,
            "met": met,
            "delta": subject.delta,
            "deviation": subject.deviation,
            "predicted": subject.predicted(level),
        }
        for level, met in zip(levels, counts, strict=True)
    ]
