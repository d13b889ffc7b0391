"""Scores, tie rules, schedules and critical counts of exact runs, by hand."""

from random import Random

import pytest
from hypothesis import given
from strategies import sources

from theory.exact_pruning import (
    Score,
    collapsed,
    critical_count,
    disconnected,
    exponential_counts,
    magnitude,
    one_at_a_time,
    removal_order,
    safely,
    saliency,
    scheduled,
    snip,
    synflow,
    to_every_target,
)
from theory.positive_paths import Units, chain, random_chain, random_graph

SIGNED = chain((1, 2, 1), [2, -3, 1, 1])
ONES = chain((1, 2, 2, 1), [1] * 8)


def test_scores_by_hand() -> None:
    whole, without = SIGNED.everything, frozenset({1, 2, 3})
    assert saliency(SIGNED, whole) == {0: 2, 1: -3, 2: 2, 3: -3}
    assert snip(SIGNED, whole) == {0: 2, 1: 3, 2: 2, 3: 3}
    assert synflow(SIGNED, whole) == {0: 2, 1: 3, 2: 2, 3: 3}
    assert magnitude(SIGNED, whole) == {0: 2, 1: 3, 2: 1, 3: 1}
    assert saliency(SIGNED, without) == {1: -3, 2: 0, 3: -3}
    assert synflow(SIGNED, without) == {1: 3, 2: 0, 3: 3}
    assert magnitude(SIGNED, without) == {1: 3, 2: 1, 3: 1}


def test_snip_and_synflow_differ_where_paths_cancel() -> None:
    units = chain((2, 1, 1), [3, -2, 4])
    assert snip(units, units.everything) == {0: 12, 1: 8, 2: 4}
    assert synflow(units, units.everything) == {0: 12, 1: 8, 2: 20}


def test_of_equal_scores_the_last_goes_first() -> None:
    assert removal_order({0: 1, 1: 0, 2: 1, 3: 0}) == [3, 1, 2, 0]
    assert removal_order({}) == []


def test_one_at_a_time_goes_to_the_end() -> None:
    states = [sorted(kept) for kept in one_at_a_time(SIGNED, magnitude)]
    assert states == [[0, 1, 2, 3], [0, 1, 2], [0, 1], [1], []]
    states = [sorted(kept) for kept in one_at_a_time(SIGNED, synflow)]
    assert states == [[0, 1, 2, 3], [0, 1, 3], [1, 3], [1], []]


def test_a_schedule_scores_before_each_of_its_steps() -> None:
    counts = [3, 3, 2, 0]
    states = [sorted(kept) for kept in scheduled(SIGNED, synflow, counts)]
    assert states == [[0, 1, 3], [0, 1, 3], [1, 3], []]
    (once,) = scheduled(ONES, synflow, [4])
    assert sorted(once) == [0, 1, 6, 7]  # scores 2, 2; 1, 1, 1, 1; 2, 2
    assert list(scheduled(SIGNED, synflow, [])) == []


def test_counts_of_the_exponential_schedule() -> None:
    assert exponential_counts(100, 1, 2) == [10, 1]
    assert exponential_counts(8, 1, 3) == [4, 2, 1]
    assert exponential_counts(10, 3, 1) == [3]
    assert exponential_counts(5, 5, 2) == [5, 5]


def test_safe_steps_take_all_that_stays_below_the_flow() -> None:
    # R = 4; scores 2 2 | 1 1 1 1 | 2 2: three of the middle ones go, a fourth may not
    states = [sorted(kept) for kept in safely(ONES)]
    assert states == [list(range(8)), [0, 1, 2, 6, 7], [0, 2, 6]]


def test_safe_steps_use_the_absolute_weights() -> None:
    *_, end = safely(SIGNED)
    assert sorted(end) == [1, 3]


def test_safe_steps_of_a_dead_network_do_nothing() -> None:
    dead = chain((1, 1, 1), [0, 5])
    assert list(safely(dead)) == [dead.everything]


def test_a_parameter_that_carries_everything_may_not_go() -> None:
    one = chain((1, 1), [7])
    assert list(safely(one)) == [frozenset({0})]


def test_failures() -> None:
    crossed = frozenset({0, 3})  # one in each layer, and no path
    assert not collapsed(SIGNED, crossed) and disconnected(SIGNED, crossed)
    assert collapsed(SIGNED, frozenset({0, 1})) and collapsed(SIGNED, frozenset())
    assert not disconnected(SIGNED, frozenset({1, 3}))  # R < 0 is a path as well
    cancelling = chain((2, 1), [1, -1])
    assert not disconnected(cancelling, cancelling.everything)


def test_the_critical_count_is_the_last_before_the_first_failure() -> None:
    runs = [
        frozenset({0, 1, 2}),
        frozenset({0, 2}),
        frozenset({0, 1}),
        frozenset({1, 3}),
    ]
    assert critical_count(SIGNED, runs) == 2
    assert critical_count(SIGNED, runs[2:]) == 4  # fails at once: all are needed
    assert critical_count(SIGNED, [frozenset({0, 1, 3}), frozenset({0, 3})]) == 2
    held = critical_count(
        SIGNED, [frozenset({0, 1, 3}), frozenset({0, 3})], disconnected
    )
    assert held == 3
    assert critical_count(SIGNED, []) == 4


def test_every_target_from_one_less_than_all_to_none() -> None:
    ends = list(to_every_target(ONES, synflow, 1))
    assert [len(kept) for kept in ends] == [7, 6, 5, 4, 3, 2, 1, 0]
    ranking = removal_order(synflow(ONES, ONES.everything))
    assert ends == [frozenset(ranking[gone:]) for gone in range(1, 9)]
    assert critical_count(ONES, ends) == 5
    assert critical_count(ONES, to_every_target(ONES, synflow, 100)) == 3


@given(rng=sources())
def test_safe_steps_remove_less_than_the_flow_and_cannot_remove_more(
    rng: Random,
) -> None:
    units: Units = rng.choice([random_chain, random_graph])(rng)
    states = list(safely(units))
    for kept, after in zip(states, [*states[1:], None], strict=True):
        scores, flow = units.scores(kept), units.flow(kept)
        order = removal_order(scores)
        gone = len(order) - (len(after) if after is not None else len(order))
        assert set(order[:gone]) == kept - (after if after is not None else kept)
        assert sum(scores[p] for p in order[:gone]) < flow
        assert gone == len(order) or sum(scores[p] for p in order[: gone + 1]) >= flow


@pytest.mark.parametrize("score", [synflow, snip, saliency, magnitude])
@given(rng=sources())
def test_scores_are_of_what_is_left_in_order(score: Score, rng: Random) -> None:
    units = random_chain(rng, signed=True)
    kept = frozenset(p for p in units.everything if rng.random() < 0.8)
    found = score(units, kept)
    assert list(found) == sorted(kept)
    assert score is saliency or min(found.values(), default=0) >= 0
