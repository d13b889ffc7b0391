"""Figures b1, b5, b9: what their captions say of tables whose answer is known."""

import re
from collections.abc import Callable
from types import ModuleType

import matplotlib
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.figure import Figure

from figures import b1_imp_schedules, b5_rewound_accuracy, b9_snip_imp, common
from figures._ticket_curves import gain, interval, rows_of, whole, winning

matplotlib.use("Agg")
PUBLISHED = {n: t for n, t in common.read_tables().items() if n.startswith("published")}
SCHEDULES = ("standard", "low", "warmup")
Loss = Callable[[str, int], float]
"""Test images lost by a kind in a round."""


def table(
    case: str, loss: Loss, kinds: tuple[str, ...], **columns: int
) -> pd.DataFrame:
    """Three initialisations whose whole networks are right on 340, 341, 342 images."""
    rows = [
        {
            "case": case,
            **columns,
            "kind": kind,
            "round": number,
            "initialisation": seed,
            "density": 0.5**number,
            "empty_layers": int(kind == "snip" and number == 2),
            "test_accuracy": (340 + seed - loss(kind, number)) / 358,
        }
        for kind in kinds
        for number in ((0, 1, 2) if kind == "imp" else (1, 2))
        for seed in range(3)
    ]
    return pd.DataFrame(rows)


def schedules(network: str, better: tuple[str, ...]) -> pd.DataFrame:
    """IMP loses nothing at half the weights; reinitialised: 2 images where better."""

    def loss(schedule: str) -> Loss:
        worse = 2.0 if schedule in better else -1.0
        return lambda kind, number: (
            number - 1 + worse * (kind != "imp") if number else 0
        )

    kinds = ("imp", "reinitialised")
    return pd.concat(
        table(f"{network}-{schedule}", loss(schedule), kinds) for schedule in SCHEDULES
    )


def tables(
    better: tuple[str, ...] = ("low", "warmup"), gained: int = 1
) -> common.Tables:
    """Both profiles; what is rewound is right on `gained` more images in each round."""
    kinds = ("imp", "reinitialised", "random", "snip")
    place = {kind: index for index, kind in enumerate(kinds)}
    large = ("resnet20-cifar10", "resnet20-cifar10-jpeg", "vgg19-cifar10")
    networks = ("resnet6-digits", *large)

    def rewound(kind: str, number: int) -> float:
        return (number - 1 + 2 * (kind != "imp") - gained) if number else 0

    return PUBLISHED | {
        "b1_imp_schedules": pd.concat(schedules(name, better) for name in networks),
        "b5_rewound_accuracy": pd.concat(
            table(f"{name}-standard", rewound, kinds[:2], rewind=21)
            for name in networks
        ),
        "b9_snip_imp": pd.concat(
            table(case, lambda kind, number: number * place[kind], kinds)
            for case in ("lenet-digits", "vgg19-cifar10-warmup")
        ),
    }


def test_rows_are_named_by_network_and_schedule() -> None:
    rows = rows_of(tables(), "b1_imp_schedules")
    pairs = set(zip(rows["network"], rows["schedule"], strict=True))
    assert len(pairs) == 12 and ("resnet20-cifar10-jpeg", "low") in pairs
    assert ("resnet20-cifar10", "warmup") in pairs
    lenet = rows_of(tables(), "b9_snip_imp").iloc[0]
    assert lenet["network"] == "lenet-digits" and pd.isna(lenet["schedule"])
    assert (lenet["left"], lenet["accuracy"]) == (100.0, 100 * (340 / 358))


def test_winning_tickets_are_as_accurate_as_the_whole() -> None:
    rows = rows_of(tables(), "b9_snip_imp")
    rows = rows[rows["network"] == "lenet-digits"]
    assert whole(rows).tolist() == [100 * (n / 358) for n in (340, 341, 342)]
    assert winning(rows, "imp") == r"down to 25.0\,\% (down to 25.0\,\%)"
    assert winning(rows, "reinitialised") == r"never (down to 50.0\,\%)"
    assert winning(rows, "random") == "never (never)"


def test_gains_are_means_over_pruned_rounds_of_each_initialisation() -> None:
    rows = rows_of(tables(), "b9_snip_imp")
    rows = rows[rows["network"] == "lenet-digits"]
    imp, random = (rows[rows["kind"] == kind] for kind in ("imp", "random"))
    assert gain(imp, random).tolist() == pytest.approx([100 * 3 / 358] * 3)
    assert gain(random, imp).tolist() == pytest.approx([-100 * 3 / 358] * 3)
    assert len(gain(imp, imp)) == 3 and not gain(imp, imp).any()
    half = imp[imp["round"] < 2]
    assert gain(half, random).tolist() == pytest.approx([100 * 2 / 358] * 3)
    assert interval(pd.Series([1.0, -0.5, 0.25])) == "$+0.25$ [$-0.50$, $+1.00$]"


@pytest.mark.parametrize(
    ("better", "rates"),
    [
        (("low", "warmup"), "low rate, warm-up"),
        (SCHEDULES, "standard rate, low rate, warm-up"),
        (("low",), "low rate"),
        ((), "none of the rates"),
    ],
)
def test_b1_says_where_imp_is_better(better: tuple[str, ...], rates: str) -> None:
    caption = b1_imp_schedules.caption(tables(better))
    assert f"All initialisations gain at {rates}." in caption
    assert r"all weights reach 95.3\,\% / 95.3\,\% / 95.3\,\%" in caption
    other = r"never (never)", r"down to 25.0\,\% (down to 25.0\,\%)"
    found = " / ".join(other[schedule not in better] for schedule in SCHEDULES)
    assert f"reinitialised {found}." in caption
    assert (
        "Resnet-18 $+0.0$ / $+3.0$ / $+3.5$, VGG-19 $-0.2$ / $+3.0$ / $+2.1$" in caption
    )


@pytest.mark.parametrize(
    ("lost", "rates"),
    [(0, "standard rate, low rate, warm-up"), (1, "low rate, warm-up")],
)
def test_b1_says_where_there_are_winning_tickets(lost: int, rates: str) -> None:
    made = tables()
    rows = made["b1_imp_schedules"]
    pruned = (rows["case"] == "resnet6-digits-standard") & (rows["round"] > 0)
    rows.loc[pruned, "test_accuracy"] -= lost / 358
    caption = b1_imp_schedules.caption(made)
    assert f"so does ours at {rates}." in caption
    most, mean = (f"{100 * x / 358:.2f}" for x in (1 + lost, 0.5 + lost))
    assert rf"loses {most} points at most (with 25.0\,\% of the weights)" in caption
    assert f", {mean} in the mean of the rounds." in caption


def test_rounds_that_are_not_as_accurate_interrupt_what_is_said() -> None:
    rows = rows_of(tables(), "b9_snip_imp")
    rows = rows[rows["network"] == "lenet-digits"]
    first = (rows["kind"] == "imp") & (rows["round"] == 1)
    broken = rows.assign(accuracy=rows["accuracy"] - 100 * first)
    text = r"in 1 of 2 rounds, the last at 25.0\,\%"
    assert winning(broken, "imp") == f"{text} ({text})"


@pytest.mark.parametrize(("gained", "verdict"), [(1, "helps"), (0, "does not help")])
def test_b5_says_whether_rewinding_helps(gained: int, verdict: str) -> None:
    caption = b5_rewound_accuracy.caption(tables(gained=gained))
    assert f"Rewinding {verdict} here in every initialisation." in caption
    change = f"${100 * gained / 358:+.2f}$"
    assert f"accuracy by {change} [{change}, {change}] points" in caption
    assert r"Resnet-18 falls from 90.5 to 87.7\,\% at 16.7\,\%" in caption
    assert r"VGG-19 falls from 91.5 to 90.0\,\% at 2.2\,\%" in caption
    assert "(random masks 87.7)" in caption and "(random masks 90.2)" in caption
    assert "step 500 of 30000 and 100 of 112000" in caption
    assert "rewound to step 21 of 420" in caption


def test_b9_compares_imp_with_each_control() -> None:
    caption = b9_snip_imp.caption(tables())
    gains = [f"${100 * n / 358:+.2f}$" for n in (1.5, 4.5, 3)]
    for name, value in zip(
        ("reinitialised", "SNIP", "random masks"), gains, strict=True
    ):
        assert f"{name} {value} [{value}, {value}]" in caption
    assert "3 of 24 subnetworks have an empty layer (snip)." in caption
    assert r"up to 99\,\% of them removed" in caption
    means = [100 * (341 - 2 * n) / 358 for n in (0, 1, 3, 2)]
    names = ("IMP", "reinitialised", "SNIP", "random masks")
    for name, mean in zip(names, means, strict=True):
        assert f"{name} {mean:.1f}\\,\\%" in caption


def of_digits(both: common.Tables) -> common.Tables:
    """The default profile of both."""
    return {
        name: rows[rows["case"].str.contains("digits")] if "case" in rows else rows
        for name, rows in both.items()
    }


THEIRS = {
    b5_rewound_accuracy: {
        "Resnet-18, CIFAR-10": ([(100, 90.5), (16.7, 87.7)], [(16.7, 87.7)]),
        "VGG-19, CIFAR-10": ([(100, 91.5), (2.2, 90.0)], [(2.2, 90.2)]),
    },
    b9_snip_imp: {
        "Resnet-18, CIFAR-10": ([(100, 89.6), (16.7, 90.3)], [(16.7, 86.8)]),
        "VGG-19, CIFAR-10": ([(100, 92.3), (2.2, 92.4)], [(2.2, 90.3)]),
    },
}
"""The authors' points of IMP and of random masks: standard rate, warm-up."""


@pytest.mark.parametrize("module", THEIRS, ids=lambda module: module.__name__)
@pytest.mark.parametrize("published", [True, False])
def test_the_authors_points_are_in_the_panels_of_their_networks(
    module: ModuleType, published: bool
) -> None:
    both = tables() if published else of_digits(tables())
    with plt.style.context(common.STYLE, after_reset=True):
        figure = module.draw(both)
    for ax in figure.axes:
        handles, labels = ax.get_legend_handles_labels()
        shown = dict(zip(labels, handles, strict=True))
        expected = THEIRS[module].get(ax.get_title())
        for row, kind in enumerate(("IMP", "random masks")):
            found = shown.get(f"{kind}, authors")
            assert (found is None) == (expected is None)
            if found is not None and expected is not None:
                points = [tuple(point) for point in found[0].get_xydata()]
                assert points == expected[row]
                assert ax.get_xlim()[1] < min(x for x, _ in points)
    plt.close(figure)
    missing = {
        (b5_rewound_accuracy, True): "",
        (b9_snip_imp, True): "Ours of Resnet-18 (for a GPU)",
    }.get((module, published), "Ours of Resnet-18 and VGG-19 (for a GPU)")
    caption = module.caption(both)
    assert missing in caption and ("Ours of" in caption) == bool(missing)


MODULES = (b1_imp_schedules, b5_rewound_accuracy, b9_snip_imp)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
@pytest.mark.parametrize("published", [True, False])
def test_all_that_is_drawn_is_named(module: object, published: bool) -> None:
    both = tables() if published else of_digits(tables())
    with plt.style.context(common.STYLE, after_reset=True):
        figure: Figure = module.draw(both)  # type: ignore[attr-defined]
        figure.draw_without_rendering()
    shown = {text.get_text() for text in figure.legends[0].get_texts()}
    for ax in figure.axes:
        labels = ax.get_legend_handles_labels()[1]
        assert labels and set(labels) <= shown
        left, right = ax.get_xlim()
        assert left > 100 > right
    ours = [label for label in shown if re.search("Resnet-18.*ours|jpeg", label)]
    assert bool(ours) == (published and module is b1_imp_schedules)
    panels = {
        b1_imp_schedules: (6, 6),
        b5_rewound_accuracy: (3, 4),
        b9_snip_imp: (3, 3),
    }
    assert len(figure.axes) == panels[module][published]  # type: ignore[index]
    assert figure.get_figwidth() == common.PAGE
    plt.close(figure)
