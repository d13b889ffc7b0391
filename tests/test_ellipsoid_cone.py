"""Exact projections: geometry, a general optimiser, sampling, edge cases."""

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from strategies import sources
from tolerance import tolerance

from theory import ellipsoid_cone, known_cones
from theory.cone_cases import random_cone
from theory.ellipsoid_cone import EllipsoidCone
from theory.model_spectra import isotropic, marchenko_pastur, power_law, spiked
from theory.random_subspaces import critical_draws

BOUND = 1e-10
Z = 5.0
"""Standard errors that a Monte Carlo mean may be off; p = 6e-7 for each comparison."""


def ball(size: int, angle: float) -> EllipsoidCone:
    """The circular cone around -e_1."""
    point = np.zeros(size)
    point[0] = 1 / math.sin(angle)
    return EllipsoidCone(np.ones(size), point)


def searched(cone: EllipsoidCone, g: np.ndarray) -> float:
    """|Pi(g)|^2 by sequential quadratic programming over points t (x - v)."""
    a, v = cone.curvatures, cone.point

    def gap(z: np.ndarray) -> float:
        return float(((z[:-1] * z[-1] - z[-1] * v - g) ** 2).sum())

    rooms = [
        {"type": "ineq", "fun": lambda z: 1 - a @ z[:-1] ** 2},
        {"type": "ineq", "fun": lambda z: z[-1]},
    ]
    best = float(g @ g)
    for start in (0.1, 3.0):
        first = np.append(np.zeros(len(v)), start)
        found = minimize(
            gap, first, constraints=rooms, method="SLSQP", options={"maxiter": 500}
        )
        best = min(best, float(found.fun))
    return float(g @ g) - best


# identity ---------------------------------------------------------------------------


@given(sources())
def test_projections_are_nearest_points(rng: Random) -> None:
    """In C, the rest polar to all of C, and orthogonal: these characterise them."""
    cone, g = random_cone(rng)
    near = cone.projections(g)
    size = np.linalg.norm(g, axis=1)
    reach = np.linalg.norm(cone.curvatures * cone.point)
    reach += math.sqrt(cone.excess * cone.curvatures.max())
    assert (cone.margins(near) >= -BOUND * size * reach).all()
    support = np.sqrt((g - near) ** 2 @ (1 / cone.curvatures))
    slack = BOUND * size * (np.linalg.norm(cone.point) + 1 / cone.curvatures.min())
    assert ((g - near) @ cone.point >= support - slack).all()
    assert (np.abs((near * (g - near)).sum(1)) <= BOUND * size**2).all()
    assert (
        np.abs((near**2).sum(1) - cone.squared_projections(g)).max()
        <= BOUND * (size**2).max()
    )


def test_a_circular_cone_by_its_angle() -> None:
    angle = 0.4
    cone = ball(3, angle)
    assert cone.excess == pytest.approx(1 / math.tan(angle) ** 2, rel=tolerance(10))
    off = np.array([0.0, 0.3, 0.5, 1.5, angle + math.pi / 2 + 0.1, math.pi])
    g = 2 * np.stack([-np.cos(off), np.sin(off), 0 * off], axis=1)
    expected = 2 * np.cos(np.clip(off - angle, 0.0, math.pi / 2))
    assert cone.squared_projections(g) == pytest.approx(expected**2, abs=BOUND)
    inside = cone.projections(g)[:2]
    assert np.abs(inside - g[:2]).max() <= BOUND
    assert np.abs(cone.projections(g)[4:]).max() <= BOUND
    assert cone.margins(g[:1])[0] == pytest.approx(
        2 / math.sin(angle) - 2 / math.tan(angle), rel=tolerance(10)
    )
    assert list(cone.margins(g) >= 0) == [True, True] + [False] * 4


@given(sources())
def test_the_polar_cone_of_the_polar_cone(rng: Random) -> None:
    cone, g = random_cone(rng)
    again = cone.polar.polar
    assert again.curvatures == pytest.approx(cone.curvatures, rel=tolerance(10))
    assert again.point == pytest.approx(cone.point, rel=1e-9)
    both = cone.squared_projections(g) + cone.polar.squared_projections(g)
    assert both == pytest.approx((g**2).sum(1), rel=BOUND)


# oracle -----------------------------------------------------------------------------


def test_projections_by_a_general_optimiser() -> None:
    rng = Random(7)
    for size in (2, 3, 5):
        cone, g = random_cone(rng, size)
        for sample, found in zip(g, cone.squared_projections(g), strict=True):
            assert found == pytest.approx(searched(cone, sample), abs=1e-4)


def test_the_dimension_is_the_mean_of_squares() -> None:
    """With and without the control variate; and the known dimension of a ball."""
    rng = np.random.default_rng(0)
    for cone in (ball(30, 0.6), random_cone(Random(3), 12)[0]):
        plain = cone.squared_projections(rng.standard_normal((1500, len(cone.point))))
        error = plain.std() / math.sqrt(1500)
        found = cone.dimension(600, rng=rng)
        assert abs(found.mean - plain.mean()) <= Z * math.hypot(error, found.error)
        assert 0 < found.error < error
    found = ball(30, 0.6).dimension(600, rng=rng)
    assert abs(found.mean - known_cones.circular(30, 0.6)) <= Z * found.error


def test_the_error_is_that_of_independent_means() -> None:
    cone, rng = ball(10, 0.5), np.random.default_rng(1)
    means = [cone.dimension(40, rng=rng) for _ in range(60)]
    spread = np.std([m.mean for m in means], ddof=1)
    assert 0.6 < np.mean([m.error for m in means]) / spread < 1.6


def test_random_subspaces_meet_as_the_dimension_says() -> None:
    """The mean smallest dimension that meets E is n - delta + 1/2: three spectra."""
    rng = np.random.default_rng(4)
    for spectrum in (power_law(30), spiked(30, 0.2), marchenko_pastur(30)):
        cone = EllipsoidCone(spectrum / 0.02, isotropic(30, 2.0, rng=rng))
        found = critical_draws(cone.curvatures, cone.point, 600, rng=rng)
        error = float(np.std(found)) / math.sqrt(600)
        sampled = cone.dimension(200, rng=rng)
        gap = float(np.mean(found)) - (30.5 - sampled.mean)
        assert abs(gap) <= Z * math.hypot(error, sampled.error)


# symmetry ---------------------------------------------------------------------------


@given(sources(), st.sampled_from([1e-8, 1e8]))
def test_units_of_length_and_of_g(rng: Random, unit: float) -> None:
    cone, g = random_cone(rng)
    other = EllipsoidCone(cone.curvatures / unit**2, unit * cone.point)
    squares = cone.squared_projections(g)
    slack = BOUND * (g**2).sum(1)
    assert (np.abs(other.squared_projections(g) - squares) <= slack).all()
    scaled = cone.squared_projections(unit * g) / unit**2
    assert (np.abs(scaled - squares) <= slack).all()


def test_samples_are_projected_one_by_one() -> None:
    cone, g = random_cone(Random(11), 6)
    alone = [cone.squared_projections(sample[None])[0] for sample in g]
    assert cone.squared_projections(g) == pytest.approx(alone, rel=BOUND)


def test_chunks_change_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    cone = ball(5, 0.7)
    whole = cone.dimension(50, rng=np.random.default_rng(2))
    monkeypatch.setattr(ellipsoid_cone, "CHUNK", 7)
    parts = cone.dimension(50, rng=np.random.default_rng(2))
    assert parts.mean == pytest.approx(whole.mean, rel=BOUND)
    assert parts.error == pytest.approx(whole.error, rel=BOUND)


# edge cases -------------------------------------------------------------------------


def test_flat_directions_are_lines_of_the_cone() -> None:
    cone = ball(3, 0.4)
    wider = EllipsoidCone(
        np.append(cone.curvatures, [0.0, 0.0]), np.append(cone.point, [5.0, -1.0])
    )
    g = np.random.default_rng(0).standard_normal((20, 5))
    expected = cone.squared_projections(g[:, :3]) + (g[:, 3:] ** 2).sum(1)
    assert wider.squared_projections(g) == pytest.approx(expected, rel=BOUND)
    assert np.abs(wider.projections(g)[:, 3:] - g[:, 3:]).max() <= BOUND
    found = wider.dimension(400, rng=np.random.default_rng(1))
    delta = known_cones.circular(3, 0.4) + 2
    assert abs(found.mean - delta) <= Z * found.error


@pytest.mark.parametrize("point", [[0.0, 0.0], [0.5, 0.5], [1.0, 0.0]])
def test_from_inside_the_cone_is_everything(point: list[float]) -> None:
    cone = EllipsoidCone(np.ones(2), np.array(point))
    g = np.array([[3.0, -4.0]])
    assert cone.excess <= 0
    assert cone.squared_projections(g).tolist() == [25.0]
    assert cone.projections(g).tolist() == g.tolist()
    assert cone.projections(g) is not g
    assert cone.dimension(2, rng=np.random.default_rng(0)) == (2.0, 0.0)


def test_on_a_line_the_cone_is_a_ray() -> None:
    cone = EllipsoidCone(np.array([4.0]), np.array([3.0]))
    found = cone.projections(np.array([[2.0], [-2.0]]))
    assert found == pytest.approx(np.array([[0.0], [-2.0]]), abs=BOUND)


def test_curvatures_of_very_different_size() -> None:
    cone = EllipsoidCone(np.array([1e12, 1.0, 1e-12]), np.array([1e-3, 2.0, 5.0]))
    g = np.random.default_rng(3).standard_normal((50, 3))
    both = cone.squared_projections(g) + cone.polar.squared_projections(g)
    assert both == pytest.approx((g**2).sum(1), rel=1e-7)


def test_the_hyperplane_between_the_two_branches() -> None:
    """Orthogonal to the axis, |Pi(g)| = |g| sin(angle) by both branches."""
    cone, angle = ball(3, 0.4), 0.4
    g = np.array([[0.0, 0.0, 0.0], [0.0, 3.0, 4.0], [1e-9, 3.0, 4.0], [-1e-9, 3.0, 4]])
    expected = np.array([0.0, 1.0, 1.0, 1.0]) * 25 * math.sin(angle) ** 2
    assert cone.squared_projections(g) == pytest.approx(expected, rel=1e-8)
    assert cone.projections(g)[0].tolist() == [0.0, 0.0, 0.0]


# refusals ---------------------------------------------------------------------------


@pytest.mark.usefixtures("unchecked_types")
def test_curvatures_and_coordinates_fit() -> None:
    message = (
        r"^expected one finite curvature for each finite coordinate of the point, got "
        r"2 and {}$"
    )
    for point in ([1.0], [1.0, math.nan], [1.0, math.inf]):
        with pytest.raises(ValueError, match=message.format(len(point))):
            EllipsoidCone(np.ones(2), np.array(point))
    with pytest.raises(ValueError, match="one finite curvature"):
        EllipsoidCone(np.array([1.0, math.inf]), np.ones(2))


def test_negative_curvatures_are_refused() -> None:
    with pytest.raises(
        ValueError,
        match=r"^expected curvatures >= 0, got -2.0: the sublevel set is no ellipsoid; "
        r"treat negative eigenvalues first \(`theory.measure`\)$",
    ):
        EllipsoidCone(np.array([1.0, -2.0]), np.ones(2))


@pytest.mark.parametrize("samples", [1, 0])
def test_an_error_bar_needs_two_samples(samples: int) -> None:
    message = rf"^expected at least 2 samples, got {samples}$"
    with pytest.raises(ValueError, match=message):
        ball(3, 0.4).dimension(samples, rng=np.random.default_rng(0))
