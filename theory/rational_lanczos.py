"""Lanczos' recurrence in rational arithmetic: quadrature rules without any rounding.

Without normalisation (Stieltjes) all numbers stay rational:

    u_1 = v,   u_{j+1} = H u_j - a_j u_j - c_{j-1} u_{j-1},
    a_j = <u_j, H u_j> / <u_j, u_j>,   c_j = <u_{j+1}, u_{j+1}> / <u_j, u_j>,

and the matrix J with a on its diagonal, 1 below and c above it is similar to T:
alpha_j = a_j and beta_j^2 = c_j. So e_1^T f(J) e_1 |v|^2 is the Gauss rule, rational
for polynomials and for 1 / (s + lambda). c_k = 0 is a breakdown.

All arrays hold fractions (dtype object).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from theory.affine_steps import identity

Array = Any
"""A numpy array of fractions (numpy's types know no arithmetic of such objects)."""


@dataclass(frozen=True)
class Recurrence:
    """k steps from v: the coefficients, and the vectors that they made."""

    diagonal: tuple[Fraction, ...]
    """a_1, ..., a_k."""
    couplings: tuple[Fraction, ...]
    """c_1, ..., c_k: squares of beta."""
    norm: Fraction
    """<v, v>."""

    @property
    def steps(self) -> int:
        """Number of steps done."""
        return len(self.diagonal)

    @property
    def exact(self) -> bool:
        """Whether the recurrence broke down."""
        return self.couplings[-1] == 0

    def matrix(self) -> Array:
        """Return J: ones below, a on and c above the diagonal."""
        k = self.steps
        J = np.full((k, k), Fraction(0), dtype=object)
        for j in range(k):
            J[j, j] = self.diagonal[j]
            if j + 1 < k:
                J[j + 1, j], J[j, j + 1] = Fraction(1), self.couplings[j]
        return J

    def moment(self, degree: int) -> Fraction:
        """Return the rule for v^T H^degree v."""
        return self.norm * power_form(self.matrix(), _first(self.steps), degree)

    def resolvent(self, shift: Fraction) -> Fraction:
        """Return the rule for v^T (s + H)^-1 v: a continued fraction.

        Raises:
            ZeroDivisionError: a node at -s.
        """
        value = zero = Fraction(0)
        later = (zero, *self.couplings[-2::-1])
        for a, c in zip(self.diagonal[::-1], later, strict=True):
            value = 1 / (shift + a - c * value)
        return self.norm * value

    def radau(self, at: Fraction) -> "Recurrence":
        """Return the rule with one more node, which is at `at`; itself if exact.

        Raises:
            ZeroDivisionError: a leading block has an eigenvalue there.
        """
        if self.exact:
            return self
        pivot = self.diagonal[0] - at
        for a, c in zip(self.diagonal[1:], self.couplings, strict=False):
            pivot = a - at - c / pivot
        last = at + self.couplings[-1] / pivot
        return Recurrence(
            (*self.diagonal, last), (*self.couplings, Fraction(0)), self.norm
        )


def recurrence(products: Sequence[Array], v: Array) -> Recurrence:
    """Return one step for each matrix, until a breakdown.

    Args:
        products: the matrix of each step; all equal unless a hypothesis is dropped.
        v: any vector but 0.
    """
    diagonal: list[Fraction] = []
    couplings: list[Fraction] = []
    before, u, carried = 0 * v, v, Fraction(0)
    for H in products:
        image, square = H @ u, u @ u
        diagonal.append(u @ image / square)
        u, before = image - diagonal[-1] * u - carried * before, u
        carried = u @ u / square
        couplings.append(carried)
        if carried == 0:
            break
    return Recurrence(tuple(diagonal), tuple(couplings), v @ v)


def power_form(H: Array, v: Array, degree: int) -> Fraction:
    """Return v^T H^degree v by repeated products."""
    image = v
    for _ in range(degree):
        image = H @ image
    result: Fraction = v @ image
    return result


def resolvent_form(H: Array, v: Array, shift: Fraction) -> Fraction:
    """Return v^T (s + H)^-1 v by elimination."""
    result: Fraction = v @ solved(H + shift * identity(len(v)), v)
    return result


def solved(A: Array, right: Array) -> Array:
    """Return x with A x = right, by Gauss-Jordan elimination.

    Raises:
        ZeroDivisionError: a singular matrix.
    """
    n = len(A)
    rows = np.concatenate([A, right.reshape(n, -1)], axis=1)
    for i in range(n):
        pivot = next((j for j in range(i, n) if rows[j, i] != 0), i)
        rows[[i, pivot]] = rows[[pivot, i]]
        rows[i] = rows[i] / rows[i, i]
        for j in range(n):
            if j != i:
                rows[j] = rows[j] - rows[j, i] * rows[i]
    return rows[:, n:].reshape(right.shape)


def _first(size: int) -> Array:
    return np.array([Fraction(int(i == 0)) for i in range(size)], dtype=object)
