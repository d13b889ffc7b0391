"""Matrices of fractions as numpy object arrays: `@`, `+` and `.T` work; and solving."""

from fractions import Fraction
from random import Random

import numpy as np
from numpy.typing import NDArray

Exact = NDArray[np.object_]
"""A vector or matrix of fractions."""


def identity(size: int) -> Exact:
    """Return the identity matrix."""
    return np.array(
        [[Fraction(int(i == j)) for j in range(size)] for i in range(size)],
        dtype=object,
    )


def solve(matrix: Exact, right: Exact) -> Exact:
    """Return X with matrix @ X = right, by elimination; right a vector or a matrix.

    Raises:
        ValueError: a singular matrix.
    """
    size = len(matrix)
    columns = right.reshape(size, -1)
    table = np.concatenate([matrix, columns], axis=1) + Fraction(0)
    for k in range(size):
        pivot = next((i for i in range(k, size) if table[i, k] != 0), None)
        if pivot is None:
            raise ValueError(f"expected an invertible matrix, got {matrix.tolist()}")
        table[[k, pivot]] = table[[pivot, k]]
        table[k] = table[k] / table[k, k]
        for i in range(size):
            if i != k:
                table[i] = table[i] - table[i, k] * table[k]
    solution: Exact = table[:, size:].reshape(right.shape)
    return solution


def determinant(matrix: Exact) -> Fraction:
    """Return the determinant, expanded along the first row; 1 of an empty matrix."""
    if not len(matrix):
        return Fraction(1)
    return sum(
        (
            (-1) ** j * entry * determinant(np.delete(matrix[1:], j, axis=1))
            for j, entry in enumerate(matrix[0])
        ),
        Fraction(0),
    )


def positive_definite(rng: Random, size: int) -> Exact:
    """Return L L' / 4 + I / 4 for a random matrix L of small integers."""
    draw = integers(rng, size, size)
    matrix: Exact = (draw @ draw.T + identity(size)) / 4
    return matrix


def integers(rng: Random, *shape: int) -> Exact:
    """Return random integers from -3 to 3, as fractions."""
    count = int(np.prod(shape))
    values = [Fraction(rng.randint(-3, 3)) for _ in range(count)]
    return np.array(values, dtype=object).reshape(shape)
