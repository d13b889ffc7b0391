"""Sums over paths: by hand, against passes and differences, and all chains counted."""

from itertools import pairwise, product
from random import Random

import pytest
from hypothesis import given
from strategies import sources

from theory.positive_paths import (
    Units,
    chain,
    chain_layers,
    chain_widths,
    random_chain,
    random_graph,
)

BLOCK = Units(
    links=((0, 1, 0), (1, 2, 1), (0, 2, 2), (2, 3, None)),
    weights=(2, 3, 1),
    layers=(0, 1, 2),
)
RECURRENT = Units(((0, 1, 0), (1, 2, 0), (0, 2, 1)), (3, 5), (0, 0))


def test_a_chain_by_hand() -> None:
    units = chain((2, 2, 1), [1, -2, 3, 4, 5, 6])
    assert units.links == (
        (0, 2, 0),
        (1, 2, 1),
        (0, 3, 2),
        (1, 3, 3),
        (2, 4, 4),
        (3, 4, 5),
    )
    assert units.layers == (0, 0, 0, 0, 1, 1)
    assert units.everything == frozenset(range(6))
    assert units.ends == ((0, 1), frozenset({4}))
    assert sorted(units.paths) == [(0, 4), (1, 4), (2, 5), (3, 5)]
    assert units.flow(units.everything) == (1 - 2) * 5 + (3 + 4) * 6
    assert units.scores(units.everything) == {0: 5, 1: -10, 2: 18, 3: 24, 4: -5, 5: 42}
    kept = frozenset({1, 3, 4})
    assert units.flow(kept) == -10 and units.scores(kept) == {1: -10, 3: 0, 4: -10}
    assert units.counts(kept) == (2, 1) and units.counts(frozenset()) == (0, 0)
    assert units.positive().weights == (1, 2, 3, 4, 5, 6)
    assert str(units) == "0-2: 1, 1-2: -2, 0-3: 3, 1-3: 4, 2-4: 5, 3-4: 6"


def test_a_residual_block_by_hand() -> None:
    assert BLOCK.flow(BLOCK.everything) == 7
    assert BLOCK.scores(BLOCK.everything) == {0: 6, 1: 6, 2: 1}
    assert BLOCK.flow(frozenset({0, 2})) == 1 and BLOCK.flow(frozenset()) == 0
    assert str(BLOCK) == "0-1: 2, 1-2: 3, 0-2: 1, 2-3: fixed"


def test_a_weight_that_a_path_uses_twice_counts_twice() -> None:
    assert sorted(RECURRENT.paths) == [(0, 0), (1,)]
    assert RECURRENT.flow(RECURRENT.everything) == 14
    assert RECURRENT.scores(RECURRENT.everything) == {0: 18, 1: 5}


def test_several_outputs_are_added_and_a_fixed_path_needs_no_parameter() -> None:
    units = Units(((0, 1, None), (0, 2, 0), (1, 3, None)), (4,), (0,))
    assert units.ends == ((0,), frozenset({2, 3}))
    assert units.flow(units.everything) == 5 and units.flow(frozenset()) == 1
    assert units.scores(units.everything) == {0: 4}


@given(rng=sources())
def test_passes_and_paths_agree(rng: Random) -> None:
    for units in (random_chain(rng, signed=True), random_graph(rng, shared=True)):
        kept = frozenset(p for p in units.everything if rng.random() < 0.8)
        total = 0
        for path in units.paths:
            carried = int(kept.issuperset(path))
            for p in path:
                carried *= units.weights[p]
            total += carried
        assert units.flow(kept) == total


@given(rng=sources())
def test_without_sharing_a_score_is_what_removal_takes(rng: Random) -> None:
    for units in (random_chain(rng, signed=True), random_graph(rng)):
        whole = units.everything
        for p, score in units.scores(whole).items():
            assert score == units.flow(whole) - units.flow(whole - {p})


@given(rng=sources())
def test_layers_of_a_chain_carry_everything(rng: Random) -> None:
    units = random_chain(rng, signed=rng.random() < 0.5)
    totals = [0] * (max(units.layers) + 1)
    for p, score in units.scores(units.everything).items():
        totals[units.layers[p]] += score
    assert set(totals) == {units.flow(units.everything)}


def test_all_chains_are_listed_once() -> None:
    found = sorted(chain_widths(5))
    brute = [
        widths
        for length in range(2, 7)
        for widths in product(range(1, 6), repeat=length)
        if sum(n * m for n, m in pairwise(widths)) <= 5
    ]
    assert found == sorted(brute) and len(found) == 33
    assert [len(list(chain_widths(size))) for size in (1, 6, 12)] == [1, 60, 1032]
    assert list(chain_widths(0)) == []


def test_layers_of_a_chain() -> None:
    assert chain_layers((2, 3, 1)) == (0,) * 6 + (1,) * 3


@pytest.mark.parametrize("count", [2, 4])
def test_a_chain_needs_a_weight_for_every_link(count: int) -> None:
    message = rf"^a chain of widths \(1, 1, 2\) has 3 weights, got {count}$"
    with pytest.raises(ValueError, match=message):
        chain((1, 1, 2), [1] * count)


def test_random_chains_reach_what_they_should() -> None:
    drawn = [random_chain(Random(seed)) for seed in range(300)]
    for units in drawn:
        assert units.flow(units.everything) > 0
    assert {max(u.layers) + 1 for u in drawn} == {2, 3, 4}
    assert {w for u in drawn for w in u.weights} == set(range(6))  # 5: raised
    assert max(len(u.ends[0]) for u in drawn) == 3
    signed = [random_chain(Random(seed), signed=True) for seed in range(300)]
    values = {w for u in signed for w in u.weights}
    assert values == {*range(-9, 0), *range(1, 10)}
    assert {u.flow(u.everything) > 0 for u in signed} == {False, True}


def test_random_graphs_reach_what_they_should() -> None:
    drawn = [random_graph(Random(seed)) for seed in range(300)]
    for units in drawn:
        assert units.flow(units.everything) > 0
        parameters = [p for _, _, p in units.links if p is not None]
        assert sorted(parameters) == list(range(len(units.weights)))
        assert units.layers == tuple(parameters)
        assert all(i < j for i, j, _ in units.links)
    assert {len({j for _, j, _ in u.links}) + 1 for u in drawn} >= {3, 4, 5, 6, 7}
    assert any(p is None for u in drawn for _, _, p in u.links)
    assert {w for u in drawn for w in u.weights} == set(range(6))  # 5: raised
    shared = [random_graph(Random(seed), shared=True) for seed in range(300)]
    assert any(len(set(path)) < len(path) for u in shared for path in u.paths)


def test_networks_without_a_path_are_raised_to_have_one() -> None:
    class Zeros(Random):
        """Draws the smallest number every time, and never a fixed link."""

        def randint(self, a: int, b: int) -> int:
            return a

        def random(self) -> float:
            return 0.5

    assert set(random_chain(Zeros()).weights) == {1}
    assert set(random_graph(Zeros()).weights) == {1}


def test_a_graph_of_fixed_links_only_gets_a_parameter() -> None:
    class Fixed(Random):
        """Makes every link a fixed one."""

        def randint(self, a: int, b: int) -> int:
            return b

        def random(self) -> float:
            return 0.1

    units = random_graph(Fixed())
    assert [p for _, _, p in units.links if p is not None] == [0]
    assert units.links[-1] == (5, 6, 0) and units.weights == (4,)
