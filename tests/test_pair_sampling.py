"""All samples of runs: what they are, and the theorem on the error of their mean."""

from fractions import Fraction
from math import comb
from random import Random

import pytest
from hypothesis import given
from strategies import sources

from theory.pair_sampling import (
    Table,
    jackknifed,
    samples,
    taken_as_independent,
    variance_of_mean,
    zetas,
)


def table(rows: list[list[int]]) -> Table:
    return [[Fraction(h) for h in row] for row in rows]


def test_samples_by_hand() -> None:
    drawn = samples(table([[1, 2], [2, 5]]), 3)
    assert len(drawn) == 8
    assert drawn[0] == {(0, 1): 1, (0, 2): 1, (1, 2): 1}
    assert drawn[1] == {(0, 1): 1, (0, 2): 2, (1, 2): 2}
    assert drawn[3] == {(0, 1): 2, (0, 2): 2, (1, 2): 5}


def test_zetas_by_hand() -> None:
    assert zetas(table([[0, 4], [4, 2]])) == (Fraction(1, 4), Fraction(11, 4))


@pytest.mark.parametrize("n", [3, 4, 5])
def test_moments_of_one_table_by_hand(n: int) -> None:
    """Let h = 1 for different runs of two: U is 2 m (n - m) / (n (n - 1))."""
    rows = table([[0, 1], [1, 0]])
    values = [Fraction(2 * m * (n - m), n * (n - 1)) for m in range(n + 1)]
    odds = [Fraction(comb(n, m), 2**n) for m in range(n + 1)]
    mean = sum(v * p for v, p in zip(values, odds, strict=True))
    square = sum(v * v * p for v, p in zip(values, odds, strict=True))
    assert mean == Fraction(1, 2)
    assert variance_of_mean(rows, n) == square - mean**2
    # zeta_1 = 0: pairs are uncorrelated, and as good as independent
    assert zetas(rows) == (0, Fraction(1, 4))
    assert taken_as_independent(rows, n) == variance_of_mean(rows, n)


@given(sources())
def test_the_jackknife_exceeds_the_variance_by_its_formula(rng: Random) -> None:
    size, n = rng.randint(1, 3), rng.randint(3, 4)
    rows = [[0] * size for _ in range(size)]
    for i in range(size):
        for j in range(i + 1):
            rows[i][j] = rows[j][i] = rng.randint(-4, 4)
    shared, whole = zetas(table(rows))
    error = variance_of_mean(table(rows), n)
    excess = jackknifed(table(rows), n) - error
    assert error == (4 * (n - 2) * shared + 2 * whole) / (n * (n - 1))
    assert excess == (2 * whole - 4 * shared) / ((n - 1) * (n - 2))
    assert excess >= 0
    assert error <= 2 * whole / n  # disjoint pairs
