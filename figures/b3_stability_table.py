"""Figure b3 (paper B, figures 3 and 10): LeNet's row of the stability table."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from figures._stability import (
    CASES,
    KINDS,
    QUANTITIES,
    UNITS,
    Published,
    bars,
    estimate,
    legend,
    networks,
    ratio,
)
from figures._stability_text import (
    accuracies,
    comparison,
    noise_floors,
    ratios,
    samples,
)
from figures.common import PAGE, Tables

PLACES = {
    ("data order", "imp"): 4.0,
    ("data order", "random"): 3.0,
    ("pruning", "imp"): 1.0,
    ("pruning", "random"): 0.0,
}
MIDDLES = {"data order": 3.5, "pruning": 0.5}
"""Between the two subnetworks whose ratio it is."""
PRECISIONS = {False: ("float32", 0.0, "k", "|"), True: ("float64", -0.25, "0.45", "x")}
"""By `double`: title, shift, colour and marker of the noise floor."""
RATIOS = {"lenet-mnist": ("C2", "^", 0.3), "lenet-digits": ("C3", "D", -0.3)}
"""Colour, marker and shift of each case."""


def draw(tables: Tables) -> Figure:
    """Return distance above, angle below; MNIST, digits, random over IMP."""
    table, theirs = tables["b3_stability_table"], Published.of(tables)
    figure, axes = plt.subplots(
        2, 3, figsize=(PAGE, 3.7), sharey=True, width_ratios=[1, 1.25, 0.9]
    )
    for (unit, label), row in zip(UNITS.items(), axes, strict=True):
        for ax, case in zip(row, CASES, strict=False):
            own = table[table["case"] == case]
            _means(ax, own, unit)
            _noise(ax, own, unit)
            if case == "lenet-mnist":
                _authors(ax, theirs, unit)
            _scale(ax, case)
            ax.set_xlabel(label)
        _ratios(row[2], table, theirs, unit)
        row[2].set_xlabel(f"ratio of the {label.split()[0]}s (1)")
    for ax, title in zip(axes[0], [*CASES.values(), "random / IMP"], strict=True):
        ax.set_title(title)
    names = [f"{quantity}, {KINDS[kind][0]}" for quantity, kind in PLACES]
    axes[0, 0].set_yticks(list(PLACES.values()), names)
    axes[0, 0].set_ylim(-0.7, 4.7)
    for ax in axes[:, 0]:
        ax.set_ylabel("stability to (subnetwork)")
    legend(figure, [axes[0, 1], axes[0, 0], axes[0, 2]], 4)
    return figure


def caption(tables: Tables) -> str:
    """Return the caption: samples, ours and theirs, ratios, noise floors."""
    table, theirs = tables["b3_stability_table"], Published.of(tables)
    titles = {double: title for double, (title, *_) in PRECISIONS.items()}
    return (
        "Stability of subnetworks of LeNet-300-100 rewound to step 0: distance and "
        "angle between two trainings with different data orders, and between the "
        "subnetwork and the same weights inside the whole network, trained with the "
        r"same order (claims \ref{stability-to-data-order}, "
        r"\ref{stability-to-pruning}); smaller is more stable. Random "
        f"subnetworks have the layer counts of IMP's. {samples(table)} Bars "
        "are 95\\,\\% intervals of Student's $t$ over initialisations, each of which "
        "counts once, as its pairs share runs. Open markers: the authors' means "
        "(MNIST), bars their smallest and largest sample. Ticks and crosses: numerical "
        "noise floor of each initialisation, the distance between two runs that are "
        "equal in exact arithmetic (hidden units permuted), of the subnetwork for data "
        "order and of the whole network for pruning, on the "
        f"subnetwork's weights. {noise_floors(table, titles)} "
        f"{comparison(table, theirs)} {ratios(table, theirs)} "
        f"{accuracies(table, theirs)}"
    )


def _means(ax: Axes, rows: pd.DataFrame, unit: str) -> None:
    """Draw means with their intervals, of float64 a little lower."""
    for double, own in rows.groupby("double"):
        precision, shift, *_ = PRECISIONS[bool(double)]
        for (quantity, kind), place in PLACES.items():
            title, colour, marker = KINDS[kind]
            means, reach = bars([estimate(own, quantity, unit, kind)])
            ax.errorbar(
                means,
                [place + shift],
                xerr=reach,
                color=colour,
                marker="D" if double else marker,
                ms=2 if double else 3.5,
                ls="",
                elinewidth=0.7,
                label=f"{title}, {precision}",
            )


def _noise(ax: Axes, rows: pd.DataFrame, unit: str) -> None:
    """Draw the noise floor of each initialisation; 0 has no place on the axis."""
    for double, own in rows.groupby("double"):
        precision, shift, colour, marker = PRECISIONS[bool(double)]
        for (quantity, kind), place in PLACES.items():
            floors = networks(own, f"{quantity} floor", unit, kind)
            values = [v for found in floors for v in found if v > 0]
            ax.plot(
                values,
                [place + shift] * len(values),
                color=colour,
                marker=marker,
                ms=4,
                ls="",
                label=f"noise floor, {precision}",
            )


def _scale(ax: Axes, case: str) -> None:
    """Make the axis logarithmic; that of MNIST (float32 only) begins at 1 at most."""
    ax.set_xscale("log")
    ax.minorticks_off()
    if case == "lenet-mnist":
        ax.set_xlim(min(1.0, ax.get_xlim()[0]), 200.0)
    else:
        ax.xaxis.set_major_locator(LogLocator(base=1000.0, numticks=9))


def _authors(ax: Axes, theirs: Published, unit: str) -> None:
    for (quantity, kind), place in PLACES.items():
        title, colour, marker = KINDS[kind]
        mean, reach = theirs.value(quantity, unit, kind)
        ax.errorbar(
            [mean],
            [place + 0.25],
            xerr=[reach],
            color=colour,
            marker=marker,
            mfc="white",
            ls="",
            elinewidth=0.7,
            label=f"{title}, authors",
        )


def _ratios(ax: Axes, table: pd.DataFrame, theirs: Published, unit: str) -> None:
    for case, (colour, marker, shift) in RATIOS.items():
        rows = table[(table["case"] == case) & ~table["double"]]
        if rows.empty:
            continue
        means, reach = bars([ratio(rows, quantity, unit) for quantity in QUANTITIES])
        ax.errorbar(
            means,
            [MIDDLES[quantity] + shift for quantity in QUANTITIES],
            xerr=reach,
            color=colour,
            marker=marker,
            ls="",
            elinewidth=0.7,
            label=CASES[case],
        )
    ax.plot(
        [theirs.ratio(quantity, unit) for quantity in QUANTITIES],
        [MIDDLES[quantity] for quantity in QUANTITIES],
        color="C2",
        marker="^",
        mfc="white",
        ls="",
        label="LeNet, MNIST, authors",
    )
    ax.axvline(1, color="0.3", lw=0.7, marker="")
    ax.set(xscale="log", xlim=(0.8, 25))
    ax.set_xticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
    ax.minorticks_off()
