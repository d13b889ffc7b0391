"""The random networks that the claim is tried on: their kinds, sizes and two sides."""

from random import Random
from typing import Any

import pytest
import torch

from theory import followed_networks
from theory.followed_networks import at_most, followed_chain, followed_graph
from theory.networks import Network
from theory.proof_checker import Failure, Record

SEEDS = range(25)


def spied(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Network, Any, Record]]:
    """Every network that is followed from now on, with its kind and its record."""
    seen: list[tuple[Network, Any, Record]] = []
    original = followed_networks.follow

    def spy(network: Network, *arguments: Any, kind: Any) -> Record:
        record = original(network, *arguments, kind=kind)
        seen.append((network, kind, record))
        return record

    monkeypatch.setattr(followed_networks, "follow", spy)
    return seen


def test_chains_end_with_one_parameter_a_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = spied(monkeypatch)
    sides = [s for seed in SEEDS if (s := followed_chain(Random(seed))).left.numel()]
    assert len(sides) == len(seen) > 20
    for side, (network, kind, record) in zip(sides, seen, strict=True):
        assert side.left.tolist() == [*record.counts.values(), 0]
        assert side.right.tolist() == [1] * len(network.prunable) + [0]
        assert side.scale.tolist() == [1] * (len(network.prunable) + 1)
        names = {type(m).__name__ for m in network.module.modules()}
        assert names.isdisjoint({"Residual", "Concat"})
        pooled = not names.isdisjoint({"MaxPool2d", "AdaptiveMaxPool2d"})
        assert kind == ("max-pool chain" if pooled else "chain")
        assert record.flow > 0 and record.refuted is None
    assert {kind for _, kind, _ in seen} == {"chain", "max-pool chain"}
    assert any("Conv2d" in s.case for s in sides)
    assert len({record.steps for _, _, record in seen}) > 5
    assert max(record.steps for _, _, record in seen) >= 50


def test_graphs_end_with_one_path(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = spied(monkeypatch)
    sides = [s for seed in SEEDS if (s := followed_graph(Random(seed))).left.numel()]
    assert len(sides) == len(seen) > 20
    emptied = 0
    for side, (_, kind, record) in zip(sides, seen, strict=True):
        left = sum(record.counts.values())
        assert side.left.numel() == side.right.numel() == left + 1 >= 2
        assert side.right.tolist() == [1] * left + [0]
        assert kind == "dag" and record.flow > 0
        assert max(record.counts.values()) == 1
        emptied += min(record.counts.values()) == 0
    assert emptied > 0  # branches beside a shortcut vanish


@pytest.mark.parametrize("draw", [followed_chain, followed_graph])
def test_a_failing_proof_is_a_defect(
    draw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = Failure(1, "positive", -1.0, 0.0)
    original = followed_networks.follow

    def failing(*arguments: Any, **options: Any) -> Record:
        record = original(*arguments, **options)
        return Record(
            failure,
            None,
            record.steps,
            record.counts,
            record.flow,
            record.largest_ratio,
        )

    monkeypatch.setattr(followed_networks, "follow", failing)
    sides = next(s for seed in SEEDS if (s := draw(Random(seed))).left.numel())
    assert sides.defect() == 1.0 and sides.left[-1] == 1.0


def test_networks_without_a_path_make_no_statement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of = Network.of

    def dead(model: torch.nn.Module) -> Network:
        for parameter in model.parameters():
            parameter.data = torch.zeros_like(parameter)
        return of(model)

    monkeypatch.setattr(followed_networks.Network, "of", dead)
    for draw in (followed_chain, followed_graph, at_most):
        sides = draw(Random(0))
        assert sides.left.numel() == sides.right.numel() == 0 and sides.defect() == 0


def test_removal_takes_at_most_its_score() -> None:
    drawn = [at_most(Random(seed)) for seed in range(40)]
    sides = [side for side in drawn if side.left.numel()]
    right = [float(side.right) for side in sides]
    assert len(sides) > 30 and min(right) < -0.5 and max(right) > 0.3
    assert all(side.left.shape == side.scale.shape == (1,) for side in sides)
    assert all(float(side.left) <= float(side.right) <= 1 for side in sides)
    assert max(side.defect() for side in sides) <= 1e-10
    names = ("MaxPool2d", "AvgPool2d", "Conv2d", "Linear")
    assert all(any(name in side.case for side in sides) for name in names)


def test_a_score_that_is_too_small_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    original = followed_networks.synflow

    def halved(*arguments: Any) -> dict[str, torch.Tensor]:
        return {name: s / 2 for name, s in original(*arguments).items()}

    monkeypatch.setattr(followed_networks, "synflow", halved)
    assert max(at_most(Random(seed)).defect() for seed in range(10)) > 0.05
