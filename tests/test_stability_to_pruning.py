"""The claim's checks and controls, what they reach, and code that breaks them."""

from collections.abc import Callable
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given
from strategies import sources

from theory import rational_training, stability_to_pruning
from theory.claim import ExactSides
from theory.ledger import COUNTER_EXAMPLE
from theory.rational_training import State, Subnetwork
from theory.stability_to_pruning import (
    CLAIM,
    STEPS,
    nothing_pruned,
    other_order,
    own_network,
    permuted_units,
)

SEEDS = range(40)


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
    assert sum(s.left[-1] > 0 for s in sides) > 25
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
    assert sum(any(i != j for i, j in place.items()) for place in places) > 20
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
    assert sum(len({*s.left}) > 3 for s in sides) > 25


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
    assert moved > 30


def test_other_orders_are_the_same_batches() -> None:
    """Where all batches are alike, no order is another one."""
    alike = [s for s in (other_order(Random(seed)) for seed in SEEDS) if s.left == (0,)]
    assert 0 < len(alike) < len(SEEDS) // 2


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
