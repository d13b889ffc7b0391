"""Cones in rational arithmetic: each function by hand or by brute force."""

import math
from fractions import Fraction
from itertools import combinations, pairwise, product
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from strategies import sources

from theory import exact_cones
from theory.exact_cones import (
    beta_tail,
    general_position,
    isotonic,
    projector,
    sign_patterns,
)
from theory.random_subspaces import meets_orthant
from theory.rational_matrices import determinant, identity

VALUES = st.lists(st.integers(-20, 20).map(Fraction), min_size=1, max_size=8)


@given(VALUES)
def test_isotonic_blocks_rise_and_are_means(values: list[Fraction]) -> None:
    blocks = isotonic(values)
    means = [mean for mean, _ in blocks]
    assert all(a < b for a, b in pairwise(means))
    start = 0
    for mean, length in blocks:
        part = values[start : start + length]
        assert mean == sum(part) / length
        # no block could be split: its first means are not below the whole's
        assert all(sum(part[:k]) >= k * mean for k in range(1, length))
        start += length
    assert start == len(values)


def test_isotonic_by_hand() -> None:
    values = [Fraction(v) for v in (3, 1, 2, 5, 5)]
    assert isotonic(values) == [(Fraction(2), 3), (Fraction(5), 2)]


@given(sources(), st.integers(1, 3), st.integers(0, 3))
def test_general_position_is_general(rng: Random, d: int, more: int) -> None:
    vectors = general_position(rng, d + more, d)
    assert vectors.shape == (d + more, d)
    for rows in combinations(range(d + more), d):
        assert determinant(vectors[list(rows)]) != 0


def test_sign_patterns_are_those_that_linear_programmes_find() -> None:
    for seed in range(4):
        vectors = general_position(Random(seed), 4, 2 + seed % 2)
        patterns = sign_patterns(vectors)
        for signs in product((-1, 1), repeat=4):
            signed = np.array(signs)[:, None] * vectors.astype(float)
            assert meets_orthant(signed) == (signs in patterns)


def test_sign_patterns_by_hand() -> None:
    line = np.array([[Fraction(1)], [Fraction(-2)]])
    assert sign_patterns(line) == {(1, -1), (-1, 1)}
    assert sign_patterns(identity(2)) == set(product((-1, 1), repeat=2))
    assert sign_patterns(identity(3)) == set(product((-1, 1), repeat=3))
    plane = np.array([[1, 0], [0, 1], [1, 1]]) * Fraction(1)
    missing = {(1, 1, -1), (-1, -1, 1)}
    assert sign_patterns(plane) == set(product((-1, 1), repeat=3)) - missing


def test_projectors_by_hand() -> None:
    column = np.array([[Fraction(3)], [Fraction(4)]])
    assert projector(column).tolist() == [
        [Fraction(9, 25), Fraction(12, 25)],
        [Fraction(12, 25), Fraction(16, 25)],
    ]


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 20))
def test_beta_tails_are_integrals(a: int, b: int, parts: int) -> None:
    least = Fraction(parts, 20)
    constant = math.gamma(a + b) / math.gamma(a) / math.gamma(b)
    value, _ = quad(lambda x: constant * x ** (a - 1) * (1 - x) ** (b - 1), least, 1)
    assert float(beta_tail(a, b, least)) == pytest.approx(value, abs=1e-9)
    assert beta_tail(a, b, Fraction(0)) == 1 and beta_tail(a, b, Fraction(1)) == 0


# the claim's families ---------------------------------------------------------------


@pytest.mark.parametrize(
    "family",
    [
        exact_cones.moreau,
        exact_cones.subspaces,
        exact_cones.orders,
        exact_cones.orthant_crossings,
        exact_cones.circular_crossings,
    ],
)
def test_families_hold_and_vary(family: object) -> None:
    assert callable(family)
    sides = [family(Random(seed)) for seed in range(40)]
    assert all(s.defect() == 0 for s in sides)
    assert len({s.left for s in sides}) > 3 and len({s.case for s in sides}) > 10


def test_moreau_sees_what_is_not_polar() -> None:
    assert {exact_cones.moreau(Random(s)).left[1] for s in range(30)} == {Fraction(1)}


def test_crossings_cover_lines_and_the_whole_space() -> None:
    found = [exact_cones.circular_crossings(Random(s)) for s in range(200)]
    assert any(s.left == (Fraction(1),) for s in found)
    assert any(0 < s.left[0] < Fraction(1, 2) for s in found)
    met = {exact_cones.orthant_crossings(Random(s)).left[0] for s in range(60)}
    assert Fraction(1) in met and min(met) < Fraction(1, 16)


def test_orders_compare_all_volumes_and_their_mean() -> None:
    sides = exact_cones.orders(Random(1))
    size = sides.case.count(",") + 1
    assert len(sides.left) == size + 2
    assert sum(sides.left[:-1]) == 1


def test_controls_by_hand() -> None:
    for seed in range(40):
        line = exact_cones.degenerate_subspace(Random(seed))
        count = int(line.case.split()[0])
        assert line.left == (Fraction(2, 2**count),)
        assert line.right == (Fraction(2 * count, 2**count),)  # cells of a plane
        whole = exact_cones.coordinate_subspace(Random(seed))
        assert whole.left == (1,) and 0 < whole.right[0] < 1
        flat = exact_cones.crossing_of_a_subspace(Random(seed))
        assert flat.right == (1,)
    kinds = {
        (s.left[0], s.right[0])
        for s in (exact_cones.crossing_of_a_subspace(Random(k)) for k in range(60))
    }
    assert kinds == {(0, 1), (2, 1)}  # never what it must be
