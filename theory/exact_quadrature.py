"""Quadrature by Lanczos' recurrence on small rational matrices: equality, no tolerance.

Each function draws one case; all are used by the claim `slq`, whose docstring states
what they check.
"""

from fractions import Fraction
from random import Random

import numpy as np

from theory.affine_steps import identity
from theory.claim import ExactSides
from theory.rational_lanczos import (
    Array,
    power_form,
    recurrence,
    resolvent_form,
    solved,
)

SIZE = 4
"""Rows of all matrices: large enough for three steps without a breakdown (ours)."""


def gauss_moments(rng: Random) -> ExactSides:
    """Return v^T H^m v for m = 0..2k-1 by the Gauss rule, and by products."""
    H, v = indefinite(rng), vector(rng)
    rule = recurrence([H] * _steps(rng), v)
    degrees = range(2 * rule.steps)
    return ExactSides(
        tuple(rule.moment(m) for m in degrees),
        tuple(power_form(H, v, m) for m in degrees),
        _case(H, v, rule.steps),
    )


def radau_moments(rng: Random) -> ExactSides:
    """Return the same for m = 0..2k by the Radau rule, and det(J - node) with 0."""
    H, v = indefinite(rng), vector(rng)
    node = rng.choice([-1, 1]) * (radius(H) + 1)
    steps = _steps(rng)
    rule = recurrence([H] * steps, v).radau(node)
    degrees = range(2 * (rule.steps - 1) + 1)
    at_node = Fraction(0) if rule.steps <= steps else _determinant(rule.matrix(), node)
    return ExactSides(
        (at_node, *(rule.moment(m) for m in degrees)),
        (Fraction(0), *(power_form(H, v, m) for m in degrees)),
        _case(H, v, steps),
    )


def bounds(rng: Random) -> ExactSides:
    """Return v^T (s + H)^-1 v, clipped to each of its bounds, and the value itself.

    Above: Radau at 0. Below: Gauss, and Radau at a number above the spectrum.
    """
    return _clipped(semidefinite(rng), Fraction(1, rng.randint(1, 4)), rng)


def indefinite_bounds(rng: Random) -> ExactSides:
    """Return the same for a matrix with eigenvalues of both signs, s beyond them."""
    H = indefinite(rng)
    return _clipped(H, radius(H) + 1, rng)


def breakdown(rng: Random) -> ExactSides:
    """Return v^T (s + H)^-1 v by Gauss and by elimination: v in an invariant space."""
    H, v = indefinite(rng), vector(rng)
    part = rng.randint(1, len(v) - 1)
    H[:part, part:] = H[part:, :part] = Fraction(0)
    v[part:] = Fraction(0)
    if not v.any():
        v[0] = Fraction(1)
    rule, shift = recurrence([H] * len(v), v), radius(H) + 1
    return ExactSides(
        (rule.resolvent(shift), Fraction(rule.exact and rule.steps <= part)),
        (resolvent_form(H, v, shift), Fraction(1)),
        _case(H, v, rule.steps),
    )


def conjugate_gradients(rng: Random) -> ExactSides:
    """Return the Gauss rule's error for 1 / (s + lambda), and |x - x_k|^2 in s + H."""
    H, v, shift = semidefinite(rng), vector(rng), Fraction(1, rng.randint(1, 4))
    rule = recurrence([H] * _steps(rng), v)
    A = H + shift * identity(len(v))
    x, residual, direction = 0 * v, v, v
    for _ in range(rule.steps):
        step = residual @ residual / (direction @ A @ direction)
        x = x + step * direction
        after = residual - step * (A @ direction)
        direction = after + after @ after / (residual @ residual) * direction
        residual = after
        if not residual.any():
            break
    gap = solved(A, v) - x
    error = resolvent_form(H, v, shift) - rule.resolvent(shift)
    return ExactSides((error,), (gap @ A @ gap,), _case(H, v, rule.steps))


def degree_too_high(rng: Random) -> ExactSides:
    """Return v^T H^2k v by the Gauss rule of k steps, and by products."""
    H, v = indefinite(rng), vector(rng)
    rule = recurrence([H], v)
    return ExactSides((rule.moment(2),), (power_form(H, v, 2),), _case(H, v, 1))


def not_symmetric(rng: Random) -> ExactSides:
    """Return the moments of a matrix that is not symmetric."""
    H, v = integers(rng, SIZE, SIZE), vector(rng)
    rule = recurrence([H] * 2, v)
    degrees = range(2 * rule.steps)
    return ExactSides(
        tuple(rule.moment(m) for m in degrees),
        tuple(power_form(H, v, m) for m in degrees),
        _case(H, v, rule.steps),
    )


def changing_matrix(rng: Random) -> ExactSides:
    """Return the moments where each product is that of another batch, and of the mean.

    So it is in published code whose data loader shuffles.
    """
    batches, v = [indefinite(rng), indefinite(rng)], vector(rng)
    rule, H = recurrence(batches, v), (batches[0] + batches[1]) / 2
    degrees = range(2 * rule.steps)
    return ExactSides(
        tuple(rule.moment(m) for m in degrees),
        tuple(power_form(H, v, m) for m in degrees),
        _case(H, v, rule.steps),
    )


def not_monotone(rng: Random) -> ExactSides:
    """Return the same as `bounds` from below for lambda / (s + lambda)."""
    H, v, shift = semidefinite(rng), vector(rng), Fraction(1, rng.randint(1, 4))
    rule = recurrence([H] * _steps(rng), v)
    truth = v @ v - shift * resolvent_form(H, v, shift)
    below = v @ v - shift * rule.resolvent(shift)
    return ExactSides((max(truth, below),), (truth,), _case(H, v, rule.steps))


def vector(rng: Random) -> Array:
    """Return a vector of 4 small integers, not all 0."""
    entries = [Fraction(rng.randint(-2, 2)) for _ in range(SIZE)]
    entries[rng.randrange(SIZE)] = Fraction(rng.choice([-1, 1]))
    return np.array(entries, dtype=object)


def indefinite(rng: Random) -> Array:
    """Return a symmetric 4 by 4 matrix of small integers, with zero rows at times."""
    upper = integers(rng, SIZE, SIZE)
    H = upper + upper.T
    for i in range(SIZE):
        if rng.random() < 0.1:
            H[i, :] = H[:, i] = Fraction(0)
    return H


def semidefinite(rng: Random) -> Array:
    """Return B B^T with B of 1 to 4 columns of small integers: of any rank."""
    B = integers(rng, SIZE, rng.randint(1, SIZE))
    return B @ B.T


def integers(rng: Random, rows: int, columns: int) -> Array:
    """Return a matrix of integers from -2 to 2."""
    entries = [
        [Fraction(rng.randint(-2, 2)) for _ in range(columns)] for _ in range(rows)
    ]
    return np.array(entries, dtype=object)


def radius(H: Array) -> Fraction:
    """Return the largest absolute row sum: no eigenvalue is beyond it."""
    largest: Fraction = np.abs(H).sum(1).max()
    return largest


def _clipped(H: Array, shift: Fraction, rng: Random) -> ExactSides:
    v = vector(rng)
    rule = recurrence([H] * _steps(rng), v)
    truth = resolvent_form(H, v, shift)
    lower = [rule, rule.radau(radius(H) + 1)]
    try:
        upper = min(truth, rule.radau(Fraction(0)).resolvent(shift))
    except ZeroDivisionError:  # a block of an indefinite matrix has the eigenvalue 0
        upper = truth
    return ExactSides(
        (upper, *(max(truth, low.resolvent(shift)) for low in lower)),
        (truth,) * 3,
        _case(H, v, rule.steps),
    )


def _determinant(J: Array, at: Fraction) -> Fraction:
    """Return det(J - at) of a tridiagonal matrix, by its leading minors."""
    before, minor = Fraction(0), Fraction(1)
    for j in range(len(J)):
        product = J[j - 1, j] * J[j, j - 1] if j else Fraction(0)
        before, minor = minor, (J[j, j] - at) * minor - product * before
    return minor


def _steps(rng: Random) -> int:
    return rng.randint(1, SIZE)


def _case(H: Array, v: Array, steps: int) -> str:
    rows = [[str(entry) for entry in row] for row in H.tolist()]
    return f"{steps} steps from {[str(x) for x in v]} with {rows}"
