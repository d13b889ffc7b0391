"""The cone from a point into an ellipsoid: membership, polar cone, exact projection.

E = {x : x'Ax <= 1} with A >= 0, v a point with c = v'Av - 1 > 0 (outside E). The cone
C = closure of {t (x - v) : x in E, t >= 0} is

    C = {y : -v'Ay >= sqrt(c) |A^(1/2) y|},   polar = {z : v'z >= |A^(-1/2) z|}.

Proof. v + t y is in E for some t > 0 if and only if t^2 y'Ay + 2 t v'Ay + c <= 0 for
one: v'Ay < 0, y'Ay > 0 and (v'Ay)^2 >= c y'Ay; C is the closure. z is polar if the
support function of E, |A^(-1/2) z|, is at most v'z. The kernel of A is in C, with all
its lines, and the polar cone is orthogonal to it. On the range of A the polar cone is
that from the point -Av / sqrt(c) into {x'A^-1 x <= 1}.

**Projection.** M = cA - Avv'A: C and -C together are {y'My <= 0}. In the eigenbasis of
A let G(s) = 1 / (1 + s a), Q(s) = sum v^2 a G, eta(s) = sum v a g G, and Q(s0) = 1.
I + (s/c) M is positive definite exactly for 0 <= s < s0, and (Sherman-Morrison)

    Phi(s) = sum g^2 G + s eta^2 / (Q - 1) = g' (I + (s/c) M)^-1 g.     Then

    |Pi_C(g)|^2 = min of Phi over [0, s0)   if eta(s0) < 0,
                  max of Phi over (s0, oo]  if eta(s0) > 0.

Proof. Let s < s0. |y - g|^2 + (s/c) y'My <= |y - g|^2 on C, and the left side is least
at y(s) = G (g + s eta / (Q - 1) Av), where it is |g|^2 - Phi(s): |Pi_C(g)|^2 <= Phi(s).
Phi is convex, infinite at s0, and has the slope -y'My / c. From its minimum s* to s0 it
rises, so y'My < 0, so v'Ay = c eta / (Q - 1) keeps its sign: y(s) is in C all along if
eta(s0) < 0. At s* it attains the bound, as s* = 0 and y = g, or y'My = 0. If
eta(s0) > 0, apply this to the polar cone: there s becomes 1/s, eta -s eta / sqrt(c) and
Phi |g|^2 - Phi; and |Pi_C|^2 = |g|^2 - |Pi_polar|^2 (Moreau). QED (ours). On the
hyperplane eta(s0) = 0 the value is Phi(s0), by continuity.

The zero of the slope is found in u = log(s / s0) for all samples at once, where
Q - 1 = -s0 (e^u - 1) sum v^2 a^2 G(s) G(s0) keeps its digits next to the pole.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import elementwise

from theory.confocal import Vector, confocal_square

Samples = Float[np.ndarray, "samples n"]
PerSample = Float[np.ndarray, " samples"]

REACH = 40.0
"""s beyond e^-40 / max a or e^40 / min a counts as 0 or infinite: below rounding."""
CHUNK = 256
"""Samples projected at once: bounds the memory, and changes no result."""


class Sampled(NamedTuple):
    """A mean over samples, with its standard error."""

    mean: float
    error: float


@dataclass(frozen=True)
class EllipsoidCone:
    """The cone from v into {x : sum a x^2 <= 1}, in the eigenbasis of A."""

    curvatures: Vector
    """Eigenvalues a >= 0 of A, that is, of H / (2 epsilon)."""
    point: Vector
    """v: w^k - w*."""

    def __post_init__(self) -> None:
        a, v = self.curvatures, self.point
        if a.shape != v.shape or not (np.isfinite(a).all() and np.isfinite(v).all()):
            raise ValueError(
                "expected one finite curvature for each finite coordinate of the point,"
                f" got {a.size} and {v.size}"
            )
        if (a < 0).any():
            raise ValueError(
                f"expected curvatures >= 0, got {a.min()}: the sublevel set is no "
                "ellipsoid; treat negative eigenvalues first (`theory.measure`)"
            )

    @cached_property
    def excess(self) -> float:
        """The number c = v'Av - 1; if c <= 0, v is inside and the cone everything."""
        return float(self.curvatures @ self.point**2) - 1

    @cached_property
    def confocal_square(self) -> float:
        """The square s0 of the confocal distance of v (`theory.confocal`)."""
        return confocal_square(self.curvatures, self.point**2)

    @property
    def polar(self) -> "EllipsoidCone":
        """The polar cone, as that from a point into an ellipsoid; needs all a > 0."""
        point = -self.curvatures * self.point / math.sqrt(self.excess)
        return EllipsoidCone(1 / self.curvatures, point)

    def margins(self, directions: Samples) -> PerSample:
        """Return -v'Ay - sqrt(c) |A^(1/2) y| of every y: >= 0 in the cone, c > 0."""
        along = -directions @ (self.curvatures * self.point)
        length = np.sqrt(directions**2 @ self.curvatures)
        return np.asarray(along - math.sqrt(self.excess) * length)

    def squared_projections(self, samples: Samples) -> PerSample:
        """Return |Pi_C(g)|^2 of every sample g, as the extremal value of Phi."""
        if self.excess <= 0:
            return np.asarray(np.square(samples).sum(1))
        pull, parts = self._extrema(samples)
        own = (samples**2 * parts.shrink).sum(1)
        return np.asarray(own + pull * parts.eta)

    def projections(self, samples: Samples) -> Samples:
        """Return Pi_C(g) of every sample g: y(s) at the extremum of Phi.

        On the hyperplane eta(s0) = 0 this is right at 0 only; it has probability 0.
        """
        if self.excess <= 0:
            return samples.copy()
        pull, parts = self._extrema(samples)
        ray = self.curvatures * self.point
        return np.asarray(parts.shrink * (samples + np.outer(pull, ray)))

    def dimension(self, samples: int, *, rng: np.random.Generator) -> Sampled:
        """Return delta(C) = E |Pi_C(g)|^2 by Monte Carlo over pairs g and -g.

        sum g^2 G(s0), whose mean is known, is subtracted as a control variate: it
        leaves what the two branches differ by, and the estimate stays unbiased.

        Args:
            samples: number of pairs, at least 2.
            rng: source of g.

        Raises:
            ValueError: fewer than 2 samples.
        """
        if samples < 2:
            raise ValueError(f"expected at least 2 samples, got {samples}")
        size = len(self.point)
        if self.excess <= 0:
            return Sampled(float(size), 0.0)
        shrink = 1 / (1 + self.confocal_square * self.curvatures)
        values = []
        for start in range(0, samples, CHUNK):
            g = rng.standard_normal((min(CHUNK, samples - start), size))
            both = self.squared_projections(g) + self.squared_projections(-g)
            values.append(both / 2 - g**2 @ shrink + shrink.sum())
        drawn = np.concatenate(values)
        error = float(drawn.std(ddof=1)) / math.sqrt(samples)
        return Sampled(float(drawn.mean()), error)

    def _extrema(self, samples: Samples) -> tuple[PerSample, "_Parts"]:
        """Return s eta / (Q - 1) at the extremum of Phi, and G, Q - 1 and eta there."""
        s0, positive = self.confocal_square, self.curvatures[self.curvatures > 0]
        nearer = self._parts(np.zeros(len(samples)), samples).eta < 0
        first = min(-REACH - math.log(s0 * positive.max()), -1.0)
        last = max(REACH - math.log(s0 * positive.min()), 1.0)
        ends = np.where(nearer, first, last)

        def slope(logs: PerSample, rows: Int[np.ndarray, " samples"]) -> PerSample:
            return self._slope(logs, samples[rows])

        rows = np.arange(len(samples))
        found = elementwise.find_root(slope, (ends, np.zeros(len(rows))), args=(rows,))
        # without a change of sign g is in the cone, or in the polar one
        logs = np.where(np.isnan(found.x), ends, found.x)
        parts = self._parts(logs, samples)
        # at the pole itself eta is 0, and so is the limit of eta^2 / (Q - 1)
        ratio = np.divide(parts.eta, parts.gap, out=0 * logs, where=parts.gap != 0)
        return s0 * np.exp(logs) * ratio, parts

    def _slope(self, logs: PerSample, samples: Samples) -> PerSample:
        """Return (Q - 1)^2 y'My / c, y = y(s): of the sign opposite to Phi's slope."""
        a, v = self.curvatures, self.point
        shrink, gap, eta = self._parts(logs, samples)
        shrunk, pull = samples * shrink, self.confocal_square * np.exp(logs) * eta
        length = (
            gap**2 * (shrunk**2 @ a)
            + 2 * gap * pull * ((shrunk * shrink) @ (a**2 * v))
            + pull**2 * (shrink**2 @ (a**3 * v**2))
        )
        return np.asarray(length - self.excess * eta**2)

    def _parts(self, logs: PerSample, samples: Samples) -> "_Parts":
        a, v, s0 = self.curvatures, self.point, self.confocal_square
        shrink = 1 / (1 + np.outer(s0 * np.exp(logs), a))
        gap = -s0 * np.expm1(logs) * (shrink @ ((v * a) ** 2 / (1 + s0 * a)))
        return _Parts(shrink, gap, (samples * shrink) @ (a * v))


class _Parts(NamedTuple):
    """G, Q - 1 and eta, each at its own s for every sample."""

    shrink: Samples
    gap: PerSample
    eta: PerSample
