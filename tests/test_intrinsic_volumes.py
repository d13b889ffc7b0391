"""Intrinsic volumes: distributions, their means, and crossing probabilities."""

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from tolerance import tolerance

from theory import intrinsic_volumes as volumes
from theory.exact_cones import beta_tail

ANGLES = st.floats(0.01, 1.56)
CLOSE = tolerance(10**4)


def cycles(order: tuple[int, ...]) -> int:
    seen: set[int] = set()
    found = 0
    for start in order:
        if start not in seen:
            found += 1
            while start not in seen:
                seen.add(start)
                start = order[start]
    return found


# identity ---------------------------------------------------------------------------


@given(st.integers(0, 30))
def test_exact_volumes_are_distributions(n: int) -> None:
    for found in (volumes.orthant(n), volumes.monotone(n), volumes.subspace(0, n)):
        assert sum(found) == 1 and min(found) >= 0 and len(found) == n + 1
    assert volumes.mean(volumes.orthant(n)) == Fraction(n, 2)
    assert volumes.variance(volumes.orthant(n)) == Fraction(n, 4)


def test_the_monotone_cone_counts_cycles() -> None:
    for n in range(1, 6):
        orders = list(permutations(range(n)))
        counts = [cycles(order) for order in orders]
        expected = [Fraction(counts.count(k), len(orders)) for k in range(n + 1)]
        assert volumes.monotone(n) == expected
    assert volumes.monotone(0) == [1]
    harmonic = sum(Fraction(1, k) for k in range(1, 10))
    assert volumes.mean(volumes.monotone(9)) == harmonic


def test_a_subspace_has_one_volume() -> None:
    assert volumes.subspace(2, 3) == [0, 0, 1, 0]
    assert volumes.mean(volumes.subspace(2, 3)) == 2
    assert volumes.variance(volumes.subspace(2, 3)) == 0


@given(st.integers(2, 400), ANGLES)
def test_circular_volumes_are_distributions(n: int, angle: float) -> None:
    found = volumes.circular(n, angle)
    assert found.shape == (n + 1,) and found.min() >= 0
    assert found.sum() == pytest.approx(1, rel=CLOSE)
    assert found[::2].sum() == pytest.approx(0.5, rel=CLOSE)  # Gauss-Bonnet
    polar = volumes.circular(n, math.pi / 2 - angle)[::-1]
    assert np.abs(found - polar).max() <= CLOSE


@given(ANGLES)
def test_a_wedge_in_the_plane(angle: float) -> None:
    expected = [0.5 - angle / math.pi, 0.5, angle / math.pi]
    assert volumes.circular(2, angle) == pytest.approx(expected, abs=CLOSE)


@given(st.integers(1, 12), st.integers(1, 19))
def test_rational_volumes_are_the_circular_ones(half: int, parts: int) -> None:
    n, share = 2 * half, Fraction(parts, 20)
    exact = volumes.rational_circular(n, share)
    found = volumes.circular(n, math.asin(math.sqrt(share)))
    assert len(exact) == n + 1 and set(exact[::2]) == {Fraction(0)}
    odd = [float(v) for v in exact[1::2]]
    assert found[1::2] == pytest.approx(odd, abs=CLOSE)
    assert sum(exact) == Fraction(1, 2)


# crossing ---------------------------------------------------------------------------


def test_crossing_by_hand() -> None:
    """A random line in the plane meets the quarter-plane: 2 of 4 quarters."""
    plane = volumes.orthant(2)
    assert [volumes.crossing(plane, m) for m in range(3)] == [0, Fraction(1, 2), 1]
    space = volumes.orthant(3)
    assert [volumes.crossing(space, m) for m in range(4)] == [
        0,
        Fraction(1, 4),
        Fraction(3, 4),
        1,
    ]


@given(st.integers(1, 40), st.integers(0, 40))
def test_wendels_theorem(n: int, m: int) -> None:
    """The orthogonal complement meets the orthant's inside if m-space does not."""
    m = min(m, n)
    wendel = Fraction(sum(math.comb(n - 1, k) for k in range(n - m)), 2 ** (n - 1))
    assert volumes.crossing(volumes.orthant(n), m) == 1 - wendel


@given(st.integers(1, 15), st.integers(1, 14), st.integers(1, 19))
def test_circular_cones_cross_by_the_beta_law(a: int, b: int, parts: int) -> None:
    n, m, share = 2 * (a + b), 2 * a, Fraction(parts, 20)
    exact = volumes.crossing(volumes.rational_circular(n, share), m)
    assert exact == beta_tail(a, b, 1 - share)
    found = volumes.circular(n, math.asin(math.sqrt(share))).tolist()
    assert volumes.crossing(found, m) == pytest.approx(float(exact), abs=CLOSE)


@given(st.integers(1, 25))
def test_the_mean_smallest_dimension_that_meets(n: int) -> None:
    """The sum of 1 - P over all dimensions below n is n - delta + 1/2."""
    for found in (volumes.orthant(n), volumes.monotone(n)):
        if n > 1 or found[0]:  # the monotone cone of one dimension is a line
            missed = sum(1 - volumes.crossing(found, m) for m in range(n))
            assert missed == n - volumes.mean(found) + Fraction(1, 2)


def test_the_normal_limit_of_the_crossing_probability() -> None:
    n = 2000
    found = volumes.orthant(n)
    sd = math.sqrt(n) / 2
    for m in (930, 970, 1000, 1030, 1070):
        exact = float(volumes.crossing(found, m))
        assert abs(volumes.normal_crossing(m, n / 2, sd) - exact) < 1e-3
        assert volumes.normal_crossing(m, n / 2, sd) == pytest.approx(
            float(norm.cdf((m - n / 2) / sd)), rel=CLOSE
        )


def test_the_margin_by_hand() -> None:
    assert volumes.margin(100, 4 * math.exp(-2)) == pytest.approx(40, rel=CLOSE)
    assert volumes.margin(400, 4 * math.exp(-2)) == pytest.approx(80, rel=CLOSE)


# refusals ---------------------------------------------------------------------------


@pytest.mark.parametrize("probability", [0.0, 1.0, -0.5, math.nan])
def test_margins_need_a_probability(probability: float) -> None:
    message = rf"^expected a probability in \(0, 1\), got {probability}$"
    with pytest.raises(ValueError, match=message):
        volumes.margin(9, probability)


@pytest.mark.parametrize(
    ("n", "angle"), [(1, 0.5), (3, 0.0), (3, math.pi / 2), (3, math.nan), (3, -0.1)]
)
@pytest.mark.parametrize("function", [volumes.circular, volumes.check_circular])
def test_circular_cones_are_proper(
    function: Callable[[int, float], object], n: int, angle: float
) -> None:
    with pytest.raises(
        ValueError,
        match=r"^expected a dimension of at least 2 and an angle in \(0, pi / 2\), got "
        rf"{n} and {angle}; a half-space has delta = n - 1/2$",
    ):
        function(n, angle)


@pytest.mark.parametrize("dimension", [-1, 6])
def test_subspaces_lie_in_the_space(dimension: int) -> None:
    with pytest.raises(ValueError, match=r"^expected a dimension from 0 to 4, "):
        volumes.crossing(volumes.orthant(4), dimension)


@pytest.mark.parametrize("sd", [0.0, -1.0, float("nan")])
def test_the_normal_limit_needs_a_deviation(sd: float) -> None:
    with pytest.raises(ValueError, match=r"^expected a positive deviation, got "):
        volumes.normal_crossing(3, 2.5, sd)
