"""The families of random cones: they cover what they should, and can fail."""

from random import Random

import numpy as np
import pytest

from theory import cone_cases
from theory.cone_cases import random_cone
from theory.ellipsoid_cone import EllipsoidCone, Samples


def test_random_cones_are_proper_and_of_all_sizes() -> None:
    cones = [random_cone(Random(seed))[0] for seed in range(80)]
    assert {len(cone.point) for cone in cones} == set(range(1, 13))
    assert all(cone.excess > 0 and (cone.curvatures > 0).all() for cone in cones)
    assert min(c.excess for c in cones) < 0.2 and max(c.excess for c in cones) > 5
    assert any((cone.point == 0).any() for cone in cones)
    cone, samples = random_cone(Random(0), 5)
    assert samples.shape == (4, 5) and cone.point.shape == (5,)


@pytest.mark.parametrize(
    ("family", "rows"),
    [
        (cone_cases.projections, 20),
        (cone_cases.plane, 4),
        (cone_cases.lines, 4),
        (cone_cases.proof_points, 9),
    ],
)
def test_families_hold(family: object, rows: int) -> None:
    assert callable(family)
    for seed in range(12):
        sides = family(Random(seed))
        assert sides.left.shape == (rows,) and sides.defect() <= 1e-10
        assert sides.case.startswith("EllipsoidCone(")


def test_both_branches_and_both_ends_occur() -> None:
    shares = []
    for seed in range(60):
        cone, g = random_cone(Random(seed))
        shares += (cone.squared_projections(g) / (g**2).sum(1)).tolist()
    found = np.array(shares)
    assert (found > 1 - 1e-9).any() and (found < 1e-9).any()
    assert ((found > 0.1) & (found < 0.5)).any() and (
        (found > 0.5) & (found < 0.9)
    ).any()


def test_lines_meet_and_miss() -> None:
    met = [value for s in range(40) for value in cone_cases.lines(Random(s)).left]
    assert {float(value) for value in met} == {0.0, 1.0}


@pytest.mark.parametrize(
    "family", [cone_cases.projections, cone_cases.plane, cone_cases.proof_points]
)
def test_a_wrong_projection_is_seen(
    family: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One per cent too short."""
    assert callable(family)
    right = EllipsoidCone.squared_projections

    def wrong(self: EllipsoidCone, samples: Samples) -> np.ndarray:
        return np.asarray(0.99 * right(self, samples))

    monkeypatch.setattr(EllipsoidCone, "squared_projections", wrong)
    assert max(family(Random(seed)).defect() for seed in range(12)) > 1e-4


def test_every_line_meets_an_indefinite_sublevel_set() -> None:
    """It crosses the plane where the positive direction is 0."""
    sides = [cone_cases.indefinite(Random(seed)) for seed in range(100)]
    assert {float(s.left[0]) for s in sides} == {1.0}
    assert {float(s.right[0]) for s in sides} == {0.0, 1.0}


def test_a_gradient_lets_lines_meet_and_miss() -> None:
    sides = [cone_cases.off_centre(Random(seed)) for seed in range(300)]
    assert {float(s.left[0]) for s in sides} == {0.0, 1.0}
    assert {float(s.right[0]) for s in sides} == {0.0, 1.0}
