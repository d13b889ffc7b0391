"""Rational pruning problems: the beta law by sampling, confocal points exactly."""

import math
from fractions import Fraction
from random import Random

import numpy as np
from hypothesis import given
from strategies import sources

from theory import known_cones
from theory.random_subspaces import critical_draws
from theory.solvable_pruning import dimension_at, flat_case, meeting, rational_point

Z = 5.0
"""Standard errors that a Monte Carlo mean may be off; p = 6e-7 for each comparison."""


def test_meeting_by_sampling() -> None:
    share, size = Fraction(2, 5), 12
    point = np.zeros(size)
    point[3] = 1 / math.sqrt(share)
    rng = np.random.default_rng(0)
    found = np.array(critical_draws(np.ones(size), point, 500, rng=rng))
    for k in (4, 6, 8):  # three comparisons
        expected = float(meeting(size, k, share))
        error = math.sqrt(expected * (1 - expected) / 500)
        assert abs(float(np.mean(found <= k)) - expected) <= Z * error


def test_meeting_by_hand() -> None:
    """Of 4 dimensions a plane has |Pi e|^2 uniform; the ends are sure."""
    assert meeting(4, 2, Fraction(3, 10)) == Fraction(3, 10)
    assert meeting(4, 0, Fraction(3, 10)) == 0
    assert meeting(4, 4, Fraction(3, 10)) == 1


@given(sources())
def test_flat_cases_are_on_their_side(rng: Random) -> None:
    for above in (False, True):
        size, k, share, eta = flat_case(rng, above=above)
        assert size % 2 == k % 2 == 0 and 0 <= k <= size
        assert 0 < share < 1 and Fraction(1, 2) <= eta < 1
        delta = known_cones.circular(size, math.asin(math.sqrt(share)))
        margin = math.sqrt(8 * math.log(4 / eta) * size)
        if above:
            assert k >= size - delta + margin or k == size
            assert k == size or k - 4 <= size - delta + margin
        else:
            assert k <= size - delta - margin or k == 0
            assert k == 0 or k + 4 >= size - delta - margin


def test_flat_cases_are_not_all_at_the_ends() -> None:
    for above, end in ((False, lambda n: 0), (True, lambda n: n)):
        drawn = [flat_case(Random(seed), above=above) for seed in range(200)]
        assert any(k != end(size) for size, k, _, _ in drawn)


@given(sources())
def test_confocal_points(rng: Random) -> None:
    axes, squares, square = rational_point(rng)
    pairs = list(zip(squares, axes, strict=True))
    assert sum(v / (r + square) for v, r in pairs) == 1
    assert min(axes) > 0 and square > 0 and min(squares) >= 0
    assert sum(v / r for v, r in pairs) > 1  # outside


def test_dimensions_by_hand() -> None:
    axes = [Fraction(1), Fraction(2)]
    assert dimension_at(axes, Fraction(0)) == 2
    assert dimension_at(axes, Fraction(1)) == Fraction(1, 2) + Fraction(2, 3)
    assert dimension_at([], Fraction(1)) == 0


def test_points_vary() -> None:
    points = [rational_point(Random(seed)) for seed in range(80)]
    assert {len(axes) for axes, _, _ in points} == set(range(1, 7))
    assert any(0 in squares for _, squares, _ in points)
    assert len({square for _, _, square in points}) > 60
