"""Confocal distances: closed forms, exact points, scale, refusals."""

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import sources
from tolerance import tolerance

from theory.confocal import confocal_square, effective_dimension, scaled
from theory.measure import Measure
from theory.solvable_pruning import dimension_at, rational_point

CLOSE = tolerance(100)
"""The root finder's 1e-15 in log s, and a sum of a few terms."""


@given(sources())
def test_rational_points_have_their_confocal_distance(rng: Random) -> None:
    axes, squares, s0 = rational_point(rng)
    a, v2 = 1 / np.array(axes, float), np.array(squares, float)
    found = confocal_square(a, v2)
    excess = float(a @ v2) - 1
    # s0 is as uncertain as the sum 1 + c that it is found from
    assert found == pytest.approx(float(s0), rel=CLOSE * (2 + 2 / excess))
    exact = float(dimension_at(axes, s0))
    ones = np.ones(len(a))
    assert effective_dimension(a, ones, float(s0)) == pytest.approx(exact, rel=CLOSE)


@given(st.floats(1.01, 1e6), st.floats(1e-6, 1e6))
def test_a_ball(square: float, radius: float) -> None:
    """R^2 - r^2 for a ball of radius r."""
    found = confocal_square(np.array([1 / radius]), np.array([square * radius]))
    assert found == pytest.approx(radius * (square - 1), rel=CLOSE * (1 + 100))


def test_an_ellipse_by_hand() -> None:
    """v^2 = (2, 3), r^2 = (1, 2): 2 / (1 + s) + 3 / (2 + s) = 1 at 1 + sqrt 6."""
    found = confocal_square(np.array([1.0, 0.5]), np.array([2.0, 3.0]))
    assert found == pytest.approx(1 + math.sqrt(6), rel=CLOSE)


def test_flat_directions_do_not_matter() -> None:
    with_kernel = confocal_square(np.array([1.0, 0.5, 0.0]), np.array([2.0, 3.0, 9.0]))
    assert with_kernel == pytest.approx(1 + math.sqrt(6), rel=CLOSE)
    counts = np.array([2.0, 3.0])
    assert effective_dimension(np.array([0.0, 1.0]), counts, 2.0) == 3.0


@given(st.sampled_from([1e-100, 1e-8, 1e8, 1e100]))
def test_the_square_has_the_unit_of_squares(unit: float) -> None:
    a, v2 = np.array([3.0, 0.2, 7.0]), np.array([1.0, 4.0, 0.1])
    scaled_up = confocal_square(a / unit, v2 * unit)
    assert scaled_up == pytest.approx(unit * confocal_square(a, v2), rel=CLOSE * 100)


@given(st.floats(1e-12, 1e-3))
def test_points_next_to_the_ellipsoid(excess: float) -> None:
    """To first order in c, s is c / sum v^2 a^2."""
    a, v2 = np.array([3.0, 0.2]), np.array([0.2, 2.0])
    v2 *= (1 + excess) / float(a @ v2)
    actual = float(a @ v2) - 1
    first = actual / float(a**2 @ v2)
    assert confocal_square(a, v2) == pytest.approx(first, rel=20 * excess + 1e-4)


@pytest.mark.parametrize("square", [0.0, 0.5, 1.0])
def test_points_inside_have_none(square: float) -> None:
    with pytest.raises(
        ValueError,
        match=rf"^expected a point outside the ellipsoid, got v'Av = {square}; from a "
        r"point inside, the cone is the whole space$",
    ):
        confocal_square(np.array([1.0]), np.array([square]))


# measures ---------------------------------------------------------------------------

UNIT = Measure(np.array([2.0, 0.0]), np.array([0.25, 0.75]))


def test_scaled_measures() -> None:
    a, counts = scaled(UNIT, 8.0, 0.5)
    assert a.tolist() == [2.0, 0.0] and counts.tolist() == [2.0, 6.0]
    a, counts = scaled(UNIT, 0.0, 2.0)
    assert a.tolist() == [0.5, 0.0] and counts.tolist() == [0.0, 0.0]
    nodes, weights = np.ones(1), np.array([1 + 9e-7])
    assert scaled(Measure(nodes, weights), 1.0, 0.5)[1].tolist() == [1 + 9e-7]


@pytest.mark.parametrize(
    ("total", "epsilon"),
    [
        *((1.0, epsilon) for epsilon in (0.0, -1.0, math.inf, math.nan)),
        *((total, 1.0) for total in (-1.0, math.inf, math.nan)),
    ],
)
def test_totals_and_epsilons_are_positive(total: float, epsilon: float) -> None:
    message = (
        rf"^expected epsilon > 0 and \|v\|\^2 or D >= 0, got {epsilon} and {total}$"
    )
    with pytest.raises(ValueError, match=message):
        scaled(UNIT, total, epsilon)


@pytest.mark.parametrize("weights", [[0.5], [0.5, 0.6], [0.5, 0.4], [0.5, math.nan]])
@pytest.mark.usefixtures("unchecked_types")
def test_weights_fit_and_sum_to_one(weights: list[float]) -> None:
    with pytest.raises(
        ValueError,
        match=r"^expected one weight for each of 2 nodes and a sum of 1, got "
        rf"{len(weights)} weights that sum to {sum(weights)}$",
    ):
        scaled(Measure(np.ones(2), np.array(weights)), 1.0, 1.0)


@pytest.mark.parametrize(
    ("nodes", "weights"),
    [([-1.0, 2.0], [0.5, 0.5]), ([0.0, math.inf], [0.5, 0.5]), ([0.0, 1], [-0.5, 1.5])],
)
def test_nodes_and_weights_are_not_negative(
    nodes: list[float], weights: list[float]
) -> None:
    with pytest.raises(
        ValueError,
        match=rf"^expected finite nodes >= 0 and weights >= 0, got down to {nodes[0]} "
        rf"and {min(weights)}; treat negative eigenvalues first "
        r"\(`Measure.treated`\)$",
    ):
        scaled(Measure(np.array(nodes), np.array(weights)), 1.0, 1.0)
