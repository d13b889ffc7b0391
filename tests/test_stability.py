"""The rows of both stabilities: each distance between the runs that it names."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import pytest
import torch
from test_study import Trainer, equal, samples, some
from tolerance import tolerance
from torch import Tensor

from experiments.stability import Row, Trained, controlled, rows, tickets
from experiments.stacked_training import Run
from experiments.study import Study
from theory.lottery_tickets import Ticket, Weights
from theory.masked_distance import angle, distance
from theory.masks import counts, kept

ROUNDS = 3
RATES = {"0.weight": 0.2, "2.weight": 0.1}
WHOLE = {"0.weight": torch.ones(5, 4).bool(), "2.weight": torch.ones(3, 5).bool()}


class Drifting(Trainer):
    """Moves the weights by a direction of the order's own, and by the density.

    A function of m * W_k, u and m, as training is.
    """

    def __call__(
        self, runs: Sequence[Run], first: int, last: int, name: str
    ) -> list[Weights]:
        super().__call__(runs, first, last, name)
        return [self.moved(run, last - first) for run in runs]

    def moved(self, run: Run, length: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(run.order)
        density = sum(float(mask.double().mean()) for mask in run.masks.values())
        result = {}
        for name, p in run.weights.items():
            step = torch.rand(p.shape, generator=generator, dtype=p.dtype)
            result[name] = (p * (1 + density) + length * step) * run.masks.get(name, 1)
        return result


def study(orders: int = 3, first: int = 2) -> Study:
    return Study.rewound(samples(2, orders), Drifting(), first=first, last=6)


def accuracy(weights: Weights) -> float:
    return float(sum(p.sum() for p in weights.values()))


@pytest.fixture
def made() -> tuple[Study, list[list[Ticket]], dict[str, Trained]]:
    own = study()
    found = tickets(own, WHOLE, RATES, ROUNDS)
    trained = controlled(own, found, orders=3, dense_orders=2, floor=True)
    return own, found, trained


def test_the_tickets_are_those_of_imp_with_the_first_order() -> None:
    own = study()
    found = tickets(own, WHOLE, RATES, ROUNDS)
    calls = own.train.calls[1:]
    assert [name for *_, name in calls] == [f"imp-{i}" for i in range(ROUNDS + 1)]
    assert len(found) == ROUNDS + 1
    sizes = {"0.weight": 20, "2.weight": 15}
    for number, round_ in enumerate(found):
        runs, first, last, _ = calls[number]
        assert (first, last) == (2, 6)
        for run, ticket, start, sample in zip(
            runs, round_, own.starts, own.samples, strict=True
        ):
            assert run.order == sample.orders[0]
            assert equal(run.masks, ticket.masks)
            assert equal(run.weights, start)
            assert counts(ticket.masks) == sizes
        sizes = {name: kept(n, 1 - RATES[name]) for name, n in sizes.items()}
    # 20 16 13 10 8 and 15 14 13 12 11: the one after the last round
    assert sizes == {"0.weight": 8, "2.weight": 11}


def test_kinds_have_their_masks_orders_and_runs(made: Any) -> None:
    own, found, trained = made
    assert list(trained) == ["dense", "imp", "random"]
    numbers = {kind: sorted(part.runs) for kind, part in trained.items()}
    assert numbers == {"dense": [0, 1], "imp": [0, 1, 2], "random": [0, 1, 2]}
    for index, last in enumerate(found[-1]):
        assert equal(trained["dense"].masks[index], WHOLE)
        assert equal(trained["imp"].masks[index], last.masks)
        drawn = trained["random"].masks[index]
        assert counts(drawn) == counts(last.masks) and not equal(drawn, last.masks)
        for part in trained.values():
            for number, weights in part.runs.items():
                run = Run(
                    own.starts[index],
                    part.masks[index],
                    own.samples[index].orders[number],
                )
                assert equal(weights[index], own.train.moved(run, 4))
    one, other = trained["random"].masks
    assert not equal(one, other)


def test_what_imp_has_trained_is_not_trained_again(made: Any) -> None:
    own, found, trained = made
    orders = {name: [run.order for run in runs] for runs, *_, name in own.train.calls}
    assert [*orders] == [
        *("start", "imp-0", "imp-1", "imp-2", "imp-3"),
        *("dense", "dense-floor", "imp", "imp-floor", "random", "random-floor"),
    ]
    numbers = {"dense": (1,), "imp": (1, 2), "random": (0, 1, 2)}
    for kind, expected in numbers.items():
        drawn = [s.orders[number] for number in expected for s in own.samples]
        assert orders[kind] == drawn
    for kind, round_ in (("dense", 0), ("imp", ROUNDS)):
        for index in range(2):
            assert trained[kind].runs[0][index] is found[round_][index].weights


def test_without_a_floor_nothing_is_trained_twice() -> None:
    own = study()
    found = tickets(own, WHOLE, RATES, 1)
    trained = controlled(own, found, orders=2, dense_orders=1, floor=False)
    assert all(not part.again for part in trained.values())
    assert not any("floor" in name for *_, name in own.train.calls)
    assert not any(
        "floor" in str(row["quantity"]) for row in rows(own, found, trained, accuracy)
    )


@pytest.mark.parametrize(("orders", "dense"), [(3, 0), (2, 3), (4, 1), (0, 0)])
def test_orders_that_there_are_not(orders: int, dense: int) -> None:
    own = study()
    found = tickets(own, WHOLE, RATES, 1)
    message = f"1 <= dense_orders <= orders <= 3, .* got {dense} and {orders}"
    with pytest.raises(ValueError, match=message):
        controlled(own, found, orders=orders, dense_orders=dense, floor=False)


def chosen(found: list[Row], **columns: Any) -> list[Row]:
    return [row for row in found if all(row[n] == v for n, v in columns.items())]


def test_rows_are_complete(made: Any) -> None:
    """Each row once: the numbers of runs, pairs and rounds, by quantity."""
    found = list(rows(*made, accuracy))
    keys = [tuple(v for n, v in row.items() if n != "value") for row in found]
    assert len(set(keys)) == len(keys)
    names = "initialisation subnetwork round density quantity first second unit value"
    assert {tuple(row) for row in found} == {tuple(names.split())}
    number = {
        ("round accuracy", "imp"): ROUNDS + 1,
        ("round pruning", "imp"): 2 * (ROUNDS + 1),
        ("accuracy", "dense"): 2,
        ("accuracy", "imp"): 3,
        ("accuracy", "random"): 3,
        ("data order", "dense"): 2,
        ("data order", "imp"): 6,
        ("data order", "random"): 6,
        ("pruning", "dense"): 4,
        ("pruning", "imp"): 4,
        ("pruning", "random"): 4,
    }
    for kind in ("dense", "imp", "random"):
        number |= {(f"{name} floor", kind): 2 for name in ("data order", "pruning")}
    for seed in (0, 1):
        for (quantity, kind), expected in number.items():
            own = chosen(found, initialisation=seed, quantity=quantity, subnetwork=kind)
            assert len(own) == expected, (quantity, kind)
    assert len(found) == 2 * sum(number.values())
    for row in found:
        units = {"share"} if "accuracy" in str(row["quantity"]) else {"L2", "degrees"}
        assert row["unit"] in units
        assert all(type(value) in (str, int, float) for value in row.values())


def measured(quantity: str, u: int, v: int, index: int, kind: str, made: Any) -> Any:
    """Return the two weights and the masks of a row, by the definitions."""
    _, _, trained = made
    part, dense = trained[kind], trained["dense"]
    pair = {
        "data order": lambda: (part.runs[u][index], part.runs[v][index]),
        "pruning": lambda: (dense.runs[u][index], part.runs[v][index]),
        "data order floor": lambda: (part.runs[0][index], part.again[index]),
        "pruning floor": lambda: (dense.runs[0][index], dense.again[index]),
    }[quantity]()
    return *pair, part.masks[index]


def test_every_value_is_the_distance_or_angle_of_its_row(made: Any) -> None:
    _, found, trained = made
    for row in rows(*made, accuracy):
        index, kind = int(row["initialisation"]), str(row["subnetwork"])
        u, v, quantity = int(row["first"]), int(row["second"]), str(row["quantity"])
        number, unit = int(row["round"]), row["unit"]
        if quantity.startswith("round"):
            ticket, whole = found[number][index], found[0][index].weights
            first, second, masks = whole, ticket.weights, ticket.masks
            assert (u, v, kind) == (0, 0, "imp")
        elif quantity == "accuracy":
            second, masks = trained[kind].runs[u][index], trained[kind].masks[index]
            assert u == v
        else:
            first, second, masks = measured(quantity, u, v, index, kind, made)
        if unit == "share":
            assert row["value"] == accuracy(second)
        else:  # symmetric
            measure = distance if unit == "L2" else angle
            assert row["value"] == measure(second, first, masks)
        if not quantity.startswith("round"):
            assert number == (0 if kind == "dense" else ROUNDS)
        size = sum(counts(masks).values())
        assert row["density"] == size / 35


def test_pairs_have_different_orders_in_data_order_and_the_same_in_pruning(
    made: Any,
) -> None:
    found = list(rows(*made, accuracy))
    for kind, runs in (("dense", 2), ("imp", 3), ("random", 3)):
        own = chosen(found, subnetwork=kind, unit="L2", initialisation=1)
        pairs = [(r["first"], r["second"]) for r in chosen(own, quantity="data order")]
        assert pairs == list(combinations(range(runs), 2))
        pairs = [(r["first"], r["second"]) for r in chosen(own, quantity="pruning")]
        assert sorted(pairs) == [(0, 0), (1, 1)]
    # control: with the same order twice data order would be a distance of zero
    _, _, trained = made
    weights = trained["imp"].runs[0][0]
    assert distance(weights, weights, trained["imp"].masks[0]) == 0
    assert all(row["value"] > 0 for row in chosen(found, quantity="data order"))


def test_the_dense_network_is_no_distance_from_itself(made: Any) -> None:
    found = list(rows(*made, accuracy))
    for quantity in ("pruning", "round pruning"):
        own = [r for r in chosen(found, quantity=quantity) if r["density"] == 1.0]
        assert own and all(row["value"] == 0 for row in own)
    others = [r for r in chosen(found, quantity="pruning") if r["density"] < 1]
    assert others and all(float(row["value"]) > 0.1 for row in others)


def test_floors_of_an_exactly_equivariant_training_are_zero() -> None:
    """Doubling weights commutes with permuting units: not a digit is left."""
    own = Study.rewound(samples(2, 1), Trainer(), first=0, last=6)
    found = tickets(own, WHOLE, RATES, 1)
    trained = controlled(own, found, orders=1, dense_orders=1, floor=True)
    for row in rows(own, found, trained, accuracy):
        if str(row["quantity"]).endswith("floor"):
            limit = tolerance(4) if row["unit"] == "degrees" else 0.0
            assert row["value"] <= limit
    masks = some(0)
    assert distance(trained["dense"].again[0], samples(1)[0].weights, masks) > 0
