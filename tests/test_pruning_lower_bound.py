"""The claim on what must remain, in the order: identity, families, controls."""

from fractions import Fraction
from random import Random

import pytest

from theory import pruning_lower_bound


def test_masks_compare_the_least_square_and_the_best_dimension() -> None:
    sides = [pruning_lower_bound.masks(Random(seed)) for seed in range(60)]
    assert all(len(s.left) == 2 for s in sides)
    assert any(s.left[0] > 0 for s in sides) and any(s.left[0] == 0 for s in sides)
    assert all(0 < s.right[1] <= 8 for s in sides)
    assert len({s.right[1] for s in sides}) > 30


def test_another_mask_is_never_better() -> None:
    sides = [pruning_lower_bound.any_mask(Random(seed)) for seed in range(60)]
    assert all(s.left[0] >= s.right[0] for s in sides)


def test_the_euclidean_form_is_strictly_below_but_for_balls() -> None:
    sides = [pruning_lower_bound.direction_ignored(Random(s)) for s in range(60)]
    assert all(s.left[0] < s.right[0] for s in sides)
    both = [pruning_lower_bound.euclidean_distance(Random(s)) for s in range(60)]
    assert all(len(s.left) == 2 and s.defect() == 0 for s in both)


def test_fixed_points_are_inside_and_at_the_ends() -> None:
    sides = [pruning_lower_bound.fixed_points(Random(seed)) for seed in range(150)]
    assert all(len(s.left) == 3 for s in sides)
    sizes = [s.case.split("]")[0].count(",") + 1 for s in sides]
    ends = [int(s.left[0]) for s in sides]
    assert any(end == size for end, size in zip(ends, sizes, strict=True))
    assert any(0 < end < size for end, size in zip(ends, sizes, strict=True))


def test_flat_spectra_bound_something() -> None:
    """Not only k = 0: some subspace has a chance, and it is below eta."""
    sides = [pruning_lower_bound.flat_spectra(Random(seed)) for seed in range(100)]
    assert all(s.right[0] >= Fraction(1, 2) for s in sides)
    assert any(not s.case.startswith("0 of") for s in sides)


def test_growing_one_weight_can_help() -> None:
    """For a correlated Hessian, in most cases of this family."""
    sides = [pruning_lower_bound.single_weight_grown(Random(s)) for s in range(60)]
    assert sum(float(s.left[0]) > float(s.right[0]) for s in sides) > 30


@pytest.mark.parametrize(
    "family",
    [pruning_lower_bound.negative_curvature, pruning_lower_bound.gradient_left],
    ids=["sign", "slope"],
)
def test_membership_controls_have_both_answers(family: object) -> None:
    assert callable(family)
    sides = [family(Random(seed)) for seed in range(300)]
    assert {float(s.left[0]) for s in sides} == {0.0, 1.0}
    assert {float(s.right[0]) for s in sides} == {0.0, 1.0}
    assert any(s.defect() == 0 for s in sides) and any(s.defect() > 0 for s in sides)
