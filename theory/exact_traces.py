"""Trace estimators over all their probes, on small rational matrices: no tolerance.

The expectation over n independent signs is the mean over all 2^n vectors of signs. Each
function draws one case; the claim `slq` states what they check.
"""

from fractions import Fraction
from itertools import product
from random import Random
from statistics import mean

import numpy as np

from theory.affine_steps import identity
from theory.claim import ExactSides
from theory.exact_quadrature import SIZE, indefinite, integers, radius, semidefinite
from theory.rational_lanczos import Array, solved


def hutchinson(rng: Random) -> ExactSides:
    """Return mean and variance of w^T A w, and tr A and 2 sum_{i != j} A_ij^2."""
    return _moments(indefinite(rng), _signs())


def zeros_and_ones(rng: Random) -> ExactSides:
    """Return the same for probes of zeros and ones."""
    return _moments(indefinite(rng), _bits())


def hutch_plus_plus(rng: Random) -> ExactSides:
    """Return tr(P A P) + mean of w^T (I - P) A (I - P) w, and tr A, for A and A^2.

    P is the projector on A times a random sketch of one or two columns.
    """
    A = indefinite(rng)
    P = projector(A @ integers(rng, SIZE, rng.randint(1, 2)))
    left = tuple(mean(_estimates(F, P)) for F in (A, A @ A))
    return ExactSides(left, (_trace(A), _trace(A @ A)), str(A.tolist()))


def low_rank(rng: Random) -> ExactSides:
    """Return Hutch++ for each single probe, and tr A: A S has the rank of A."""
    columns = rng.randint(1, 2)
    while True:
        B = integers(rng, SIZE, columns)
        A = B @ B.T
        P = projector(A @ integers(rng, SIZE, columns))
        if not ((identity(SIZE) - P) @ A).any():
            estimates = tuple(_estimates(A, P))
            return ExactSides(estimates, (_trace(A),) * len(estimates), str(A.tolist()))


def sketch_too_small(rng: Random) -> ExactSides:
    """Return the same for a sketch of one column and a matrix of any rank."""
    A = semidefinite(rng)
    estimates = tuple(_estimates(A, projector(A @ integers(rng, SIZE, 1))))
    return ExactSides(estimates, (_trace(A),) * len(estimates), str(A.tolist()))


def dead_rows(rng: Random) -> ExactSides:
    """Return tr (s + H)^-1, and m / s with the trace over the live coordinates."""
    H = indefinite(rng)
    for i in rng.sample(range(SIZE), rng.randint(0, SIZE - 1)):
        H[i, :] = H[:, i] = Fraction(0)
    live, shift = np.flatnonzero(H.any(1)), radius(H) + 1
    split = (SIZE - len(live)) / shift
    if len(live):
        split += _resolvent_trace(H[np.ix_(live, live)], shift)
    return ExactSides((_resolvent_trace(H, shift),), (split,), str(H.tolist()))


def projector(vectors: Array) -> Array:
    """Return V (V^T V)^-1 V^T over linearly independent columns of V, 0 without any."""
    chosen = np.zeros((len(vectors), 0), dtype=object)
    P = 0 * identity(len(vectors))
    for column in vectors.T:
        if ((identity(len(vectors)) - P) @ column).any():
            chosen = np.column_stack([chosen, column])
            P = chosen @ solved(chosen.T @ chosen, chosen.T)
    return P


def _moments(A: Array, probes: list[Array]) -> ExactSides:
    forms = [w @ A @ w for w in probes]
    center = mean(forms)
    spread = mean((form - center) ** 2 for form in forms)
    expected = 2 * ((A * A).sum() - (np.diag(A) ** 2).sum())
    return ExactSides((center, spread), (_trace(A), expected), str(A.tolist()))


def _estimates(A: Array, P: Array) -> list[Fraction]:
    """Return Hutch++'s estimate of tr A for each of the 2^n probes."""
    rest = identity(len(A)) - P
    left = rest @ A @ rest
    return [_trace(P @ A @ P) + w @ left @ w for w in _signs()]


def _signs() -> list[Array]:
    return [2 * bits - 1 for bits in _bits()]


def _bits() -> list[Array]:
    every = product([Fraction(0), Fraction(1)], repeat=SIZE)
    return [np.array(bits, dtype=object) for bits in every]


def _trace(A: Array) -> Fraction:
    return sum(np.diag(A), Fraction(0))


def _resolvent_trace(H: Array, shift: Fraction) -> Fraction:
    return _trace(solved(H + shift * identity(len(H)), identity(len(H))))
