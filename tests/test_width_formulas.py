"""Widths by the integral, by closed forms and by sampling."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tolerance import tolerance

from theory.width_formulas import closed_form, ellipsoid, paired_closed_form, sphere

RADII = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=8)
CLOSE = tolerance(2000)
"""About 650 nodes, each with two transcendental functions and a sum."""
Z = 5.0
"""Standard errors that a Monte Carlo mean may be off; p = 6e-7 for each comparison."""


# identity ---------------------------------------------------------------------------


def test_spheres_by_hand() -> None:
    assert sphere(1) == pytest.approx(math.sqrt(2 / math.pi), rel=CLOSE)
    assert sphere(2) == pytest.approx(math.sqrt(math.pi / 2), rel=CLOSE)
    assert sphere(3) == pytest.approx(2 * math.sqrt(2 / math.pi), rel=CLOSE)


@given(st.integers(1, 10**6))
def test_two_spheres_in_a_row(k: int) -> None:
    assert sphere(k) * sphere(k + 1) == pytest.approx(k, rel=1e-9)
    assert k / math.sqrt(k + 1) <= sphere(k) * (1 + 1e-9)
    assert sphere(k) <= math.sqrt(k) * (1 + 1e-9)


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=3))
def test_few_axes_are_elliptic_integrals(radii: list[float]) -> None:
    assert ellipsoid(np.array(radii)) == pytest.approx(closed_form(radii), rel=CLOSE)


def test_closed_forms_of_balls_are_spheres() -> None:
    for size in (1, 2, 3):
        found = closed_form([5.0] * size)
        assert found == pytest.approx(5 * sphere(size), rel=CLOSE)
    assert closed_form([3.0, 4.0]) == closed_form([4.0, 3.0])


def test_a_flat_ellipse_is_a_segment() -> None:
    assert closed_form([0.0, 7.0]) == pytest.approx(7 * sphere(1), rel=CLOSE)
    assert ellipsoid(np.array([0.0, 7.0])) == pytest.approx(7 * sphere(1), rel=CLOSE)


def test_pairs_of_axes_by_hand() -> None:
    """E sqrt(2 X) for one exponential X; X + 2 Y for two."""
    one = math.sqrt(2) * math.gamma(1.5)
    assert paired_closed_form([1.0]) == pytest.approx(one, rel=CLOSE)
    # m = 2 and 8: sqrt(2) (2 / -6) + sqrt(8) (8 / 6) = 7 sqrt(2) / 3
    two = math.gamma(1.5) * 7 * math.sqrt(2) / 3
    assert paired_closed_form([1.0, 2.0]) == pytest.approx(two, rel=CLOSE)
    found = ellipsoid(np.array([1.0, 2.0]), np.array([2.0, 2.0]))
    assert found == pytest.approx(two, rel=CLOSE)


# oracle -----------------------------------------------------------------------------


def test_sampled_widths() -> None:
    rng = np.random.default_rng(0)
    for radii in (np.arange(1.0, 30), 10.0 ** -np.arange(6), np.full(50, 0.3)):
        drawn = np.linalg.norm(radii * rng.standard_normal((4000, len(radii))), axis=1)
        error = drawn.std() / math.sqrt(4000)  # three comparisons
        assert abs(drawn.mean() - ellipsoid(radii)) <= Z * error


# symmetry ---------------------------------------------------------------------------


@given(RADII, st.sampled_from([1e-100, 1e-8, 1e8, 1e100]))
def test_the_width_has_the_unit_of_the_radii(radii: list[float], unit: float) -> None:
    axes = np.array(radii)
    assert ellipsoid(unit * axes) == pytest.approx(unit * ellipsoid(axes), rel=CLOSE)


@given(RADII)
def test_counts_stand_for_repeated_axes(radii: list[float]) -> None:
    axes, counts = np.array(radii), np.arange(1.0, len(radii) + 1)
    repeated = ellipsoid(np.repeat(axes, np.arange(1, len(radii) + 1)))
    assert ellipsoid(axes, counts) == pytest.approx(repeated, rel=CLOSE)


@given(RADII)
def test_the_bounds(radii: list[float]) -> None:
    axes = np.array(radii)
    length, slack = float(np.linalg.norm(axes)), 1 + CLOSE
    width = ellipsoid(axes)
    assert math.sqrt(2 / math.pi) * length <= width * slack
    assert width <= length * slack


# edge cases -------------------------------------------------------------------------


def test_nothing_has_no_width() -> None:
    assert ellipsoid(np.array([])) == 0.0
    assert ellipsoid(np.array([0.0, 0.0])) == 0.0
    assert ellipsoid(np.array([3.0]), np.array([0.0])) == 0.0


@pytest.mark.parametrize("dimension", [0, -1])
def test_dimensions_start_at_one(dimension: int) -> None:
    message = rf"^expected a dimension of at least 1, got {dimension}$"
    with pytest.raises(ValueError, match=message):
        sphere(dimension)


@pytest.mark.parametrize("radius", [math.inf, math.nan, -1.0])
def test_radii_are_finite_lengths(radius: float) -> None:
    with pytest.raises(
        ValueError,
        match=r"^expected finite radii >= 0; a direction without curvature has an "
        r"infinite radius, and the set no finite width: leave it out$",
    ):
        ellipsoid(np.array([1.0, radius]))


@pytest.mark.parametrize("counts", [[1.0], [1.0, -1.0], [1.0, math.nan]])
@pytest.mark.usefixtures("unchecked_types")
def test_counts_must_fit(counts: list[float]) -> None:
    size = len(counts)
    message = rf"^expected a non-negative count for each of 2 radii, got {size} counts$"
    with pytest.raises(ValueError, match=message):
        ellipsoid(np.ones(2), np.array(counts))


@pytest.mark.parametrize("size", [0, 4])
def test_closed_forms_have_one_to_three_axes(size: int) -> None:
    with pytest.raises(
        ValueError, match=rf"^expected 1 to 3 axes, got {size}; use `ellipsoid`$"
    ):
        closed_form([1.0] * size)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_point_has_no_width(size: int) -> None:
    assert closed_form([0.0] * size) == 0.0
