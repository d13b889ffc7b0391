"""Claim `pruning-lower-bound` (paper C, section 3): how many parameters must remain.

D parameters, of which the n smallest are removed and k = D - n remain; w^k = w* + v is
what is left, R = |v|, S = {L <= L(w*) + eps} in the quadratic model with H >= 0, delta
the statistical dimension of the cone from w^k into S; T and s0 as in the claim
`exact-statistical-dimension`, r_i^2 = 2 eps / lambda_i.

1. For k <= D - delta - a sqrt(D), a = sqrt(8 log(4 / eta)), a uniformly random
   k-dimensional subspace through w^k meets S with a probability of at most eta: so
   k / D >= 1 - delta / D must remain, but for a / sqrt(D). (Approximate kinematic
   formula. The survivors' subspace lies in a hyperplane, where the cone is no larger:
   for it the same holds to within 1 / D if eigenvectors have no preferred coordinates,
   see `pruning-upper-bound`; else fewer survivors can be enough.)
2. Paper C computes 1 - T(R^2) / D in place of it. As T(R^2) <= delta (proved in
   `exact-statistical-dimension`), this is never below 1 - delta / D: it is no lower
   bound of what must remain, and the gap does not vanish with D. Where 99 % of the
   eigenvalues are 0.01 and 1 % are 100, eps = 0.01, R = 1 and v without preferred
   direction, it asks for 34 % of the parameters to remain, where 2 % are enough.
3. R^2(n), the sum of the n smallest squares, is the least |v|^2 of all masks that
   remove n: no other mask has a larger T(R^2). It is not the best mask for delta.
4. T(R^2(n)) falls in n: the n with n <= T(R^2(n)) are 0..n*. If weights grow in
   magnitude, or eigenvalues grow, n* does not. For delta this holds of eigenvalues in
   the matrix order and of all weights multiplied by one number >= 1, but not of single
   weights: a correlated Hessian may prefer a larger one.

Checks: 1 on flat spectra, where the probability is rational (beta law); 2 in fractions
at points whose confocal distance is rational; 3 over all masks; 4 by scanning all n.
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations
from random import Random

import numpy as np

from theory.claim import Check, Claim, Control, ExactSides, Sides
from theory.comparisons import at_most, equal, sides
from theory.confocal import confocal_square, effective_dimension
from theory.pruning_limit import largest, removed_squares
from theory.solvable_pruning import dimension_at, flat_case, meeting, rational_point


def flat_spectra(rng: Random) -> ExactSides:
    """Return max(P, eta) and eta for the largest k of 1, all eigenvalues equal."""
    size, k, share, eta = flat_case(rng, above=False)
    meets = meeting(size, k, share)
    return ExactSides((max(meets, eta),), (eta,), f"{k} of {size}, {share}, {eta}")


def chosen_subspace(rng: Random) -> ExactSides:
    """Return P for the line from w^k to w* in place of a random one."""
    size, k, share, eta = flat_case(rng, above=False)
    return ExactSides((Fraction(1),), (eta,), f"1 <= {k} of {size}, {share}, {eta}")


def euclidean_distance(rng: Random) -> ExactSides:
    """Return T(R^2) <= T(s0) and s0 <= R^2."""
    axes, squares, square = rational_point(rng)
    length = sum(squares, Fraction(0))
    paper, exact = dimension_at(axes, length), dimension_at(axes, square)
    left = (max(paper, exact), max(square, length))
    return ExactSides(left, (exact, length), f"r^2 {axes}, v^2 {squares}")


def direction_ignored(rng: Random) -> ExactSides:
    """Return T(R^2) and T(s0) as if they were equal."""
    axes, squares, square = rational_point(rng)
    paper = dimension_at(axes, sum(squares, Fraction(0)))
    return ExactSides((paper,), (dimension_at(axes, square),), f"{axes}, {squares}")


def masks(rng: Random) -> ExactSides:
    """Return the least |v|^2 and the largest T(|v|^2) over all masks of n, and R^2."""
    weights, axes = _weights(rng), _axes(rng)
    n = rng.randint(0, len(weights))
    lengths = [sum(w * w for w in chosen) for chosen in combinations(weights, n)]
    square = Fraction(removed_squares(np.array(weights, float))[n])
    best = max(dimension_at(axes, Fraction(length)) for length in lengths)
    left = (Fraction(min(lengths)), best)
    return ExactSides(left, (square, dimension_at(axes, square)), f"{n} of {weights}")


def any_mask(rng: Random) -> ExactSides:
    """Return |v|^2 of a random mask of n, and R^2."""
    weights = _weights(rng)
    chosen = rng.sample(weights, rng.randint(0, len(weights)))
    square = Fraction(removed_squares(np.array(weights, float))[len(chosen)])
    length = Fraction(sum(w * w for w in chosen))
    return ExactSides((length,), (square,), f"{chosen} of {weights}")


def fixed_points(rng: Random) -> ExactSides:
    """Return n* by bisection and all n <= T(R^2(n)), before and after growth."""
    weights, axes = _weights(rng), _axes(rng)
    inside = [n for n in range(len(weights) + 1) if _fits(weights, axes, n)]
    found = _limit(weights, axes)
    grown = [w * rng.randint(1, 3) for w in weights]
    sharper = [r / rng.randint(1, 3) for r in axes]
    later = max(_limit(grown, axes), _limit(weights, sharper), found)
    one_interval = inside == list(range(found + 1))
    left = (Fraction(found), Fraction(one_interval), Fraction(later))
    right = (Fraction(max(inside)), Fraction(1), Fraction(found))
    return ExactSides(left, right, f"{weights}, {axes}")


def single_weight_grown(rng: Random) -> Sides:
    """Return T(s0) as if it fell when one weight grows, for a correlated Hessian."""
    mixing = rng.uniform(0.5, 0.95)
    hessian = np.array([[1.0, -mixing], [-mixing, 1.0]])
    removed = np.array([rng.uniform(2, 4), 0.0])
    grown = removed + np.array([0.0, rng.uniform(0.1, 1.0)])
    before, after = (_dense_dimension(hessian, v) for v in (removed, grown))
    return sides([at_most(after, before)], f"mixing {mixing}, {removed}, {grown}")


def negative_curvature(rng: Random) -> Sides:
    """Return whether w^k is in S, and in the set with |lambda| in place of lambda."""
    curvatures = np.array([rng.uniform(0, 2), -rng.uniform(0, 2)])
    squares = np.array([rng.uniform(0, 1), rng.uniform(0, 3)])
    inside, bounded = (
        float(squares @ a <= 1) for a in (curvatures, np.abs(curvatures))
    )
    return sides([equal(inside, bounded)], f"{curvatures}, {squares}")


def gradient_left(rng: Random) -> Sides:
    """Return whether w^k is in S where w* has a gradient, and by the model without."""
    removed, slope = (rng.uniform(-2, 2) for _ in range(2))
    inside = float(slope * removed + removed**2 <= 1)
    return sides([equal(inside, float(removed**2 <= 1))], f"{removed}, {slope}")


def _dense_dimension(matrix: np.ndarray, point: np.ndarray) -> float:
    curvatures, basis = np.linalg.eigh(matrix)
    square = confocal_square(curvatures, (basis.T @ point) ** 2)
    return effective_dimension(curvatures, np.ones(len(point)), square)


def _weights(rng: Random) -> list[int]:
    return [rng.randint(-9, 9) for _ in range(rng.randint(1, 7))]


def _axes(rng: Random) -> list[Fraction]:
    return [Fraction(rng.randint(1, 400), rng.randint(1, 4)) for _ in range(8)]


def _fits(weights: Sequence[int], axes: Sequence[Fraction], n: int) -> bool:
    square = sum(sorted(w * w for w in weights)[:n])
    return n <= dimension_at(axes, Fraction(square))


def _limit(weights: Sequence[int], axes: Sequence[Fraction]) -> int:
    return largest(lambda n: _fits(weights, axes, n), len(weights))


CLAIM = Claim(
    label="pruning-lower-bound",
    title="Too few parameters do not suffice; paper C's form is no such bound",
    statement="k ≤ D − δ − √(8 log(4/η) D) ⇒ P ≤ η; Σ r_i²/(R² + r_i²) ≤ δ; "
    "R² = Σ of the n smallest squares is least of all masks of n",
    source="Zhang et al. 2024, arXiv 2306.05857, section 3; 2 and 4: ours",
    assumptions=(
        "quadratic model, w* a minimum: H ≥ 0 and no gradient",
        "a uniformly random subspace through w^k",
        "magnitude pruning: for R, not for δ",
        "growth of all weights by one factor, or H diagonal",
    ),
    checks=(
        Check("flat spectra, beta law, exact", flat_spectra, 0.0),
        Check("confocal and Euclidean distance, exact", euclidean_distance, 0.0),
        Check("all masks, exact", masks, 0.0),
        Check("fixed points by scanning, exact", fixed_points, 0.0),
    ),
    controls=(
        Control("a subspace that is chosen", chosen_subspace),
        Control("the direction of v is ignored", direction_ignored),
        Control("another mask than the smallest weights", any_mask),
        Control("H correlated, one weight grows", single_weight_grown),
        Control("negative eigenvalues, |λ| taken", negative_curvature),
        Control("a gradient at w*", gradient_left),
    ),
)
