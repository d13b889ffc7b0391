"""Theorem 3: its checks, every small chain, and what breaks without each hypothesis."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations, pairwise, product
from random import Random
from typing import Any

import pytest
from hypothesis import given
from strategies import sources

from theory import critical_compression
from theory.critical_compression import CLAIM, surviving_share
from theory.exact_pruning import (
    collapsed,
    critical_count,
    disconnected,
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
from theory.ledger import COUNTER_EXAMPLE
from theory.positive_paths import Kept, Units, chain, chain_layers, chain_widths

WIDTHS = tuple(chain_widths(12))


# identity ---------------------------------------------------------------------------


@pytest.mark.parametrize("check", CLAIM.checks, ids=lambda check: check.family)
@given(rng=sources())
def test_every_check_holds(check: Any, rng: Random) -> None:
    assert check.draw(rng).defect() <= check.bound


@pytest.mark.parametrize("control", CLAIM.controls, ids=lambda c: c.dropped)
def test_every_control_fails(control: Any) -> None:
    worst = max(control.draw(Random(seed)).defect() for seed in range(40))
    assert worst > COUNTER_EXAMPLE


# exhaustive -------------------------------------------------------------------------


def confirm(units: Units) -> None:
    """Both forms of the theorem on one chain, with the inequality at every step."""
    layers = max(units.layers) + 1
    single = list(one_at_a_time(units, synflow))[: len(units.weights) - layers + 1]
    for states in (single, list(safely(units))):
        for before, after in pairwise(states):
            score, gone = units.scores(before), before - after
            pruned, flow = sum(score[p] for p in gone), units.flow(before)
            assert min(score.values()) >= 0 and pruned < flow
            assert units.flow(after) >= flow - pruned
            if len({units.layers[p] for p in gone}) == 1:
                assert units.flow(after) == flow - pruned
        assert units.counts(states[-1]) == (1,) * layers, str(units)
        assert units.flow(states[-1]) > 0, str(units)
    share = Fraction(units.flow(single[-1]), units.flow(units.everything))
    assert share >= surviving_share(len(units.weights), layers)


@pytest.mark.parametrize("values", [(1,), (1, 2), (1, 2, 3, 4, 5), (0, 1, 2)])
def test_every_chain_of_up_to_12_weights(values: tuple[int, ...]) -> None:
    """All 1032: equal weights, few and many values, zeros wherever a path is left."""
    rng, tried = Random(12), 0
    for widths in WIDTHS:
        units = chain(widths, [rng.choice(values) for _ in chain_layers(widths)])
        if units.flow(units.everything):
            confirm(units)
            tried += 1
    assert len(WIDTHS) == 1032
    assert tried == 1032 or (0 in values and tried > 300)


def test_every_weight_of_every_chain_of_up_to_5_weights() -> None:
    """All of 0, 1, 2 on all 33 chains, ties and dead ends included."""
    tried = 0
    for widths in chain_widths(5):
        for weights in product(range(3), repeat=len(chain_layers(widths))):
            units = chain(widths, weights)
            if units.flow(units.everything):
                confirm(units)
                tried += 1
    assert tried == 2598


def outcomes(units: Units, kept: Kept, seen: set[Kept]) -> Iterator[Kept]:
    """Every end of one at a time, whichever of equal lowest scores goes."""
    if kept in seen:
        return
    seen.add(kept)
    scores, flow = units.scores(kept), units.flow(kept)
    if min(scores.values()) >= flow:
        yield kept
        return
    for p in [p for p in kept if scores[p] == min(scores.values())]:
        yield from outcomes(units, kept - {p}, seen)


def test_every_way_to_break_ties() -> None:
    for widths in chain_widths(9):
        units = chain(widths, [1] * len(chain_layers(widths)))
        ends = list(outcomes(units, units.everything, set()))
        assert ends
        for end in ends:
            assert set(units.counts(end)) == {1} and units.flow(end) == 1


def test_every_removal_from_every_chain_of_up_to_7_weights() -> None:
    """Any set may go, not only the lowest scores: R falls by at most its score."""
    rng = Random(7)
    for widths in chain_widths(7):
        units = chain(widths, [rng.randint(0, 3) for _ in chain_layers(widths)])
        whole = units.everything
        score, flow = units.scores(whole), units.flow(whole)
        for size in range(len(whole) + 1):
            for gone in combinations(sorted(whole), size):
                after = units.flow(whole.difference(gone))
                pruned = sum(score[p] for p in gone)
                assert after >= flow - pruned
                if len({units.layers[p] for p in gone}) <= 1:
                    assert after == flow - pruned
                if pruned < flow:
                    assert after > 0


# the last path ----------------------------------------------------------------------


def test_the_share_of_the_last_path() -> None:
    assert surviving_share(12, 3) == Fraction(1, 64)  # (L / N)^L
    assert surviving_share(12, 4) == Fraction(1, 81)
    assert surviving_share(10, 3) == Fraction(1, 36)
    assert surviving_share(4, 4) == surviving_share(1, 1) == 1
    assert surviving_share(7, 1) == Fraction(1, 7)


def test_the_share_is_attained() -> None:
    units = chain((1, 5), [1] * 5)
    (end,) = (kept for kept in one_at_a_time(units, synflow) if len(kept) == 1)
    share = Fraction(units.flow(end), units.flow(units.everything))
    assert share == surviving_share(5, 1)


@pytest.mark.parametrize(("size", "layers"), [(3, 4), (3, 0), (0, 0)])
def test_a_share_needs_a_parameter_in_each_layer(size: int, layers: int) -> None:
    message = rf"^expected 1 <= layers <= size, got {layers} layers of {size} para"
    with pytest.raises(ValueError, match=message):
        surviving_share(size, layers)


# counter-examples, one for each dropped hypothesis ----------------------------------


def test_scores_of_both_signs_with_a_negative_total() -> None:
    """1 -> -1, -2: the bottleneck's score is R = -3, the lowest, and goes first."""
    units = chain((1, 1, 2), [1, -1, -2])
    assert saliency(units, units.everything) == {0: -3, 1: -1, 2: -2}
    assert critical_count(units, one_at_a_time(units, saliency)) == 3
    assert critical_count(units, one_at_a_time(units, synflow)) == 2


def test_scores_of_both_signs_pay_for_a_whole_layer() -> None:
    """R = 2 > 0: -3 and the bottleneck's 2 go together, prune size -1 < cut size 2."""
    units = chain((1, 1, 2), [1, 5, -3])
    scores = saliency(units, units.everything)
    first, second, _ = removal_order(scores)
    assert scores[first] + scores[second] < units.flow(units.everything)
    (end,) = scheduled(units, saliency, [1])
    assert collapsed(units, end)


def test_one_at_a_time_a_positive_total_is_enough() -> None:
    """Ours: signed saliency reaches L on every chain with R > 0."""
    rng, reached, missed = Random(3), 0, 0
    for widths in WIDTHS:
        layers = len(widths) - 1
        drawn = [rng.choice((-1, 1)) * rng.randint(1, 9) for _ in chain_layers(widths)]
        units = chain(widths, drawn)
        total = units.flow(units.everything)
        run = list(one_at_a_time(units, saliency))
        if total > 0:
            reached += 1
            assert critical_count(units, run) == layers, str(units)
            assert units.flow(run[len(drawn) - layers]) > 0
            assert critical_count(units, run, disconnected) == layers, str(units)
        elif total < 0:
            missed += critical_count(units, run) > layers
    assert reached > 400 and missed > 100


def test_iterated_magnitude() -> None:
    units = chain((1, 1, 2), [1, 2, 3])
    assert critical_count(units, one_at_a_time(units, magnitude)) == 3
    assert critical_count(units, one_at_a_time(units, synflow)) == 2


def test_iterated_snip() -> None:
    """Paths 3 and -2 cancel to R = 1: the bottleneck's |S| is the smallest."""
    units = chain((1, 1, 2, 1), [1, 3, 2, 1, -1])
    assert snip(units, units.everything) == {0: 1, 1: 3, 2: 2, 3: 3, 4: 2}
    assert critical_count(units, one_at_a_time(units, snip)) == 5
    assert critical_count(units, one_at_a_time(units, synflow)) == 3


def test_one_shot_synflow() -> None:
    """Scores 2 2 | 1 1 1 1 | 2 2: the middle layer goes before anything else."""
    units = chain((1, 2, 2, 1), [1] * 8)
    assert critical_count(units, to_every_target(units, synflow, 1)) == 5
    assert critical_count(units, one_at_a_time(units, synflow)) == 3


def test_a_prune_size_of_one_cut() -> None:
    """Scores 1 1 | 1 1, R = 2: the two that may not go together are a layer."""
    units = chain((1, 2, 1), [1] * 4)
    (end,) = scheduled(units, synflow, [2])
    assert collapsed(units, end) and len(end) == 2
    *_, safe = safely(units)
    assert len(safe) == 2 and not collapsed(units, safe)


def test_no_path_at_the_start() -> None:
    """0 blocks the first layer; all scores are 0 and the last layer goes first."""
    units = chain((1, 1, 2), [0, 1, 1])
    assert critical_count(units, one_at_a_time(units, synflow)) == 2
    assert not units.flow(units.everything)
    longer = chain((1, 2, 1), [0, 0, 1, 1])
    assert critical_count(longer, one_at_a_time(longer, synflow)) == 3


def test_a_residual_net_misses_its_shortest_path() -> None:
    """A branch of two weights carries 4, its shortcut of one weight 1."""
    units = Units(((0, 1, 0), (1, 2, 1), (0, 2, 2)), (2, 2, 1), (0, 1, 2))
    *_, end = safely(units)
    assert end == {0, 1} and set(units.scores(end).values()) == {units.flow(end)}
    shortest = frozenset({2})
    assert units.flow(shortest) > 0  # one parameter would have been enough
    assert [len(kept) for kept in one_at_a_time(units, synflow)] == [3, 2, 1, 0]


def test_an_identity_shortcut_lets_its_branch_vanish() -> None:
    """Input, block with a fixed shortcut, output: both weights of the branch may go."""
    links = ((0, 1, 0), (1, 2, 1), (2, 3, 2), (1, 3, None), (3, 4, 3))
    units = Units(links, (1, 5, 5, 1), (0, 1, 2, 3))
    *_, end = safely(units)
    assert end == {0, 3} and units.counts(end) == (1, 0, 0, 1) and units.flow(end) == 1


def test_weights_that_layers_share_may_leave_two_paths() -> None:
    """R = a a + b b with a = b = 1: S_a = S_b = 2 = R, and neither may go."""
    links = ((0, 1, 0), (1, 2, 0), (0, 3, 1), (3, 4, 1))
    units = Units(links, (1, 1), (0, 0))
    assert units.scores(units.everything) == {0: 2, 1: 2}
    assert units.flow(units.everything) == 2
    assert list(safely(units)) == [units.everything]
    assert units.flow(frozenset({0})) == 1  # though a path would be left


def test_a_shared_weight_breaks_the_equality_in_one_layer() -> None:
    units = Units(((0, 1, 0), (1, 2, 0), (0, 2, 1)), (3, 5), (0, 0))
    score, flow = units.scores(units.everything), units.flow(units.everything)
    assert (flow, score[0], units.flow(frozenset({1}))) == (14, 18, 5)
    assert units.flow(frozenset({1})) > flow - score[0]


def local(units: Units, score: Any, target: int) -> Kept:
    """The `target` best of each layer, scored once: local masking."""
    scores = score(units, units.everything)
    return frozenset(
        p
        for layer in set(units.layers)
        for p in removal_order(
            {p: s for p, s in scores.items() if units.layers[p] == layer}
        )[-target:]
    )


@pytest.mark.parametrize("score", [saliency, snip, magnitude, synflow])
def test_local_masking_needs_no_hypothesis(score: Any) -> None:
    """No layer empties under any score; but the path may be lost, unlike theorem 3."""
    rng, lost = Random(5), 0
    for widths in chain_widths(9):
        drawn = [rng.choice((-1, 1)) * rng.randint(1, 9) for _ in chain_layers(widths)]
        units = chain(widths, drawn)
        kept = local(units, score, 1)
        assert set(units.counts(kept)) == {1}
        lost += disconnected(units, kept)
    assert lost > 0


# the claim's own words --------------------------------------------------------------


def test_one_layer_compares_a_pass_with_scores() -> None:
    for seed in range(20):
        sides = critical_compression.one_layer(Random(seed))
        assert sides.left == sides.right and len(sides.left) == 1
        assert "-" in sides.case


def test_several_layers_are_not_always_equal() -> None:
    slack = [critical_compression.equal_across_layers(Random(s)) for s in range(40)]
    assert all(sides.left >= sides.right for sides in slack)
    assert any(sides.left > sides.right for sides in slack)


def test_the_exact_checks_are_of_every_layer() -> None:
    for seed in range(20):
        sides = critical_compression.singly(Random(seed))
        *counts, share = sides.left
        assert set(counts) == {1} and 2 <= len(counts) <= 4 and 0 < share <= 1
        safe = critical_compression.in_safe_steps(Random(seed))
        assert safe.left == safe.right == (1,) * (len(counts) + 1)
        path = critical_compression.one_path(Random(seed))
        assert path.left[-1] == 1 and len(set(path.left[:-1])) <= 1
