"""The claim on thresholds, in the order: identity, families, controls."""

from random import Random

from theory import predicted_threshold

SEEDS = range(50)


def test_readings_differ_in_some_cases() -> None:
    """The order is strict, and n_b neither nothing nor all."""
    sides = [predicted_threshold.order_of_readings(Random(seed)) for seed in SEEDS]
    assert all(len(s.left) == 1 for s in sides)
    assert {0, 1, 2, 3, 4} == {int(s.right[0]) for s in sides}


def test_one_shot_pruning_is_below_exact_limits_only() -> None:
    """Not always equal to them, and above paper C's in many cases."""
    found = [predicted_threshold.limits_of(Random(seed)) for seed in range(200)]
    assert all(a <= min(e, s) for a, _, e, s, _ in found)
    assert all(c <= e for _, c, e, _, _ in found)
    assert 20 < sum(a > c for a, c, *_ in found) < 180
    assert any(a < e for a, _, e, _, _ in found)
    assert any(s < e for *_, e, s, _ in found)


def test_limits_are_compared_in_five_ways() -> None:
    sides = [predicted_threshold.order_of_limits(Random(seed)) for seed in SEEDS]
    for found in sides:
        assert found.left.shape == (5,)
        # the scale of `at_most` is the sum of both: strictly below
        assert bool((found.scale[[1, 3]] < 2 * found.right[[1, 3]]).all())
        assert float(found.scale[0]) <= 2 * float(found.right[0])
    survivors = {float(found.right[4]) for found in sides}
    assert len(survivors) > 10  # one weight leaves no hyperplane


def test_scales_compare_all_three_numbers() -> None:
    sides = [predicted_threshold.scales(Random(seed)) for seed in SEEDS]
    assert all(len(s.left) == 9 for s in sides)
    assert all(s.right[:3] == s.right[6:] for s in sides)
    for row in range(3):  # they are not always nothing, or always the same
        assert len({s.right[row] for s in sides}) > 2
        assert any(s.right[row] != s.right[3 + row] for s in sides)


def test_treatments_move_every_number() -> None:
    sides = [predicted_threshold.treatments(Random(seed)) for seed in range(100)]
    assert all(len(s.left) == 3 for s in sides)
    assert all(len({s.right[row] for s in sides}) > 2 for row in range(3))
    assert any(s.right[2] > s.right[0] for s in sides)


def test_saddles_are_all_counter_examples() -> None:
    """The Schur loss of one removed weight is above the loss of doing nothing."""
    for seed in SEEDS:
        found = predicted_threshold.saddle(Random(seed))
        assert (found.left, found.right) == ((1,), (0,))


def test_scaling_weights_alone_never_helps() -> None:
    sides = [predicted_threshold.fixed_rise(Random(seed)) for seed in SEEDS]
    for found in sides:
        pairs = list(zip(found.left, found.right, strict=True))
        assert all(a <= b for a, b in pairs[1:])
    for row in range(3):
        assert any(s.left[row] != s.right[row] for s in sides)


def test_a_quartic_loss_keeps_its_scale_only_at_one() -> None:
    sides = [predicted_threshold.quartic(Random(seed)) for seed in SEEDS]
    assert {int(s.left[0]) for s in sides} == {0, 1}
    for found in sides:
        assert bool(found.left[0]) == found.case.endswith(", 1")


def test_eigenvalues_alone_miss_both_readings() -> None:
    sides = [predicted_threshold.eigenvalues_alone(Random(seed)) for seed in SEEDS]
    assert all(len(s.left) == 2 for s in sides)
    assert all(s.left[0] == s.left[1] for s in sides)  # H diagonal: nothing to gain
    assert any(s.left != s.right for s in sides)
