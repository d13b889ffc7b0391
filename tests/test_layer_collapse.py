"""One-shot collapse: identity, oracle, symmetry, edge cases, controls."""

from collections.abc import Callable
from fractions import Fraction
from itertools import combinations_with_replacement, product
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import sources

from experiments.architectures import (
    lenet_300_100,
    prunable_weights,
    small_vgg,
    vgg_cifar,
)
from theory import layer_collapse, random_networks
from theory.claim import ExactSides
from theory.critical_count import conserved_count, measured_count, ranks
from theory.layer_collapse import CLAIM
from theory.ledger import COUNTER_EXAMPLE
from theory.masks import collapsed, counts, keep_largest
from theory.networks import Network
from theory.scores import snip, taylor_fo
from theory.synflow import synflow

Scores = dict[str, torch.Tensor]


def layers(*values: list[int]) -> Scores:
    return {
        str(number): torch.tensor(layer, dtype=torch.float64)
        for number, layer in enumerate(values)
    }


def drawing(name: str) -> Callable[[Random], ExactSides]:
    found: Any = getattr(layer_collapse, name)
    return found  # type: ignore[no-any-return]


# identity ---------------------------------------------------------------------------


@pytest.mark.parametrize("check", CLAIM.checks, ids=lambda check: check.family)
@given(rng=sources())
def test_every_check_holds(check: Any, rng: Random) -> None:
    assert check.bound == 0.0
    assert check.draw(rng).defect() == 0.0


def compositions(total: int, size: int) -> list[list[int]]:
    """All lists of `size` integers >= 0 with the given sum."""
    cuts = combinations_with_replacement(range(total + 1), size - 1)
    return [
        [b - a for a, b in zip((0, *cut), (*cut, total), strict=True)] for cut in cuts
    ]


@pytest.mark.parametrize("flow", [1, 2, 4])
@pytest.mark.parametrize(
    "sizes", [(1,), (1, 2), (2, 1), (3, 3), (1, 3, 2), (2, 2, 2), (4, 1, 2)]
)
def test_the_bound_for_all_conserved_integer_scores(
    sizes: tuple[int, ...], flow: int
) -> None:
    """Exhaustive: no conserved scores of these totals have a larger critical count."""
    bound = conserved_count(sizes)
    found = {
        max(ranks(layers(*each)).values())
        for each in product(*(compositions(flow, size) for size in sizes))
    }
    assert max(found) <= bound
    if all(flow % size == 0 for size in sizes):  # equal integer scores are among them
        assert max(found) == bound


# oracle -----------------------------------------------------------------------------


def test_equal_scores_by_hand() -> None:
    """Layers of 2, 4, 4 with scores 6, 3, 3: the last four ranks are the last layer."""
    scores = layers([6, 6], [3] * 4, [3] * 4)
    assert ranks(scores) == {"0": 1, "1": 3, "2": 7}
    assert measured_count(scores) == conserved_count([2, 4, 4]) == 7
    masks = keep_largest(scores, 6 / 10)
    assert counts(masks) == {"0": 2, "1": 4, "2": 0} and collapsed(masks) == ("2",)


def test_the_bound_of_cifar_vgg16() -> None:
    """Five layers tie as the largest (512 x 512 x 9): only one of them is counted."""
    sizes = list(prunable_weights(vgg_cifar(16, 10, generator=None)).values())
    assert conserved_count(sizes) == 14_715_584 - 2_359_296 + 1


@pytest.mark.parametrize("seed", range(3))
def test_synflow_of_real_networks_collapses_later_than_the_bound(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    cases = (
        (small_vgg(bias=False, generator=generator), (1, 8, 8), "7.weight"),
        (lenet_300_100(generator=generator), (1, 28, 28), "1.weight"),
    )
    for model, shape, largest in cases:
        network = Network.of(model)
        every = synflow(network, shape)
        places = ranks({name: every[name] for name in network.prunable})
        sizes = [network.parameters[name].numel() for name in network.prunable]
        assert max(places.values()) < conserved_count(sizes)
        assert max(places, key=lambda name: places[name]) == largest


# symmetry ---------------------------------------------------------------------------


@given(st.integers(0, 10**6), st.sampled_from([2.0**-26, 2.0**26]))
def test_no_critical_count_depends_on_the_unit(seed: int, factor: float) -> None:
    rng = Random(seed)
    scores = layers(*([rng.randint(-4, 4) for _ in range(3)] for _ in range(3)))
    scaled = {name: factor * score for name, score in scores.items()}
    assert measured_count(scores) == measured_count(scaled)


def test_squares_collapse_where_absolutes_do() -> None:
    """Taylor-FO ranks as SNIP: one critical count for both."""
    network = Network.of(random_networks.mlp(Random(3), bias=False))
    features = network.parameters[network.prunable[0]].shape[1]
    x = torch.randn(3, features, generator=torch.Generator().manual_seed(0)).double()
    places = []
    for score in (snip, taylor_fo):
        every = score(network, x, lambda y: (y**2).sum())
        places.append(ranks({name: every[name] for name in network.prunable}))
    assert places[0] == places[1]


# edge cases -------------------------------------------------------------------------


def test_one_layer_and_layers_of_one() -> None:
    assert measured_count(layers([1, 2, 3])) == conserved_count([3]) == 1
    assert measured_count(layers([1], [1], [1])) == conserved_count([1, 1, 1]) == 3


@pytest.mark.parametrize("seed", range(20))
def test_integer_chains_are_conserved_and_carry_flow(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Scores] = []
    original = layer_collapse._within
    monkeypatch.setattr(
        layer_collapse,
        "_within",
        lambda scores: seen.append(scores) or original(scores),
    )
    drawing("integer_synflow")(Random(seed))
    totals = {float(score.sum()) for score in seen[0].values()}
    assert len(totals) == 1 and totals.pop() > 0
    assert 2 <= len(seen[0]) <= 4
    assert all(bool((score >= 0).all()) for score in seen[0].values())


def test_conserved_families_reach_the_bound_and_stay_below_it() -> None:
    for name in ("equal_scores", "unequal_scores"):
        sides = [drawing(name)(Random(seed)) for seed in range(100)]
        below = sum(s.left[0] > s.right[0] for s in sides)  # later collapse
        assert not any(s.left[0] < s.right[0] for s in sides)
        assert below == 0 if name == "equal_scores" else below > 50


def test_equal_scores_name_the_layer() -> None:
    sides = [drawing("equal_scores")(Random(seed)) for seed in range(50)]
    assert {s.left[1] for s in sides} >= {Fraction(k) for k in range(4)}


# controls ---------------------------------------------------------------------------


@pytest.mark.parametrize("control", CLAIM.controls, ids=lambda c: c.dropped)
def test_every_control_fails(control: Any) -> None:
    worst = max(control.draw(Random(seed)).defect() for seed in range(60))
    assert worst > COUNTER_EXAMPLE


def test_counterexamples_by_hand() -> None:
    """What each hypothesis of the bound N - N_max + 1 keeps away."""
    bound = conserved_count([1, 3])
    assert bound == 2
    assert measured_count(layers([1], [9, 9, 9])) == 4  # totals 1 and 27
    assert measured_count(layers([1], [9, 9, -17])) == 3  # total 1, both signs
    assert measured_count(layers([-3], [-1, -1, -1])) == 4  # total -3: smallest first
    assert measured_count(layers([0, 0, 0], [0])) == 4  # total 0
    assert measured_count(layers([3], [1, 1, 1]), "layer") == 2  # half of each layer


def test_a_threshold_loses_every_tie() -> None:
    sides = [drawing("threshold_rule")(Random(seed)) for seed in range(50)]
    assert all(s.left[0] == 1 for s in sides if s.defect() > 0)  # all must be kept
    assert sum(s.defect() > 0 for s in sides) > 30


@pytest.mark.parametrize(
    "name", ["not_conserved", "both_signs", "negative_flow", "no_flow"]
)
def test_dropped_hypotheses_bring_the_collapse_forward(name: str) -> None:
    sides = [drawing(name)(Random(seed)) for seed in range(60)]
    assert all(s.left[0] <= s.right[0] for s in sides)  # max(n_cr, bound) >= bound
    assert any(s.defect() == 0 for s in sides)
