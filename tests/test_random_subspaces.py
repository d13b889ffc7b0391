"""Random subspaces: least squares, linear programmes, and the orthogonal ones."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tolerance import tolerance

from theory import intrinsic_volumes, known_cones
from theory.random_subspaces import (
    critical_dimension,
    critical_draws,
    least_values,
    meets_descent_cone,
    meets_orthant,
)

CLOSE = tolerance(10**4)
Z = 5.0
"""Standard errors that a Monte Carlo mean may be off; p = 6e-7 for each comparison."""


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 2**32))
def test_least_values_by_least_squares(n: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, v = rng.random(n) + 0.1, rng.standard_normal(n)
    directions = rng.standard_normal((n, k))
    found = least_values(a, v, directions)
    assert len(found) == min(n, k) + 1
    roots = np.sqrt(a)
    for count, value in enumerate(found):
        part = roots[:, None] * directions[:, :count]
        shift = np.linalg.lstsq(part, -roots * v, rcond=None)[0]
        expected = float(((roots * v + part @ shift) ** 2).sum())
        assert value == pytest.approx(expected, rel=1e-8, abs=1e-8)


def test_the_critical_dimension_by_hand() -> None:
    """|v|^2 = 9 + 4 + 1 on the axes; E is the unit ball."""
    a, v = np.ones(3), np.array([3.0, 2.0, 1.0])
    assert least_values(a, v, np.eye(3)).tolist() == [14.0, 5.0, 1.0, 0.0]
    assert critical_dimension(a, v, np.eye(3)) == 2
    assert critical_dimension(a, v, np.eye(3)[:, :1]) == 2
    assert critical_dimension(a, v, np.eye(3)[:, ::-1]) == 3
    assert critical_dimension(a, v / 4, np.eye(3)) == 0


def test_flat_directions_cost_nothing() -> None:
    a, v = np.array([1.0, 0.0, 0.0]), np.array([3.0, 100.0, 1.0])
    rng = np.random.default_rng(0)
    found = least_values(a, v, rng.standard_normal((3, 3)))
    assert found.shape == (2,) and found[0] == 9.0 and found[1] <= CLOSE


def test_draws_are_independent_and_all_reach() -> None:
    rng = np.random.default_rng(0)
    a, v = np.ones(20), np.full(20, 0.5)
    found = critical_draws(a, v, 300, rng=rng)
    assert len(found) == 300 and 0 < min(found) and max(found) <= 20
    angle = math.asin(1 / np.linalg.norm(v))
    volumes = intrinsic_volumes.circular(20, angle).tolist()
    for m in (13, 16):  # two comparisons
        expected = intrinsic_volumes.crossing(volumes, m)
        error = math.sqrt(expected * (1 - expected) / 300)
        assert abs(float(np.mean(np.array(found) <= m)) - expected) <= Z * error


def test_orthogonal_directions_never_reach_a_ball() -> None:
    """And for an ellipsoid they reach it later than others."""
    rng = np.random.default_rng(0)
    v = np.array([3.0, 0.0, 4.0])
    found = critical_draws(np.ones(3), v, 20, rng=rng, orthogonal=True)
    assert found == [3] * 20  # one more than the two directions
    a = np.append(np.full(5, 25.0), np.full(15, 0.1))
    v = np.full(20, 0.5)
    free = critical_draws(a, v, 200, rng=rng)
    bound = critical_draws(a, v, 200, rng=rng, orthogonal=True)
    assert np.mean(bound) > np.mean(free) + 0.5
    assert max(bound) < 20


def test_orthants_are_met_as_often_as_crofton_says() -> None:
    rng = np.random.default_rng(0)
    for n, m in ((2, 1), (10, 4), (10, 6)):  # three comparisons
        met = [meets_orthant(rng.standard_normal((n, m))) for _ in range(200)]
        volumes = intrinsic_volumes.orthant(n)
        expected = float(intrinsic_volumes.crossing(volumes, m))
        error = math.sqrt(expected * (1 - expected) / 200)
        assert abs(float(np.mean(met)) - expected) <= Z * error
    assert meets_orthant(np.array([[1.0], [2.0]]))
    assert meets_orthant(np.array([[-1.0], [-2.0]]))
    assert not meets_orthant(np.array([[-1.0], [2.0]]))
    assert meets_orthant(np.eye(4))


def test_the_descent_cone_by_hand() -> None:
    """At (1, 0): the quarter-plane around -e_1."""
    for direction, met in (
        ([1.0, 0.5], True),
        ([-1.0, 0.5], True),
        ([1.0, 2.0], False),
        ([-0.5, 1.0], False),
        ([1.0, -0.9], True),
    ):
        assert meets_descent_cone(np.array([direction]).T, 1) is met
    assert meets_descent_cone(np.eye(3), 1)
    line = np.array([[1.0], [1.0], [1.9]])
    assert meets_descent_cone(line, 2) and not meets_descent_cone(line, 1)


def test_descent_cones_are_met_half_the_time_at_n_less_delta() -> None:
    rng = np.random.default_rng(0)
    n, s = 40, 4
    level = n - known_cones.descent(s, n)
    shares = [
        np.mean([meets_descent_cone(rng.standard_normal((n, m)), s) for _ in range(40)])
        for m in (round(level) - 9, round(level) + 9)
    ]
    assert shares[0] < 0.2 and shares[1] > 0.8
