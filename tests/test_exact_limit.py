"""The claim on the exact dimension, in the order: identity, families, controls."""

from random import Random

from theory import exact_limit


def test_the_heuristic_in_two_steps_is_the_trace() -> None:
    sides = [exact_limit.two_steps(Random(seed)) for seed in range(30)]
    assert all(len(s.left) == 2 for s in sides)
    assert len({s.left[0] for s in sides}) > 20
    assert {s.right[1].denominator for s in sides} == {1}
    assert {int(s.right[1]) for s in sides} == set(range(1, 7))


def test_resolvents_have_both_signs_of_the_pole() -> None:
    values = [exact_limit.resolvent(Random(seed)).left[0] for seed in range(60)]
    assert min(values) < 0 < max(values)


def test_balls_compare_five_things() -> None:
    found = exact_limit.balls(Random(0))
    assert found.left.shape == (5,)
    assert bool((found.scale > 0).all())


def test_growth_is_tried_in_two_ways_and_strict() -> None:
    for seed in range(20):
        found = exact_limit.more_curvature(Random(seed))
        assert found.left.shape == (2,) and found.defect() == 0.0
        # both sides are the dimension before; what it fell to is in the scale
        assert bool((found.scale <= 2 * found.right).all())
    fell = [exact_limit.more_curvature(Random(s)) for s in range(20)]
    assert any(bool((f.scale < 1.99 * f.right).any()) for f in fell)
