"""Cones that random subspaces meet: predictions, brute force by two routes."""

import math
from typing import get_args

import numpy as np
import pytest
from tolerance import tolerance

from experiments.random_crossings import (
    Cone,
    Kind,
    cone,
    meeting_counts,
    meets_orthant,
)
from theory import intrinsic_volumes, known_cones, random_subspaces

KINDS: tuple[Kind, ...] = get_args(Kind)
CLOSE = tolerance(10**4)


def made(kind: Kind, size: int) -> Cone:
    return cone(kind, size, rng=np.random.default_rng(0))


def test_the_orthant_by_gordan_and_by_a_linear_programme() -> None:
    rng = np.random.default_rng(1)
    found = []
    for n, k in ((2, 1), (5, 2), (20, 9), (20, 11), (40, 20)):
        for _ in range(12):
            directions = rng.standard_normal((n, k))
            found.append(meets_orthant(directions))
            assert found[-1] == random_subspaces.meets_orthant(directions)
    assert 10 < sum(found) < 50
    assert meets_orthant(np.array([[1.0], [2.0]]))
    assert not meets_orthant(np.array([[-1.0], [2.0]]))


def test_dimensions_and_deviations() -> None:
    assert (made("subspace", 20).delta, made("subspace", 20).deviation) == (10.0, 0.0)
    assert made("orthant", 20).delta == 10.0
    assert made("orthant", 20).deviation ** 2 == pytest.approx(5.0, rel=CLOSE)
    circular = made("circular", 20)
    delta = known_cones.circular(20, math.asin(math.sqrt(0.3)))
    moment = known_cones.circular_moment(20, math.asin(math.sqrt(0.3)))
    assert circular.delta == pytest.approx(delta, rel=CLOSE)
    variance = moment - delta**2 - 2 * delta
    assert circular.deviation**2 == pytest.approx(variance, rel=1e-9)
    descent = made("descent", 50)
    bound = known_cones.descent(5, 50)
    assert bound - 2 * math.sqrt(10) <= descent.delta <= bound
    assert 2 < descent.deviation < 5
    ellipsoid = made("ellipsoid", 50)
    assert 25 < ellipsoid.delta < 50 and 1 < ellipsoid.deviation < 5


def test_the_ellipsoid_depends_on_its_seed_alone() -> None:
    first, again = made("ellipsoid", 20), made("ellipsoid", 20)
    other = cone("ellipsoid", 20, rng=np.random.default_rng(1))
    assert first.delta == again.delta != other.delta


def test_levels_surround_the_transition() -> None:
    orthant = made("orthant", 100)
    assert orthant.levels(3, 2.0) == [40, 50, 60]
    assert made("subspace", 20).levels(5, 2.0) == [8, 9, 10, 11, 12]
    assert made("orthant", 10).levels(3, 9.0) == [1, 5, 10]
    assert orthant.levels(50, 1.0) == list(range(45, 56))
    with pytest.raises(ValueError, match=r"^expected at least two dimensions, got 1$"):
        orthant.levels(1, 2.0)


def test_predictions_are_crofton_s_the_normal_s_or_a_step() -> None:
    orthant, volumes = made("orthant", 20), intrinsic_volumes.orthant(20)
    for m in (3, 10, 14):
        expected = float(intrinsic_volumes.crossing(volumes, m))
        assert orthant.predicted(m) == pytest.approx(expected, rel=CLOSE)
    subspace = made("subspace", 20)
    assert [subspace.predicted(m) for m in (9, 10, 11)] == [0.0, 0.0, 1.0]
    ellipsoid = made("ellipsoid", 20)
    middle = 20 - ellipsoid.delta
    assert ellipsoid.predicted(math.floor(middle)) <= 0.5
    assert ellipsoid.predicted(math.ceil(middle)) >= 0.5


def test_two_subspaces_meet_once_they_do_not_fit() -> None:
    counts = meeting_counts(
        made("subspace", 20), [8, 10, 11, 12], 5, rng=np.random.default_rng(2)
    )
    assert counts == [0, 0, 5, 5]


@pytest.mark.parametrize("kind", KINDS)
def test_counts_rise_and_fit_the_prediction(kind: Kind) -> None:
    """Of 60 draws at three dimensions: within 5 standard errors and 5 points."""
    subject, draws = made(kind, 30), 60
    levels = subject.levels(3, 1.5)
    counts = meeting_counts(subject, levels, draws, rng=np.random.default_rng(3))
    assert counts == sorted(counts)
    for level, met in zip(levels, counts, strict=True):
        expected = subject.predicted(level)
        error = math.sqrt(expected * (1 - expected) / draws)
        assert abs(met / draws - expected) <= 5 * error + 0.05 * (error > 0)


def test_sizes_are_multiples_of_ten() -> None:
    message = r"^expected a multiple of 10 dimensions, got 15: a tenth of them are "
    with pytest.raises(ValueError, match=message):
        made("orthant", 15)
