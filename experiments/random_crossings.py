"""Five cones whose statistical dimension is known, and random subspaces that meet them.

Spans of the first columns of one matrix are nested, so one draw yields the least
dimension that meets. What a dimension predicts: `theory.intrinsic_volumes`.
"""

import bisect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import nnls

from theory import intrinsic_volumes, known_cones, model_spectra
from theory.confocal import Vector
from theory.random_subspaces import Directions, critical_dimension, meets_descent_cone
from theory.spectral_dimension import cone_dimension

Kind = Literal["subspace", "orthant", "circular", "descent", "ellipsoid"]
First = Callable[[Directions, Sequence[int]], int]
"""Position of the first k whose first k columns span a subspace that meets a cone; the
number of all k if none does."""

SHARE = 0.3
"""sin(angle)^2 of the circular cone (ours): delta is about 0.3 n."""
SAMPLES = 20_000
"""Projections for the descent cone's dimension (ours): the deviation is off by 2 %."""
MEETS = 1e-9
"""Distance of the hull from 0 that counts (ours): the solver leaves 1e-15."""


@dataclass(frozen=True)
class Cone:
    """A cone that is no subspace, or a subspace (with a deviation of 0)."""

    size: int
    """n, the dimension of the space."""
    delta: float
    """Its statistical dimension."""
    deviation: float
    """Square root of the variance of its intrinsic volumes."""
    first: First
    """Which of some rising dimensions is the first whose span meets it."""
    volumes: tuple[float, ...] = ()
    """The intrinsic volumes, where they have a formula."""

    def levels(self, count: int, reach: float) -> list[int]:
        """Return dimensions around n - delta, up to `reach` deviations on both sides.

        Raises:
            ValueError: fewer than two, of which there is no range.
        """
        if count < 2:
            raise ValueError(f"expected at least two dimensions, got {count}")
        middle, step = self.size - self.delta, max(self.deviation, 1.0)
        wanted = middle + step * np.linspace(-reach, reach, count)
        return sorted({min(max(round(m), 1), self.size) for m in wanted.tolist()})

    def predicted(self, dimension: int) -> float:
        """Return P(meets) by Crofton's formula, by the normal limit, or the step."""
        if self.volumes:
            return intrinsic_volumes.crossing(self.volumes, dimension)
        codimension = self.size - self.delta
        if self.deviation == 0:
            return float(dimension > codimension)
        return intrinsic_volumes.normal_crossing(dimension, codimension, self.deviation)


def cone(kind: Kind, size: int, *, rng: np.random.Generator) -> Cone:
    """Return a cone in n dimensions.

    A subspace of dimension n / 2; the orthant; the circular cone with sin^2 = 0.3; the
    descent cone of the l1 norm at a point with n / 10 nonzeros, its dimension and
    deviation by Monte Carlo; the cone from a random point at distance 1 into the
    ellipsoid of a spiked spectrum (a tenth of the eigenvalues 100, the others 0.01,
    epsilon 0.01).

    Raises:
        ValueError: n is no multiple of 10.
    """
    if size % 10:
        raise ValueError(
            f"expected a multiple of 10 dimensions, got {size}: a tenth of them are "
            "nonzeros of the descent cone"
        )
    makers: dict[Kind, Callable[[int, np.random.Generator], Cone]] = {
        "subspace": _subspace,
        "orthant": _orthant,
        "circular": _circular,
        "descent": _descent,
        "ellipsoid": _ellipsoid,
    }
    return makers[kind](size, rng)


def meeting_counts(
    cone: Cone, levels: Sequence[int], draws: int, *, rng: np.random.Generator
) -> list[int]:
    """Return of how many draws the subspace of each (rising) dimension meets it."""
    found = [
        cone.first(rng.standard_normal((cone.size, max(levels))), levels)
        for _ in range(draws)
    ]
    return [sum(first <= place for first in found) for place in range(len(levels))]


def meets_orthant(directions: Directions) -> bool:
    """Return whether the span of the columns has a point with positive entries.

    By Gordan's theorem: it has none if and only if 0 is a convex combination of the
    rows. Their hull's distance from 0 is a non-negative least-squares problem, ten
    times faster than the linear programme of `theory.random_subspaces`.
    """
    size, count = directions.shape
    rows = np.vstack([directions.T / math.sqrt(size), np.ones(size)])
    _, distance = nnls(rows, np.append(np.zeros(count), 1.0))
    return bool(distance > MEETS)


def _bisected(meets: Callable[[Directions], bool]) -> First:
    def first(directions: Directions, levels: Sequence[int]) -> int:
        return bisect.bisect_left(levels, True, key=lambda k: meets(directions[:, :k]))

    return first


def _around(curvatures: Vector, point: Vector) -> First:
    def first(directions: Directions, levels: Sequence[int]) -> int:
        least = critical_dimension(curvatures, point, directions)
        return bisect.bisect_left(levels, least)

    return first


def _subspace(size: int, rng: np.random.Generator) -> Cone:
    basis = rng.standard_normal((size, size // 2))

    def meets(directions: Directions) -> bool:
        both = np.hstack([basis, directions])
        return bool(np.linalg.matrix_rank(both) < both.shape[1])

    return Cone(size, float(size // 2), 0.0, _bisected(meets))


def _orthant(size: int, rng: np.random.Generator) -> Cone:
    volumes = tuple(float(v) for v in intrinsic_volumes.orthant(size))
    return Cone(size, size / 2, math.sqrt(size) / 2, _bisected(meets_orthant), volumes)


def _circular(size: int, rng: np.random.Generator) -> Cone:
    point, ball = np.zeros(size), np.ones(size)
    point[0] = 1 / math.sqrt(SHARE)
    volumes = intrinsic_volumes.circular(size, math.asin(math.sqrt(SHARE))).tolist()
    return Cone(
        size,
        intrinsic_volumes.mean(volumes),
        math.sqrt(intrinsic_volumes.variance(volumes)),
        _around(ball, point),
        tuple(volumes),
    )


def _descent(size: int, rng: np.random.Generator) -> Cone:
    nonzeros = size // 10
    samples = rng.standard_normal((SAMPLES, size))
    squares = known_cones.descent_projection(samples, nonzeros)
    delta = float(squares.mean())
    variance = float(squares.var(ddof=1)) - 2 * delta
    first = _bisected(lambda directions: meets_descent_cone(directions, nonzeros))
    return Cone(size, delta, math.sqrt(variance), first)


def _ellipsoid(size: int, rng: np.random.Generator) -> Cone:
    eigenvalues = model_spectra.spiked(size, share=0.1)
    point, epsilon = model_spectra.isotropic(size, 1.0, rng=rng), 0.01
    measures = model_spectra.measures(eigenvalues, point)
    found = cone_dimension(*measures, size, 1.0, epsilon)
    first = _around(eigenvalues / (2 * epsilon), point)
    return Cone(size, found.value, found.deviation, first)
