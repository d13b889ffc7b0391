"""Figures a1, a5a, a6: their grids, and a run of each at both profiles' networks."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from tiny_archives import write_cifar

from experiments import a1_layer_collapse, a5a_imp_iterations, a6_benchmark, sweep
from experiments.evaluation import accuracy
from experiments.pruned_training import RECIPES, Row, fit
from experiments.subjects import subject
from theory.masks import exponential, kept

MODULES = (a1_layer_collapse, a5a_imp_iterations, a6_benchmark)
ACCURACIES = ("initial", "final", "validated", "best_test")


def run(module: ModuleType, config: Any) -> list[Row]:
    """The rows, checked as the store checks them, and for what they must hold."""
    rows: list[Row] = module.run(config)
    sweep.check(rows, config)
    for row in rows:
        assert all(0 <= float(row[f"{name}_accuracy"]) <= 1 for name in ACCURACIES)
        assert row["best_test_accuracy"] == max(
            row[f"{name}_accuracy"] for name in ACCURACIES
        )
        density = 10 ** -float(row["compression_log10"])
        assert row["remaining_weights"] == kept(int(row["prunable_weights"]), density)
    return rows


@pytest.mark.parametrize("module", MODULES)
def test_configurations_differ_and_have_their_recipes_epochs(
    module: ModuleType,
) -> None:
    for configs in module.GRID.values():
        assert len(set(configs)) == len(configs)
        for config in configs:
            assert RECIPES[config.recipe].epochs == config.epochs
    assert {c.dataset for c in module.GRID["default"]} == {"digits"}
    assert {c.device for c in module.GRID["published"]} == {"cuda"}


def test_published_grids_are_those_of_the_tables() -> None:
    collapse, imp, benchmark = (module.GRID["published"] for module in MODULES)
    assert len(collapse) == 6 * 25 * 3 and len(benchmark) == 12 * 5 * 13 * 3
    assert len(imp) == 5 * 2 * 3 * 50
    assert {c.start for c in collapse} == {step / 4 for step in range(25)}
    assert {c.start for c in benchmark} == {step / 4 for step in range(13)}
    rates = {
        (c.dataset, c.architecture): RECIPES[c.recipe].learning_rate for c in benchmark
    }
    assert len(rates) == 12
    assert rates["cifar10", "vgg16"] == 0.1
    assert rates["cifar100", "resnet18-wide"] == rates["tiny-imagenet", "vgg11"] == 0.01


def test_a1_has_a_critical_compression() -> None:
    config = a1_layer_collapse.Config(
        *("magnitude", 1, "vgg5-narrow"), epochs=1, stop=3.0, points=2
    )
    rows = run(a1_layer_collapse, config)
    assert len(rows) == 2 and len({row["critical_weights"] for row in rows}) == 1
    ratio = int(rows[0]["prunable_weights"]) / int(rows[0]["critical_weights"])
    assert float(rows[0]["critical_log10"]) == pytest.approx(
        torch.tensor(ratio).log10()
    )
    empties = [float(r["critical_log10"]) < float(r["compression_log10"]) for r in rows]
    assert empties == [int(row["empty_layers"]) > 0 for row in rows] == [False, True]


def test_a6_prunes_the_same_network_by_each_method() -> None:
    config = a6_benchmark.Config("lenet", "snip", 2, epochs=1, points=3)
    snip = run(a6_benchmark, config)
    grasp = run(a6_benchmark, replace(config, method="grasp"))
    assert [row["compression_log10"] for row in snip] == [0.0, 1.5, 3.0]
    assert snip[0] == grasp[0] and snip[1] != grasp[1]


def imp(iterations: int, rewind: bool, points: int = 1) -> a5a_imp_iterations.Config:
    return a5a_imp_iterations.Config(
        *(iterations, rewind, 4, "lenet"), epochs=1, stop=1.0, points=points
    )


def test_imp_starts_its_last_training_rewound_or_not() -> None:
    rewound, kept_on = (run(a5a_imp_iterations, imp(1, flag))[0] for flag in (1, 0))
    found = subject("lenet", "digits", per_class=1, seed=4)
    assert rewound["initial_accuracy"] == accuracy(found.model, found.dataset.test)
    assert float(kept_on["initial_accuracy"]) > 0.3
    assert kept_on["final_accuracy"] != rewound["final_accuracy"]


@pytest.mark.parametrize("rewind", [True, False])
def test_imp_prunes_in_steps_and_never_revives(
    rewind: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[torch.nn.Module] = []
    seen: list[Mapping[str, torch.Tensor]] = []
    orders: list[int] = []
    train = a5a_imp_iterations.train

    def watched(model: Any, *args: Any, masks: Any, generator: Any) -> Any:
        starts.append(model)
        seen.append(masks)
        orders.append(generator.initial_seed())
        return train(model, *args, masks=masks, generator=generator)

    def last(model: Any, *args: Any, generator: Any) -> Any:
        starts.append(model)
        seen.append(args[2])
        orders.append(generator.initial_seed())
        return fit(model, *args, generator=generator)

    monkeypatch.setattr(a5a_imp_iterations, "train", watched)
    monkeypatch.setattr(a5a_imp_iterations, "fit", last)
    config = replace(imp(3, rewind), start=1.0)
    row = run(a5a_imp_iterations, config)[0]
    sizes = [sum(int(mask.sum()) for mask in masks.values()) for masks in seen[1:]]
    assert seen[0] == {} and len(seen) == 4 and len(set(orders)) == 4
    assert sizes == [kept(50_200, exponential(0.1, step, 3)) for step in (1, 2, 3)]
    assert row["remaining_weights"] == sizes[-1]
    for before, after in pairwise(seen[1:]):
        assert all(bool((before[name] | ~after[name]).all()) for name in after)
    assert all((start is starts[0]) == rewind for start in starts[1:])


def published(module: ModuleType, start: float, **wanted: str) -> Any:
    """The published configuration of these fields, shrunk to an epoch on the CPU."""
    config = next(
        config
        for config in module.GRID["published"]
        if config.start == pytest.approx(start)
        and all(getattr(config, field) == value for field, value in wanted.items())
    )
    return replace(config, epochs=1, device="cpu")


def test_published_vgg16_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar("cifar100", tmp_path, monkeypatch)
    monkeypatch.setenv("PRUNING_DATA", str(tmp_path))
    config = published(a1_layer_collapse, 1.0, method="snip")
    row = run(a1_layer_collapse, replace(config, per_class=1))[0]
    assert (row["layers"], row["path"]) == (14, 1)


def test_published_resnet_and_imp_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cifar("cifar10", tmp_path, monkeypatch)
    monkeypatch.setenv("PRUNING_DATA", str(tmp_path))
    wanted = {"dataset": "cifar10", "method": "magnitude", "architecture": "resnet18"}
    config = published(a6_benchmark, 0.5, **wanted)
    assert run(a6_benchmark, replace(config, per_class=1))[0]["layers"] == 21
    small = replace(published(a5a_imp_iterations, 1.0), architecture="lenet")
    assert run(a5a_imp_iterations, small)[0]["layers"] == 3
