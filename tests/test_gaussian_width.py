"""The claim on widths, in the order: identity, oracle, controls."""

from collections.abc import Callable
from fractions import Fraction
from random import Random

import pytest

from theory import gaussian_width
from theory.claim import ExactSides, Sides
from theory.gaussian_width import mean_width

SIGNS = [(a, b) for a in (-1, 1) for b in (-1, 1)]


def test_mean_widths_by_hand() -> None:
    assert mean_width([(1, 0)], SIGNS) == 0
    assert mean_width([(1, 0), (-1, 0)], SIGNS) == 1
    assert mean_width([(1, 1), (0, 0)], SIGNS) == Fraction(2, 4)
    assert mean_width([(3, 1), (-3, -1)], [(1, 1)]) == 4


def test_the_rules_compare_four_widths() -> None:
    sides = [gaussian_width.rules(Random(seed)) for seed in range(60)]
    assert all(len(s.left) == len(s.right) == 4 for s in sides)
    assert all(s.right[1] >= s.right[0] >= 0 for s in sides)
    assert any(s.right[1] > s.right[0] for s in sides)
    assert any(s.right[2] > s.right[0] > 0 for s in sides)


@pytest.mark.parametrize(
    ("law", "broken"),
    [(gaussian_width.shifted_law, {0, 2}), (gaussian_width.skewed_law, {2})],
)
def test_each_law_breaks_the_rules_that_need_it(
    law: Callable[[Random], ExactSides], broken: set[int]
) -> None:
    """A shift needs mean 0, a negative factor symmetry; sums and hulls nothing."""
    failed = set()
    for seed in range(80):
        sides = law(Random(seed))
        pairs = zip(sides.left, sides.right, strict=True)
        failed |= {rule for rule, (a, b) in enumerate(pairs) if a != b}
    assert failed == broken


def test_inequalities_are_checked_on_both_sides() -> None:
    for draw, rows in ((gaussian_width.equal_axes, 3), (gaussian_width.bounds, 2)):
        found: Sides = draw(Random(0))
        assert found.left.shape == (rows,)
        assert bool((found.scale > found.left.abs()).all())


def test_the_families_have_few_and_many_axes() -> None:
    few = {gaussian_width.few_axes(Random(s)).case.count(",") + 1 for s in range(40)}
    assert few == {1, 2, 3}
    paired = {
        gaussian_width.paired_axes(Random(s)).case.count(",") + 1 for s in range(60)
    }
    assert paired == {1, 2, 3, 4, 5}
