"""Figure b7: the default profile on generated images, the published one on a toy."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from experiments import b7_imagenet, imagenet_cases, sources
from experiments.b7_imagenet import GRID, Config, run
from experiments.cells import Cell, OutOfTimeError, opened
from experiments.generated_images import write_tree
from experiments.imagenet_cases import CASES
from experiments.imagenet_recipes import SQUEEZENET
from experiments.imagenet_stability import dense
from experiments.store import Row
from figures import b7_imagenet as figure
from figures import common
from theory.masks import kept

mpl.use("Agg")
SHORT = Config("short", rewind=1, rate=0.3, rounds=2, orders=2, seed=3)
PUBLISHED = common.read_tables(results=Path("nowhere"))


@pytest.fixture(scope="module")
def short() -> Iterator[None]:
    """A case of two epochs."""
    with pytest.MonkeyPatch.context() as patch:
        case = CASES["resnet8-as-resnet50"]
        recipe = case.recipe.shortened(2, 16)
        patch.setitem(CASES, "short", replace(case, recipe=recipe))
        yield


@pytest.fixture(scope="module")
def rows(short: None) -> list[Row]:
    return run(SHORT)


def values(rows: list[Row], **wanted: Any) -> list[Any]:
    chosen = [r for r in rows if all(r[k] == v for k, v in wanted.items())]
    return [row["value"] for row in chosen]


def test_rows(rows: list[Row]) -> None:
    heads = {(r["schedule"], r["images"], r["epochs"], r["prunable"]) for r in rows}
    assert heads == {("resnet50", "generated", 2, 19_416)}
    assert {r["initialisation"] for r in rows} == {3}
    kinds = {"dense", "imp", "random", "reinitialised"}
    assert {r["subnetwork"] for r in rows} == kinds
    for kind, number in (("dense", 1), ("imp", 2), ("random", 2), ("reinitialised", 1)):
        assert len(values(rows, quantity="accuracy", subnetwork=kind)) == number
    for kind in ("imp", "random"):
        for unit in ("L2", "degrees"):
            own = {"subnetwork": kind, "unit": unit}
            (apart,) = values(rows, quantity="data order", **own)
            (pruned,) = values(rows, quantity="pruning", **own)
            assert apart > 0 and pruned > 0
    shares = values(rows, unit="share")
    assert all(0 <= share <= 1 and share * 128 % 1 == 0 for share in shares)
    assert len(set(shares)) > 1
    config_fields = set(Config.__dataclass_fields__)
    assert not config_fields & set(rows[0])


def test_exact_counts(rows: list[Row]) -> None:
    first = kept(19_416, 0.7)
    second = kept(first, 0.7)
    rounds = [r for r in rows if r["quantity"] == "round accuracy"]
    found = [r["density"] for r in rounds]
    assert found == [1.0, first / 19_416, second / 19_416]
    for kind in ("imp", "random", "reinitialised"):
        own = {
            r["density"] for r in rows if r["subnetwork"] == kind and r["round"] == 2
        }
        assert own == {second / 19_416}


def test_the_reinitialised_network_has_new_weights(rows: list[Row]) -> None:
    """Independent weights are orthogonal to the dense network's, more or less."""
    own = {"quantity": "pruning", "unit": "degrees"}
    (reinitialised,) = values(rows, subnetwork="reinitialised", **own)
    (imp,) = values(rows, subnetwork="imp", **own)
    assert imp < 60 < reinitialised < 120


def test_again_and_after_interruptions(
    rows: list[Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after each epoch of each training; other folders, other global state."""
    torch.manual_seed(11)
    stops = 0
    while stops < 100:
        try:
            with opened(Cell(tmp_path / "cell", deadline=0)):
                again = run(SHORT)
        except OutOfTimeError:
            stops += 1
        else:
            break
    # start; dense and 2 rounds; imp with u_1, random with u_0 and u_1: one epoch each
    assert stops == 1 + 3 + 3 + 2  # and two epochs of the reinitialised network
    assert again == rows
    assert not (tmp_path / "cell").exists()


def test_seeds_differ(rows: list[Row], short: None) -> None:
    other = run(replace(SHORT, seed=4, rounds=1, orders=1))
    assert not set(values(other, unit="L2")) & set(values(rows, unit="L2")) - {0.0}
    assert not values(other, quantity="data order")


def test_grids() -> None:
    table = PUBLISHED["published/imagenet_networks"].set_index("network")
    claims = PUBLISHED["published/claims"].set_index(["network", "quantity"])["value"]
    names = {"resnet50": "Resnet-50", "inception_v3": "Inception-v3"}
    names["squeezenet"] = "Squeezenet"
    for profile in ("default", "published"):
        assert len(set(GRID[profile])) == len(GRID[profile])
        for config in GRID[profile]:
            case = CASES[config.case]
            assert 0 <= config.rewind < case.recipe.epochs
            assert case.generated == (profile == "default")
            assert config.device == ("cpu" if case.generated else "cuda")
    assert len({c.seed for c in GRID["default"]}) == 2
    for name, printed in names.items():
        own = [c for c in GRID["published"] if c.case == name]
        share = table.loc[printed, "weights_removed_percent"] / 100
        epochs = {c.rewind for c in own if c.orders == 2 and c.rate == share}
        stated = claims.loc[printed].iloc[0]
        assert {0, stated} < epochs
        assert {c.seed for c in own} == {0, 1, 2}
        assert CASES[name].recipe.epochs == table.loc[printed, "epochs"]
    rounds = {c.rounds for c in GRID["published"] if c.case == "resnet50"}
    assert 0.8 ** max(rounds) < 0.2 < 0.8 ** (max(rounds) - 2)


def test_published_configuration_without_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRUNING_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"PRUNING_DATA.*fetch imagenet"):
        run(replace(GRID["published"][0], device="cpu"))


def test_published_configuration_on_a_toy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SqueezeNet end to end, its files where ImageNet's would lie."""
    write_tree(tmp_path / "imagenet", train=1, test=1, seed=0)
    monkeypatch.setenv("PRUNING_DATA", str(tmp_path))
    monkeypatch.setitem(sources.FILES, "imagenet", (4, 4, 4))
    monkeypatch.setattr(imagenet_cases, "WORKERS", 0)
    recipe = SQUEEZENET.shortened(1, 2)
    toy = replace(CASES["squeezenet"], recipe=recipe, pixels=32)
    monkeypatch.setitem(CASES, "squeezenet", toy)
    found = run(Config("squeezenet", 0, 0.5, orders=1))
    # of 1,248,424 parameters the classifier has 513,000, and 2,052 for 4 classes; 2,980
    # are biases
    assert {(r["images"], r["prunable"]) for r in found} == {("ImageNet", 734_496)}
    assert {r["density"] for r in found} == {1.0, 0.5}


def test_inceptions_auxiliary_classifier_is_pruned_too() -> None:
    case = replace(CASES["resnet8-as-inception_v3"], network="inception_v3")
    with imagenet_cases.task(case, "cpu") as found:
        masks = dense(found)
    assert {"AuxLogits.fc.weight", "fc.weight"} < masks.keys()
    assert all(mask.ndim > 1 and mask.all() for mask in masks.values())


@pytest.mark.parametrize("case", [c for c in CASES.values() if c.generated])
def test_generated_cases(case: imagenet_cases.Case) -> None:
    with imagenet_cases.task(case, "cpu") as found:
        assert found.epoch_steps == 4 and len(found.test) == 128
        place = found.train.folder
    assert not place.exists()
    original = CASES[case.schedule].recipe
    assert case.recipe == original.shortened(6, 16)


def table(*, real: bool) -> pd.DataFrame:
    """Rows of all networks, as the sweep would write them; ImageNet's for one."""
    lines = []
    rng = np.random.default_rng(0)
    for name in ("resnet50", "inception_v3", "squeezenet"):
        images = "ImageNet" if real and name == "resnet50" else "generated"
        case = name if images == "ImageNet" else f"resnet8-as-{name}"
        for point, orders in ((0, 2), (3, 2), (3, 1)):
            for seed in (0, 1):
                head = {
                    **{"key": f"{name}{point}{orders}{seed}", "case": case},
                    **{"rewind": point, "rate": 0.7, "rounds": 1, "orders": orders},
                    **{"seed": seed, "schedule": name, "images": images},
                    **{"epochs": 6, "prunable": 7, "round": 1, "density": 0.3},
                }
                dense = {"subnetwork": "dense", "quantity": "accuracy", "value": 0.75}
                lines.append(head | dense | {"unit": "share"})
                for kind in ("imp", "random", "reinitialised"):
                    own = head | {"subnetwork": kind, "unit": "share"}
                    value = 0.70 + 0.05 * (point > 0)
                    lines.append(own | {"quantity": "accuracy", "value": value})
                    for unit in ("L2", "degrees"):
                        for quantity in ("data order", "pruning"):
                            value = (1 if kind == "imp" else 3) + rng.uniform(0, 0.01)
                            distance = {"quantity": quantity, "value": value}
                            lines.append(own | {"unit": unit} | distance)
    return pd.DataFrame(lines)


@pytest.mark.parametrize("real", [False, True])
def test_figure(real: bool) -> None:
    tables = PUBLISHED | {"b7_imagenet": table(real=real)}
    text = figure.caption(tables)
    titles = [a.get_title() for a in figure.draw(tables).axes[:3]]
    plt.close("all")
    assert ("our ResNet-50 reaches 75.0\\,\\% (-1.1 points" in text) == real
    assert ("as accurate from epoch 3 on (paper: 4)" in text) == real
    assert ("GPUs: ResNet-50, Inception-v3, SqueezeNet." in text) != real
    assert "says nothing about ImageNet" in text and "a ResNet of 7 weights" in text
    assert (
        "Inception-v3's schedule 3.0 and 3.0 (data order), 3.0 and 3.0 (pruning)"
        in text
    )
    assert "30, 30, 50\\,\\% of the weights" in text and "6 of 171" in text
    assert ("(generated images)" in titles[0]) != real
    assert "76.1 ± 0.1 % published" in titles[0] and "75.0 % ours" in titles[2]


def test_module_is_an_experiment() -> None:
    assert {"Config", "GRID", "run"} <= set(vars(b7_imagenet))
