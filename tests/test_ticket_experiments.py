"""Figures b1, b5, b9: their grids, and published cases on a few generated images."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
import torch
from tiny_archives import write_cifar, write_images

from experiments import (
    b1_imp_schedules,
    b5_rewound_accuracy,
    b9_snip_imp,
    lottery_cases,
    sources,
    sweep,
    ticket_curves,
)
from experiments.architectures import vgg_cifar
from experiments.lottery_cases import CASES, dense, images, network, rates
from experiments.vision import torchvision
from theory.masks import kept

MODULES = (b1_imp_schedules, b5_rewound_accuracy, b9_snip_imp)
PUBLISHED = Path(__file__).parents[1] / "figures/published/networks.csv"
CIFAR = [name for name in CASES if "cifar10" in name]
NAMES = {"Resnet-18": "resnet20", "VGG-19": "vgg19"}


def published() -> Iterator[tuple[str, pd.Series]]:
    """Each of the paper's CIFAR networks by the name of our case."""
    for _, row in pd.read_csv(PUBLISHED).iterrows():
        if row["network"] in NAMES:
            yield f"{NAMES[row['network']]}-cifar10-{row['variant']}", row


@pytest.mark.parametrize(
    ("name", "row"), list(published()), ids=lambda value: str(value)[:24]
)
def test_published_cases_are_those_of_the_paper(name: str, row: pd.Series) -> None:
    case = CASES[name]
    recipe = case.recipe
    assert (case.dataset, case.device) == ("cifar10", "cuda")
    assert recipe.epochs == row["iterations_corrected"]
    assert recipe.batch_size == row["batch_corrected"]
    assert recipe.drops == tuple(map(int, row["lr_drops_corrected"].split(";")))
    assert 1 / recipe.drop == pytest.approx(row["lr_drop_factor"])
    assert recipe.learning_rate == row["learning_rate"]
    assert recipe.warmup == row["warmup_iterations"]
    assert (recipe.optimizer, recipe.momentum, recipe.weight_decay) == (
        "sgd",
        0.9,
        1e-4,
    )
    assert (recipe.crop, recipe.flip) == (4, True)


def test_all_schedules_of_a_network_differ_in_the_rate_only() -> None:
    for name in CIFAR:
        assert replace(CASES[name], device="cuda", dataset="cifar10") in [
            CASES[other] for other, _ in published()
        ]
    for name in [name for name in CASES if name.startswith("resnet6")]:
        case = CASES[name]
        small, large = (
            CASES[f"{network}-standard"].recipe.epochs
            for network in ("resnet6-digits", "resnet20-cifar10")
        )
        theirs = CASES[name.replace("resnet6-digits", "resnet20-cifar10")].recipe
        own = case.recipe
        assert (case.dataset, case.device) == ("digits", "cpu")
        assert own.warmup / small == theirs.warmup / large
        assert [d / small for d in own.drops] == [d / large for d in theirs.drops]
        standard = CASES["resnet6-digits-standard"].recipe
        share = own.learning_rate / standard.learning_rate
        assert share == pytest.approx(theirs.learning_rate / 0.1)


@pytest.mark.parametrize("name", ["lenet-digits", "lenet-mnist"])
def test_lenets_have_adam_at_a_constant_rate(name: str) -> None:
    recipe, steps = CASES[name].recipe, {"lenet-digits": 1000, "lenet-mnist": 50_000}
    assert (recipe.epochs, recipe.batch_size) == (steps[name], 60)
    assert {recipe.rate(step, 1) for step in range(0, recipe.epochs, 500)} == {1.2e-3}
    assert (recipe.optimizer, recipe.weight_decay, recipe.momentum) == ("adam", 0, 0.9)
    assert CASES[name].device == "cpu"


def test_rates_by_step() -> None:
    standard, low, warmup = (
        CASES[f"resnet20-cifar10-{name}"].recipe
        for name in ("standard", "low", "warmup")
    )
    for step, expected in ((0, 1), (19_999, 1), (20_000, 0.1), (25_000, 0.01)):
        assert standard.rate(step, 1) == pytest.approx(0.1 * expected)
        assert low.rate(step, 1) == pytest.approx(0.01 * expected)
    assert warmup.rate(0, 1) == pytest.approx(0.03 / 20_000)
    assert warmup.rate(9_999, 1) == pytest.approx(0.015)
    assert warmup.rate(19_999, 1) == pytest.approx(0.03)
    assert warmup.rate(20_000, 1) == pytest.approx(0.003)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_grids(module: ModuleType) -> None:
    default, full = module.GRID["default"], module.GRID["published"]
    for configs in (default, full):
        assert len(set(configs)) == len(configs)
        assert {config.case for config in configs} <= CASES.keys()
        seeds: dict[Any, set[int]] = {}
        for config in configs:
            whole = replace(config, initialisations=())
            seeds.setdefault(whole, set()).update(config.initialisations)
        assert all(len(found) >= 3 for found in seeds.values())
    assert {CASES[config.case].dataset for config in default} == {"digits"}
    assert {config.case for config in full} <= set(CIFAR)


def test_grids_hold_the_papers_networks_and_densities() -> None:
    schedules, rewound, snip = (module.GRID["published"] for module in MODULES)
    assert {config.case for config in schedules} == set(CIFAR)
    assert {(config.case, config.rewind) for config in rewound} == {
        ("resnet20-cifar10-standard", 500),
        ("resnet20-cifar10-jpeg-standard", 500),
        ("vgg19-cifar10-standard", 100),
    }
    assert {c.case for c in snip} == {"resnet20-cifar10-warmup", "vgg19-cifar10-warmup"}
    for config in (*schedules, *rewound, *snip):
        reached = 0.024 if config.case.startswith("vgg19") else 0.168
        assert 0.8**config.rounds < reached
    assert len(b9_snip_imp.GRID["default"][0].initialisations) >= 5


def test_only_3x3_convolutions_of_resnet_are_pruned() -> None:
    case = replace(CASES["resnet20-cifar10-standard"], device="cpu")
    found = images(CASES["resnet6-digits-low"])  # ten classes
    weights = network(case, found, 0).state_dict()
    sizes = {name: mask.numel() for name, mask in dense(weights).items()}
    whole = {n: p.numel() for n, p in weights.items() if p.ndim > 1}
    spared = {n: count for n, count in whole.items() if n not in sizes}
    assert sum(spared.values()) == 2560 + 640  # Frankle & Carbin 2019, appendix I
    assert {tuple(weights[n].shape[2:]) for n in sizes} == {(3, 3)}
    assert len(sizes) == 19 and sum(sizes.values()) == 267_696
    assert rates(case, dense(weights)) == 0.2


def test_vgg19_has_the_published_size() -> None:
    model = vgg_cifar(19, 10, generator=None)
    weights = dense(model.state_dict())
    assert len(weights) == 16
    assert sum(mask.numel() for mask in weights.values()) == 20_018_880
    size = sum(p.numel() for p in model.parameters())
    rows = pd.read_csv(PUBLISHED).query("network == 'VGG-19'")
    assert {math.floor(size / 1e5) * 1e5} == set(rows["params"])


def test_standardised_images_are_those_of_the_data_set() -> None:
    raw, standard = (images(CASES[n]) for n in ("lenet-digits", "resnet6-digits-low"))
    assert 0 <= float(raw.train.images.min()) < 1e-6
    assert float(raw.train.images.max()) == pytest.approx(1)
    assert float(standard.train.images.mean()) == pytest.approx(0, abs=0.02)
    for one, other in ((raw.train, standard.train), (raw.test, standard.test)):
        assert torch.equal(one.labels, other.labels)
        again = other.images * 0.3760 + 0.3053
        torch.testing.assert_close(one.images, again, rtol=0, atol=0)


@pytest.fixture
def generated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cases of CIFAR-10 on a few generated images, in six steps on the CPU."""
    write_cifar("cifar10", tmp_path, monkeypatch)
    for kind in ("ape", "zebra"):
        root = tmp_path / "cifar10-jpeg"
        write_images(root / "train" / kind, (32, 32), 10, ".jpg")
        write_images(root / "test" / kind, (32, 32), 3, ".jpg")
    monkeypatch.setitem(sources.FILES, "cifar10-jpeg", (2, 20, 6))
    monkeypatch.setenv("PRUNING_DATA", str(tmp_path))
    monkeypatch.setattr(ticket_curves, "PER_CLASS", 2)
    for name in CIFAR:
        recipe = CASES[name].recipe
        shares = [max(1, 6 * step // recipe.epochs) for step in recipe.drops]
        short = replace(
            recipe,
            epochs=6,
            batch_size=8,
            drops=tuple(shares),
            warmup=min(4, recipe.warmup),
        )
        case = replace(CASES[name], recipe=short, device="cpu")
        monkeypatch.setitem(lottery_cases.CASES, name, case)
    # VGG-19 with its layers, most of them an eighth as wide
    plan = torchvision.models.vgg.cfgs["E"]
    narrow = [width if width == "M" else width // 8 for width in plan]
    narrow[-2] = 512
    monkeypatch.setitem(torchvision.models.vgg.cfgs, "E", narrow)


def published_configs() -> list[Any]:
    """One configuration of each published case and experiment."""
    found = {
        (module.__name__, config.case): (module, config)
        for module in MODULES
        for config in module.GRID["published"]
    }
    return list(found.values())


@pytest.mark.usefixtures("generated")
@pytest.mark.parametrize(
    ("module", "config"),
    published_configs(),
    ids=lambda value: getattr(value, "case", "").removeprefix("experiments."),
)
def test_published_configurations_run(module: ModuleType, config: Any) -> None:
    changes = {"rounds": 1} | ({"rewind": 2} if hasattr(config, "rewind") else {})
    rows: list[dict[str, Any]] = module.run(replace(config, **changes))
    sweep.check(rows, config)
    kinds = ["imp", "imp", "reinitialised"]
    if module is b9_snip_imp:
        kinds += ["random", "snip"]
    assert [row["kind"] for row in rows] == kinds
    whole = rows[0]["kept"]
    for row in rows:
        assert row["kept"] == kept(whole, 0.8 ** row["round"])
        assert row["density"] == row["kept"] / whole
        assert row["initialisation"] == config.initialisations[0]
    if config.case.startswith("resnet20"):
        assert whole == 267_696
