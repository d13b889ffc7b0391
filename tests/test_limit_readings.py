"""Readings of the largest removable number: against all numbers, one by one."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_problem import RECIPE, problem

from experiments.limit_readings import (
    Crossing,
    OneShot,
    crossing,
    gradual,
    retrained,
    survivors,
)


@given(st.lists(st.booleans(), max_size=12))
def test_crossing_on_every_number(held: list[bool]) -> None:
    found = [True, *held]
    own = crossing(range(len(found)), lambda n: found[n])
    failed = found.index(False) if False in found else len(found)
    assert own == Crossing(failed - 1, max(n for n, h in enumerate(found) if h))


@pytest.mark.parametrize("end", range(31))
def test_crossing_is_refined_between_neighbours(end: int) -> None:
    calls: list[int] = []

    def holds(n: int) -> bool:
        calls.append(n)
        return n <= end

    assert crossing([0, 7, 8, 20, 30], holds) == Crossing(end, end)
    assert max(calls) == 30 and 0 not in calls


def test_crossing_of_a_set_with_a_gap() -> None:
    held = {1, 2, 3, 9, 10, 11}
    assert crossing([0, 2, 6, 10, 14], held.__contains__) == Crossing(3, 11)


def test_one_shot_readings_are_those_of_all_numbers() -> None:
    own = problem()
    fine, coarse = OneShot(own, 1000), OneShot(own, 9)
    assert fine.grid == list(range(46)) and len(coarse.grid) == 10
    assert fine.loss(0) == own.loss and fine.accuracy(0) == own.test_accuracy
    assert fine.loss(30) == own.loss_at(own.pruned(30))
    bound = own.loss + own.epsilon
    held = [n for n in fine.grid if fine.loss(n) <= bound]
    found = fine.loss_crossing(own.epsilon)
    assert found.last == max(held) and found.first == next(
        n for n in range(46) if n + 1 not in held
    )
    right = [n for n in fine.grid if fine.accuracy(n) >= own.test_accuracy]
    assert fine.accuracy_crossing().last == max(right)
    one = coarse.loss_crossing(own.epsilon).first
    assert coarse.loss(one) <= bound < coarse.loss(one + 1)


def test_retrained_survivors() -> None:
    own, recipe = problem(), replace(RECIPE, epochs=6)
    n = retrained(own, recipe, own.epsilon, seed=0)
    assert n >= OneShot(own, 1000).loss_crossing(own.epsilon).first
    bound = own.loss + own.epsilon

    def at(removed: int) -> dict[str, torch.Tensor] | None:
        masks = own.masks(removed)
        return survivors(own, own.pruned(removed), masks, recipe, bound, seed=0)

    found = at(n)
    assert found is not None and at(n + 1) is None
    assert own.loss_at(found) <= bound
    vector, masks = own.coordinates.pack(found), own.coordinates.pack(own.masks(n))
    assert not vector[masks == 0].any()
    assert retrained(own, replace(recipe, epochs=0), own.epsilon, seed=0) < n


def test_a_training_that_diverges_reaches_nothing() -> None:
    own, recipe = problem(), replace(RECIPE, epochs=2, learning_rate=1e30)
    start, masks = own.pruned(20), own.masks(20)
    bound = own.loss_at(start) / 2
    assert survivors(own, start, masks, recipe, bound, seed=0) is None


def test_survivors_that_need_no_training_stay() -> None:
    own = problem()
    weights = own.network.parameters
    found = survivors(own, weights, own.masks(0), RECIPE, own.loss, seed=0)
    assert found is not None
    assert all(torch.equal(found[name], p) for name, p in weights.items())
    assert all(found[name].data_ptr() != p.data_ptr() for name, p in weights.items())


def test_gradual_pruning() -> None:
    own, recipe = problem(), replace(RECIPE, epochs=6)
    path = gradual(own, recipe, own.epsilon, 0.2, seed=0)
    assert path[:3] == [0, 9, 16]  # 45 * 0.2, 36 * 0.2
    assert path == sorted(set(path))
    assert gradual(own, recipe, 1e3, 0.5, seed=0)[-1] == 45
    assert gradual(own, recipe, -1e3, 0.5, seed=0) == [0]
