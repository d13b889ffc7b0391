"""The claim on cones, in the order: identity, oracle, controls."""

import math
from random import Random

import numpy as np

from theory import intrinsic_volumes, known_cones, statistical_dimension
from theory.random_subspaces import critical_draws, meets_orthant

Z = 5.0
"""Standard errors that a Monte Carlo mean may be off; p = 6e-7 for each comparison."""


def test_circular_cones_are_compared_seven_times() -> None:
    found = statistical_dimension.circular(Random(0))
    assert found.left.shape == (7,)
    assert bool((found.scale >= found.left.abs() + found.right.abs() - 1).all())


def test_the_kinematic_formula_is_tried_at_both_ends() -> None:
    for seed in range(30):
        found = statistical_dimension.kinematic(Random(seed))
        assert found.left.shape == (2,)
        eta = float(found.right[0])
        assert 0.05 <= eta <= 0.95
        assert float(found.right[1]) > 0.95  # what is crossed, well above 1 - eta


def test_a_double_cone_is_short_of_its_space() -> None:
    """A narrow one has twice the dimension of its half: about 2, not n."""
    found = statistical_dimension.double_cone(Random(4))
    assert float(found.left[0]) < float(found.right[0])
    n, angle = 20, 0.3
    rng = np.random.default_rng(0)
    g = rng.standard_normal((4000, n))
    off = np.arctan2(np.linalg.norm(g[:, 1:], axis=1), np.abs(g[:, 0]))
    drawn = (g**2).sum(1) * np.cos(np.maximum(off - angle, 0.0)) ** 2
    cone = known_cones.circular_mean(
        n, angle, lambda t: np.cos(t) ** 2, math.pi / 2 - angle
    )
    assert abs(drawn.mean() - 2 * n * cone) <= Z * drawn.std() / math.sqrt(4000)


def test_random_subspaces_cross_as_often_as_crofton_says() -> None:
    """Circular cones by least squares, orthants by linear programmes."""
    rng = np.random.default_rng(3)
    n, angle, draws = 40, 0.7, 400
    point = np.zeros(n)
    point[0] = 1 / math.sin(angle)
    critical = critical_draws(np.ones(n), point, draws, rng=rng)
    volumes = intrinsic_volumes.circular(n, angle).tolist()
    for m in (18, 23, 28):  # five comparisons
        expected = intrinsic_volumes.crossing(volumes, m)
        share = float(np.mean(np.array(critical) <= m))
        error = math.sqrt(expected * (1 - expected) / draws)
        assert abs(share - expected) <= Z * error
    for m in (7, 10):
        met = [meets_orthant(rng.standard_normal((16, m))) for _ in range(100)]
        expected = float(intrinsic_volumes.crossing(intrinsic_volumes.orthant(16), m))
        error = math.sqrt(expected * (1 - expected) / 100)
        assert abs(float(np.mean(met)) - expected) <= Z * error
