"""Figures b3 and b4 with tables whose numbers are known: what is drawn and said."""

import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from test_figures import drawn, latex_faults, missing_in_legends, unlabelled

from figures import b3_stability_table, b4_rewinding, common
from figures._stability import AUTHORS, Published, estimate, networks, ratio

VALUES = {
    ("data order", "imp"): 20.0,
    ("data order", "random"): 60.0,
    ("pruning", "imp"): 50.0,
    ("pruning", "random"): 75.0,
}
SEEDS = (0, 1, 2)
CIFAR = [
    f"{name} ({rate})"
    for name in ("Resnet-18", "VGG-19")
    for rate in ("standard", "low", "warmup")
]
FLOOR = "noise floor at step 0 (thin)"


def rows(
    case: str, *, orders: int = 4, scale: float = 1.0, **config: Any
) -> Iterator[dict[str, Any]]:
    """Yield rows of three networks at 0.9, 1 and 1.1 times the values, halved in b4."""
    base = {"case": case, "orders": orders, "round": 10, "density": 0.1, **config}
    for seed, factor in zip(SEEDS, (0.9, 1.0, 1.1), strict=True):
        for (quantity, kind), value in VALUES.items():
            own = {**base, "initialisation": seed, "subnetwork": kind}
            pairs = list(combinations(range(orders), 2))
            if quantity == "pruning":
                pairs = [(order, order) for order in range(orders)]
            for unit in ("L2", "degrees"):
                tail = {"unit": unit, "quantity": quantity}
                for u, v in pairs:
                    value_ = scale * factor * value
                    yield {**own, **tail, "first": u, "second": v, "value": value_}
                noise = {"quantity": f"{quantity} floor", "value": 1e-3 * (1 + seed)}
                yield {**own, **tail, **noise, "first": 0, "second": 0}
        for kind, share in (("dense", 0.98), ("imp", 0.97), ("random", 0.96)):
            own = {**base, "initialisation": seed, "subnetwork": kind}
            tail = {"quantity": "accuracy", "unit": "share", "value": share}
            yield {**own, **tail, "first": 0, "second": 0}


def made(*, mnist: bool, steps: tuple[int, ...] = ()) -> common.Tables:
    """Return tables of digits, and of MNIST in b3 and at some steps of b4."""
    b3 = [
        *rows("lenet-digits", double=False),
        *rows("lenet-digits", double=True),
        *(rows("lenet-mnist", double=False) if mnist else ()),
    ]
    b4 = [*rows("lenet-digits", orders=3, scale=0.5, rewind=100)]
    for step in steps:
        b4 += rows("lenet-mnist", orders=3, scale=0.25, rewind=step)
    tables = {name: t for name, t in common.read_tables().items() if "/" in name}
    new = {"b3_stability_table": pd.DataFrame(b3), "b4_rewinding": pd.DataFrame(b4)}
    return {**tables, **new}


FIGURES = {
    module.__name__.rpartition(".")[2]: module
    for module in (b3_stability_table, b4_rewinding)
}


def drawing(name: str) -> common.Drawing:
    return common.Drawing(name, FIGURES[name].draw, FIGURES[name].caption)


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize(
    "tables",
    [
        made(mnist=False),
        made(mnist=True),
        made(mnist=True, steps=(1000,)),
        made(mnist=False, steps=(100, 25_000)),
    ],
    ids=["digits", "step 0", "one step", "steps without 0"],
)
def test_whatever_is_computed_is_drawn(name: str, tables: common.Tables) -> None:
    with drawn(drawing(name), tables) as figure:
        assert not unlabelled(figure) and not missing_in_legends(figure)
    text = FIGURES[name].caption(tables)
    assert not latex_faults(text) and not re.search(r"\bnan\b|\binf\b", text)


def points(ax: Axes, label: str) -> list[tuple[float, float]]:
    """Return the points of every artist with a label."""
    handles, labels = ax.get_legend_handles_labels()
    found = [h for h, name in zip(handles, labels, strict=True) if name == label]
    lines = [h[0] if hasattr(h, "lines") else h for h in found]
    # in nine decimals: what is drawn is a mean of rounded numbers
    return sorted(
        (round(float(x), 9), round(float(y), 9))
        for line in lines
        for x, y in line.get_xydata()
    )


def test_b3_has_the_means_the_floors_and_the_authors() -> None:
    with drawn(drawing("b3_stability_table"), made(mnist=True)) as figure:
        (mnist, digits, third), (angle, *_) = axes_of(figure, 3)
        assert points(mnist, "IMP, float32") == [(20, 4), (50, 1)]
        assert points(digits, "random, float64") == [(60, 2.75), (75, -0.25)]
        assert points(mnist, "IMP, authors") == [(20.7, 4.25), (48.1, 1.25)]
        assert points(angle, "random, authors") == [(49.2, 3.25), (83.6, 0.25)]
        floors = points(digits, "floor, float32")
        assert len(floors) == 12 and {x for x, _ in floors} == {1e-3, 2e-3, 3e-3}
        assert points(mnist, "floor, float32") == floors
        assert mnist.get_xscale() == "linear" and mnist.get_xlim()[0] == 0
        assert digits.get_xscale() == third.get_xscale() == "log"


def test_b3_has_the_ratios_of_all_published_networks() -> None:
    tables = made(mnist=True)
    vgg = pd.DataFrame(rows("vgg19-cifar10-low", double=False))
    both = pd.concat([tables["b3_stability_table"], vgg], ignore_index=True)
    with drawn(
        drawing("b3_stability_table"), {**tables, "b3_stability_table": both}
    ) as figure:
        (*_, distances), (*_, angles) = axes_of(figure, 3)
        names = [text.get_text() for text in distances.get_yticklabels()]
        assert names == ["LeNet, MNIST", *CIFAR, "LeNet, digits"]
        assert distances.get_yticks().tolist() == [7, 6, 5, 4, 3, 2, 1, 0]
        # ours of digits, VGG-19 (low) and MNIST
        assert points(distances, "ratio, data order") == [(3, 0.3), (3, 2.3), (3, 7.3)]
        assert points(angles, "ratio, pruning") == [(1.5, -0.1), (1.5, 1.9), (1.5, 6.9)]
        order = (2.831, 1.005, 4.070, 3.937, 0.860, 2.454, 2.753)
        prune = (1.574, 1.003, 1.530, 1.583, 1.003, 1.463, 1.183)
        above = sorted((x, round(7.1 - row, 9)) for row, x in enumerate(order))
        below = sorted((x, round(6.7 - row, 9)) for row, x in enumerate(prune))
        assert points(distances, "ratio, data order, authors") == above
        assert points(angles, "ratio, pruning, authors") == below
        left, right = distances.get_xlim()
        assert left < min(order) and max(order) < right


def test_b3_says_which_published_ratios_are_not_above_1_and_what_lacks_ours() -> None:
    tables = made(mnist=True)
    text = b3_stability_table.caption(tables)
    assert (
        "3 of 14 for distances (Resnet-18 (standard), pruning, 0.982; VGG-19 "
        "(standard), data order, 0.860; VGG-19 (standard), pruning, 0.981) and 1 of 14 "
        "for angles (VGG-19 (standard), data order, 0.998) are not above 1." in text
    )
    assert "Ours of the 6 networks on CIFAR-10 (complete" in text
    table = tables["b3_stability_table"]
    own = table[table["case"] == "lenet-mnist"]
    cases = [*AUTHORS]
    some = pd.concat([table, own.assign(case=cases[1])])
    every = pd.concat([table, *(own.assign(case=case) for case in cases)])
    five, none = (
        b3_stability_table.caption({**tables, "b3_stability_table": more})
        for more in (some, every)
    )
    assert "Ours of the 5 networks" in five and "Ours of" not in none


def axes_of(figure: Figure, columns: int) -> list[list[Axes]]:
    found = figure.axes
    return [found[i : i + columns] for i in range(0, len(found), columns)]


def test_b4_has_step_0_of_b3_and_the_steps_that_there_are() -> None:
    tables = made(mnist=True, steps=(25_000, 1000))
    with drawn(drawing("b4_rewinding"), tables) as figure:
        mnist, digits = axes_of(figure, 4)
        expected = [(0, 20), (1000, 5), (25_000, 5)]
        assert points(mnist[0], "IMP, data order") == expected
        assert points(digits[1], "random, pruning") == [(0, 75), (100, 37.5)]
        authors = points(mnist[0], "authors (open)")
        assert authors == [(0, 20.7), (0, 48.1), (0, 58.6), (0, 75.7)]
        assert points(mnist[2], "authors (open)") == [(0, 1.574), (0, 2.831)]
        ratios = points(digits[2], "random / IMP, data order")
        assert ratios == [(0, 3), (100, 3)]
        accuracy = points(digits[3], "whole network, accuracy")
        assert accuracy == [(0, 98), (100, 98)]
        assert {y for _, y in points(digits[0], FLOOR)} == {3e-3}


def test_b4_has_a_line_for_the_floor_of_each_curve_named_once() -> None:
    tables = made(mnist=True, steps=(1000,))
    table = tables["b3_stability_table"]
    order = (table["quantity"] == "data order floor") & (table["unit"] == "degrees")
    table.loc[order & (table["subnetwork"] == "imp"), "value"] = 7.0
    with drawn(drawing("b4_rewinding"), tables) as figure:
        distance, angle, *_ = figure.axes
        lines = [line for line in angle.lines if line.get_label() == FLOOR]
        looks = {
            (line.get_color(), line.get_linestyle()): np.unique(line.get_ydata())
            for line in lines
        }
        assert looks == {
            ("C0", "-"): 7.0,
            ("C1", "-"): 3e-3,
            ("C0", "--"): 3e-3,
            ("C1", "--"): 3e-3,
        }
        assert {tuple(line.get_xdata()) for line in lines} == {(0, 1)}
        assert points(distance, FLOOR) == [(0, 3e-3)] * 4 + [(1, 3e-3)] * 4
        names = [text.get_text() for text in figure.legends[0].get_texts()]
        assert names.count(FLOOR) == 1 and len(names) == len(set(names)) == 11


def test_b4_says_that_the_floor_is_known_at_step_0_only() -> None:
    tables = made(mnist=True, steps=(1000,))
    table = tables["b3_stability_table"]
    dense = table[table["quantity"] == "pruning floor"].assign(subnetwork="dense")
    dense["value"] = 99.0
    tables["b3_stability_table"] = pd.concat([table, dense], ignore_index=True)
    text = b4_rewinding.caption(tables)
    assert "floor at $k = 0$, the only step at which it was measured" in text
    assert "Later floors are not known" in text
    assert text.count("; floors of distances at most 0.00.") == 2


def test_b3_says_ours_theirs_and_the_samples() -> None:
    text = b3_stability_table.caption(made(mnist=True))
    # 0.9, 1, 1.1 times 20: standard error 2 / sqrt 3, Student's t of 2 is 4.303
    start = r"distance: data order, IMP 20.0 [15.0, 25.0] against $20.7 \pm 0.6$ ($-3$"
    assert start in text and "pruning, random 75.0" in text.split("angle in degrees")[1]
    assert "LeNet, MNIST with 10.0\\,\\% of the weights: 3 initialisations" in text
    assert "4 data orders each, so 18 pairs; 12 runs for pruning" in text
    assert "LeNet, digits, data order, 3.00 [3.00, 3.00] and 3.00" in text
    assert "authors, data order, 2.83 and 2.17; authors, pruning, 1.57 and 1.57" in text
    floors = r"LeNet, digits in float64 $3.0\cdot 10^{-3}$ / $3.0\cdot 10^{-3}$;"
    assert floors in text and "Less than twice" not in text
    assert "LeNet, MNIST 98.0 / 97.0 / 96.0" in text and "98.3 / 97.5" in text
    without = b3_stability_table.caption(made(mnist=False))
    assert "MNIST are not in the table yet" in without and "against $" not in without


def test_b3_says_which_distances_are_near_their_floor() -> None:
    tables = made(mnist=True)
    table = tables["b3_stability_table"]
    mnist = (table["case"] == "lenet-mnist") & (table["subnetwork"] == "imp")
    floor = table["quantity"] == "data order floor"
    for unit, name in (("L2", "distance"), ("degrees", "angle")):
        near = table.copy()
        near.loc[mnist & floor & (table["unit"] == unit), "value"] = 10.5
        text = b3_stability_table.caption({**tables, "b3_stability_table": near})
        assert (
            "Less than twice the floor, so partly rounding, are data order, IMP of "
            f"LeNet, MNIST in float32 ({name} 20.0 and 10.5): without it" in text
        )


def test_b4_says_which_steps_there_are() -> None:
    text = b4_rewinding.caption(made(mnist=True, steps=(25_000, 1000)))
    assert "LeNet, MNIST: $k = 0, 1000, 25000$; 3 initialisations, 9 pairs" in text
    assert "LeNet, digits: $k = 0, 100$" in text and "9 runs for pruning" in text
    # a quarter of 0.9, 1, 1.1 times 75: the change is -0.75 of these
    assert (
        "random 75.00 [56.37, 93.63] to 18.75 [14.09, 23.41] (-56.25 [-70.22, -42.28])"
        in text
    )
    assert "IMP 97.0 to 97.0 (0.00 [0.00, 0.00])" in text
    assert "LeNet, MNIST" not in b4_rewinding.caption(made(mnist=False))


def test_values_are_gathered_by_network() -> None:
    table = made(mnist=False)["b3_stability_table"].query("not double")
    found = networks(table, "data order", "L2", "imp")
    assert found == [pytest.approx([20 * f] * 6) for f in (0.9, 1.0, 1.1)]
    own = estimate(table, "pruning", "degrees", "random")
    assert own.mean == pytest.approx(75) and (own.samples, own.pairs) == (3, 12)
    assert ratio(table, "pruning", "L2").mean == pytest.approx(1.5)


def test_the_published_row_is_lenets_or_that_of_the_network_named() -> None:
    theirs = Published.of(made(mnist=False))
    assert theirs.value("data order", "L2", "random") == (58.6, 4.0)
    assert theirs.value("pruning", "degrees", "imp") == (53.1, 0.8)
    assert theirs.ratio("pruning", "L2") == 1.574
    assert theirs.accuracy("random") == (97.5, 0.3)
    other = Published.of(made(mnist=False), "VGG-19 (warmup)")
    assert other.value("data order", "L2", "random") == (267, 2)
    assert other.ratio("pruning", "degrees") == 1.183
