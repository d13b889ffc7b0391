"""IMP's tickets and their controls: exact counts, equal conditions, exact resuming."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from experiments import data, ticket_curves
from experiments.cells import Cell, OutOfTimeError, opened
from experiments.lottery_cases import CASES, Case, dense, images, network, rates
from experiments.lottery_training import stability_rows, trainer
from experiments.recipes import Recipe
from experiments.stacked_training import Run
from experiments.study import Initialisation
from experiments.ticket_curves import PER_CLASS, Control, curves
from theory.lottery_tickets import Weights
from theory.masks import counts, kept

CONTROLS: tuple[Control, ...] = get_args(Control)
LENET = replace(CASES["lenet-digits"], recipe=Recipe(12, 60, 1.2e-3, optimizer="adam"))
RESNET = replace(
    CASES["resnet6-digits-warmup"],
    recipe=replace(
        CASES["resnet6-digits-warmup"].recipe, epochs=5, drops=(2, 4), warmup=3
    ),
)


def short(case: Case, **changes: Any) -> list[ticket_curves.Row]:
    arguments: dict[str, Any] = {
        "initialisations": (3, 4),
        "rewind": 0,
        "rounds": 2,
        "controls": CONTROLS,
        "every": 1,
    }
    return curves(case, **(arguments | changes))


@dataclass(frozen=True)
class Call:
    """One call of the training: its arguments and what it returned."""

    name: str
    first: int
    last: int
    runs: Sequence[Run]
    trained: Sequence[Weights]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """Every training of the test, in order."""
    seen: list[Call] = []

    def watched(case: Case, found: data.DataSet) -> Any:
        train = trainer(case, found)

        def noted(runs: Sequence[Run], first: int, last: int, name: str) -> Any:
            trained = train(runs, first, last, name)
            seen.append(Call(name, first, last, runs, trained))
            return trained

        return noted

    monkeypatch.setattr(ticket_curves, "trainer", watched)
    return seen


@pytest.mark.parametrize("case", [LENET, RESNET], ids=["lenet", "resnet"])
def test_one_row_for_each_kind_round_and_initialisation(case: Case) -> None:
    rows = short(case, rounds=4, every=2)
    found = [(row["kind"], row["round"], row["initialisation"]) for row in rows]
    expected = list(product(["imp"], range(5), (3, 4)))
    assert found == expected + list(product(CONTROLS, (2, 4), (3, 4)))
    layers = {n: m.numel() for n, m in dense(first_weights(case)).items()}
    shares = rates(case, dense(first_weights(case)))
    if isinstance(shares, dict):
        left = [layers]
        for _ in range(4):
            before = left[-1].items()
            left.append({n: kept(count, 1 - shares[n]) for n, count in before})
        sums = [sum(counts.values()) for counts in left]
    else:
        sums = [sum(layers.values())]
        for _ in range(4):
            sums.append(kept(sums[-1], 1 - shares))
    for row in rows:
        assert row["kept"] == sums[int(row["round"])]
        assert row["density"] == int(row["kept"]) / sums[0]
        for split, size in (("validation", 179), ("test", 358)):
            right = float(row[f"{split}_accuracy"]) * size
            assert 0 <= right <= size and right == pytest.approx(round(right))
    assert sums[0] == {"lenet": 50_200, "resnet6": 4680}[case.architecture]


def first_weights(case: Case) -> Weights:
    return network(case, images(case), 0).state_dict()


@pytest.mark.parametrize("rewind", [0, 2])
@pytest.mark.parametrize("case", [LENET, RESNET], ids=["lenet", "resnet"])
def test_controls_differ_from_imp_in_one_thing_each(
    case: Case, rewind: int, calls: list[Call]
) -> None:
    rows = short(case, rewind=rewind)
    by_name = {call.name: call for call in calls}
    starts = [run.weights for run in by_name["imp-0"].runs]
    tickets = [run for n in (1, 2) for run in by_name[f"imp-{n}"].runs]
    for call in calls:
        assert call.last == (rewind if call.name == "start" else case.recipe.epochs)
        whole = call.name in ("start", "reinitialised")
        assert call.first == (0 if whole else rewind)
        for number, run in enumerate(call.runs):
            same_order = starts_of(case)[number % 2]
            assert run.order == same_order.orders[0]
    for kind in CONTROLS:
        for number, (run, ticket) in enumerate(
            zip(by_name[kind].runs, tickets, strict=True)
        ):
            start = equal(run.weights, starts[number % 2])
            mask = equal(run.masks, ticket.masks)
            assert (start, mask) == (kind != "reinitialised", kind == "reinitialised")
            own, imp = counts(dict(run.masks)), counts(dict(ticket.masks))
            assert (own == imp) == (kind != "snip")
            assert sum(own.values()) == sum(imp.values())
    assert not equal(starts[0], starts[1])
    other = by_name["reinitialised"].runs
    assert equal(other[0].weights, other[2].weights), "one V_0 for all rounds"
    assert not equal(other[0].weights, other[1].weights)
    assert len(rows) == 2 * (3 + 2 * len(CONTROLS))


def starts_of(case: Case) -> list[Initialisation]:
    found = images(case)
    return [
        Initialisation.of(seed, 1, lambda s: network(case, found, s).state_dict())
        for seed in (3, 4)
    ]


def equal(one: Any, other: Any) -> bool:
    assert one.keys() == other.keys()
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("case", [LENET, RESNET], ids=["lenet", "resnet"])
def test_pruned_weights_are_exactly_zero_and_the_rest_moves(
    case: Case, calls: list[Call]
) -> None:
    short(case)
    pruned = 0
    for call in calls:
        for run, weights in zip(call.runs, call.trained, strict=True):
            assert run.masks.keys() == dense(weights).keys()
            for name, mask in run.masks.items():
                assert not weights[name][~mask].any()
                pruned += int((~mask).sum())
                moved = weights[name] != run.weights[name]
                assert moved[mask].double().mean() > 0.5
            for name in weights.keys() - run.masks.keys():
                assert not torch.equal(weights[name], run.weights[name]), name
    assert pruned


def test_rewound_networks_are_those_of_the_whole_network(calls: list[Call]) -> None:
    short(RESNET, rewind=3, controls=())
    start, first, *_ = calls
    assert (start.name, start.first, start.last) == ("start", 0, 3)
    for sample, run, weights, again in zip(
        starts_of(RESNET), start.runs, start.trained, first.runs, strict=True
    ):
        assert equal(run.weights, sample.weights) and not run.masks
        assert equal(again.weights, weights)
        assert int(weights["bn1.num_batches_tracked"]) == 3


@pytest.mark.parametrize("case", [LENET, RESNET], ids=["lenet", "resnet"])
def test_snip_keeps_the_largest_products_of_gradient_and_weight(
    case: Case, calls: list[Call], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[Tensor, Tensor]] = []
    batch = data.batch

    def watched(*args: Any, **options: Any) -> tuple[Tensor, Tensor]:
        drawn.append(batch(*args, **options))
        return drawn[-1]

    monkeypatch.setattr(data, "batch", watched)
    short(case, initialisations=(5,), controls=("snip",), every=2)
    (run,), ((x, labels),) = calls[-1].runs, drawn
    assert labels.bincount().tolist() == [PER_CLASS] * 10
    model = network(case, images(case), 0).double().train()
    weights = {n: p.detach().double() for n, p in run.weights.items()}
    leaves = {n: weights[n].requires_grad_() for n in run.masks}
    logits = functional_call(model, weights | leaves, (x.double(),))
    loss = torch.nn.functional.cross_entropy(logits, labels)
    slopes = torch.autograd.grad(loss, list(leaves.values()))
    products = {
        n: (w * s).detach().abs()
        for (n, w), s in zip(leaves.items(), slopes, strict=True)
    }
    lowest = min(float(p[run.masks[n]].min()) for n, p in products.items())
    highest = max(float(p[~run.masks[n]].max()) for n, p in products.items())
    assert lowest >= highest * (1 - 1e-9) > 0


def test_imp_is_that_of_the_stability_tables() -> None:
    ours = short(LENET, controls=())
    theirs = stability_rows(
        LENET,
        rewind=0,
        rounds=2,
        initialisations=(3, 4),
        orders=1,
        dense_orders=1,
        double=False,
        floor=False,
    )
    rounds = [row for row in theirs if row["quantity"] == "round accuracy"]
    expected = {
        (row["round"], row["initialisation"]): (row["density"], row["value"])
        for row in rounds
    }
    assert expected == {
        (row["round"], row["initialisation"]): (row["density"], row["test_accuracy"])
        for row in ours
    }


@pytest.mark.parametrize("case", [LENET, RESNET], ids=["lenet", "resnet"])
def test_same_rows_twice_and_after_every_interruption(
    case: Case, tmp_path: Path
) -> None:
    asked = {"initialisations": (3,), "rewind": 2, "rounds": 1}
    undisturbed = short(case, **asked)
    assert short(case, **asked) == undisturbed
    interruptions = 0
    rows = None
    while rows is None:
        try:
            with opened(Cell(tmp_path / "cell", 0.0)):
                rows = short(case, **asked)
        except OutOfTimeError:
            interruptions += 1
    assert interruptions == 6  # to step 2, IMP's rounds 0 and 1, three controls
    assert rows == undisturbed
    assert not (tmp_path / "cell").exists()


def test_seeds_and_kinds_draw_independently() -> None:
    one, both = (
        short(RESNET, initialisations=seeds, controls=controls)
        for seeds, controls in (((4,), ("snip", "random")), ((3, 4), CONTROLS))
    )
    for row in one:
        assert row in both
