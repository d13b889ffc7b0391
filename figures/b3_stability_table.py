"""Figure b3 (paper B, figures 3 and 10): the stability table, ours of LeNet."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from figures._stability import (
    AUTHORS,
    CASES,
    KINDS,
    RATIOS,
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
    published_ratios,
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
PRECISIONS = {False: ("float32", 0.0, "k", "|"), True: ("float64", -0.25, "0.45", "x")}
"""By `double`: title, shift, colour and marker of the noise floor."""
TITLES = AUTHORS | CASES
ROWS = {case: len(TITLES) - 1 - row for row, case in enumerate(TITLES)}
"""Of the ratios: the places of the networks."""
SHIFTS = {"data order": (0.3, 0.1), "pruning": (-0.1, -0.3)}
"""Of ours and of the authors' ratios, within a network's row."""


def draw(tables: Tables) -> Figure:
    """Return distance above, angle below; MNIST, digits, random over IMP."""
    table, theirs = tables["b3_stability_table"], Published.of(tables)
    figure, axes = plt.subplots(
        2, 3, figsize=(PAGE, 3.6), width_ratios=[1.3, 0.85, 0.85]
    )
    names = [f"{quantity}, {KINDS[kind][0]}" for quantity, kind in PLACES]
    for (unit, label), row in zip(UNITS.items(), axes, strict=True):
        for ax, case in zip(row, CASES, strict=False):
            own = table[table["case"] == case]
            _means(ax, own, unit)
            _noise(ax, own, unit)
            if case == "lenet-mnist":
                _authors(ax, theirs, unit)
            _scale(ax, case)
            ax.set_xlabel(label)
        row[1].sharey(row[0])
        row[1].tick_params(labelleft=False)
        row[0].set_yticks(list(PLACES.values()), names)
        row[0].set(ylim=(-0.7, 4.7), ylabel="stability to (subnetwork)")
        _ratios(row[2], tables, unit)
        row[2].set_xlabel(f"ratio of the {label.split()[0]}s (1)")
    for ax, title in zip(axes[0], [*CASES.values(), "random / IMP"], strict=True):
        ax.set_title(title)
    legend(figure, [axes[0, 1], axes[0, 0], axes[0, 2]], 6)
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
        "counts once, as its pairs share runs. Open markers: the authors' means of "
        "MNIST, bars their smallest and largest sample, and ratios of all their "
        "networks. Ticks and crosses: each initialisation's numerical noise floor, of "
        "two runs of the subnetwork (data order) or the whole network (pruning) that "
        "are equal in exact arithmetic (hidden units permuted), on the "
        f"subnetwork's weights. {noise_floors(table, titles)} "
        f"{comparison(table, theirs)} {ratios(table, theirs)} "
        f"{published_ratios(tables)} {accuracies(table, theirs)}"
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
                ms=2 if double else 2.5,
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
                ms=4 if double else 7,
                ls="",
                label=f"floor, {precision}",
            )


def _scale(ax: Axes, case: str) -> None:
    """Begin the axis of MNIST at 0; that of digits is logarithmic for its floors."""
    if case == "lenet-mnist":
        ax.set_xlim(0, None)
    else:
        ax.set_xscale("log")
        ax.minorticks_off()
        ax.xaxis.set_major_locator(LogLocator(base=1e6, numticks=9))


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
            ms=2.5,
            ls="",
            elinewidth=0.7,
            label=f"{title}, authors",
        )


def _ratios(ax: Axes, tables: Tables, unit: str) -> None:
    """Draw random over IMP: ours in float32, and the authors' of all networks."""
    table = tables["b3_stability_table"]
    own = dict(iter(table[~table["double"]].groupby("case")))
    ours = {case: place for case, place in ROWS.items() if case in own}
    for quantity, (colour, marker) in RATIOS.items():
        above, below = SHIFTS[quantity]
        means, reach = bars([ratio(own[case], quantity, unit) for case in ours])
        ax.errorbar(
            means,
            [place + above for place in ours.values()],
            xerr=reach,
            color=colour,
            marker=marker,
            ls="",
            elinewidth=0.7,
            label=f"ratio, {quantity}",
        )
        ax.plot(
            [Published.of(tables, n).ratio(quantity, unit) for n in AUTHORS.values()],
            [ROWS[case] + below for case in AUTHORS],
            color=colour,
            marker=marker,
            mfc="white",
            ls="",
            label=f"ratio, {quantity}, authors",
        )
    ax.axvline(1, color="0.3", lw=0.7, marker="", zorder=1)
    ax.set(xscale="log", xlim=(0.8, 25), ylabel="network (learning rate)")
    ax.set_xticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
    ax.minorticks_off()
    ax.set_yticks(list(ROWS.values()), list(TITLES.values()))
    ax.set_ylim(-0.7, len(ROWS) - 0.3)
