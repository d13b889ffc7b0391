"""Both stabilities from end to end: a tiny LeNet and a tiny ResNet on digits."""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments import cells, lottery_training, steps
from experiments.cells import Cell, OutOfTimeError
from experiments.evaluation import accuracy
from experiments.lottery_cases import Case, dense, images, network
from experiments.lottery_training import accuracy_on_test, stability_rows, trainer
from experiments.recipes import Recipe
from experiments.rewound_training import train_from
from experiments.stability import Row
from experiments.stacked_training import Run, train_stacked
from theory.masks import kept

STEPS = 30
ROUNDS = 2
LENET = Case("lenet", "digits", Recipe(STEPS, 20, 1.2e-3, optimizer="adam"))
RESNET = Case("resnet6", "digits", Recipe(4, 20, 0.05))
WIDTHS = (64, 300, 100, 10)


def measured(case: Case = LENET, **changes: Any) -> list[Row]:
    settings: dict[str, Any] = {
        "rewind": 0,
        "rounds": ROUNDS,
        "initialisations": (0, 1),
        "orders": 3,
        "dense_orders": 2,
        "double": False,
        "floor": True,
    }
    return stability_rows(case, **{**settings, **changes})


@pytest.fixture(scope="module")
def single() -> list[Row]:
    return measured()


@pytest.fixture(scope="module")
def double() -> list[Row]:
    return measured(double=True)


def values(found: list[Row], **columns: Any) -> list[float]:
    return [
        float(row["value"])
        for row in found
        if all(row[name] == value for name, value in columns.items())
    ]


def test_every_round_keeps_its_exact_count_of_each_layer(single: list[Row]) -> None:
    """LeNet layer by layer, the output layer at half the rate."""
    layers = [before * after for before, after in pairwise(WIDTHS)]
    expected = []
    for _ in range(ROUNDS + 1):
        expected.append(sum(layers))
        layers = [kept(n, 0.8) for n in layers[:2]] + [kept(layers[2], 0.9)]
    found = {(row["round"], row["density"]) for row in single}
    assert found == {(i, count / expected[0]) for i, count in enumerate(expected)}
    last = [row["density"] for row in single if row["subnetwork"] == "random"]
    assert set(last) == {expected[-1] / expected[0]}


def test_the_dense_network_is_exactly_at_itself(single: list[Row]) -> None:
    for unit in ("L2", "degrees"):
        same = values(single, subnetwork="dense", quantity="pruning", unit=unit)
        assert same == [0.0] * 4  # 2 networks, 2 data orders, the same u for both
        for kind in ("imp", "random"):
            other = values(single, subnetwork=kind, quantity="pruning", unit=unit)
            assert len(other) == 4 and min(other) > 0.1


def test_the_noise_floor_is_that_of_the_precision(
    single: list[Row], double: list[Row]
) -> None:
    """Runs that are equal in exact arithmetic; far below those that are not."""
    for quantity in ("pruning floor", "data order floor"):
        for unit in ("L2", "degrees"):
            rounded = values(single, quantity=quantity, unit=unit)
            exact = values(double, quantity=quantity, unit=unit)
            assert len(rounded) == len(exact) == 6
            assert max(exact) < 1e-10
            assert min(rounded) > 1e3 * max(exact)
            apart = values(single, quantity="data order", unit=unit)
            assert max(rounded) < min(apart) / 100


def test_precision_changes_no_more_than_the_floor(
    single: list[Row], double: list[Row]
) -> None:
    """So short a run is not chaotic yet: same masks, distances equal up to rounding."""
    floor = max(values(single, quantity="data order floor", unit="L2"))
    for quantity in ("data order", "pruning"):
        pairs = zip(
            values(single, quantity=quantity, unit="L2"),
            values(double, quantity=quantity, unit="L2"),
            strict=True,
        )
        assert all(abs(one - other) < 1000 * floor for one, other in pairs)


def test_accuracies_are_shares_of_the_test_images(single: list[Row]) -> None:
    tests = len(images(LENET).test.labels)
    found = values(single, unit="share")
    assert len(found) == 2 * (ROUNDS + 1 + 2 + 3 + 3)
    for share in found:
        assert share * tests == pytest.approx(round(share * tests))
    # 30 steps of the whole network are enough to be better than chance
    assert min(values(single, subnetwork="dense", quantity="accuracy")) > 0.5


def test_rounds_begin_with_the_whole_network_and_its_accuracy(
    single: list[Row],
) -> None:
    own = {"initialisation": 1, "quantity": "accuracy", "first": 0}
    for kind, number in (("dense", 0), ("imp", ROUNDS)):
        (final,) = values(single, subnetwork=kind, **own)
        name = {"quantity": "round accuracy", "round": number}
        assert values(single, subnetwork="imp", initialisation=1, **name) == [final]


@pytest.mark.parametrize("case", [LENET, RESNET], ids=lambda case: case.architecture)
def test_same_seed_same_rows_and_each_network_by_itself(case: Case) -> None:
    changes: dict[str, Any] = {"floor": False, "rounds": 1, "orders": 2, "rewind": 2}
    both = measured(case, **changes)
    torch.manual_seed(1)
    assert measured(case, **changes) == both
    alone = measured(case, **changes, initialisations=(1,))
    own = [row for row in both if row["initialisation"] == 1]
    names = ("quantity", "first", "second", "unit", "subnetwork", "round", "density")
    assert [[row[n] for n in names] for row in alone] == [
        [row[n] for n in names] for row in own
    ]
    for one, other in zip(alone, own, strict=True):  # stacked with another: rounding
        assert one["value"] == pytest.approx(other["value"], rel=0.01)


def test_rewound_runs_start_later() -> None:
    """From k = T on nothing is trained: neither order nor pruning has an effect."""
    changes: dict[str, Any] = {"floor": False, "rounds": 1, "dense_orders": 1}
    late = measured(rewind=STEPS, **changes)
    for quantity in ("data order", "pruning"):
        for kind in ("imp", "random"):
            found = values(late, subnetwork=kind, quantity=quantity, unit="L2")
            assert found and set(found) == {0.0}
    middle, start = (
        values(measured(rewind=k, **changes), quantity="pruning", unit="degrees")
        for k in (STEPS // 2, 0)
    )
    assert sum(middle) < sum(start)


def many(count: int) -> list[Run]:
    found = images(LENET)
    runs = []
    for seed in range(count):
        weights = dict(network(LENET, found, seed).state_dict())
        generator = torch.Generator().manual_seed(seed)
        masks = {
            name: torch.rand(mask.shape, generator=generator) < 0.5
            for name, mask in dense(weights).items()
        }
        runs.append(Run(weights, masks, seed))
    return runs


def test_no_more_than_so_many_are_stacked(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    train = lottery_training.train_stacked

    def counted(runs: Any, *rest: Any, **options: Any) -> Any:
        sizes.append(len(runs))
        return train(runs, *rest, **options)

    monkeypatch.setattr(lottery_training, "train_stacked", counted)
    monkeypatch.setattr(lottery_training, "AT_ONCE", 2)
    runs, found = many(5), images(LENET)
    result = trainer(LENET, found)(runs, 3, 6, "name")
    assert sizes == [2, 2, 1] and len(result) == 5
    (last,) = train_stacked(
        runs[4:], found.train.images, found.train.labels, LENET.recipe, first=3, last=6
    )
    assert all(torch.equal(result[4][name], p) for name, p in last.items())


def test_other_networks_are_trained_one_by_one() -> None:
    found = images(RESNET)
    model = network(RESNET, found, 0)
    runs = [Run(network(RESNET, found, s).state_dict(), {}, s) for s in (4, 5)]
    result = trainer(RESNET, found)(runs, 1, 3, "name")
    for run, weights in zip(runs, result, strict=True):
        own = train_from(model, run, found.train, RESNET.recipe, first=1, last=3)
        assert all(torch.equal(weights[name], p) for name, p in own.items())


def test_accuracy_is_that_of_the_test_images_in_any_precision() -> None:
    found = images(LENET)
    share, model = accuracy_on_test(LENET, found), network(LENET, found, 8)
    for seed in (8, 9, 8):
        other = network(LENET, found, seed)
        weights = {n: p.double() for n, p in other.state_dict().items()}
        assert share(weights) == accuracy(other, found.test)
    assert share(model.state_dict()) == accuracy(model, found.test)


@pytest.mark.parametrize("case", [LENET, RESNET], ids=lambda case: case.architecture)
def test_a_cell_that_is_stopped_again_and_again_ends_with_the_same_rows(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "EVERY", 16)
    monkeypatch.setattr(lottery_training, "AT_ONCE", 3)
    changes: dict[str, Any] = {"floor": False, "rounds": 1, "rewind": 2}
    changes |= {"orders": 2, "dense_orders": 1}
    whole = measured(case, **changes)
    stops = 0
    while True:
        try:
            with cells.opened(Cell(tmp_path / "cell", deadline=-math.inf)):
                resumed = measured(case, **changes)
        except OutOfTimeError:
            stops += 1
            continue
        break
    assert resumed == whole
    assert not (tmp_path / "cell").exists()
    # start, imp-0, imp-1; then imp and random runs: pieces of stacks, or single runs
    assert (
        stops == {"lenet": 1 + 4 + 2 + 4, "resnet6": 2 * 3 + 2 + 4}[case.architecture]
    )
