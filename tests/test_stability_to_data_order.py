"""The claim's checks and controls, what they reach, and what they do not imply."""

import re
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise, permutations, product
from random import Random
from typing import Any

import pytest
from hypothesis import given
from strategies import sources

from theory import affine_steps, forked_runs, pair_sampling, stability_to_data_order
from theory.affine_steps import Array
from theory.claim import ExactSides
from theory.ledger import COUNTER_EXAMPLE
from theory.order_forks import Order, fork, gap
from theory.rational_training import Batch, Subnetwork
from theory.stability_to_data_order import (
    CLAIM,
    STEPS,
    error_of_pairs,
    fork_at_rest,
    fork_of_the_dense_run,
    forks,
    forks_of_an_epoch,
    independent_pairs,
    moments,
    reversed_order,
    same_order,
    sampled_pairs,
    second_moment,
)

SEEDS = range(30)
Draw = Callable[[Random], ExactSides]


def several(draw: Draw) -> list[ExactSides]:
    return [draw(Random(seed)) for seed in SEEDS]


@pytest.mark.parametrize("check", CLAIM.checks, ids=lambda check: check.family)
@given(rng=sources())
def test_every_check_holds(check: Any, rng: Random) -> None:
    assert check.draw(rng).defect() <= check.bound


@pytest.mark.parametrize("control", CLAIM.controls, ids=lambda c: c.dropped)
def test_every_control_fails_often(control: Any) -> None:
    found = sum(s.defect() > COUNTER_EXAMPLE for s in several(control.draw))
    assert found >= len(SEEDS) // 4


@pytest.mark.parametrize("draw", [second_moment, sampled_pairs, forks, moments])
def test_the_cases_are_not_empty(draw: Draw) -> None:
    sides = several(draw)
    assert sum(s.left[0] > 0 for s in sides) >= len(SEEDS) // 3
    assert all(s.case.startswith("Subnetwork(dag=") for s in sides)


def test_networks_have_every_optimiser() -> None:
    cases = [stability_to_data_order._case(Random(seed)) for seed in range(60)]
    owns = [own for own, _ in cases]
    assert {own.sgd.rate for own in owns} == {Fraction(1, 4)}
    assert {own.sgd.momentum for own in owns} == {Fraction(1, 2), Fraction(3, 4)}
    assert {own.sgd.decay for own in owns} == {0, Fraction(1, 4)}
    assert {len(own.dag.biases) for own in owns} == {0, 3}
    assert all(len(own.dag.weights) == 6 and own.pruned for own in owns)
    assert {(len(batches), *map(len, batches)) for _, batches in cases} == {
        (3, 1, 1, 1),
        (3, 2, 2, 2),
    }


def spied(monkeypatch: pytest.MonkeyPatch) -> list[set[Order]]:
    """Return the list to which the orders of every enumeration are added."""
    seen: list[set[Order]] = []
    original = forked_runs.ends

    def spy(own: Subnetwork, batches: list[Batch], orders: list[Order]) -> object:
        seen.append(set(orders))
        return original(own, batches, orders)

    monkeypatch.setattr(forked_runs, "ends", spy)
    return seen


def test_all_orders_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, drawn = spied(monkeypatch), set(product(range(2), repeat=3))
    assert STEPS == 3
    for draw in (second_moment, sampled_pairs, forks, moments):
        draw(Random(0))
        assert seen.pop() == drawn
    forks_of_an_epoch(Random(0))
    assert seen == [set(permutations(range(3)))]


def test_distances_of_the_same_order_and_of_its_reverse() -> None:
    for same, other, both in zip(
        several(same_order),
        several(reversed_order),
        several(second_moment),
        strict=True,
    ):
        assert same.left == (0,)
        assert same.right == other.right == both.right == both.left
        assert same.case == other.case == both.case


def test_reversed_orders_by_enumeration() -> None:
    found = []
    for seed in range(10):
        own, batches = stability_to_data_order._case(Random(seed))
        ends = forked_runs.ends(own, batches, list(product(range(2), repeat=3)))
        gaps = [gap(x, ends[order[::-1]]) for order, x in ends.items()]
        found.append(sum(gaps, Fraction(0)) / 8)
    assert found == [reversed_order(Random(seed)).left[0] for seed in range(10)]
    assert sum(map(bool, found)) > 3


# forks ------------------------------------------------------------------------------


@pytest.mark.parametrize("draw", [forks, forks_of_an_epoch])
def test_the_distance_of_forks_falls_to_zero(draw: Draw) -> None:
    sides = several(draw)
    for s in sides:
        assert len(s.left) == STEPS + 1 and s.left[-1] == 0
        assert all(a >= b for a, b in pairwise(s.left))
        assert all(type(x) is Fraction for x in s.right)
    strict = [s for s in sides if s.left[0] > s.left[1] > s.left[2]]
    assert len(strict) >= 8
    two = draw is forks_of_an_epoch  # the last batch of an epoch decides nothing more
    assert all((s.left[2] == 0) == two for s in strict)


@pytest.mark.parametrize("control", [fork_at_rest, fork_of_the_dense_run])
def test_forks_that_lose_something_can_rise_with_k(control: Draw) -> None:
    """So paper B's figure 4 is no consequence of the theorem on forks."""
    rising = [s for s in several(control) if any(a < b for a, b in pairwise(s.left))]
    assert rising
    for s in rising:
        assert list(s.right) == sorted(s.right, reverse=True)


def test_forks_are_split_at_k(monkeypatch: pytest.MonkeyPatch) -> None:
    for draw, split in (
        (fork_at_rest, forked_runs.stopped),
        (fork_of_the_dense_run, forked_runs.rewound),
    ):
        own, batches = stability_to_data_order._case(Random(5))
        orders = list(product(range(2), repeat=3))
        found = draw(Random(5))
        for k in range(4):
            ends = {order: split(own, batches, order, k) for order in orders}
            assert found.left[k] == fork(ends, k)
        assert found.right == forks(Random(5)).right


# pairs ------------------------------------------------------------------------------


def test_some_runs_are_two_to_five(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    original = stability_to_data_order.combinations

    def spy(runs: list[object], size: int) -> object:
        counts.append(len(runs))
        return original(runs, size)

    monkeypatch.setattr(stability_to_data_order, "combinations", spy)
    for s in several(sampled_pairs):
        assert s.defect() == 0.0
    assert set(counts) == {2, 3, 4, 5}


def test_errors_of_pairs_are_those_of_the_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: set[tuple[int, int]] = set()
    original = pair_sampling.variance_of_mean

    def spy(table: pair_sampling.Table, n: int) -> Fraction:
        seen.add((len(table), n))
        assert all(table[i][i] == 0 for i in range(len(table)))
        return original(table, n)

    monkeypatch.setattr(pair_sampling, "variance_of_mean", spy)
    sides = several(error_of_pairs)
    assert seen == {(2, 3), (2, 4), (3, 3), (3, 4)}
    assert sum(s.left[0] > 0 and s.left[1] > 0 for s in sides) > 20
    for s, naive in zip(sides, several(independent_pairs), strict=True):
        assert naive.right == s.left[:1] and naive.case == s.case
        assert naive.left[0] <= naive.right[0]
    assert all(s.case[1:].startswith(" runs of [(Fraction(") for s in sides)
    tables = [stability_to_data_order._kernel(Random(seed)) for seed in range(300)]
    ends = [re.findall(r"\((Fraction\(.*?\)),?\)(?:,|\])", case) for *_, case in tables]
    entries = [
        re.findall(r"Fraction\((-?\d), 1\)", one) for some in ends for one in some
    ]
    assert {len(values) for values in entries} == {1, 2, 3}
    assert {int(v) for values in entries for v in values} == set(range(-3, 4))


# moments ----------------------------------------------------------------------------


def test_moments_are_of_the_weights_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state holds velocities too, whose variance does not count."""
    seen: list[tuple[int, int, Fraction]] = []
    original = affine_steps.moments

    def spy(
        maps: list[tuple[Array, Array]], start: Array, steps: int
    ) -> tuple[Array, Array]:
        mean, covariance = original(maps, start, steps)
        size = len(start) // 2
        trace = sum((covariance[i, i] for i in range(size)), Fraction(0))
        seen.append((len(maps), steps, 2 * trace))
        assert not start[size:].any()
        return mean, covariance

    sizes: set[tuple[int, int]] = set()
    step = affine_steps.Quadratic.of.__func__  # type: ignore[attr-defined]

    def sized(cls: type, batch: Batch) -> object:
        sizes.add((len(batch[0].inputs), len(batch)))
        return step(cls, batch)

    monkeypatch.setattr(affine_steps.Quadratic, "of", classmethod(sized))
    monkeypatch.setattr(affine_steps, "moments", spy)
    sides = several(moments)
    assert sizes == {(2, 1), (2, 2), (3, 1), (3, 2)}
    assert [s.right[0] for s in sides] == [value for *_, value in seen]
    assert {row[:2] for row in seen} == {(2, 3)}
