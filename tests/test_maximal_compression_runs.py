"""Experiments a7 and a11 on a chain small enough to be checked by hand."""

import math

import pytest
import torch
from torch import nn

from experiments import a7_schedule, a11_maximal_compression
from experiments.a11_maximal_compression import Config, run
from theory.masks import counts, keep_largest, masked
from theory.networks import Network
from theory.pruning import prune
from theory.pruning_steps import layer_sizes, masks_after, schedule
from theory.synflow import absolute, synflow

SHAPE = (3, 32, 32)
LAYERS = 3


def tiny(depth: int, classes: int, *, generator: torch.Generator) -> nn.Module:
    """Stands for `vgg_cifar`: 3 layers, 54 + 180 + 10 weights."""
    convolutions = (nn.Conv2d(3, 6, (1, 3)), nn.ReLU(), nn.Conv2d(6, 10, (3, 1)))
    end = (nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(10, 1))
    model = nn.Sequential(*convolutions, *end)
    for parameter in model.parameters():
        nn.init.normal_(parameter, generator=generator)
    return model


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(a7_schedule, "vgg_cifar", tiny)
    monkeypatch.setattr(a11_maximal_compression, "vgg_cifar", tiny)


def network(seed: int, *, double: bool) -> Network:
    return a11_maximal_compression._network(seed, double=double)


@pytest.mark.parametrize("double", [False, True])
def test_safe_run_ends_with_a_path_of_one_weight_a_layer(double: bool) -> None:
    rows = run(Config("safe", 0, double, seed=3))
    assert [row["iteration"] for row in rows] == list(range(1, len(rows) + 1))
    end = rows[-1]
    assert end["left"] == LAYERS and end["emptied"] == 0
    assert float(end["end_flow"]) > 0
    for row in rows:
        assert 0 < float(row["ratio"]) < 1
        assert (row["failed_line"], row["failed_step"], row["refuted"]) == ("", 0, 0)
        assert row["end_flow"] == end["end_flow"]


def test_one_iteration_breaks_the_premise_and_the_network() -> None:
    (row,) = run(Config("plain", 1, True))
    own = network(0, double=True)
    sizes = layer_sizes(own)
    every = synflow(own, SHAPE)
    scores = {name: every[name] for name in own.prunable}
    masks = keep_largest(scores, LAYERS / sum(sizes.values()))
    kept = sum(float((scores[name] * masks[name]).sum()) for name in masks)
    flow = float(scores[own.prunable[0]].sum())
    assert row["left"] == LAYERS
    assert row["emptied"] == list(counts(masks).values()).count(0) > 0
    assert float(row["ratio"]) == pytest.approx(LAYERS - kept / flow)
    assert (row["failed_line"], row["failed_step"]) == ("prune size", 1)
    positive = absolute(own)
    after = positive(masked(positive.parameters, masks), torch.ones(1, *SHAPE).double())
    assert row["end_flow"] == float(after.sum()) == 0


def test_no_ratio_once_the_last_path_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        a11_maximal_compression, "schedule", lambda last, steps: [last] * steps
    )
    first, second = run(Config("plain", 2, True))
    assert float(first["ratio"]) > 1 and first["emptied"] == second["emptied"] != 0
    assert math.isnan(float(second["ratio"]))
    assert (second["failed_step"], second["end_flow"]) == (1, 0)


def test_precision_counts_the_masks_that_differ() -> None:
    rows = run(Config("precision", 10, seed=2))
    masks = []
    for double in (False, True):
        own = network(2, double=double)
        steps = list(
            prune(absolute(own), lambda n: synflow(n, SHAPE), schedule(0.01, 10))
        )
        masks.append(masks_after(own, steps))
        assert [row["left"] for row in rows] == [step.remaining for step in steps]
    single, other = masks
    assert rows[-1]["differing"] == sum(
        int((single[name] & ~other[name]).sum()) for name in single
    )


def test_precision_sees_other_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    own = {False: network(0, double=False), True: network(1, double=False)}
    monkeypatch.setattr(
        a11_maximal_compression, "_network", lambda seed, *, double: own[double]
    )
    rows = run(Config("precision", 3))
    runs = [
        list(prune(absolute(n), lambda n: synflow(n, SHAPE), schedule(0.01, 3)))
        for n in own.values()
    ]
    for row in rows:
        single, other = (
            masks_after(own[False], steps[: int(row["iteration"])]) for steps in runs
        )
        assert row["differing"] == sum(
            int((single[name] & ~other[name]).sum()) for name in single
        )
    assert any(int(row["differing"]) > 0 for row in rows)


@pytest.mark.parametrize("rule", ["exponential", "linear"])
def test_schedule_reports_the_largest_ratio_and_where(rule: str) -> None:
    config = a7_schedule.Config("vgg16-cifar", rule, 5, 1.5, seed=4)  # type: ignore[arg-type]
    (row,) = a7_schedule.run(config)
    own = network(4, double=False)
    densities = [
        10 ** (-1.5 * k / 5) if rule == "exponential" else 1 - (1 - 10**-1.5) * k / 5
        for k in range(1, 6)
    ]
    steps = list(prune(absolute(own), lambda n: synflow(n, SHAPE), densities))
    ratios = [step.prune_size / step.cut_size for step in steps if step.cut_size > 0]
    assert row["ratio"] == pytest.approx(max(ratios), rel=1e-5)
    assert row["at"] == ratios.index(max(ratios)) + 1
    unsafe = [k for k, ratio in enumerate(ratios, start=1) if ratio >= 1]
    assert row["first_unsafe"] == next(iter(unsafe), 0)
    assert (row["weights"], row["left"]) == (244, 8)
    assert row["left"] == steps[-1].remaining
    assert row["emptied"] == len(steps[-1].collapsed)
