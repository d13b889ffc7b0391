"""Limits as fixed points: by scanning, closed forms, treatments, refusals."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tolerance import tolerance

from theory.masks import keep_largest
from theory.measure import Measure, treated
from theory.model_spectra import power_law
from theory.orthogonal_limit import orthogonal_dimension
from theory.pruning_limit import (
    exact_limit,
    fixed_point,
    largest,
    orthogonal_limit,
    paper_dimension,
    paper_limit,
    removal_order,
    removed_squares,
)
from theory.spectral_dimension import cone_dimension

CLOSE = tolerance(1000)


class Quadratic:
    """A net of 40 weights and 5 other parameters with a random Hessian."""

    def __init__(self, seed: int, scale: float = 0.4) -> None:
        draws = np.random.default_rng(seed)
        self.basis, _ = np.linalg.qr(draws.standard_normal((45, 45)))
        self.nodes = power_law(45)
        self.weights = scale * draws.standard_normal(40)
        self.trace = Measure(self.nodes, np.full(45, 1 / 45))

    def along(self, n: int) -> Measure:
        removed = np.zeros(45)
        order = removal_order(self.weights)[:n]
        removed[order] = self.weights[order]
        squares = (self.basis.T @ removed) ** 2
        return Measure(self.nodes, squares / squares.sum())


# treatments -------------------------------------------------------------------------


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=9), st.floats(0.1, 10))
def test_a_positive_part_allows_no_less(nodes: list[float], square: float) -> None:
    values, equal = np.array(nodes), np.full(len(nodes), 1 / len(nodes))
    found = [
        paper_dimension(Measure(treated(values, how), equal), 9, square, 0.5)
        for how in ("positive", "absolute")
    ]
    assert found[0] >= found[1] * (1 - CLOSE)


# order and squares ------------------------------------------------------------------


@given(st.lists(st.sampled_from([0.0, -1.0, 1.0, 2.0, -2.0]), min_size=1, max_size=12))
def test_the_order_is_that_of_the_masks(values: list[float]) -> None:
    """Of equal magnitudes the last goes first: what is kept is keep_largest's."""
    weights = np.array(values)
    order = removal_order(weights)
    assert sorted(order.tolist()) == list(range(len(values)))
    scores = {"w": torch.tensor(values).double().abs()}
    for n in range(len(values) + 1):
        kept = keep_largest(scores, (len(values) - n) / len(values))["w"]
        assert set(order[:n].tolist()) == set(np.flatnonzero(~kept.numpy()).tolist())
        expected = float(np.sum(weights[order[:n]] ** 2))
        assert removed_squares(weights)[n] == expected


def test_only_prunable_weights_go() -> None:
    weights = np.array([3.0, 0.1, -2.0, 0.0])
    prunable = np.array([True, False, True, True])
    assert removal_order(weights, prunable).tolist() == [3, 2, 0]
    assert removal_order(weights).tolist() == [3, 1, 2, 0]
    assert removed_squares(weights[prunable]).tolist() == [0.0, 0.0, 4.0, 13.0]
    assert removed_squares(np.array([])).tolist() == [0.0]


def test_squares_are_summed_in_float64() -> None:
    """In float32 a sum of ones stops at 2^24."""
    ones = np.ones(2**24 + 8, dtype=np.float32)
    assert removed_squares(ones)[-1] == 2**24 + 8


# fixed points -----------------------------------------------------------------------


@given(st.integers(0, 60), st.integers(0, 60))
def test_bisection_finds_the_end_of_an_interval(end: int, count: int) -> None:
    asked: list[int] = []

    def holds(n: int) -> bool:
        asked.append(n)
        return n <= end

    assert largest(holds, count) == min(end, count)
    assert all(0 < n <= count for n in asked)
    assert len(asked) <= (count + 1).bit_length()


@given(st.sets(st.integers(1, 30)))
def test_bisection_ends_where_the_next_fails(good: set[int]) -> None:
    found = largest(lambda n: n in good, 30)
    assert found == 0 or found in good
    assert found == 30 or found + 1 not in good


SHAPES: dict[str, Callable[[int, int], float]] = {
    "line": lambda n, count: 0.8 * count,
    "hyperbola": lambda n, count: count / (1 + (3 * n / count) ** 3),
    "exponential": lambda n, count: count * math.exp(-8 * n / count),
    "step": lambda n, count: float(count if n < 0.777 * count else -1),
    "cliff": lambda n, count: n + 1.0 if n < 0.2 * count else -1e12,
    "first": lambda n, count: 0.5,
    "last": lambda n, count: count - 0.5,
    "whole": lambda n, count: float(count),
}
SMOOTH = ("line", "hyperbola", "exponential")


@pytest.mark.parametrize("count", [1, 2, 3, 7, 100, 266_610, 10**8])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_fixed_point_and_its_steps(shape: str, count: int) -> None:
    asked: list[int] = []

    def dimension(n: int) -> float:
        asked.append(n)
        return SHAPES[shape](n, count)

    found = fixed_point(dimension, count)
    assert all(1 <= n <= count for n in asked)
    assert len(set(asked)) == len(asked) <= math.ceil(math.log2(count + 1)) + 1
    if shape in SMOOTH and count > 10**5:
        assert len(asked) <= 0.7 * math.log2(count)
    assert found == 0 or SHAPES[shape](found, count) >= found
    assert found == count or SHAPES[shape](found + 1, count) < found + 1


def test_what_was_tried_is_not_searched_again() -> None:
    asked: list[int] = []

    def dimension(n: int) -> float:
        asked.append(n)
        return 700.5 - n / 7

    assert fixed_point(dimension, 1000) == 612
    asked.clear()
    assert fixed_point(dimension, 1000, tried=(3, 600, 620, 999)) == 612
    assert asked[:3] == [3, 600, 620]
    assert all(600 < n < 620 for n in asked[3:])
    assert fixed_point(dimension, 0) == 0


@given(st.sets(st.integers(1, 30)), st.lists(st.integers(1, 30)))
def test_any_dimension_ends_where_the_next_fails(
    good: set[int], tried: list[int]
) -> None:
    found = fixed_point(lambda n: 31.0 if n in good else 0.0, 30, tried)
    assert found == 0 or found in good
    assert found == 30 or found + 1 not in good


def test_paper_dimension_by_hand() -> None:
    """r^2 = 2 eps / lambda = 4 and 1: 4 / (4 + 4) + 1 / (1 + 4), each twice."""
    trace = Measure(np.array([0.5, 2.0]), np.array([0.5, 0.5]))
    found = paper_dimension(trace, 4, 4.0, 1.0)
    assert found == pytest.approx(2 * (0.5 + 0.2), rel=CLOSE)
    assert paper_dimension(trace, 4, 0.0, 1.0) == 4.0


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scale", [0.05, 0.3, 1.0])
def test_limits_by_scanning(seed: int, scale: float) -> None:
    net = Quadratic(seed, scale)
    squares = removed_squares(net.weights)
    epsilon, count = 0.02, range(41)
    paper = [n <= paper_dimension(net.trace, 45, squares[n], epsilon) for n in count]
    found = paper_limit(net.weights, net.trace, 45, epsilon)
    assert paper == [n <= found for n in count]

    def exact(n: int) -> float:
        return cone_dimension(net.trace, net.along(n), 45, squares[n], epsilon).value

    def orthogonal(n: int) -> float:
        return 1 + orthogonal_dimension(
            net.trace, net.along(n), 45, squares[n], epsilon
        )

    for limit, bound in ((exact_limit, exact), (orthogonal_limit, orthogonal)):
        found = limit(net.weights, net.trace, net.along, 45, epsilon)
        assert found == 0 or found <= bound(found)
        assert found == 40 or found + 1 > bound(found + 1)


def test_the_three_limits_are_in_order() -> None:
    for seed in range(6):
        net = Quadratic(seed)
        paper = paper_limit(net.weights, net.trace, 45, 0.02)
        exact = exact_limit(net.weights, net.trace, net.along, 45, 0.02)
        survivors = orthogonal_limit(net.weights, net.trace, net.along, 45, 0.02)
        assert paper < exact and survivors <= exact + 1


def test_few_measures_are_asked_for() -> None:
    net, asked = Quadratic(0), []

    def along(n: int) -> Measure:
        asked.append(n)
        return net.along(n)

    exact_limit(net.weights, net.trace, along, 45, 0.02)
    assert 1 <= len(asked) <= 6


def test_weights_of_nothing_can_all_go() -> None:
    """R^2 = 0 and any epsilon: w* itself has the zeros."""
    net = Quadratic(0)
    zeros = np.zeros(40)

    def along(n: int) -> Measure:
        return net.trace

    assert paper_limit(zeros, net.trace, 45, 1e-9) == 40
    assert exact_limit(zeros, net.trace, along, 45, 1e-9) == 40
    assert orthogonal_limit(zeros, net.trace, along, 45, 1e-9) == 40


@pytest.mark.parametrize("unit", [1e-8, 1e8])
def test_limits_do_not_depend_on_the_unit_of_the_loss(unit: float) -> None:
    net = Quadratic(1)
    scaled = Measure(unit * net.nodes, net.trace.weights)
    assert paper_limit(net.weights, scaled, 45, 0.02 * unit) == paper_limit(
        net.weights, net.trace, 45, 0.02
    )


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize(
    "weights", [np.ones((2, 5)), np.array([1, math.nan]), np.array([1, math.inf])]
)
def test_weights_are_a_vector_of_numbers(weights: np.ndarray) -> None:
    message = "expected a vector of finite weights, got shape"
    with pytest.raises(ValueError, match=message):
        removed_squares(weights)
    with pytest.raises(ValueError, match=message):
        paper_limit(weights, Measure(np.ones(1), np.ones(1)), 10, 1.0)


def test_the_hessian_has_a_row_for_each_weight() -> None:
    trace, weights = Measure(np.ones(1), np.ones(1)), np.ones(10)
    for limit in (
        lambda size: paper_limit(weights, trace, size, 1.0),
        lambda size: exact_limit(weights, trace, lambda n: trace, size, 1.0),
        lambda size: orthogonal_limit(weights, trace, lambda n: trace, size, 1.0),
    ):
        assert 0 <= limit(10) <= 10
        with pytest.raises(ValueError, match="at most D = 9 prunable weights"):
            limit(9)
