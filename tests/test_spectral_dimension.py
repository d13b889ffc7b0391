"""The dimension from two measures: bounds, known cones, sampling, symmetry."""

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import sources
from tolerance import tolerance

from theory import known_cones
from theory.cone_cases import random_cone
from theory.confocal import effective_dimension
from theory.ellipsoid_cone import EllipsoidCone
from theory.measure import Measure
from theory.model_spectra import isotropic, measures, power_law, spiked
from theory.spectral_dimension import ConeDimension, cone_dimension

CLOSE = tolerance(10**4)
Z = 5.0
"""Standard errors that a Monte Carlo mean may be off; p = 6e-7 for each comparison."""


def of(cone: EllipsoidCone, epsilon: float = 0.5) -> ConeDimension:
    """The dimension of a cone whose A is H / (2 epsilon)."""
    hessian = 2 * epsilon * cone.curvatures
    trace, along = measures(hessian, cone.point)
    square = float(cone.point @ cone.point)
    return cone_dimension(trace, along, len(cone.point), square, epsilon)


# identity ---------------------------------------------------------------------------


@given(st.integers(2, 300), st.floats(0.01, 0.99))
def test_balls(size: int, share: float) -> None:
    one = Measure(np.ones(1), np.ones(1))
    found = cone_dimension(one, one, size, 2 / share, 1.0)
    assert found.square == pytest.approx(2 / share - 2, rel=CLOSE / (1 - share))
    assert found.leading == pytest.approx(size * share, rel=CLOSE)
    assert found.correction == pytest.approx(1 - 2 * share, abs=CLOSE)
    low = max((size - 1) * share, size * share / (1 + share))
    assert found.low == pytest.approx(low, rel=CLOSE)
    high = min((size - 1) * share + 1, size / (2 - share))
    assert found.high == pytest.approx(high, rel=CLOSE)
    variance = 2 * size * share * (1 - share)
    assert found.deviation == pytest.approx(math.sqrt(variance), rel=CLOSE)
    delta = known_cones.circular(size, math.asin(math.sqrt(share)))
    assert found.low * (1 - CLOSE) <= delta <= found.high * (1 + CLOSE)


def test_by_hand() -> None:
    """r^2 = (1, 2), v^2 = (2, 3): s0 = 1 + sqrt 6, one axis of each kind twice."""
    s0 = 1 + math.sqrt(6)
    nodes = np.array([1.0, 0.5])
    trace = Measure(nodes, np.array([0.5, 0.5]))
    along = Measure(nodes, np.array([0.4, 0.6]))
    found = cone_dimension(trace, along, 4, 5.0, 0.5)
    g = [1 / (1 + s0), 2 / (2 + s0)]
    assert found.leading == pytest.approx(2 * sum(g), rel=CLOSE)
    pull = [2 / (1 + s0) ** 2, 3 / (2 + s0) ** 2]
    p = (pull[0] * g[0] + pull[1] * g[1]) / sum(pull)
    c = 2 + 1.5 - 1
    low = found.leading - 2 * p + s0 / c * sum(pull)
    paper = 2 * (1 / 6 + 2 / 7)
    assert found.low == pytest.approx(max(low, paper), rel=CLOSE)
    high = found.leading + 2 * (1 - p) - s0 * sum(pull)
    nearest = c / (2 + 3 / 4)
    other = 2 * (1 / (1 + nearest) + 2 / (2 + nearest))
    assert found.high == pytest.approx(min(high, other), rel=CLOSE)
    spread = [2 * x * (1 - x) for x in g]
    turned = sum(w * (1 - 2 * x) for w, x in zip(spread, g, strict=True))
    correction = (turned / sum(spread) + 1 - 2 * p) / 2
    assert found.correction == pytest.approx(correction, rel=CLOSE)
    assert found.deviation == pytest.approx(math.sqrt(2 * sum(spread)), rel=CLOSE)


def test_the_value_has_both_terms_and_keeps_within_the_bounds() -> None:
    inner = ConeDimension(10.0, 0.25, 9.5, 10.5, 1.0, 1.0)
    assert inner.value == 10.25
    assert ConeDimension(10.0, 0.75, 9.5, 10.5, 1.0, 1.0).value == 10.5
    assert ConeDimension(10.0, -0.75, 9.5, 10.5, 1.0, 1.0).value == 9.5


@given(sources())
def test_the_polar_cone_has_the_rest(rng: Random) -> None:
    """T, both bounds and the correction: the theorem is its own mirror image."""
    cone, _ = random_cone(rng)
    size, one, other = len(cone.point), of(cone), of(cone.polar)
    slack = CLOSE * size * (1 + 1 / cone.excess)
    assert abs(one.leading + other.leading - size) <= slack
    assert abs(one.low + other.high - size) <= slack
    assert abs(one.high + other.low - size) <= slack
    assert abs(one.correction + other.correction) <= slack
    assert abs(one.deviation - other.deviation) <= slack
    assert abs(one.square * other.square - 1) <= slack


@given(sources())
def test_the_bounds_hold_t_and_are_less_than_two_apart(rng: Random) -> None:
    found = of(random_cone(rng)[0])
    slack = CLOSE * found.leading
    assert found.low - slack <= found.leading <= found.high + slack
    assert 0 < found.high - found.low <= 2


def test_a_half_line() -> None:
    """D = 1: delta is 1/2, which only the bounds of statement 2 know of."""
    one = Measure(np.ones(1), np.ones(1))
    for share in (0.01, 0.5, 0.99):
        found = cone_dimension(one, one, 1, 2 / share, 1.0)
        assert found.low == pytest.approx(share / (1 + share), rel=CLOSE)
        assert found.high == pytest.approx(1 / (2 - share), rel=CLOSE)
        assert found.low <= 0.5 <= found.high


@given(sources())
def test_the_euclidean_form_is_below(rng: Random) -> None:
    cone, _ = random_cone(rng)
    square = float(cone.point @ cone.point)
    ones = np.ones(len(cone.point))
    found = of(cone)
    assert found.square <= square * (1 + CLOSE)
    paper = effective_dimension(cone.curvatures, ones, square)
    assert paper <= found.leading * (1 + CLOSE)
    assert paper <= found.value * (1 + CLOSE)


# sampling ---------------------------------------------------------------------------


def test_sampled_dimensions_are_within_the_bounds() -> None:
    """And no less than paper C's form: nine cones of all shapes, two comparisons."""
    draws = np.random.default_rng(0)
    for seed in range(9):
        cone, _ = random_cone(Random(seed))
        bounds, sampled = of(cone), cone.dimension(300, rng=draws)
        slack = Z * sampled.error + CLOSE
        assert bounds.low - slack <= sampled.mean <= bounds.high + slack
        square = float(cone.point @ cone.point)
        ones = np.ones(len(cone.point))
        paper = effective_dimension(cone.curvatures, ones, square)
        assert paper <= sampled.mean + slack


def test_both_terms_agree_with_sampling_at_150() -> None:
    """To within the sampling error and 0.3 that the next terms may be."""
    draws = np.random.default_rng(1)
    for spectrum in (power_law(150), spiked(150, 0.1)):
        cone = EllipsoidCone(spectrum / 0.02, isotropic(150, 3.0, rng=draws))
        sampled, found = cone.dimension(200, rng=draws), of(cone, 0.01)
        assert abs(sampled.mean - found.value) <= Z * sampled.error + 0.3
        spread = cone.squared_projections(draws.standard_normal((1000, 150))).var()
        assert spread - 2 * sampled.mean == pytest.approx(found.deviation**2, rel=0.4)


def test_the_numbers_of_the_spiked_spectrum() -> None:
    """D = 1000, epsilon 0.01, R = 1: 0.981 D, and paper C's form 0.660 D."""
    point = np.full(1000, 1000**-0.5)
    trace, along = measures(spiked(1000), point)
    found = cone_dimension(trace, along, 1000, 1.0, 0.01)
    assert 0.9805 < found.value / 1000 < 0.9807
    paper = effective_dimension(spiked(1000) / 0.02, np.ones(1000), 1.0)
    assert 0.6599 < paper / 1000 < 0.6601


# symmetry ---------------------------------------------------------------------------


@given(sources(), st.sampled_from([1e-8, 1e8]))
def test_units_do_not_matter(rng: Random, unit: float) -> None:
    """Of the loss (H and epsilon) and of the weights (|v|^2 and 1 / H)."""
    cone, _ = random_cone(rng)
    trace, along = measures(cone.curvatures, cone.point)
    square, size = float(cone.point @ cone.point), len(cone.point)
    first = of(cone)
    slack = CLOSE * size * (1 + 1 / cone.excess)
    for factor, epsilon in ((unit, 0.5 * unit), (1 / unit, 0.5)):
        other = cone_dimension(
            Measure(factor * trace.nodes, trace.weights),
            Measure(factor * along.nodes, along.weights),
            size,
            square * (1.0 if epsilon != 0.5 else unit),
            epsilon,
        )
        assert abs(other.leading - first.leading) <= slack
        assert abs(other.low - first.low) <= slack


def test_nodes_can_be_merged() -> None:
    """Equal nodes of a measure are one node with the sum of the weights."""
    nodes = np.array([1.0, 1.0, 3.0])
    along = Measure(np.array([3.0, 1.0]), np.array([0.3, 0.7]))
    apart = cone_dimension(Measure(nodes, np.full(3, 1 / 3)), along, 6, 4.0, 0.5)
    merged = Measure(np.array([1.0, 3.0]), np.array([2 / 3, 1 / 3]))
    together = cone_dimension(merged, along, 6, 4.0, 0.5)
    assert apart.leading == pytest.approx(together.leading, rel=CLOSE)
    assert apart.deviation == pytest.approx(together.deviation, rel=CLOSE)


# edge cases -------------------------------------------------------------------------


@pytest.mark.parametrize("square", [0.0, 0.5, 1.0])
def test_inside_the_dimension_is_whole(square: float) -> None:
    one = Measure(np.ones(1), np.ones(1))
    found = cone_dimension(one, one, 7, square, 0.5)
    assert found == ConeDimension(7.0, 0.0, 7.0, 7.0, 0.0, 0.0)
    assert found.value == 7.0


def test_flat_directions_count_whole() -> None:
    trace = Measure(np.array([0.0, 1.0]), np.array([0.75, 0.25]))
    along = Measure(np.array([0.0, 1.0]), np.array([0.9, 0.1]))
    found = cone_dimension(trace, along, 8, 20.0, 0.5)
    # of |v|^2 = 20 a tenth is in the plane of the other two: sin^2 = 1 / 2
    assert found.leading == pytest.approx(6 + 2 * 0.5, rel=CLOSE)
    assert found.low == pytest.approx(6 + 0.5, rel=CLOSE)


def test_measures_are_checked() -> None:
    one = np.array([1.0])
    unit = Measure(one, one)
    wrong = (Measure(one, 2 * one), unit), (unit, Measure(-one, one))
    for trace, along in wrong:
        with pytest.raises(ValueError, match=r"sum of 1|finite nodes >= 0"):
            cone_dimension(trace, along, 3, 9.0, 0.5)
    with pytest.raises(ValueError, match="epsilon > 0"):
        cone_dimension(unit, unit, 3, 9.0, 0.0)


def test_a_trace_that_saw_no_curvature() -> None:
    """Few probes can miss what v sees: all but one dimension are free."""
    nothing = Measure(np.zeros(1), np.ones(1))
    seen = Measure(np.array([8.0]), np.ones(1))
    found = cone_dimension(nothing, seen, 10, 1.0, 1.0)
    assert found.leading == 10 and found.deviation == 0
    assert found.low <= found.value <= found.high
    assert math.isfinite(found.value)
