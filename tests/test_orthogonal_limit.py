"""The cone cut by the survivors' hyperplane: built densely, sampled, at its ends."""

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import null_space
from strategies import sources
from tolerance import tolerance

from theory.cone_cases import random_cone
from theory.ellipsoid_cone import EllipsoidCone
from theory.measure import Measure
from theory.model_spectra import isotropic, measures, power_law
from theory.orthogonal_limit import orthogonal_dimension
from theory.random_subspaces import critical_draws
from theory.spectral_dimension import ConeDimension, cone_dimension

CLOSE = tolerance(10**5)
Z = 5.0
"""Standard errors that a Monte Carlo mean may be off; p = 6e-7 for each comparison."""


def of(cone: EllipsoidCone) -> float:
    trace, along = measures(cone.curvatures, cone.point)
    square = float(cone.point @ cone.point)
    return orthogonal_dimension(trace, along, len(cone.point), square, 0.5)


def cut(cone: EllipsoidCone) -> EllipsoidCone | None:
    """The cone in a basis of the hyperplane, as one from a point into an ellipsoid.

    None where {y : b'y >= |B^(1/2) y|} is {0}: b'B^-1 b <= 1.
    """
    a, v = cone.curvatures, cone.point
    basis = null_space(v[None])
    values, turn = np.linalg.eigh(cone.excess * basis.T @ np.diag(a) @ basis)
    b = turn.T @ -(basis.T @ (a * v))
    reach = float(b**2 @ (1 / values))
    if reach <= 1:
        return None
    return EllipsoidCone(values, -b / values / math.sqrt(reach - 1))


def dense(cone: EllipsoidCone) -> ConeDimension:
    trace, along = measures(cone.curvatures, cone.point)
    square = float(cone.point @ cone.point)
    return cone_dimension(trace, along, len(cone.point), square, 0.5)


@given(sources(), st.integers(2, 12))
def test_the_cone_built_in_the_hyperplane(rng: Random, size: int) -> None:
    cone, _ = random_cone(rng, size)
    built, found = cut(cone), of(cone)
    if built is None:
        a, v = cone.curvatures, cone.point
        assert float(v**2 @ (1 / a)) <= float(v @ v) ** 2 * (1 + CLOSE)
        assert found == 0.0
    elif built.excess > 1e-6:
        assert abs(found - dense(built).leading) <= 1e-7 * size / min(built.excess, 1)
        assert found <= dense(cone).leading + CLOSE


def test_it_is_within_two_of_the_sampled_dimension() -> None:
    draws, tried = np.random.default_rng(0), 0
    for seed in range(40):
        cone, _ = random_cone(Random(seed), 8)
        built = cut(cone)
        if built is not None and tried < 6:  # six comparisons
            tried += 1
            sampled = built.dimension(200, rng=draws)
            assert abs(sampled.mean - of(cone)) <= 2 + Z * sampled.error
    assert tried == 6


def test_by_hand() -> None:
    """r^2 = (1, 9), v^2 = (1, 1): (2 - 1) / (1 + s) = (9 - 2) / (9 + s), s = 1 / 3."""
    nodes, half = np.array([1.0, 1 / 9]), np.array([0.5, 0.5])
    measure = Measure(nodes, half)
    found = orthogonal_dimension(measure, measure, 4, 2.0, 0.5)
    g = [1 / (1 + 1 / 3), 9 / (9 + 1 / 3)]
    lost = (g[0] ** 2 + g[1] ** 2) / (g[0] + g[1])
    assert found == pytest.approx(2 * sum(g) - lost, rel=CLOSE)


def test_random_subspaces_of_the_hyperplane() -> None:
    """The mean smallest dimension that meets S is D - 1 - delta, and 1/2."""
    draws = np.random.default_rng(1)
    curvatures = np.append(power_law(76) / 0.02, np.full(4, 1e-3))
    point = isotropic(80, 0.6, rng=draws)
    cone = EllipsoidCone(curvatures, point)
    found = critical_draws(curvatures, point, 300, rng=draws, orthogonal=True)
    error = np.std(found) / math.sqrt(300)
    expected = 79 - of(cone) + 0.5
    assert abs(np.mean(found) - expected) <= Z * error + 1
    assert abs(np.mean(found) - (80 - dense(cone).value + 0.5)) > Z * error + 1


# edge cases -------------------------------------------------------------------------


def test_survivors_gain_nothing_on_a_ball() -> None:
    one = Measure(np.ones(1), np.ones(1))
    assert orthogonal_dimension(one, one, 9, 2.0, 0.5) == 0.0
    assert orthogonal_dimension(one, one, 9, 1.0, 0.5) == 8.0
    assert orthogonal_dimension(one, one, 9, 0.0, 0.5) == 8.0


def test_flat_directions_count_whole() -> None:
    """Where nothing else is gained, and where v has a part in them."""
    trace = Measure(np.array([0.0, 1.0]), np.array([0.25, 0.75]))
    curved = Measure(np.array([1.0]), np.array([1.0]))
    assert orthogonal_dimension(trace, curved, 8, 3.0, 0.5) == 2.0
    along = Measure(np.array([0.0, 1.0]), np.array([0.5, 0.5]))
    found = orthogonal_dimension(trace, along, 8, 4.0, 0.5)
    # v^2 = (2, 2): -2 + 2 (4 - 1) / (1 + s) = 0 at s = 2
    lost = (2 + 2 / 9) / (2 + 2 / 3)
    assert found == pytest.approx(2 + 6 / 3 - lost, rel=CLOSE)


def test_curvatures_next_to_nothing_are_flat() -> None:
    half = np.array([0.5, 0.5])
    nearly = Measure(np.array([1e-305, 1.0]), half)
    flat = Measure(np.array([0.0, 1.0]), half)
    found = orthogonal_dimension(nearly, nearly, 8, 4.0, 0.5)
    expected = orthogonal_dimension(flat, flat, 8, 4.0, 0.5)
    assert found == pytest.approx(expected, rel=CLOSE)


@given(sources(), st.sampled_from([1e-8, 1e8]))
def test_units_do_not_matter(rng: Random, unit: float) -> None:
    cone, _ = random_cone(rng, 6)
    built = cut(cone)
    if built is None or built.excess > 1e-3:
        other = EllipsoidCone(cone.curvatures / unit, cone.point * math.sqrt(unit))
        assert of(other) == pytest.approx(of(cone), abs=1e-7)


def test_measures_are_checked() -> None:
    one = np.array([1.0])
    unit = Measure(one, one)
    with pytest.raises(ValueError, match="finite nodes >= 0"):
        orthogonal_dimension(Measure(-one, one), unit, 3, 9.0, 0.5)
    with pytest.raises(ValueError, match="sum of 1"):
        orthogonal_dimension(unit, Measure(one, 2 * one), 3, 9.0, 0.5)
    with pytest.raises(ValueError, match="epsilon > 0"):
        orthogonal_dimension(unit, unit, 3, 9.0, -1.0)


@pytest.mark.parametrize("kernel", [0.0, 1e-17, -1e-17])
def test_a_kernel_known_up_to_rounding_is_one(kernel: float) -> None:
    """It is delta where the survivors cannot lower the loss to eps."""
    trace = Measure(np.array([kernel, 1.0]), np.array([10, 20]) / 30).treated("refuse")
    along = Measure(np.ones(1), np.ones(1))
    assert orthogonal_dimension(trace, along, 30, 9.0, 0.5) == pytest.approx(10)


def test_just_outside_the_sublevel_set() -> None:
    """s0 is below rounding, so that the balance has no sign there."""
    rng, outside = np.random.default_rng(3), 0
    for _ in range(1000):
        a, v = rng.random(2), rng.standard_normal(2)
        known, square = measures(a, v), float(v @ v)
        epsilon = float(a @ v**2) / 2
        found = orthogonal_dimension(*known, 2, square, epsilon)
        near = orthogonal_dimension(*known, 2, square, (1 - 1e-8) * epsilon)
        outside += found < 1  # else rounding puts the point inside
        assert found == 1 or abs(found - near) < 1e-3
    assert outside > 20
