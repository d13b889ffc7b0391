"""The experiments c3 to c6: their grids, and runs on generated images."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest
import torch
from tiny_problem import dataset
from torch import nn

from experiments import (
    c3_spectrum,
    c4_predicted_threshold,
    c5_threshold_table,
    c6_magnitude_sharpness,
    limit_lanczos,
    limit_study,
)
from experiments.architectures import prunable_weights
from experiments.data import Split
from experiments.initialisation import initialise
from experiments.limit_cases import CASES
from experiments.limit_networks import network
from experiments.limit_training import train
from experiments.recipes import Recipe

SHORT = Recipe(epochs=2, batch_size=32, learning_rate=0.05, cosine=True)
MLP = replace(CASES["mlp-digits"], recipe=SHORT, levels=30, retraining=2)


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A small MLP, and a small network with BatchNorm in the place of ResNet-18."""
    sets = {
        "digits": dataset((1, 3, 3), classes=3, count=200),
        "cifar100": dataset((1, 8, 8), classes=3, count=136),
    }
    short = replace(
        CASES["resnet18-cifar100"].recipe, epochs=1, batch_size=68, warmup=1
    )
    resnet = replace(
        CASES["resnet18-cifar100"],
        recipe=short,
        levels=4,
        probes=2,
        steps=8,
        retraining=1,
    )
    monkeypatch.setitem(CASES, "mlp-digits", MLP)
    monkeypatch.setitem(CASES, "resnet18-cifar100", resnet)
    monkeypatch.setattr(limit_study.data, "load", sets.__getitem__)

    def small(
        architecture: str,
        shape: tuple[int, ...],
        classes: int,
        generator: torch.Generator,
    ) -> nn.Module:
        if architecture == "resnet18":
            layers = nn.Sequential(
                *(nn.Conv2d(shape[0], 4, 3), nn.BatchNorm2d(4), nn.ReLU()),
                *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, classes)),
            )
            initialise(layers, "kaiming", generator=generator)
            return layers
        return network("mlp", shape, classes, generator)

    monkeypatch.setattr(limit_study, "network", small)
    monkeypatch.setattr(limit_lanczos, "PRODUCTS", 5)
    yield


def test_grids() -> None:
    default = c5_threshold_table.GRID["default"]
    assert {c.seed for c in default} == {0, 1, 2}
    assert {c.strength for c in default if c.case == "mlp-digits"} == {
        0.0,
        1e-4,
        5e-4,
        2e-3,
    }
    for module in (c3_spectrum, c4_predicted_threshold, c5_threshold_table):
        for config in module.GRID["published"]:
            case = CASES[config.case]
            assert config.strength in case.strengths and not case.dense
            gpu = config.case in c5_threshold_table.GPU
            assert config.device == ("cuda" if gpu else "cpu")
        assert all(CASES[c.case].dense for c in module.GRID["default"])
    # limits of c5 are drawn into c4 and c6: the same trainings
    known = {(c.case, c.strength, c.seed) for c in default}
    for module in (c4_predicted_threshold, c6_magnitude_sharpness):
        assert {(c.case, c.strength, c.seed) for c in module.GRID["default"]} <= known


@pytest.mark.parametrize(
    ("name", "shape", "classes", "parameters", "weights"),
    [
        ("mlp-digits", (1, 8, 8), 10, 1_510, 1_480),
        ("fc5-digits", (1, 8, 8), 10, 1_698, 1_636),
        ("convnet-digits", (1, 8, 8), 10, 632, 608),
        ("lenet-mnist", (1, 28, 28), 10, 266_610, 266_200),
        ("fc5-mnist", (1, 28, 28), 10, 1_597_010, 1_595_000),
        ("small-vgg-cifar10", (3, 32, 32), 10, 37_146, 37_040),
        # paper C's: the audit of its code
        ("fc5-cifar10", (3, 32, 32), 10, 3_885_010, 3_883_000),
        ("fc12-cifar10", (3, 32, 32), 10, 7_269_610, 7_263_000),
        ("alexnet-cifar10", (3, 32, 32), 10, 46_787_978, 46_778_400),
        ("vgg16-cifar10", (3, 32, 32), 10, 14_728_266, 14_715_584),
        ("resnet18-cifar100", (3, 32, 32), 100, 11_220_132, 11_210_432),
        ("resnet50-cifar100", (3, 32, 32), 100, 23_705_252, 23_652_032),
    ],
)
def test_networks(
    name: str, shape: tuple[int, ...], classes: int, parameters: int, weights: int
) -> None:
    model = network(CASES[name].architecture, shape, classes, None)
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert sum(prunable_weights(model).values()) == weights


@pytest.mark.parametrize(
    "name", ["vgg16-cifar10", "resnet18-cifar100", "small-vgg-cifar10"]
)
def test_one_step_of_large_networks(name: str) -> None:
    case = CASES[name]
    split = dataset((3, 32, 32), classes=10, count=2).train
    generator = torch.Generator().manual_seed(0)
    model = network(case.architecture, (3, 32, 32), 10, generator)
    recipe = replace(case.recipe, epochs=1)
    run = train(model, split, recipe, strength=1e-4, generator=generator)
    with torch.no_grad():
        assert torch.isfinite(run.model(split.images)).all()


def test_unknown_case() -> None:
    with pytest.raises(ValueError, match="unknown case 'mlp': choose from"):
        limit_study.study("mlp", 0.0, 0)


@pytest.mark.usefixtures("toys")
def test_fewer_images_are_random_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a data set sorted by class, the first images are of one class alone."""
    found = dataset((1, 3, 3), classes=3, count=300)
    order = found.train.labels.argsort(stable=True)
    parts = (found.train.images, found.train.labels, found.train.indices)
    split = Split(*(part[order] for part in parts))
    monkeypatch.setattr(
        limit_study.data, "load", lambda name: replace(found, train=split)
    )
    monkeypatch.setitem(CASES, "mlp-digits", replace(MLP, images=60))
    first, other = (limit_study.study("mlp-digits", 0.0, seed) for seed in (0, 1))
    problem = first.problem("final")
    counts = problem.labels.bincount(minlength=3)
    assert counts.sum() == 60 and counts.min() >= 10
    where = first.train.indices
    assert where.sort().values.equal(torch.arange(300))
    assert first.train.labels.equal(where % 3)
    assert first.train.images.equal(found.train.images[where])
    assert not where.equal(other.train.indices)
    monkeypatch.setitem(CASES, "mlp-digits", MLP)
    assert limit_study.study("mlp-digits", 0.0, 0).train.indices is split.indices


@pytest.mark.usefixtures("toys")
def test_threshold_table_of_a_small_network() -> None:
    rows = c5_threshold_table.run(c5_threshold_table.Config("mlp-digits", 1e-3, 0))
    predicted = [r for r in rows if r["kind"] == "predicted"]
    columns = ("stage", "noise", "matrix", "treatment", "factor")
    names = {tuple(r[column] for column in columns) for r in predicted}
    final = ("final", "final")
    assert names == {
        ("early", "early", "hessian", "positive", 1.0),
        ("early", "final", "hessian", "positive", 1.0),
        (*final, "hessian", "absolute", 1.0),
        (*final, "gauss-newton", "positive", 1.0),
        *((*final, "hessian", "positive", factor) for factor in (0.25, 1.0, 4.0)),
    }
    noise = {(r["noise"], r["epsilon"]) for r in rows}
    assert len(noise) == 2 and {name for name, _ in noise} == {"early", "final"}
    assert all(float(r["descent"]) >= 0 for r in rows)
    assert len(predicted) == 3 * len(names)
    measured = [r["reading"] for r in rows if r["kind"] == "measured"]
    assert measured.count("re-optimised") == len(names)
    assert measured.count("random subspace") == 2 and measured.count("retrained") == 1
    assert measured.count("one-shot loss, last") == 3
    assert measured.count("one-shot accuracy, first") == 1
    for row in rows:
        low, removed, high = (int(row[k]) for k in ("low", "removed", "high"))
        assert 0 <= low <= removed <= high <= row["prunable"] == 240
        assert row["parameters"] == 263 and row["dataset"] == "digits"


@pytest.mark.usefixtures("toys")
def test_threshold_table_of_a_network_with_batchnorm() -> None:
    """The path of the GPU's profiles: products only, float32, crops."""
    config = c5_threshold_table.Config("resnet18-cifar100", 5e-5, 0)
    rows = c5_threshold_table.run(config)
    found = {(r["stage"], r["reading"], r["matrix"]) for r in rows}
    for form in ("paper", "exact", "orthogonal"):
        assert ("early", form, "hessian") in found
        assert sum(r["reading"] == form and r["stage"] == "early" for r in rows) == 2
        assert ("final", form, "gauss-newton") in found
    assert ("final", "re-optimised", "gauss-newton") in found
    assert ("final", "retrained", "") in found
    for row in rows:
        assert 0 <= int(row["low"]) <= int(row["high"]) <= int(row["prunable"])


@pytest.mark.usefixtures("toys")
def test_curves() -> None:
    config = c4_predicted_threshold.Config("mlp-digits", 0.0, 1)
    rows = c4_predicted_threshold.run(config)
    assert [r["removed"] for r in rows] == [8 * n for n in range(31)]
    table = c5_threshold_table.run(c5_threshold_table.Config("mlp-digits", 0.0, 1))
    assert rows[0]["loss"] == table[0]["loss"]
    assert rows[0]["test_accuracy"] == table[0]["test_accuracy"]


@pytest.mark.usefixtures("toys")
def test_spectra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(c3_spectrum, "STEPS", (2, 8))
    make = partial(c3_spectrum.Config, "mlp-digits", 0.0)
    rows = c3_spectrum.run(make("final", 0))
    sides = {
        source: [r for r in rows if r["source"] == source]
        for source in ("exact", "slq")
    }
    edges = len(c3_spectrum.EDGES)
    assert len(sides["exact"]) == 2 * edges + 3
    assert len(sides["slq"]) == 2 * edges + 2 * 3
    for row in rows:
        assert row["low"] <= row["value"] <= row["high"]
    above = [r["value"] for r in sides["exact"] if r["side"] == "above"]
    assert above == sorted(above, reverse=True) and 0 < float(above[0]) < 1
    assert not any(r["side"] == "limit" for r in c3_spectrum.run(make("start", 0)))


@pytest.mark.usefixtures("toys")
def test_scales_and_cycles() -> None:
    rows = c6_magnitude_sharpness.run(
        c6_magnitude_sharpness.Config("mlp-digits", 0.0, 0)
    )
    table = c5_threshold_table.run(c5_threshold_table.Config("mlp-digits", 0.0, 0))
    for reading in ("paper", "exact", "orthogonal", "re-optimised"):
        own = [r["removed"] for r in rows if r["reading"] == reading]
        assert len(own) == 9 and own[0] > own[-1]
        # a scale of 4 is a quarter of epsilon
        for scale, factor in ((1.0, 1.0), (4.0, 0.25), (0.25, 4.0)):
            (here,) = (
                r["removed"]
                for r in rows
                if (r["reading"], r["scale"]) == (reading, scale)
            )
            (there,) = (
                r["removed"]
                for r in table
                if (r["reading"], r["factor"]) == (reading, factor)
                and (r["stage"], r["matrix"], r["treatment"])
                == ("final", "hessian", "positive")
            )
            assert here == there
    (once,) = (r["removed"] for r in table if r["reading"] == "retrained")
    assert [r["removed"] for r in rows if r["reading"] == "retrained"] == [once]
    assert [r["share"] for r in rows if r["reading"] == "gradual"] == [0.05, 0.2]
