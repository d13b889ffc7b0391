"""The exact cases: what they draw, that they hold, and that they can fail."""

from fractions import Fraction
from random import Random
from typing import Any

import numpy as np
import pytest

from theory import exact_quadrature
from theory.claim import ExactSides
from theory.exact_quadrature import indefinite, integers, radius, semidefinite, vector
from theory.rational_lanczos import Recurrence

LENGTHS = {
    "gauss_moments": {2, 4, 6, 8},
    "radau_moments": {2, 4, 6, 8},
    "bounds": {3},
    "breakdown": {2},
    "conjugate_gradients": {1},
}
"""Numbers that are compared: moments up to the degree of exactness, node included."""
FAIL = {
    "indefinite_bounds": 30,
    "degree_too_high": 180,
    "not_symmetric": 190,
    "changing_matrix": 190,
    "not_monotone": 80,
}
"""Controls, and in how many of 200 cases they fail at least (all were counted)."""


def cases(name: str, number: int = 200) -> list[ExactSides]:
    draw = getattr(exact_quadrature, name)
    return [draw(Random(seed)) for seed in range(number)]


@pytest.mark.parametrize("name", LENGTHS)
def test_equal_without_tolerance(name: str) -> None:
    drawn = cases(name)
    assert max(sides.defect() for sides in drawn) == 0.0
    lengths = {len(sides.left) for sides in drawn}
    assert lengths == LENGTHS[name]
    assert all("steps from [" in sides.case for sides in drawn)


@pytest.mark.parametrize("name", FAIL)
def test_controls_fail_often(name: str) -> None:
    assert sum(sides.defect() > 1e-3 for sides in cases(name)) >= FAIL[name]


def test_some_bounds_are_strict() -> None:
    """Clipping would hide a bound that equals the value everywhere."""
    widths = []
    for seed in range(50):
        rng = Random(seed)
        H, v = semidefinite(rng), vector(rng)
        rule = exact_quadrature.recurrence([H], v)
        low, high = rule.resolvent(Fraction(1)), rule.radau(Fraction(0))
        assert isinstance(high, Recurrence)
        widths.append(high.resolvent(Fraction(1)) - low)
    assert min(widths) >= 0 and sum(w > 0 for w in widths) > 40


def test_errors_of_conjugate_gradients_are_not_all_zero() -> None:
    errors = [sides.left[0] for sides in cases("conjugate_gradients")]
    assert min(errors) == 0 and sum(e > 0 for e in errors) > 40


def test_matrices() -> None:
    for seed in range(100):
        rng = Random(seed)
        H: Any = indefinite(rng)
        assert H.shape == (4, 4) and (H == H.T).all()
        assert all(isinstance(x, Fraction) for x in H.flat)
        B = semidefinite(rng)
        values = np.linalg.eigvalsh(B.astype(float))
        assert (B == B.T).all() and values.min() > -1e-9
        bound = float(radius(H))
        assert np.abs(np.linalg.eigvalsh(H.astype(float))).max() <= bound + 1e-9
        v = vector(rng)
        assert v.any() and all(abs(x) <= 2 and x.denominator == 1 for x in v)
    ranks = {
        int(np.linalg.matrix_rank(semidefinite(Random(s)).astype(float)))
        for s in range(100)
    }
    assert ranks >= {1, 2, 3, 4}
    zero_rows = sum(not indefinite(Random(s)).any(1).all() for s in range(100))
    assert 10 < zero_rows < 70
    both = [np.linalg.eigvalsh(indefinite(Random(s)).astype(float)) for s in range(20)]
    assert sum(x.min() < 0 < x.max() for x in both) > 10
    drawn = integers(Random(0), 3, 50)
    assert drawn.shape == (3, 50) and set(drawn.flat) == set(range(-2, 3))
    rows = [[Fraction(1), Fraction(-5)], [Fraction(-5), Fraction(2)]]
    assert radius(np.array(rows, dtype=object)) == 7
