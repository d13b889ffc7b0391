"""Claim `statistical-dimension` (paper C, section 2; background): how large a cone is.

For a closed convex cone C in R^n, g standard normal and Pi_C the nearest point of C,

    delta(C) = E |Pi_C(g)|^2.

1. delta(C) + delta(polar of C) = n. Proof (Moreau): g is the sum of its projections on
   the two, and they are orthogonal.
2. delta is the mean of the intrinsic volumes (`theory.intrinsic_volumes`): k for a
   k-dimensional subspace, n / 2 for the orthant, 1 + 1/2 + ... + 1/n for the cone
   {x_1 <= ... <= x_n}.
3. Circular cone {x_1 >= |x| cos a}: (n - 1) sin^2 a <= delta <= (n - 1) sin^2 a + 1.
   (The bounds are ours; the literature has n sin^2 a + O(1). Proof: claim
   `exact-statistical-dimension`, for a ball.)
4. Descent cone of the l1 norm at a point with s of n entries not 0:

       delta <= min over t >= 0 of s (1 + t^2) + (n - s) E (|g_1| - t)_+^2
             <= delta + 2 sqrt(n / s).

   Proof: the polar cone is spanned by the subdifferential D, |Pi_C(g)| is the distance
   from it, and E min_t dist^2(g, t D) <= min_t E dist^2(g, t D).
5. With w the Gaussian width of C's unit vectors, w^2 <= delta <= w^2 + 1. Proof: let
   f(g) be their largest <g, x>. |Pi_C(g)| is f where f > 0, else 0, so 0 <= w = E f <=
   E |Pi_C(g)|; and E f^2 - w^2 <= 1, as f is 1-Lipschitz (Poincare).
6. A uniformly random subspace of dimension m shares a ray with C (no subspace) with
   probability 2 (v_(n-m+1) + v_(n-m+3) + ...): about 0 if m + delta < n, about 1 if
   m + delta > n, and sqrt(n) decides: see `theory.intrinsic_volumes`.
7. Var |Pi_C(g)|^2 = 2 delta + variance of the intrinsic volumes.

1 is checked on rational projections, 2 over all orders of a vector's entries (the
number of blocks is distributed as the cycles of a permutation), 6 over all sign changes
of a fixed subspace, and for circular cones by the beta law of |Pi_L(e_1)|^2. Sampled g
and sampled subspaces are in the tests.
"""

import math
from random import Random

import numpy as np
from scipy.optimize import minimize_scalar

from theory import exact_cones, intrinsic_volumes, known_cones
from theory.claim import Check, Claim, Control, Sides
from theory.comparisons import at_most, equal, sides


def kinematic(rng: Random) -> Sides:
    """Return P against eta on either side of n - delta -+ a sqrt(n), for orthants."""
    n, eta = rng.randint(40, 400), rng.uniform(0.05, 0.95)
    volumes, margin = intrinsic_volumes.orthant(n), intrinsic_volumes.margin(n, eta)
    low, high = math.floor(n / 2 - margin), math.ceil(n / 2 + margin)
    rows = [
        at_most(float(intrinsic_volumes.crossing(volumes, max(low, 0))), eta),
        at_most(1 - eta, float(intrinsic_volumes.crossing(volumes, min(high, n)))),
    ]
    return sides(rows, f"n {n}, eta {eta}")


def circular(rng: Random) -> Sides:
    """Return delta by quadrature, by volumes, by the polar cone and by 3, 5 and 7."""
    n, angle = rng.randint(2, 300), rng.uniform(0.01, 1.56)
    delta = known_cones.circular(n, angle)
    polar = known_cones.circular(n, math.pi / 2 - angle)
    volumes = intrinsic_volumes.circular(n, angle).tolist()
    square = known_cones.circular_moment(n, angle)
    spread = intrinsic_volumes.variance(volumes)
    width = known_cones.circular_width(n, angle) ** 2
    core = (n - 1) * math.sin(angle) ** 2
    rows = [
        equal(delta, intrinsic_volumes.mean(volumes)),
        equal(delta + polar, float(n)),
        equal(square, delta**2 + 2 * delta + spread),
        at_most(width, delta),
        at_most(delta, width + 1),
        at_most(core, delta),
        at_most(delta, core + 1),
    ]
    return sides(rows, f"n {n}, angle {angle}")


def descent(rng: Random) -> Sides:
    """Return the bound for the l1 norm by its stationary level, and by search."""
    n = rng.randint(2, 2000)
    s = rng.randint(1, n - 1)

    def objective(level: float) -> float:
        return known_cones.descent_objective(s, n, level)

    found = minimize_scalar(objective, bounds=(0.0, 9.0), options={"xatol": 1e-9})
    return sides([equal(known_cones.descent(s, n), float(found.fun))], f"{s}, {n}")


def quarter_plane(rng: Random) -> Sides:
    """Return 4 as an equality where it is none: s = 1 of n = 2, a right angle."""
    level = rng.uniform(0, 2)
    found = known_cones.descent_objective(1, 2, level)
    return sides([equal(1.0, found)], f"level {level}")


def double_cone(rng: Random) -> Sides:
    """Return 1 for a circular cone and its negative: not convex, its polar is {0}."""
    n, angle = rng.randint(3, 50), rng.uniform(0.1, 0.7)
    # |Pi|^2 is that on the nearer of the two, which are a right angle apart at most
    cone = known_cones.circular_mean(
        n, angle, lambda t: np.cos(t) ** 2, math.pi / 2 - angle
    )
    return sides([equal(2 * n * cone, float(n))], f"n {n}, angle {angle}")


CLAIM = Claim(
    label="statistical-dimension",
    title="A cone and a random subspace meet if their dimensions add up to more than n",
    statement="δ(C) + δ(C°) = n; w² ≤ δ ≤ w² + 1; circular cone: 0 ≤ δ − (n − 1) sin²α "
    "≤ 1; P(C ∩ L ≠ {0}) = 2 (v_{n−m+1} + v_{n−m+3} + …) ≈ 1{m + δ > n}",
    source="Amelunxen et al. 2014, arXiv 1303.6672; bounds of circular cones: ours",
    assumptions=(
        "C closed and convex",
        "C polyhedral or a limit of such, g standard normal",
        "crossing: L uniformly random, C not a subspace",
        "values of 2 and 6: vectors in general position",
    ),
    checks=(
        Check("monotone cones, Moreau, exact", exact_cones.moreau, 0.0),
        Check("subspaces, exact", exact_cones.subspaces, 0.0),
        Check("monotone cones, all orders, exact", exact_cones.orders, 0.0),
        Check("orthants, all signs, exact", exact_cones.orthant_crossings, 0.0),
        Check("circular cones, beta law, exact", exact_cones.circular_crossings, 0.0),
        Check("circular cones", circular, 1e-10),
        Check("descent cones of the l1 norm", descent, 1e-10),
        Check("approximate kinematic formula", kinematic, 1e-10),
    ),
    controls=(
        Control("C not convex", double_cone),
        Control("C a subspace", exact_cones.crossing_of_a_subspace),
        Control("L not random", exact_cones.coordinate_subspace),
        Control("vectors not in general position", exact_cones.degenerate_subspace),
        Control("entries not in general position", exact_cones.tied_orders),
        Control("the bound for the l1 norm as an equality", quarter_plane),
    ),
)
