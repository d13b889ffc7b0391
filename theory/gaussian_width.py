"""Claim `gaussian-width` (paper C, section 2; background): how wide a set is.

    w(T) = E sup over x in T of <g, x>,    g standard normal in R^n, T bounded.

1. w(T + x) = w(T), w(T + T') = w(T) + w(T'), w(t T) = |t| w(T), w(hull T) = w(T).
   Proof: for each g, sup over T + T' is the sum of the two suprema, and a linear form
   has no larger supremum on the hull; E <g, x> = 0, and -g has the law of g.
2. Ellipsoid {x : sum (x_i / r_i)^2 <= 1}: the supremum is |r * g| (Cauchy-Schwarz), so

       w = E |r * g| = (2 sqrt(pi))^-1 int_0^oo t^(-3/2)
                       (1 - prod_i (1 + 2 r_i^2 t)^(-1/2)) dt,
       sqrt(2 / pi) |r| <= w <= |r|.

   Proof: sqrt(X) = (2 sqrt(pi))^-1 int t^(-3/2) (1 - exp(-t X)) dt, and the product is
   the Laplace transform of |r * g|^2. For |r| = 1 the width is a concave function of
   the weights p_i = r_i^2 on the simplex (a mean of square roots of linear functions):
   least at a corner, where w = E|g_1|; and E sqrt <= sqrt E.
3. Unit sphere of a k-dimensional subspace: k / sqrt(k + 1) <= w <= sqrt(k), and
   w = sqrt(2) Gamma((k + 1) / 2) / Gamma(k / 2).

1 needs nothing of g but a symmetric law, and is checked exactly on finite sets of
points, with all sign vectors in place of g. 2 and 3 need the normal law: the quadrature
is checked against closed forms (elliptic integrals for n = 2 and 3, gamma functions,
partial fractions for radii in pairs), and against sampled g in the tests.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from random import Random

import numpy as np

from theory.claim import Check, Claim, Control, ExactSides, Sides
from theory.comparisons import at_most, equal, sides
from theory.width_formulas import closed_form, ellipsoid, paired_closed_form, sphere


def few_axes(rng: Random) -> Sides:
    """Return the quadrature and the elliptic integrals, for 1 to 3 axes."""
    radii = [math.exp(rng.uniform(-3, 3)) for _ in range(rng.randint(1, 3))]
    return sides([equal(ellipsoid(np.array(radii)), closed_form(radii))], str(radii))


def paired_axes(rng: Random) -> Sides:
    """Return the quadrature and the partial fractions, for radii in pairs."""
    size = rng.randint(1, 5)
    radii = [2.0 ** (rank + rng.uniform(-0.2, 0.2)) for rank in range(size)]
    value = ellipsoid(np.repeat(radii, 2))
    return sides([equal(value, paired_closed_form(radii))], str(radii))


def equal_axes(rng: Random) -> Sides:
    """Return the quadrature and the gamma functions for a ball, and its bounds."""
    k, radius = rng.randint(1, 3000), math.exp(rng.uniform(-9, 9))
    value = ellipsoid(np.array([radius]), np.array([float(k)]))
    rows = [
        equal(value, radius * sphere(k)),
        at_most(radius * k / math.sqrt(k + 1), value),
        at_most(value, radius * math.sqrt(k)),
    ]
    return sides(rows, f"{k} axes of {radius}")


def bounds(rng: Random) -> Sides:
    """Return w between sqrt(2 / pi) |r| and |r|."""
    size = rng.randint(1, 30)
    radii = np.array([math.exp(rng.uniform(-9, 9)) for _ in range(size)])
    value, length = ellipsoid(radii), math.hypot(*radii)
    least = at_most(math.sqrt(2 / math.pi) * length, value)
    return sides([least, at_most(value, length)], str(radii))


def correlated(rng: Random) -> Sides:
    """Return E |r * g| for two equal normal coordinates, and the quadrature."""
    radii = np.array([math.exp(rng.uniform(-1, 1)) for _ in range(2)])
    left = sphere(1) * math.hypot(*radii)  # |r * g| = |r| |g_1|
    return sides([equal(left, ellipsoid(radii))], str(radii))


def signs_for_normals(rng: Random) -> Sides:
    """Return E |r * g| for coordinates +-1, which is |r|, and the quadrature."""
    radii = np.array([math.exp(rng.uniform(-1, 1)) for _ in range(rng.randint(1, 9))])
    return sides([equal(math.hypot(*radii), ellipsoid(radii))], str(radii))


def rules(rng: Random) -> ExactSides:
    """Return both sides of rule 1 for finite sets, g running over all signs."""
    return _rules(rng, [-1, 1])


def shifted_law(rng: Random) -> ExactSides:
    """Return rule 1 for coordinates 0 and 2, whose mean is not 0."""
    return _rules(rng, [0, 2])


def skewed_law(rng: Random) -> ExactSides:
    """Return rule 1 for coordinates -1, -1 and 2: mean 0, but not symmetric."""
    return _rules(rng, [-1, -1, 2])


def _rules(rng: Random, law: Sequence[int]) -> ExactSides:
    size, shares = rng.randint(1, 4), 6
    first, second = (
        [
            tuple(shares * rng.randint(-9, 9) for _ in range(size))
            for _ in range(rng.randint(1, 4))
        ]
        for _ in range(2)
    )
    draws = list(product(law, repeat=size))
    shift = tuple(rng.randint(-9, 9) for _ in range(size))
    t, share = rng.randint(-4, 4), rng.randint(0, shares)
    ends = zip(rng.choice(first), rng.choice(first), strict=True)
    between = tuple((share * a + (shares - share) * b) // shares for a, b in ends)
    w = mean_width(first, draws)
    left = (
        mean_width([_add(x, shift) for x in first], draws),
        mean_width([_add(x, y) for x in first for y in second], draws),
        mean_width([tuple(t * a for a in x) for x in first], draws),
        mean_width([*first, between], draws),
    )
    right = (w, w + mean_width(second, draws), abs(t) * w, w)
    return ExactSides(left, right, f"{first}, {second}, {shift}, {t}, {between}")


def mean_width(
    points: Sequence[Sequence[int]], draws: Sequence[Sequence[int]]
) -> Fraction:
    """Return the mean over draws g of the largest <g, x> of a finite set."""
    suprema = [
        max(sum(a * b for a, b in zip(g, x, strict=True)) for x in points)
        for g in draws
    ]
    return Fraction(sum(suprema), len(suprema))


def _add(x: Sequence[int], y: Sequence[int]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(x, y, strict=True))


CLAIM = Claim(
    label="gaussian-width",
    title="The Gaussian width of an ellipsoid is one integral",
    statement="w = E‖r⊙g‖ = (2√π)⁻¹ ∫ t^(−3/2) (1 − Π (1 + 2 r_i² t)^(−1/2)) dt, "
    "√(2/π) ‖r‖ ≤ w ≤ ‖r‖; w(T + T′) = w(T) + w(T′)",
    source="Zhang et al. 2024, arXiv 2306.05857, section 2; proofs of 2: ours",
    assumptions=(
        "T bounded",
        "sums and multiples of sets: a symmetric law of g",
        "ellipsoids: independent normal coordinates",
    ),
    checks=(
        Check("finite sets, all signs, exact", rules, 0.0),
        Check("ellipsoids of 1 to 3 axes", few_axes, 1e-10),
        Check("ellipsoids with radii in pairs", paired_axes, 1e-10),
        Check("balls", equal_axes, 1e-10),
        Check("bounds of ellipsoids", bounds, 1e-10),
    ),
    controls=(
        Control("a law with a mean", shifted_law),
        Control("a law that is not symmetric", skewed_law),
        Control("coordinates of g correlated", correlated),
        Control("signs in place of normal coordinates", signs_for_normals),
    ),
)
