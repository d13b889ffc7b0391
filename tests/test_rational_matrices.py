"""Exact linear algebra against numpy, and by hand."""

from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import sources
from tolerance import tolerance

from theory.rational_matrices import (
    determinant,
    identity,
    integers,
    positive_definite,
    solve,
)


@given(sources(), st.integers(1, 5))
def test_a_solution_solves(rng: Random, size: int) -> None:
    matrix = positive_definite(rng, size)
    for right in (integers(rng, size), integers(rng, size, 3)):
        found = solve(matrix, right)
        assert found.shape == right.shape
        assert (matrix @ found == right).all()
        assert all(isinstance(entry, Fraction) for entry in found.ravel())
    assert (matrix == matrix.T).all()


@given(sources(), st.integers(0, 4))
def test_determinants_are_those_of_numpy(rng: Random, size: int) -> None:
    matrix = integers(rng, size, size)
    found = float(determinant(matrix))
    expected = np.linalg.det(matrix.astype(float)) if size else 1.0
    assert abs(found - expected) <= tolerance(100, 3.0**size * 24)


def test_by_hand() -> None:
    third = Fraction(1, 3)
    matrix = np.array([[0, 2], [3, 1]], dtype=object)
    assert solve(matrix, np.array([1, 1], dtype=object)).tolist() == [
        third / 2,
        Fraction(1, 2),
    ]
    assert determinant(matrix) == -6
    assert determinant(identity(3)) == 1
    assert identity(2).tolist() == [[1, 0], [0, 1]]


def test_the_caller_s_matrix_stays() -> None:
    matrix = np.array([[0, 2], [3, 1]], dtype=object)
    solve(matrix, identity(2))
    assert matrix.tolist() == [[0, 2], [3, 1]]


def test_singular_matrices_are_refused() -> None:
    singular = np.array([[1, 2], [2, 4]], dtype=object)
    with pytest.raises(
        ValueError, match=r"^expected an invertible matrix, got \[\[1, 2\], \[2, 4\]\]$"
    ):
        solve(singular, identity(2))


def test_random_matrices_have_all_integers_and_are_positive_definite() -> None:
    drawn = integers(Random(0), 20, 20)
    assert set(drawn.ravel()) == {Fraction(k) for k in range(-3, 4)}
    for seed in range(20):
        matrix = positive_definite(Random(seed), 3)
        for k in range(1, 4):
            assert determinant(matrix[:k, :k]) >= Fraction(1, 4) ** k
