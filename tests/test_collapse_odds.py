"""The odds of an empty layer: exact fractions, enumeration, Monte Carlo."""

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from tolerance import tolerance

from theory import collapse_odds
from theory.collapse_odds import (
    Tail,
    all_above,
    empty_probability,
    exact_survival,
    independent_count,
    normal,
    random_count,
    survival,
    uniform,
)
from theory.critical_count import ranks

SIZES = st.lists(st.integers(1, 12), min_size=1, max_size=5)
Z = 5.0
"""Standard errors that a Monte Carlo mean may be off; p = 6e-7 for each comparison."""


def log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


# exact ------------------------------------------------------------------------------


@given(SIZES, st.integers(0, 60))
def test_float_and_exact_survival_agree(sizes: list[int], count: int) -> None:
    count = min(count, sum(sizes))
    exact = float(exact_survival(sizes, count))
    assert abs(survival(sizes, count) - exact) <= tolerance(200, 2 ** len(sizes))


def test_survival_by_hand() -> None:
    # 3 + 5 parameters, 2 kept: of 28 pairs, 3 * 5 have one of each
    assert exact_survival([3, 5], 2) == Fraction(15, 28)
    assert exact_survival([2, 2, 2], 3) == Fraction(8, 20)
    assert exact_survival([2, 2, 2], 2) == 0
    assert exact_survival([4], 0) == 0 and exact_survival([4], 1) == 1
    assert survival([4], 0) == 0.0 and survival([4], 4) == 1.0


@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 40))
def test_empty_probability_is_a_quotient_of_binomials(
    total: int, group: int, count: int
) -> None:
    group, count = min(group, total), min(count, total)
    exact = Fraction(math.comb(total - group, count), math.comb(total, count))
    value = empty_probability(group, total, count)
    assert value == pytest.approx(float(exact), rel=tolerance(400), abs=0)
    assert value == empty_probability(count, total, group)


@pytest.mark.parametrize(("group", "count"), [(1728, 35071), (10**6, 90), (5, 10**7)])
def test_empty_probability_at_the_size_of_vgg19(group: int, count: int) -> None:
    total = 143_652_544
    by_gamma = log_choose(total - group, count) - log_choose(total, count)
    noise = tolerance(10, math.lgamma(total))  # of the oracle's large logarithms
    value = empty_probability(group, total, count)
    assert abs(math.log(value) - by_gamma) <= noise


def test_a_large_group_is_surely_hit() -> None:
    assert empty_probability(10**8, 143_652_544, 10**8) == 0.0  # they overlap
    assert empty_probability(10**6, 143_652_544, 10**6) == 0.0  # exp(-7000)
    kept = 745 * 10**3
    assert 0 < empty_probability(kept // 10**3, 10**6, 10**3) < 1


# medians ----------------------------------------------------------------------------


@given(SIZES, st.sampled_from([0.05, 0.5, 0.95]))
def test_the_count_of_a_level_is_the_first_that_reaches_it(
    sizes: list[int], level: float
) -> None:
    count = random_count(sizes, level)
    exact = [float(exact_survival(sizes, n)) for n in range(sum(sizes) + 1)]
    slack = tolerance(10**4)
    assert exact[count] >= level - slack
    assert count == 0 or exact[count - 1] < level + slack


def test_the_median_is_the_default() -> None:
    assert random_count([3, 5]) == random_count([3, 5], 0.5) == 2
    assert random_count([7]) == 1
    assert random_count([1, 1, 1]) == 3
    assert random_count([2, 2], 0.66) == 2 and random_count([2, 2], 0.67) == 3


def test_many_layers_of_one_size_keep_their_digits() -> None:
    """60 layers of 9: the sum alternates, so it must start where terms are small."""
    sizes = [9] * 60
    count = random_count(sizes)
    assert exact_survival(sizes, count) >= Fraction(1, 2)
    assert exact_survival(sizes, count - 1) < Fraction(1, 2)


def test_random_pruning_by_monte_carlo() -> None:
    sizes, draws = [20, 100, 400], 2000
    generator = torch.Generator().manual_seed(0)
    counts = [
        max(
            ranks(
                {
                    str(layer): torch.rand(n, generator=generator).double()
                    for layer, n in enumerate(sizes)
                }
            ).values()
        )
        for _ in range(draws)
    ]
    for level in (0.05, 0.5, 0.95):  # three comparisons
        count = random_count(sizes, level)
        expected = survival(sizes, count)
        share = float(np.mean(np.array(counts) <= count))
        error = math.sqrt(expected * (1 - expected) / draws)
        assert abs(share - expected) <= Z * error


# independent scores -----------------------------------------------------------------


@pytest.mark.parametrize("t", [0.0, 0.3, 1.0, 5.0])
def test_tails_are_those_of_scipy(t: float) -> None:
    assert normal(2.0)(t) == pytest.approx(2 * stats.norm.sf(t / 2), rel=tolerance(100))
    expected = 2 * stats.uniform(-2, 4).sf(t)
    assert uniform(2.0)(t) == pytest.approx(expected, rel=tolerance(100))


@pytest.mark.parametrize("tail", [normal, uniform])
@pytest.mark.parametrize("scale", [0.0, -1.0, math.inf, math.nan])
def test_scales_of_nothing_are_refused(
    tail: Callable[[float], Tail], scale: float
) -> None:
    with pytest.raises(
        ValueError,
        match=r"^expected a positive finite scale, got .*; a layer of zeros has no "
        r"magnitudes to rank$",
    ):
        tail(scale)


def test_all_above_by_hand() -> None:
    # uniform on (-1, 1) and (-2, 2): P(max of two > 1/2) = 1 - 1/4, of one 3/4
    value = all_above([2, 1], [uniform(1.0), uniform(2.0)], 0.5)
    assert value == pytest.approx(0.75 * 0.75, rel=tolerance(10))
    assert all_above([2, 1], [uniform(1.0), uniform(2.0)], 0.0) == 1.0
    assert all_above([2, 1], [uniform(1.0), uniform(2.0)], 1.0) == 0.0


def test_all_above_keeps_the_digits_of_tiny_tails() -> None:
    """10^9 weights, each above with probability 1e-12: 1 - (1 - p)^n = 0.00099950."""
    value = all_above([10**9], [lambda _: 1e-12], 1.0)
    assert value == pytest.approx(-math.expm1(-1e-3), rel=1e-9)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_the_prediction_does_not_depend_on_the_unit(scale: float) -> None:
    def count(unit: float) -> float:
        return independent_count([50, 80], [uniform(unit), uniform(3 * unit)])

    assert count(scale) == pytest.approx(count(1.0), rel=1e-9)


def test_uniform_layers_in_closed_form() -> None:
    """Layer 2 always has a score above 1: t solves 1 - t^50 = level."""
    for level in (0.1, 0.5, 0.9):
        t = (1 - level) ** (1 / 50)
        expected = 50 * (1 - t) + 300 * (1 - t / 3)
        value = independent_count([50, 300], [uniform(1.0), uniform(3.0)], level)
        assert value == pytest.approx(expected, rel=1e-9)
    half = independent_count([50, 300], [uniform(1.0), uniform(3.0)])
    assert half == independent_count([50, 300], [uniform(1.0), uniform(3.0)], 0.5)


def test_equal_tails_give_random_pruning() -> None:
    sizes = [200, 1000, 50_000]
    for tail in (normal(0.3), uniform(2.0)):
        for level in (0.05, 0.5, 0.95):
            predicted = independent_count(sizes, [tail] * 3, level)
            count = random_count(sizes, level)
            # an integer, and drawn without replacement: a relative O(1 / N_l)
            assert abs(predicted - count) <= 1 + 0.01 * count


def test_at_least_one_parameter_a_layer_is_kept() -> None:
    assert independent_count([1, 1], [uniform(1.0)] * 2, 1e-6) == 2.0
    assert independent_count([1], [uniform(1.0)], 1e-6) == 1.0


def test_magnitude_by_monte_carlo() -> None:
    """Layers of several scales: the predicted levels cover the measured counts."""
    sizes, scales, draws = [3000, 800, 5000], [1.0, 0.7, 0.4], 600
    tails = [normal(scale) for scale in scales]
    generator = torch.Generator().manual_seed(1)
    counts, peaks, first = [], [], []
    for _ in range(draws):
        score = {
            str(layer): scale * torch.randn(n, generator=generator).double().abs()
            for layer, (n, scale) in enumerate(zip(sizes, scales, strict=True))
        }
        places = ranks(score)
        counts.append(max(places.values()))
        peaks.append(min(float(s.max()) for s in score.values()))
        first.append(max(places, key=lambda name: places[name]))
    assert first.count("2") > 0.95 * draws  # the smallest scale
    for level in (0.1, 0.5, 0.9):  # six comparisons
        share = float(
            np.mean(np.array(counts) <= independent_count(sizes, tails, level))
        )
        error = math.sqrt(level * (1 - level) / draws)
        assert abs(share - level) <= Z * error + 0.02  # the mean in place of a count
        t = float(np.quantile(peaks, 1 - level))
        assert abs(all_above(sizes, tails, t) - level) <= Z * error


# refusals ---------------------------------------------------------------------------

BAD = [([], 0), ([0, 3], 1), ([3], 4), ([3], -1), ([-1], 0)]


@pytest.mark.parametrize(("sizes", "count"), BAD)
@pytest.mark.parametrize("function", [survival, exact_survival])
def test_layers_and_counts_that_do_not_fit_are_refused(
    function: Callable[[list[int], int], object], sizes: list[int], count: int
) -> None:
    with pytest.raises(
        ValueError,
        match=r"^expected at least one layer, none of them empty, and 0 <= count <= "
        rf"-?\d+ parameters, got sizes \[.*\] and count {count}$",
    ):
        function(sizes, count)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.5, 2.0, math.nan])
def test_levels_are_probabilities(level: float) -> None:
    message = rf"^expected a probability strictly inside \(0, 1\), got {level}$"
    with pytest.raises(ValueError, match=message):
        random_count([3], level)
    with pytest.raises(ValueError, match=message):
        independent_count([3], [uniform(1.0)], level)
    with pytest.raises(ValueError, match="at least one layer"):
        independent_count([], [])
    with pytest.raises(ValueError, match="at least one layer"):
        random_count([0])


# the claim's families ---------------------------------------------------------------


def test_the_enumerations_cover_trivial_and_open_cases() -> None:
    for family in (collapse_odds.random_draws, collapse_odds.independent_draws):
        values = {family(Random(seed)).left[0] for seed in range(200)}
        assert {Fraction(0), Fraction(1)} <= values and len(values) > 8


def test_independent_draws_by_loops() -> None:
    """Two layers of bounds 2 and 3, threshold 1: outcomes counted here."""
    outcomes = [
        max(a, b) > 1 and c > 1 for a, b, c in product((1, 2), (1, 2), (1, 2, 3))
    ]
    closed = (1 - Fraction(1, 4)) * (1 - Fraction(1, 3))
    assert Fraction(sum(outcomes), len(outcomes)) == closed
    assert collapse_odds.independent_draws(Random(0)).case.count("bounds") == 1


def test_with_replacement_differs_unless_one_is_drawn() -> None:
    sides = [collapse_odds.with_replacement(Random(seed)) for seed in range(60)]
    assert any(s.defect() == 0 for s in sides) and any(s.defect() > 0.01 for s in sides)
