"""Claim `pruning-upper-bound` (paper C, section 4): how many parameters are enough.

Notation of the claim `pruning-lower-bound`. The survivors K move, the removed weights P
stay at 0: the point w^k = w* + v, v = -w*_P, and the subspace of K through it.

1. For k >= D - delta + a sqrt(D) a uniformly random k-dimensional subspace through w^k
   meets S with a probability of at least 1 - eta (approximate kinematic formula). As
   T(R^2) <= delta, so it does for k >= D - T(R^2) + a sqrt(D): for random subspaces
   paper C's form is an upper bound of what must remain.
2. The subspace of K meets S if and only if loss(P), the least loss when the survivors
   are re-optimised (`theory.reoptimised`), is at most eps. loss(P) is never above the
   loss of w^k itself, and does not fall when P grows: removable are 0..n* of the
   smallest weights, n* at least what w^k itself allows.
3. But that subspace is not a random one: it is orthogonal to v. For eigenvectors
   without preferred coordinates the cone in v^perp decides (`theory.orthogonal_limit`),
   |P| < 1 + delta', and delta' < delta. Neither T(R^2) nor delta bounds what can be
   removed from below: for H = lambda I the survivors gain nothing, loss(P) is the loss
   of w^k itself, and n* can be less than T(R^2).

Checks: 1 on flat spectra, where the probability is rational; 2 by elimination in
fractions, against the normal equations, and all n at once by the Cholesky factor; the
formulas of 3 by building the cone in v^perp, in fractions.
"""

from fractions import Fraction
from itertools import pairwise
from random import Random

import numpy as np

from theory.claim import Check, Claim, Control, ExactSides, Sides
from theory.comparisons import at_most, equal, sides
from theory.pruning_limit import largest, removal_order
from theory.rational_matrices import Exact, identity, integers, positive_definite, solve
from theory.reoptimised import largest_removal, nested_losses, reoptimised
from theory.solvable_pruning import flat_case, meeting


def flat_spectra(rng: Random) -> ExactSides:
    """Return min(P, 1 - eta) and 1 - eta for the least k of 1, eigenvalues equal."""
    size, k, share, eta = flat_case(rng, above=True)
    meets = meeting(size, k, share)
    case = f"{k} of {size}, {share}, {eta}"
    return ExactSides((min(meets, 1 - eta),), (1 - eta,), case)


def least_losses(rng: Random) -> ExactSides:
    """Return the Schur complement's loss and the loss at the stationary point.

    And that it is no more than the loss before, and no less for fewer removed.
    """
    size = rng.randint(1, 5)
    hessian, weights = positive_definite(rng, size), integers(rng, size)
    removed = rng.randint(0, size)
    loss = schur_loss(hessian, weights, removed)
    found = stationary_loss(hessian, weights, removed)
    gone = weights[:removed]
    own = Fraction(gone @ hessian[:removed, :removed] @ gone) / 2
    fewer = schur_loss(hessian, weights, max(removed - 1, 0))
    left = (loss, max(loss, own), max(fewer, loss))
    case = f"{removed} of {weights.tolist()}, {hessian.tolist()}"
    return ExactSides(left, (found, own, loss), case)


def schur_loss(hessian: Exact, weights: Exact, removed: int) -> Fraction:
    """Return 1/2 w_P' (H_PP - H_PK H_KK^-1 H_KP) w_P, P the first coordinates."""
    gone, kept = slice(None, removed), slice(removed, None)
    pull = hessian[kept, gone] @ weights[gone]
    own = weights[gone] @ hessian[gone, gone] @ weights[gone]
    if not len(pull):
        return Fraction(own) / 2
    return Fraction(own - pull @ solve(hessian[kept, kept], pull)) / 2


def stationary_loss(hessian: Exact, weights: Exact, removed: int) -> Fraction:
    """Return 1/2 d'Hd where it is stationary under d_P = -w_P (multipliers)."""
    size = len(weights)
    rows = identity(size)[:removed]
    corner = np.full((removed, removed), Fraction(0), dtype=object)
    system = np.block([[hessian, rows.T], [rows, corner]])
    right = np.concatenate([weights * 0, -weights[:removed]])
    shift = solve(system, right)[:size]
    return Fraction(shift @ hessian @ shift) / 2


def nested(rng: Random) -> Sides:
    """Return all nested losses by Cholesky, and by least squares one by one."""
    size = rng.randint(1, 12)
    draws = np.random.default_rng(rng.getrandbits(62))
    factor = draws.normal(size=(size, size + 2))
    hessian, weights = factor @ factor.T, draws.normal(size=size)
    order = removal_order(weights)
    losses = nested_losses(hessian, weights, order)
    rows = []
    for n, loss in enumerate(losses):
        removed = np.isin(np.arange(size), order[:n])
        found = reoptimised(hessian, weights, removed).loss
        rows.append(equal(float(loss), found, float(losses[-1])))
    rows += [at_most(float(a), float(b)) for a, b in pairwise(losses)]
    epsilon = float(losses[-1]) * rng.random()
    scanned = largest(lambda n: bool(losses[n] <= epsilon), size)
    rows.append(equal(float(largest_removal(losses, epsilon)), float(scanned)))
    return sides(rows, f"{hessian.tolist()}, {weights.tolist()}")


def hyperplane_cone(rng: Random) -> ExactSides:
    """Return trace and condition of the cone in v^perp, built and by formula.

    With X = 1 + s A, in a basis B of v^perp: tr (B'B)(B'XB)^-1 and
    s^2 b'B (B'XB)^-1 B'b, b = Av, for any s > 0.
    """
    size = rng.randint(2, 4)
    matrix, point = positive_definite(rng, size), integers(rng, size)
    point[0] = Fraction(rng.randint(1, 3))
    square = Fraction(rng.randint(1, 9), rng.randint(1, 9))
    basis = np.concatenate([-point[1:][None] / point[0], identity(size - 1)])
    shifted = identity(size) + square * matrix
    inner = basis.T @ shifted @ basis
    pull = basis.T @ matrix @ point
    trace = np.trace(solve(inner, basis.T @ basis))
    condition = square**2 * (pull @ solve(inner, pull))
    whole = solve(shifted, identity(size))
    ray, length = solve(shifted, point), point @ point
    formula = np.trace(whole) - (ray @ ray) / (ray @ point)
    height = point @ shifted @ point - length**2 / (ray @ point)
    case = f"{matrix.tolist()}, {point.tolist()}, {square}"
    return ExactSides(
        (Fraction(trace), Fraction(condition)),
        (Fraction(formula), Fraction(height)),
        case,
    )


def survivors_as_random(rng: Random) -> Sides:
    """Return n* of the survivors as if it were T(R^2) or more, for H = lambda I."""
    size = rng.randint(20, 60)
    draws = np.random.default_rng(rng.getrandbits(62))
    weights = draws.normal(size=size)
    order = removal_order(weights)
    hessian = np.eye(size)
    epsilon = rng.uniform(0.5, 2)
    possible = largest_removal(nested_losses(hessian, weights, order), epsilon)
    squares = np.concatenate([[0.0], np.cumsum(weights[order] ** 2)])

    def within(n: int) -> bool:
        return bool(n <= size * 2 * epsilon / (2 * epsilon + squares[n]))

    return sides(
        [at_most(float(largest(within, size)), float(possible))], f"{size}, {epsilon}"
    )


def saddle(rng: Random) -> ExactSides:
    """Return the losses of 2 for an indefinite H: the Schur loss is at a saddle."""
    size = rng.randint(2, 4)
    hessian = positive_definite(rng, size)
    hessian[-1, -1] -= 40  # the survivors' corner is negative
    weights = integers(rng, size)
    fewer, loss = (schur_loss(hessian, weights, n) for n in (0, 1))
    own = weights[0] ** 2 * hessian[0, 0] / 2
    left = (max(loss, own), max(fewer, loss))
    return ExactSides(left, (own, loss), f"{hessian.tolist()}, {weights.tolist()}")


def other_masks(rng: Random) -> ExactSides:
    """Return the loss of one removed weight as if less than that of two others."""
    hessian, weights = positive_definite(rng, 3), integers(rng, 3)
    two = schur_loss(hessian, weights, 2)
    last = [2, 0, 1]
    one = schur_loss(hessian[np.ix_(last, last)], weights[last], 1)
    case = f"{hessian.tolist()}, {weights.tolist()}"
    return ExactSides((max(one, two),), (two,), case)


CLAIM = Claim(
    label="pruning-upper-bound",
    title="What suffices for a random subspace does not for the survivors",
    statement="k ≥ D − δ + √(8 log(4/η) D) ⇒ P ≥ 1 − η; survivors: "
    "½ w_P′(H_PP − H_PK H_KK⁻¹ H_KP) w_P ≤ ε, threshold |P| ≈ 1 + δ(C ∩ v^⊥)",
    source="Zhang et al. 2024, arXiv 2306.05857, section 4; 2 and 3: ours",
    assumptions=(
        "quadratic model, w* a minimum: H ≥ 0",
        "1: a uniformly random subspace through w^k",
        "monotone: nested masks",
    ),
    checks=(
        Check("flat spectra, beta law, exact", flat_spectra, 0.0),
        Check("re-optimised losses, exact", least_losses, 0.0),
        Check("the cone in the survivors' hyperplane, exact", hyperplane_cone, 0.0),
        Check("nested losses by one factorisation", nested, 1e-10),
    ),
    controls=(
        Control("the survivors taken for a random subspace", survivors_as_random),
        Control("H indefinite", saddle),
        Control("masks that are not nested", other_masks),
    ),
)
