"""Claim `predicted-threshold` (paper C, section 5): what limits say of thresholds.

Paper C compares its limit with the largest share of weights that one-shot pruning can
remove without harm. In the quadratic model, with H >= 0 and weights going in the order
of their magnitude, let n be the number removed and

    n_a   the largest n with L(w^k) <= L(w*) + eps: w^k itself, as paper C measures,
    n_b   the largest n with loss(P) <= eps: the survivors re-optimised,
    n_C   the largest n <= T(R^2(n)): paper C's limit,
    n_E   the largest n <= delta(n): that of random subspaces,
    n_S   the largest n <= 1 + delta'(n): that of the survivors
          (`theory.orthogonal_limit`),

where delta and 1 + delta' are D if w^k is in S.

1.  n_a <= n_b, n_a <= n_E, n_a <= n_S and n_C <= n_E: no exact limit is below what
    one-shot pruning reaches in the model. Paper C's can be, and there is no order
    between n_b and n_C (claim `pruning-upper-bound`).
    Proof: loss(P) <= L(w^k) - L(w*) for each n; at n_a w^k is in S, so that n_a <= D is
    within; T(R^2) <= delta for each n.
2.  All five are the same for c w, t H / c^2 and t eps: they know no unit of the loss or
    of the weights. A smaller eps does to them what larger weights c w do, or the larger
    curvature c^2 H: none grows.
    Proof: eps enters by H / eps, and the shift d can be measured in units of c. As eps
    falls, a set {loss <= eps} shrinks; T(R^2) and delta fall (claims
    `pruning-lower-bound`, `exact-statistical-dimension`).
3.  Negative eigenvalues (`theory.measure`): n_a and n_C with |lambda| are at most those
    with max(lambda, 0), and that n_a at most the one with H itself.
    Proof: H <= H_+ <= |H| as matrices.
4.  n_C depends on H by its eigenvalues alone, n_a and n_b do not.

Checked in fractions, all n at once, over Hessians with integer factors; delta in
float64.
"""

from fractions import Fraction
from random import Random

import numpy as np

from theory.claim import Check, Claim, Control, ExactSides, Sides
from theory.comparisons import at_most, equal, sides
from theory.cone_cases import random_cone
from theory.exact_readings import all_of, paper, readings, small_case, whole
from theory.model_spectra import measures
from theory.orthogonal_limit import orthogonal_dimension
from theory.pruning_limit import paper_dimension
from theory.rational_matrices import identity
from theory.spectral_dimension import cone_dimension


def order_of_readings(rng: Random) -> ExactSides:
    """Return n_a <= n_b."""
    hessian, weights, epsilon = small_case(rng)
    a, b = readings(hessian, weights, epsilon)
    return whole((max(a, b),), (b,), f"{hessian.tolist()}, {weights}, {epsilon}")


def one_shot_and_limits(rng: Random) -> Sides:
    """Return n_a <= n_E and n_a <= n_S, of all n."""
    one_shot, _, exact, survivors, case = limits_of(rng)
    return sides([at_most(one_shot, exact), at_most(one_shot, survivors)], case)


def one_shot_and_papers_limit(rng: Random) -> Sides:
    """Return n_a <= n_C, which is no theorem."""
    one_shot, paper_c, *_, case = limits_of(rng)
    return sides([at_most(one_shot, paper_c)], case)


def limits_of(rng: Random) -> tuple[float, float, float, float, str]:
    """Return n_a, n_C, n_E and n_S by scanning all n, and the case.

    epsilon is a little larger for the limits, as rounding could put w^k beside S.
    """
    hessian, weights, epsilon = small_case(rng)
    eigenvalues, basis = np.linalg.eigh(hessian.astype(float))
    size, room = len(weights), float(epsilon) * (1 + 1e-9)
    within: list[list[int]] = [[0], [0], [0]]
    for n in range(1, size + 1):
        moved = basis[:n].T @ weights[:n].astype(float)
        square = float(moved @ moved)
        found = [float(size)] * 3
        if square > 0:
            given = (*measures(eigenvalues, moved), size, square, room)
            found = [
                paper_dimension(given[0], size, square, room),
                cone_dimension(*given).value,
                1 + orthogonal_dimension(*given),
            ]
        for place, dimension in zip(within, found, strict=True):
            place += [n] if n <= dimension else []
    one_shot, _ = readings(hessian, weights, epsilon)
    case = f"{hessian.tolist()}, {weights}, {epsilon}"
    paper_c, exact, survivors = (float(max(place)) for place in within)
    return float(one_shot), paper_c, exact, survivors, case


def order_of_limits(rng: Random) -> Sides:
    """Return T(R^2) <= delta as it is computed, so that n_C <= n_E.

    And delta and delta' for c w and t eps, H measured in units of t / c^2.
    """
    cone, _ = random_cone(rng)
    trace, along = measures(cone.curvatures, cone.point)
    size, square = len(cone.point), float(cone.point @ cone.point)
    found = cone_dimension(trace, along, size, square, 0.5)
    factor = rng.uniform(0.1, 9)
    scaled = cone_dimension(trace, along, size, factor * square, 0.5 * factor)
    smaller = cone_dimension(trace, along, size, square, rng.uniform(0.1, 0.5))
    euclidean = paper_dimension(trace, size, square, 0.5)
    survivors, survivors_scaled = (
        orthogonal_dimension(trace, along, size, s * square, s * 0.5)
        for s in (1.0, factor)
    )
    rows = [
        at_most(euclidean, found.value),
        at_most(euclidean, found.leading),
        equal(found.leading, scaled.leading, size * (1 + 1 / cone.excess)),
        at_most(smaller.leading, found.leading),
        equal(survivors, survivors_scaled, size * (1 + 1 / cone.excess)),
    ]
    return sides(rows, str(cone))


def scales(rng: Random) -> ExactSides:
    """Return all readings and n_C for c w, t H / c^2 and t eps; and for a smaller eps.

    And for c w at eps and w at eps / c^2.
    """
    hessian, weights, epsilon = small_case(rng)
    c, t = (Fraction(rng.randint(1, 30), rng.randint(1, 9)) for _ in range(2))
    first = all_of(hessian, weights, epsilon)
    moved = all_of(t / c**2 * hessian, c * weights, t * epsilon)
    grown = all_of(hessian, c * weights, epsilon)
    less = all_of(hessian, weights, epsilon / (1 + c))
    shrunk = all_of(hessian, weights, epsilon / c**2)
    bounded = tuple(max(x, y) for x, y in zip(less, first, strict=True))
    case = f"{hessian.tolist()}, {weights.tolist()}, {epsilon}, {c}, {t}"
    return whole((*moved, *grown, *bounded), (*first, *shrunk, *first), case)


def treatments(rng: Random) -> ExactSides:
    """Return n_a and n_C with |lambda|, max(lambda, 0) and n_a with lambda, in order.

    The eigenvectors are those of a reflection 1 - 2 u u' / |u|^2.
    """
    _, weights, epsilon = small_case(rng)
    values = [Fraction(rng.randint(-9, 9)) for _ in weights]
    u = np.array([Fraction(rng.randint(1, 3)) for _ in weights])
    basis = identity(len(u)) - 2 / (u @ u) * np.outer(u, u)
    found = []
    for each in ([abs(x) for x in values], [max(x, 0 * x) for x in values], values):
        hessian = (basis * np.array(each)) @ basis
        own = [
            n
            for n in range(len(weights) + 1)
            if weights[:n] @ hessian[:n, :n] @ weights[:n] <= 2 * epsilon
        ]
        found.append((max(own), 0 if each is values else paper(each, weights, epsilon)))
    (a, c), (a_plus, c_plus), (a_true, _) = found
    left = (max(a, a_plus), max(c, c_plus), max(a_plus, a_true))
    case = f"{values}, {u.tolist()}, {weights.tolist()}, {epsilon}"
    return whole(left, (a_plus, c_plus, a_true), case)


def saddle(rng: Random) -> ExactSides:
    """Return 1 for an indefinite H, whose Schur loss is that of a saddle."""
    h, q, w = (Fraction(rng.randint(1, 9)) for _ in range(3))
    hessian, weights = np.array([[h, q], [q, -q]]), np.array([w, w])
    a, b = readings(hessian, weights, h * w**2 / 2)
    return whole((max(a, b),), (b,), f"{hessian.tolist()}, {w}")


def other_order(rng: Random) -> ExactSides:
    """Return 1 with the reading b for weights that go in the opposite order."""
    hessian, weights, epsilon = small_case(rng, least=2)
    a, _ = readings(hessian, weights, epsilon)
    _, b = readings(hessian[::-1, ::-1], weights[::-1], epsilon)
    return whole((max(a, b),), (b,), f"{hessian.tolist()}, {weights}, {epsilon}")


def quartic(rng: Random) -> ExactSides:
    """Return n_a at both scales of 2, for the loss 1/2 h x^2 + x^4 of one weight."""
    h, x, c = (Fraction(rng.randint(1, 9)) for _ in range(3))
    epsilon = h * x**2 / 2 + x**4  # the weight can just go
    moved = h * x**2 / 2 + (c * x) ** 4
    return whole((int(moved <= epsilon),), (1,), f"{h}, {x}, {c}")


def fixed_rise(rng: Random) -> ExactSides:
    """Return all readings and n_C for c w at the same eps as if they were the same."""
    hessian, weights, epsilon = small_case(rng)
    left = all_of(hessian, rng.randint(2, 9) * weights, epsilon)
    right = all_of(hessian, weights, epsilon)
    return whole(left, right, f"{hessian.tolist()}, {weights.tolist()}, {epsilon}")


def eigenvalues_alone(rng: Random) -> ExactSides:
    """Return n_a and n_b for two orders of the same eigenvalues, H diagonal."""
    _, weights, epsilon = small_case(rng, least=2)
    values = [Fraction(rng.randint(1, 90)) for _ in weights]
    left, right = (
        readings(identity(len(weights)) * np.array(each), weights, epsilon)
        for each in (values, values[::-1])
    )
    return whole(left, right, f"{values}, {weights.tolist()}, {epsilon}")


CLAIM = Claim(
    label="predicted-threshold",
    title="The limits speak of re-optimised survivors, and know no unit of the weights",
    statement="n_a ≤ n_b, n_C ≤ n_E; n(c·w, t·H/c², t·ε) = n(w, H, ε) for all five; "
    "none grows as ε falls; |λ| allows no more than max(λ, 0), and that no more than λ",
    source="Zhang et al. 2024, arXiv 2306.05857, section 5; statements: ours",
    assumptions=(
        "quadratic model, w* a minimum: H ≥ 0",
        "one order of removal for all readings",
        "scales: weights, H and ε together",
        "n_C: the eigenvalues of H; n_a, n_b: H itself",
    ),
    checks=(
        Check("re-optimised and not, exact", order_of_readings, 0.0),
        Check("one-shot pruning and the exact limits", one_shot_and_limits, 0.0),
        Check("paper C's form and the dimension", order_of_limits, 1e-10),
        Check("scales of weights, curvature and ε, exact", scales, 0.0),
        Check("treatments of negative eigenvalues, exact", treatments, 0.0),
    ),
    controls=(
        Control("H indefinite", saddle),
        Control("another order for the survivors", other_order),
        Control("paper C's limit for the exact ones", one_shot_and_papers_limit),
        Control("a loss that is not quadratic", quartic),
        Control("weights scaled alone", fixed_rise),
        Control("eigenvalues without eigenvectors", eigenvalues_alone),
    ),
)
