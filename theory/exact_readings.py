"""Readings of a pruning threshold in fractions: w^k itself, and re-optimised; a limit.

n_a, n_b and n_C of the claim `predicted-threshold`, by trying every n.
"""

from collections.abc import Sequence
from fractions import Fraction
from random import Random

import numpy as np

from theory.claim import ExactSides
from theory.pruning_limit import largest
from theory.pruning_upper_bound import schur_loss
from theory.rational_matrices import Exact, positive_definite
from theory.solvable_pruning import dimension_at


def readings(hessian: Exact, weights: Exact, epsilon: Fraction) -> tuple[int, int]:
    """Return n_a and n_b for weights that go in the order of the coordinates."""
    within_a, within_b = [], []
    for n in range(len(weights) + 1):
        gone = weights[:n]
        if gone @ hessian[:n, :n] @ gone <= 2 * epsilon:
            within_a.append(n)
        if schur_loss(hessian, weights, n) <= epsilon:
            within_b.append(n)
    return max(within_a), max(within_b)


def paper(eigenvalues: Sequence[Fraction], weights: Exact, epsilon: Fraction) -> int:
    """Return n_C for eigenvalues >= 0, in fractions."""
    curved = [2 * epsilon / x for x in eigenvalues if x > 0]
    flat = len(eigenvalues) - len(curved)

    def within(n: int) -> bool:
        square = Fraction(weights[:n] @ weights[:n])
        return n <= flat + dimension_at(curved, square)

    return largest(within, len(weights))


def small_case(rng: Random, least: int = 1) -> tuple[Exact, Exact, Fraction]:
    """Return H > 0, weights of ascending magnitude, and eps."""
    size = rng.randint(least, 4)
    sizes = sorted(rng.randint(0, 9) for _ in range(size))
    weights = np.array([Fraction(rng.choice((-1, 1)) * x) for x in sizes])
    return positive_definite(rng, size), weights, Fraction(rng.randint(1, 400), 2)


def all_of(hessian: Exact, weights: Exact, epsilon: Fraction) -> tuple[int, int, int]:
    """Return n_a, n_b, and n_C for the diagonal of H in place of its eigenvalues."""
    limit = paper(np.diag(hessian).tolist(), weights, epsilon)
    return (*readings(hessian, weights, epsilon), limit)


def whole(left: Sequence[int], right: Sequence[int], case: str) -> ExactSides:
    """Return whole numbers as the two sides of an identity."""
    return ExactSides(
        tuple(Fraction(n) for n in left), tuple(Fraction(n) for n in right), case
    )
