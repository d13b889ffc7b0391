"""The claim's checks and controls, what they reach, and code that breaks them."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given
from strategies import sources

from theory import rational_training, stability_to_pruning
from theory.claim import ExactSides
from theory.ledger import COUNTER_EXAMPLE
from theory.rational_training import Batch, State, Subnetwork
from theory.stability_to_pruning import (
    CLAIM,
    STEPS,
    momentum_carried,
    not_rewound,
    nothing_pruned,
    other_order,
    own_network,
    permuted_units,
    permuted_weights_alone,
    pruned_counted,
    unfrozen,
)

SEEDS = range(30)


@pytest.mark.parametrize("check", CLAIM.checks, ids=lambda check: check.family)
@given(rng=sources())
def test_every_check_holds(check: Any, rng: Random) -> None:
    assert check.draw(rng).defect() <= check.bound


@pytest.mark.parametrize("control", CLAIM.controls, ids=lambda c: c.dropped)
def test_every_control_fails_often(control: Any) -> None:
    found = sum(control.draw(Random(s)).defect() > COUNTER_EXAMPLE for s in SEEDS)
    assert found >= len(SEEDS) // 3


def spied(monkeypatch: pytest.MonkeyPatch) -> list[Subnetwork]:
    """Return the list to which every subnetwork that is trained is added."""
    seen: list[Subnetwork] = []
    original = Subnetwork.states

    def spy(self: Subnetwork, *arguments: Any) -> list[State]:
        seen.append(self)
        return original(self, *arguments)

    monkeypatch.setattr(Subnetwork, "states", spy)
    return seen


def test_networks_have_one_or_two_hidden_layers() -> None:
    seen = {tuple(stability_to_pruning._widths(Random(seed))) for seed in range(300)}
    hidden = ((2,), (3,), (2, 2))
    assert seen == {(i, *h, o) for i in (2, 3) for h in hidden for o in (1, 2)}


@pytest.mark.parametrize("draw", [permuted_units, own_network, nothing_pruned])
def test_cases_have_all_kinds_of_networks(
    draw: Callable[[Random], ExactSides], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = spied(monkeypatch)
    sides = [draw(Random(seed)) for seed in range(24)]
    biased = [bool(own.dag.biases) for own in seen]
    assert any(biased) and not all(biased)
    assert {own.sgd.momentum for own in seen} == {0, Fraction(1, 2)}
    assert {own.sgd.decay for own in seen} == {0, Fraction(1, 4)}
    assert all(s.case.startswith("Subnetwork(dag=") for s in sides)


def test_permuted_units_compare_all_weights_and_the_distance() -> None:
    sides = [permuted_units(Random(seed)) for seed in SEEDS]
    assert sum(s.left[-1] > 0 for s in sides) > 18
    assert all(len(s.left) >= 7 for s in sides)


def test_permutations_move_units(monkeypatch: pytest.MonkeyPatch) -> None:
    places: list[dict[int, int]] = []
    original = rational_training.relabelled

    def spy(own: Subnetwork, place: dict[int, int]) -> Subnetwork:
        places.append(place)
        return original(own, place)

    monkeypatch.setattr(stability_to_pruning, "relabelled", spy)
    for seed in SEEDS:
        permuted_units(Random(seed))
    assert sum(any(i != j for i, j in place.items()) for place in places) > 15
    assert all(place[0] == 0 and place[1] == 1 for place in places)
    last = [max(place) for place in places]
    assert all(place[n] == n for place, n in zip(places, last, strict=True))


def test_training_has_two_steps_on_one_or_two_samples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes: set[int] = set()
    steps: list[int] = []
    original, states = Subnetwork.step, Subnetwork.states

    def spy(self: Subnetwork, state: State, batch: Any) -> State:
        sizes.add(len(batch))
        return original(self, state, batch)

    def counted(self: Subnetwork, order: Any, *rest: Any) -> list[State]:
        steps.append(len(order))
        return states(self, order, *rest)

    monkeypatch.setattr(Subnetwork, "step", spy)
    monkeypatch.setattr(Subnetwork, "states", counted)
    for seed in range(10):
        own_network(Random(seed))
    assert sizes == {1, 2} and set(steps) == {2} == {STEPS}


def test_own_networks_pruned_weights_are_exactly_zero() -> None:
    sides = [own_network(Random(seed)) for seed in SEEDS]
    assert all(0 in s.left for s in sides)
    assert sum(len({*s.left}) > 3 for s in sides) > 18


def test_nothing_that_acts_is_pruned_and_yet_everything_trains(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = spied(monkeypatch)
    for seed in SEEDS:
        assert nothing_pruned(Random(seed)).left == (0,)
    moved = 0
    for dense, own in zip(seen[::2], seen[1::2], strict=True):
        assert not dense.pruned and own.pruned
        assert all(i == 0 for i, _ in own.pruned)
        assert all(i != 0 for i, _ in own.kept)
        moved += any(own.dag.weights[e] for e in own.pruned)
    assert moved > 20


Case = tuple[Subnetwork, list[Batch]]


def cases() -> list[Case]:
    drawn = []
    for seed in SEEDS:
        rng = Random(seed)
        drawn.append(stability_to_pruning._case(rng, stability_to_pruning._widths(rng)))
    return drawn


def silent(own: Subnetwork, order: list[Batch]) -> Case:
    """No input 0, and nothing left that reads it."""
    quiet = [
        [replace(s, inputs={**s.inputs, 0: Fraction(0)}) for s in batch]
        for batch in order
    ]
    kept = frozenset(edge for edge in own.dag.weights if edge[0] != 0)
    return replace(own, kept=kept), quiet


@pytest.mark.parametrize("control", [other_order, not_rewound, pruned_counted])
def test_harmless_pruning_gone_wrong_by_hand(
    control: Callable[[Random], ExactSides],
) -> None:
    for seed, case in zip(SEEDS, cases(), strict=True):
        own, order = silent(*case)
        dense = own.dense.train(order)
        where: set[tuple[int, int]] = set(own.kept)
        if control is other_order:
            end = own.train(order[::-1])
        elif control is not_rewound:
            end = own.at({edge: dense[edge] for edge in own.dag.weights}).train(order)
        else:
            end, where = own.train(order), set(own.dag.weights)
        squared = sum((dense[edge] - end[edge]) ** 2 for edge in where)
        sides = control(Random(seed))
        assert (sides.left, sides.right) == ((squared,), (0,))
        assert sides.case == str(case[0])


def without_edges(own: Subnetwork, order: list[Batch]) -> tuple[Fraction, ...]:
    """The weights of a graph that never had the pruned edges."""
    left = own.at({edge: own.dag.weights[edge] for edge in own.kept}).dense
    trained = left.train(order)
    keys = [*own.dag.weights, *own.dag.biases]
    return tuple(trained.get(key, Fraction(0)) for key in keys)


def test_trainings_that_revive_by_hand() -> None:
    for seed, (own, order) in zip(SEEDS, cases(), strict=True):
        keys = [*own.dag.weights, *own.dag.biases]
        sides = own_network(Random(seed))
        assert sides.left == tuple(own.train(order)[key] for key in keys)
        assert sides.right == without_edges(own, order)
        sides = unfrozen(Random(seed))
        free = own.dense.at(
            {e: w * (e in own.kept) for e, w in own.dag.weights.items()}
        )
        assert sides.left == tuple(free.train(order)[key] for key in keys)
        assert sides.right == without_edges(own, order) and sides.case == str(own)
        pushed = replace(own, sgd=replace(own.sgd, momentum=Fraction(1, 2)))
        velocity = pushed.dense.states(order)[-1].velocity
        state = State(pushed.start().weights, velocity)
        for batch in order:
            state = pushed.step(state, batch)
        sides = momentum_carried(Random(seed))
        assert sides.left == tuple(state.weights[key] for key in keys)
        assert sides.right == without_edges(pushed, order)
        assert sides.case == str(pushed)


def test_permuted_weights_under_a_mask_that_stays() -> None:
    for seed in SEEDS:
        both, alone = permuted_units(Random(seed)), permuted_weights_alone(Random(seed))
        assert both.right == alone.right and both.case == alone.case
        assert both.left == both.right


# sabotage of the training itself ------------------------------------------------------


def reviving(self: Subnetwork, state: State, batch: Any) -> State:
    return State(
        *self.sgd.step(
            state.weights, state.velocity, self.gradient(state.weights, batch)
        )
    )


def sabotaged(check: Callable[[Random], ExactSides]) -> bool:
    return any(check(Random(seed)).defect() > COUNTER_EXAMPLE for seed in SEEDS)


def test_a_training_that_forgets_the_mask_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not sabotaged(own_network)
    monkeypatch.setattr(Subnetwork, "step", reviving)
    assert sabotaged(own_network)
    assert not sabotaged(nothing_pruned)  # there, no gradient reaches what is pruned


def test_a_training_that_depends_on_names_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = Subnetwork.gradient

    def ordered(self: Subnetwork, weights: Any, batch: Any) -> Any:
        slopes = original(self, weights, batch)
        return {k: s * (1 + (k == (0, 3))) for k, s in slopes.items()}

    monkeypatch.setattr(Subnetwork, "gradient", ordered)
    assert sabotaged(permuted_units)
