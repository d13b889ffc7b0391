"""Statistical dimensions in closed form, against volumes, limits and sampling."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from tolerance import tolerance

from theory import intrinsic_volumes, known_cones
from theory.known_cones import (
    circular,
    circular_mean,
    circular_moment,
    circular_width,
    descent,
    descent_objective,
    descent_projection,
    monotone,
)

CLOSE = tolerance(10**4)
Z = 5.0
"""Standard errors that a Monte Carlo mean may be off; p = 6e-7 for each comparison."""
SIZES, ANGLES = st.integers(2, 300), st.floats(0.01, 1.56)


def circular_projection(samples: np.ndarray, angle: float) -> np.ndarray:
    """|Pi(g)|^2 by the nearest of: g itself, a ray of the boundary, 0."""
    axial, radial = samples[:, 0], np.linalg.norm(samples[:, 1:], axis=1)
    along = np.maximum(axial * math.cos(angle) + radial * math.sin(angle), 0.0)
    inside = axial * math.tan(angle) >= radial
    return np.where(inside, (samples**2).sum(1), along**2)


# identity ---------------------------------------------------------------------------


@given(SIZES, ANGLES)
def test_circular_cones_by_quadrature_and_by_volumes(n: int, angle: float) -> None:
    volumes = intrinsic_volumes.circular(n, angle).tolist()
    delta = circular(n, angle)
    assert delta == pytest.approx(intrinsic_volumes.mean(volumes), rel=CLOSE)
    spread = circular_moment(n, angle) - delta**2
    variance = intrinsic_volumes.variance(volumes)
    assert spread == pytest.approx(2 * delta + variance, rel=1e-8)


@given(SIZES, ANGLES)
def test_circular_cones_are_within_one(n: int, angle: float) -> None:
    core = (n - 1) * math.sin(angle) ** 2
    assert core - CLOSE <= circular(n, angle) <= core + 1 + CLOSE
    width = circular_width(n, angle) ** 2
    assert width <= circular(n, angle) * (1 + CLOSE)
    assert circular(n, angle) <= (width + 1) * (1 + CLOSE)


def test_a_wedge_in_the_plane() -> None:
    for angle in (0.2, 0.8, 1.5):
        assert circular(2, angle) == pytest.approx(0.5 + 2 * angle / math.pi, rel=CLOSE)
        # E |g| times (2 angle + 2 (1 + cos angle - 1) ...) over 2 pi, in closed form
        mean = (2 * angle + 2 * math.sin(math.pi - angle)) / (2 * math.pi)
        width = math.sqrt(math.pi / 2) * mean
        assert circular_width(2, angle) == pytest.approx(width, rel=CLOSE)


def test_the_mean_of_one_is_the_share_within_reach() -> None:
    assert circular_mean(5, 0.7, np.ones_like, math.pi) == pytest.approx(1, rel=CLOSE)
    half = circular_mean(5, 0.7, np.ones_like)
    assert half == pytest.approx(
        1 - circular_mean(5, math.pi / 2 - 0.7, np.ones_like, 1e-12), rel=1e-9
    )


def test_harmonic_numbers() -> None:
    assert monotone(0) == 0 and monotone(1) == 1
    assert 6 * monotone(3) == 11


# the l1 norm ------------------------------------------------------------------------


@given(st.integers(2, 500), st.data())
def test_the_stationary_level_is_the_best(n: int, data: st.DataObject) -> None:
    s = data.draw(st.integers(1, n - 1))
    found = minimize_scalar(
        lambda t: descent_objective(s, n, t),
        bounds=(0.0, 9.0),
        options={"xatol": 1e-9},
    )
    assert descent(s, n) == pytest.approx(found.fun, rel=CLOSE)
    assert descent(s, n) <= descent_objective(s, n, 0.0) * (1 + CLOSE)


def test_the_objective_by_hand() -> None:
    assert descent_objective(3, 10, 0.0) == pytest.approx(10, rel=CLOSE)  # E g^2 = 1
    tail = math.erfc(1 / math.sqrt(2)) / 2
    density = math.exp(-0.5) / math.sqrt(2 * math.pi)
    expected = 2 * 3 + 7 * 2 * (2 * tail - density)
    assert descent_objective(3, 10, 1.0) == pytest.approx(expected, rel=CLOSE)


def test_descent_projections_are_least_distances() -> None:
    rng = np.random.default_rng(0)
    for n, s in ((2, 1), (6, 1), (6, 5), (30, 9)):
        samples = rng.standard_normal((20, n))
        samples[0] = -np.abs(samples[0])  # g is nearest to level 0
        samples[1, s:] = 0.0
        for g, found in zip(samples, descent_projection(samples, s), strict=True):

            def distance(level: float, g: np.ndarray = g, s: int = s) -> float:
                over = np.maximum(np.abs(g[s:]) - level, 0.0)
                return float(((g[:s] - level) ** 2).sum() + (over**2).sum())

            searched = minimize_scalar(
                distance, bounds=(0.0, 9.0), options={"xatol": 1e-10}
            )
            least = min(float(searched.fun), distance(0.0))
            assert found == pytest.approx(least, rel=1e-9, abs=1e-9)


# sampling ---------------------------------------------------------------------------


def test_sampled_cones() -> None:
    rng = np.random.default_rng(1)
    for n, angle in ((3, 0.3), (40, 1.0), (40, 0.1)):  # nine comparisons
        drawn = circular_projection(rng.standard_normal((4000, n)), angle)
        error = drawn.std() / math.sqrt(4000)
        assert abs(drawn.mean() - circular(n, angle)) <= Z * error
        error = (drawn**2).std() / math.sqrt(4000)
        assert abs((drawn**2).mean() - circular_moment(n, angle)) <= Z * error
    for n, s in ((20, 2), (50, 25), (100, 5)):
        drawn = descent_projection(rng.standard_normal((4000, n)), s)
        error = drawn.std() / math.sqrt(4000)
        assert drawn.mean() <= descent(s, n) + Z * error
        assert descent(s, n) <= drawn.mean() + 2 * math.sqrt(n / s) + Z * error


def test_sampled_widths() -> None:
    rng = np.random.default_rng(2)
    for n, angle in ((3, 0.3), (30, 1.2)):
        g = rng.standard_normal((4000, n))
        off = np.arctan2(np.linalg.norm(g[:, 1:], axis=1), g[:, 0])
        largest = np.linalg.norm(g, axis=1) * np.cos(np.maximum(off - angle, 0.0))
        error = largest.std() / math.sqrt(4000)
        assert abs(largest.mean() - circular_width(n, angle)) <= Z * error


# refusals ---------------------------------------------------------------------------


def test_circular_cones_are_proper() -> None:
    for function in (circular, circular_moment, circular_width):
        with pytest.raises(ValueError, match="an angle in"):
            function(3, 2.0)
        with pytest.raises(ValueError, match="dimension of at least 2"):
            function(1, 0.5)
    with pytest.raises(ValueError, match="an angle in"):
        circular_mean(3, 0.0, np.cos)


@pytest.mark.parametrize(("s", "n"), [(0, 5), (5, 5), (6, 5), (-1, 5)])
def test_descent_cones_need_zeros_and_others(s: int, n: int) -> None:
    with pytest.raises(
        ValueError,
        match=rf"^expected 0 < nonzeros < dimension, got {s} of {n}: with none the "
        r"cone is \{0\}, with no zeros a half-space \(n - 1/2\)$",
    ):
        descent(s, n)


def test_the_module_needs_no_more_nodes() -> None:
    """Half the nodes give the same dimension: the rule has converged."""
    nodes, weights = np.polynomial.legendre.leggauss(100)
    full = circular(1000, 0.7)
    kept = known_cones.NODES, known_cones.WEIGHTS
    known_cones.NODES, known_cones.WEIGHTS = nodes, weights
    try:
        assert circular(1000, 0.7) == pytest.approx(full, rel=1e-9)
    finally:
        known_cones.NODES, known_cones.WEIGHTS = kept
