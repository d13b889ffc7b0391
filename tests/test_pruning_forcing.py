"""The closed forms of pruning in a linear model: by hand and by training."""

from dataclasses import replace
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from strategies import sources

from theory import pruning_forcing
from theory.affine_steps import Quadratic
from theory.claim import ExactSides
from theory.gradient_descent import Sgd
from theory.ledger import COUNTER_EXAMPLE
from theory.pruning_forcing import (
    STEPS,
    differences,
    fitting,
    forced,
    forcing,
    forcing_at_rest,
    later,
    later_at_a_high_rate,
    later_before_the_minimum,
    linear_model,
    still,
    uncorrelated,
)
from theory.rational_training import Sample, Subnetwork, squared_distance

ONE = Fraction(1)


def pair(first: int, second: int, sgd: Sgd) -> Subnetwork:
    """Inputs 0, 1 and output 2, linear; the second input is pruned."""
    return replace(linear_model([first, second], [0], ONE), sgd=sgd)


def sample(x0: int, x1: int, y: int) -> Sample:
    return Sample({0: x0 * ONE, 1: x1 * ONE}, {2: y * ONE})


def test_a_linear_model() -> None:
    own = linear_model([5, -7, 2], [2, 0], ONE / 3)
    assert own.dag.weights == {(0, 3): 5, (1, 3): -7, (2, 3): 2}
    assert own.kept == {(0, 3), (2, 3)} and own.sgd == Sgd(ONE / 3)
    assert own.dag.biases == {} and own.dag.slopes == (1,) * 4
    assert own.dag.inputs == {0: 1, 1: 1, 2: 1}
    assert own.dag.linear == (0,) * 4 and own.dag.quadratic == (1,) * 4


def test_one_step_by_hand() -> None:
    """Only the pruned weight's share of the output, 5 * 7, is missing: push 3 * 35."""
    own = pair(2, 7, Sgd(ONE / 2, ONE / 4, ONE / 8))
    order = [[sample(3, 5, 11)]]
    assert differences(own, order) == forced(own, order) == [-ONE / 2 * 3 * 5 * 7]


def test_two_steps_by_hand() -> None:
    own = pair(2, 7, Sgd(ONE / 2))
    order = [[sample(3, 5, 11)], [sample(1, 1, 0)]]
    slope = 5 * (3 * 2 + 5 * 7 - 11)
    first, pruned = -ONE / 2 * 105, 7 - ONE / 2 * slope
    second = first - ONE / 2 * (first + pruned)
    assert differences(own, order) == forced(own, order) == [second]
    unmoved = first - ONE / 2 * (first + 7)
    assert forced(own, order, moving=False) == [unmoved]


def test_no_step_makes_no_difference() -> None:
    own = pair(2, 7, Sgd(ONE))
    assert differences(own, []) == forced(own, []) == [0]


def test_standing_still_by_hand() -> None:
    """H = ((1, 2), (2, 4)): e = -eta 2 w_P, then (1 - eta) of it and once more."""
    own = pair(3, 5, Sgd(ONE / 2))
    squares = list(still(own, [fitting([ONE, 2 * ONE], [3, 5])], 2))
    assert squares == [0, 25, (-5 - 5 * ONE / 2) ** 2]


@given(sources())
def test_standing_still_is_what_training_gives(rng: Random) -> None:
    own = pair(rng.randint(-3, 3), rng.randint(-3, 3), Sgd(ONE / rng.randint(1, 9)))
    weights = list(own.dag.weights.values())
    batch = [
        fitting([ONE * rng.randint(-3, 3), ONE * rng.randint(-3, 3)], weights)
        for _ in range(rng.randint(1, 3))
    ]
    assert own.dense.train([batch] * 3) == own.dense.start().weights
    for steps, expected in enumerate(still(own, batch, 3)):
        order = [batch] * steps
        gap = squared_distance(own.dense.train(order), own.train(order), own.kept)
        assert gap == expected


def test_fitting_samples_have_no_gradient() -> None:
    assert fitting([ONE, 2 * ONE], [3, 5 * ONE]) == sample(1, 2, 13)
    assert type(fitting([], []).targets[0]) is Fraction


@pytest.mark.parametrize("weights", [[3], [3, 5, 7]])
def test_as_many_weights_as_inputs(weights: list[int]) -> None:
    with pytest.raises(ValueError, match=r"shorter|longer"):
        fitting([ONE, 2 * ONE], weights)


def test_the_trace_of_nothing_is_one() -> None:
    """So that the rate of inputs which are all zero is a number."""
    for x, trace in ((0, 1), (3, 9)):
        assert pruning_forcing._trace(Quadratic.of([sample(x, 0, 1)])) == trace


@pytest.mark.parametrize("draw", [forcing, uncorrelated, later])
@given(rng=sources())
def test_checks_hold(draw: object, rng: Random) -> None:
    assert callable(draw)
    assert draw(rng).defect() == 0.0


def several(draw: object, count: int = 60) -> list[ExactSides]:
    assert callable(draw)
    return [draw(Random(seed)) for seed in range(count)]


def test_the_cases_are_not_empty() -> None:
    sides = several(forcing)
    assert sum(any(s.left) for s in sides) > 30
    for s, control in zip(sides, several(forcing_at_rest), strict=True):
        assert control.left == s.left and control.case == s.case
        assert s.case.startswith("Subnetwork(dag=")
    assert {len(s.left) for s in sides} == {1, 2, 3}
    for momentum in ("momentum=Fraction(1, 2)", "momentum=Fraction(0, 1)"):
        assert sum(momentum in s.case and any(s.left) for s in sides) > 5
    for decay in ("decay=Fraction(1, 4)", "decay=Fraction(0, 1)"):
        assert sum(decay in s.case and any(s.left) for s in sides) > 5


def test_uncorrelated_inputs_still_train(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Subnetwork, list[list[Sample]]]] = []
    original = pruning_forcing.differences

    def spy(own: Subnetwork, order: list[list[Sample]]) -> list[Fraction]:
        seen.append((own, order))
        return original(own, order)

    monkeypatch.setattr(pruning_forcing, "differences", spy)
    for s in several(uncorrelated):
        assert s.right == (0,) * len(s.left) and s.case.startswith("Subnetwork(dag=")
    sides = {True: 0, False: 0}
    for own, order in seen:
        kept = {i for i, _ in own.kept}
        for batch in order:
            for s in batch:
                acting = {j in kept for j, x in s.inputs.items() if x}
                assert len(acting) < 2
                for side in acting:
                    sides[side] += 1
    assert min(sides.values()) > 20
    moved = [own.train(order) != own.start().weights for own, order in seen]
    assert sum(moved) > 30


def test_the_distance_falls_as_k_rises() -> None:
    sides = several(later)
    for s in sides:
        assert len(s.left) == STEPS + 1 == 5 and s.left[0] == 0
        assert list(s.left) == sorted(s.left)
    growing = [s for s in sides if s.left[1] < s.left[2] < s.left[3] < s.left[4]]
    assert len(growing) > 15
    assert all(s.case.startswith("Subnetwork(") for s in sides)
    assert all("momentum=0, decay=0" in s.case for s in sides)


def test_rates_are_one_over_the_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eta = 1 / tr H <= 1 / lambda_max; and 3 / 2 over the one survivor's curvature."""
    seen: list[tuple[Subnetwork, list[Sample]]] = []
    original = pruning_forcing.still

    def spy(own: Subnetwork, batch: list[Sample], steps: int) -> object:
        seen.append((own, batch))
        return original(own, batch, steps)

    monkeypatch.setattr(pruning_forcing, "still", spy)
    for draw, factor in ((later, ONE), (later_at_a_high_rate, 3 * ONE / 2)):
        seen.clear()
        several(draw, 30)
        assert len(seen) == 30
        for own, batch in seen:
            inputs = {i for i, _ in own.kept} if factor > 1 else {*batch[0].inputs}
            trace = sum(s.inputs[j] ** 2 for s in batch for j in inputs) / len(batch)
            assert own.sgd == Sgd(factor / (trace or 1))
            assert len(own.kept) == 1 or factor == 1
            assert own.dense.train([batch]) == own.dense.start().weights


@pytest.mark.parametrize(
    "control", [forcing_at_rest, later_at_a_high_rate, later_before_the_minimum]
)
def test_controls_fail_often(control: object) -> None:
    assert sum(s.defect() > COUNTER_EXAMPLE for s in several(control)) > 25


def test_before_the_minimum_by_hand() -> None:
    """H = ((2, 1), (1, 2)) / 3, rate 3 / 4: each step is known in closed form."""
    for s in several(later_before_the_minimum, 10):
        assert s.right == tuple(max(s.left[: i + 1]) for i in range(5))
        assert s.left[0] == 0 and "Fraction(3, 4)" in s.case
    seen = {s.left for s in several(later_before_the_minimum)}
    assert len(seen) == 9  # three first weights, three last ones
    own = linear_model([0, 1], [0], 3 * ONE / 4)
    batch = [sample(1, 0, 0), sample(0, 1, -1), sample(1, 1, -1)]
    dense = own.dense.states([batch] * 4)
    squares = []
    for left in range(5):
        end = own.at({e: dense[4 - left].weights[e] for e in own.dag.weights}).train(
            [batch] * left
        )
        squares.append((end[0, 2] - dense[4].weights[0, 2]) ** 2)
    assert tuple(squares) in seen


def test_linear_cases_have_all_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[tuple[int, int, int]] = set()
    original = pruning_forcing.differences

    def spy(own: Subnetwork, order: list[list[Sample]]) -> list[Fraction]:
        assert not own.dag.biases
        seen.add((len(own.dag.weights), len(order), len(order[0])))
        return original(own, order)

    monkeypatch.setattr(pruning_forcing, "differences", spy)
    several(forcing, 300)
    assert seen == {
        (d, steps, size) for d in (2, 3, 4) for steps in (1, 2, 3, 4) for size in (1, 2)
    }
