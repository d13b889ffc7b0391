"""Means over pairs: by hand, by enumeration and by simulation."""

import math
import re
from collections.abc import Hashable, Mapping
from fractions import Fraction
from itertools import combinations
from statistics import mean, variance

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t
from tolerance import tolerance

from theory.u_statistic import (
    Estimate,
    jackknife,
    over_networks,
    over_orders,
    pair_mean,
    ratio_over_networks,
)

Distances = dict[tuple[Hashable, Hashable], float]


def squares(values: list[int]) -> dict[tuple[Hashable, Hashable], Fraction]:
    return {
        (i, j): Fraction((values[i] - values[j]) ** 2)
        for i, j in combinations(range(len(values)), 2)
    }


def left_out(
    distances: Mapping[tuple[Hashable, Hashable], Fraction], n: int
) -> Fraction:
    """The jackknife by its definition: leave each run out, and look at the spread."""
    whole = mean(distances.values())
    partial = [
        mean(h for pair, h in distances.items() if run not in pair) for run in range(n)
    ]
    return Fraction(n - 1, n) * sum((p - whole) ** 2 for p in partial)


@given(st.lists(st.integers(-9, 9), min_size=3, max_size=7))
def test_the_jackknife_leaves_each_run_out_once(values: list[int]) -> None:
    distances = squares(values)
    assert jackknife(distances) == left_out(distances, len(values))
    assert pair_mean(distances) == 2 * variance(map(Fraction, values))


def test_by_hand() -> None:
    distances = {("a", "b"): 1.0, ("c", "a"): 2.0, ("b", "c"): 6.0}
    # r = 1.5, 3.5, 4 about 3; V = 4 * 2 / (3 * 1) * (2.25 + 0.25 + 1)
    found = over_orders(distances, level=0.8)
    assert pair_mean(distances) == found.mean == 3.0
    assert jackknife(distances) == pytest.approx(8 / 3 * 3.5, rel=tolerance(10))
    assert found.standard_error == pytest.approx(math.sqrt(28 / 3), rel=tolerance(10))
    half = float(t.ppf(0.9, 2)) * math.sqrt(28 / 3)
    assert (found.low, found.high) == pytest.approx((3 - half, 3 + half), rel=1e-12)
    assert (found.samples, found.pairs) == (3, 3)
    assert over_orders(distances) == over_orders(distances, level=0.95)
    assert over_orders(distances).high > found.high


def test_equal_distances_have_no_error() -> None:
    distances: Distances = {pair: 2.5 for pair in combinations("abcd", 2)}
    assert over_orders(distances) == Estimate(2.5, 0.0, 2.5, 2.5, 4, 6)


INCOMPLETE: dict[str, tuple[Distances, str]] = {
    "nothing": ({}, "0 pairs of 0 runs"),
    "one pair": ({(0, 1): 1.0}, "1 pairs of 2 runs"),
    "a missing pair": ({(0, 1): 1.0, (0, 2): 1.0}, "2 pairs of 3 runs"),
    "a pair twice": (
        {(0, 1): 1.0, (0, 2): 1.0, (2, 0): 1.0},
        "3 pairs of 3 runs",
    ),
    "a pair too many": (
        {(0, 1): 1.0, (0, 2): 1.0, (1, 2): 1.0, (2, 1): 1.0},
        "4 pairs of 3 runs",
    ),
    "a run and itself": (
        {(0, 1): 1.0, (0, 2): 1.0, (1, 1): 1.0},
        "3 pairs of 3 runs",
    ),
}


@pytest.mark.parametrize("what", INCOMPLETE)
def test_incomplete_pairs_are_refused(what: str) -> None:
    distances, got = INCOMPLETE[what]
    message = re.escape(
        f"expected each pair of at least three runs exactly once, got {got}; average "
        "the pairs of several networks with over_networks"
    )
    for use in (jackknife, over_orders):
        with pytest.raises(ValueError, match=f"^{message}$"):
            use(distances)


# the error bar is right -------------------------------------------------------------


def simulated(n: int, repeats: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means, jackknife variances, and naive ones for h = (x - y)^2 of normal x, y."""
    source = np.random.default_rng(0)
    means, jackknives, naive = [], [], []
    for _ in range(repeats):
        x = source.normal(size=n)
        pairs: Distances = {
            (i, j): float((x[i] - x[j]) ** 2) for i, j in combinations(range(n), 2)
        }
        means.append(pair_mean(pairs))
        jackknives.append(jackknife(pairs))
        naive.append(variance(pairs.values()) / len(pairs))
    return np.array(means), np.array(jackknives), np.array(naive)


def test_the_jackknife_has_its_bias_and_no_more_by_simulation() -> None:
    """Of h = (x - y)^2: zeta_1 = 2, zeta_2 = 8, Var U = 8 / (n - 1)."""
    n, repeats = 6, 1500
    means, jackknives, naive = simulated(n, repeats)
    expected = 8 / (n - 1) + (2 * 8 - 4 * 2) / ((n - 1) * (n - 2))
    z = (jackknives.mean() - expected) / (jackknives.std(ddof=1) / math.sqrt(repeats))
    center = (means.mean() - 2) / (means.std(ddof=1) / math.sqrt(repeats))
    assert abs(z) < 4 and abs(center) < 4  # 2 comparisons, p < 2e-4
    spread = float(means.var(ddof=1))  # standard error about 7 %: 4 of them
    assert spread == pytest.approx(8 / (n - 1), rel=0.28)
    assert naive.mean() < 0.5 * 8 / (n - 1)


def test_the_intervals_cover() -> None:
    """Normal runs in 30 dimensions: distances of one network have shared runs."""
    source, hits, repeats = np.random.default_rng(1), 0, 300
    for _ in range(repeats):
        x = source.normal(size=(8, 30))
        pairs: Distances = {
            (i, j): float(((x[i] - x[j]) ** 2).sum())
            for i, j in combinations(range(8), 2)
        }
        found = over_orders(pairs)
        hits += found.low <= 60 <= found.high
    assert 0.93 <= hits / repeats <= 1  # 95 % or more: V is a little too large


# several networks -------------------------------------------------------------------


def test_networks_are_the_samples_by_hand() -> None:
    found = over_networks([[1.0, 3.0], [5.0], [6.0, 8.0, 10.0]], level=0.9)
    assert found.mean == pytest.approx(5.0) and found.pairs == 6 and found.samples == 3
    error = math.sqrt((9 + 0 + 9) / 2 / 3)
    assert found.standard_error == pytest.approx(error, rel=tolerance(10))
    half = float(t.ppf(0.95, 2)) * error
    assert (found.low, found.high) == pytest.approx((5 - half, 5 + half), rel=1e-12)
    two = [[1.0], [2.0]]
    assert over_networks(two) == over_networks(two, level=0.95)
    assert over_networks(two).high > over_networks(two, level=0.9).high


def test_fewer_than_two_networks_or_none_of_their_distances_are_refused() -> None:
    for distances in ([], [[1.0, 2.0]], [[1.0], []]):
        sizes = [len(values) for values in distances]
        message = re.escape(
            f"expected distances of at least two networks, got {sizes} of each; for "
            "the orders of one network use over_orders"
        )
        with pytest.raises(ValueError, match=f"^{message}$"):
            over_networks(distances)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_runs_that_diverged_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match=r"expected finite distances, got the means"):
        over_networks([[bad, 2.0], [3.0]])
    with pytest.raises(ValueError, match="expected positive mean distances"):
        ratio_over_networks([[bad], [1.0]], [[1.0], [1.0]])


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, -0.5, math.nan])
def test_levels_are_between_0_and_1(level: float) -> None:
    pairs = {(0, 1): 1.0, (0, 2): 2.0, (1, 2): 4.0}
    with pytest.raises(ValueError, match=f"level between 0 and 1, got {level}$"):
        over_orders(pairs, level=level)
    with pytest.raises(ValueError, match=f"level between 0 and 1, got {level}$"):
        over_networks([[1.0], [2.0]], level=level)


def test_distances_may_be_arrays() -> None:
    rows = [np.array([1.0, 2.0]), np.array([3.0, 4.0])]
    lists = [row.tolist() for row in rows]
    assert over_networks(rows) == over_networks(lists)
    assert ratio_over_networks(rows, lists) == ratio_over_networks(lists, lists)


def test_ratios_by_hand() -> None:
    found = ratio_over_networks([[2.0, 6.0], [9.0]], [[1.0], [1.0, 0.0, 2.0]])
    logs = math.log(4), math.log(9)
    error = abs(logs[0] - logs[1]) / 2
    assert found.mean == pytest.approx(6.0, rel=tolerance(10))
    assert found.standard_error == pytest.approx(6 * error, rel=tolerance(10))
    reach = float(t.ppf(0.975, 1)) * error
    assert found.low == pytest.approx(6 * math.exp(-reach), rel=tolerance(100))
    assert found.high == pytest.approx(6 * math.exp(reach), rel=tolerance(100))
    assert (found.samples, found.pairs) == (2, 7)
    narrow = ratio_over_networks([[4.0], [9.0]], [[1.0], [1.0]], level=0.5)
    assert narrow.high < found.high


def test_what_makes_a_network_large_cancels_in_the_ratio() -> None:
    sizes = (1.0, 10.0, 1000.0)
    found = ratio_over_networks([[3 * s] for s in sizes], [[s] for s in sizes])
    close = tolerance(100, 3.0)
    assert found.mean == pytest.approx(3.0, abs=close)
    assert found.high - found.low <= close


@pytest.mark.parametrize(
    ("top", "bottom", "means"),
    [
        ([[1.0]], [[1.0], [2.0]], ([1.0], [1.0, 2.0])),
        ([[1.0], [0.0]], [[1.0], [2.0]], ([1.0, 0.0], [1.0, 2.0])),
        ([[1.0], [2.0]], [[1.0], []], ([1.0, 2.0], [1.0, 0.0])),
        ([[1.0], [2.0]], [[1.0], [-3.0]], ([1.0, 2.0], [1.0, -3.0])),
        ([], [], ([], [])),
    ],
)
def test_ratios_of_nothing_are_refused(
    top: list[list[float]],
    bottom: list[list[float]],
    means: tuple[list[float], list[float]],
) -> None:
    message = re.escape(
        "expected positive mean distances of the same networks, got numerators "
        f"{means[0]} and denominators {means[1]}; the ratio of zeros is no number"
    )
    with pytest.raises(ValueError, match=f"^{message}$"):
        ratio_over_networks(top, bottom)
    with pytest.raises(ValueError, match="at least two networks"):
        ratio_over_networks([[1.0]], [[1.0]])
