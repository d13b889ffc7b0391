"""Each dropped hypothesis: what is run, what is compared, and that it can collapse."""

import re
from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from theory import dropped_hypotheses as dropped
from theory import exact_pruning
from theory.claim import ExactSides
from theory.exact_pruning import collapsed, one_at_a_time, scheduled
from theory.positive_paths import Units, chain, random_chain

SINGLE = {
    dropped.by_magnitude: exact_pruning.magnitude,
    dropped.by_snip: exact_pruning.snip,
}
SCHEDULED = {dropped.one_shot: 1, dropped.two_steps: 2}
SEEDS = range(60)
Control = Callable[[Random], ExactSides]


def count(units: Units, score: exact_pruning.Score) -> int:
    """Parameters left before the first empty layer, by a loop of its own."""
    left = len(units.weights)
    for kept in one_at_a_time(units, score):
        if collapsed(units, kept):
            return left
        left = len(kept)
    raise AssertionError("nothing is left, and nothing collapsed")


@pytest.mark.parametrize("control", SINGLE, ids=lambda c: c.__name__)
def test_one_at_a_time_on_signed_chains(control: Control) -> None:
    broken = 0
    for seed in SEEDS:
        units = random_chain(Random(seed), signed=True)
        sides = control(Random(seed))
        assert sides.case == str(units)
        assert sides.left == (count(units, SINGLE[control]),)
        assert sides.right == (max(units.layers) + 1,)
        broken += sides.left > sides.right
    assert broken > 5


def test_signed_saliency_where_the_total_is_negative() -> None:
    drawn = [dropped.signed(Random(seed)) for seed in SEEDS]
    chains = [[int(w) for w in re.findall(r": (-?\d)", side.case)] for side in drawn]
    for side, (first, *last) in zip(drawn, chains, strict=True):
        assert first * sum(last) <= 0
        units = chain((1, 1, len(last)), [first, *last])
        assert side.case == str(units) and side.right == (2,)
        assert side.left == (count(units, exact_pruning.saliency),)
    assert {len(weights) for weights in chains} == {3, 4}
    assert {abs(w) for weights in chains for w in weights} == set(range(1, 10))
    assert sum(side.left > side.right for side in drawn) > 15


@pytest.mark.parametrize("control", SCHEDULED, ids=lambda c: c.__name__)
def test_few_steps_of_synflow(control: Control) -> None:
    broken = 0
    for seed in SEEDS:
        units = random_chain(Random(seed))
        if control is dropped.two_steps:
            units = replace(units, weights=(1,) * len(units.weights))
        sides = control(Random(seed))
        assert sides.case == str(units)
        (found,), (layers,) = sides.left, sides.right
        assert layers == max(units.layers) + 1 <= found
        for target in range(int(found) - 1, len(units.weights)):
            steps = exact_pruning.exponential_counts(
                len(units.weights), target, SCHEDULED[control]
            )
            *_, end = scheduled(units, exact_pruning.synflow, steps)
            assert collapsed(units, end) == (target < found)
        broken += found > layers
    assert broken > 5


def test_a_dead_chain_loses_its_last_layer_first() -> None:
    for seed in SEEDS:
        units = random_chain(Random(seed))
        sides = dropped.no_path(Random(seed))
        last = units.layers.count(max(units.layers))
        assert sides.left == (len(units.weights) - last + 1,)
        assert sides.right == (max(units.layers) + 1,)
        assert set(sides.case.split(", ")) <= {f"{i}-{j}: 0" for i, j, _ in units.links}


def test_biases_take_flow_away_from_layers() -> None:
    found = [dropped.biases_kept(Random(seed)) for seed in range(30)]
    for sides in found:
        assert sides.left.shape == sides.right.shape == sides.scale.shape == (1,)
        assert 0 < float(sides.right) <= float(sides.left) <= 1
        assert float(sides.scale) == 1 and sides.case.startswith("Linear 1x1, Linear ")
        assert sides.case.count("Linear") == 3
        size = 3 / float(sides.right)
        assert size == pytest.approx(round(size))
        kept = float(sides.left) * size
        assert kept == pytest.approx(round(kept))
    assert any(sides.defect() > 0.05 for sides in found)
