"""LeNet's whole row of the stability table under two recipes, beside the authors'.

What figures b11 to b14 share: their `recipes` are by name the rows of b3 and of
another experiment, all on MNIST.
"""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures._stability import (
    KINDS,
    QUANTITIES,
    UNITS,
    Published,
    bars,
    estimate,
    interval,
    legend,
)
from figures.common import PAGE, Tables

CASE = "lenet-mnist"
PLACES = {
    (quantity, kind): 4.0 - place
    for place, (quantity, kind) in enumerate(
        (quantity, kind) for quantity in QUANTITIES for kind in KINDS
    )
}
LOOKS = (("k", "o", 0.22), ("C3", "s", 0.0), ("C0", "^", -0.22))
"""Colour, marker and shift: of the authors, of b3, of the other recipe."""
Recipes = Mapping[str, pd.DataFrame]


def recipes(tables: Tables, start: str, other: str, experiment: str) -> Recipes:
    """Return the rows on MNIST of b3, named `start`, and of another experiment."""
    first, second = tables["b3_stability_table"], tables[experiment]
    return {
        start: first[(first["case"] == CASE) & ~first["double"]],
        other: second[second["case"] == CASE],
    }


def draw(tables: Tables, ours: Recipes) -> Figure:
    """Return distance and angle of both stabilities, a row for each subnetwork."""
    theirs = Published.of(tables)
    figure, axes = plt.subplots(1, 2, figsize=(PAGE, 2.4), sharey=True)
    for ax, (unit, label) in zip(axes, UNITS.items(), strict=True):
        values = [theirs.value(quantity, unit, kind) for quantity, kind in PLACES]
        means, reach = [mean for mean, _ in values], [pm for _, pm in values]
        _points(ax, means, [reach, reach], "authors", 0)
        for number, (name, rows) in enumerate(ours.items(), 1):
            if measured(rows):
                found = [estimate(rows, q, unit, kind) for q, kind in PLACES]
                _points(ax, *bars(found), f"ours, {name}", number)
        ax.set(xlabel=label, xlim=(0, None), ylim=(0.5, 4.5))
    names = [f"{quantity}, {KINDS[kind][0]}" for quantity, kind in PLACES]
    axes[0].set_yticks(list(PLACES.values()), names)
    axes[0].set_ylabel("stability to (subnetwork)")
    legend(figure, [axes[0]], 3)
    return figure


def shared(tables: Tables, ours: Recipes, other: str) -> str:
    """Return the caption where the second recipe shares a round of pruning otherwise.

    Args:
        tables: all tables.
        ours: both recipes' rows.
        other: what a round of the second does, and what else is to be said of it.
    """
    return (
        "The stabilities of Figure~\\ref{fig:stability} on MNIST when each round of "
        "IMP removes a fifth of every layer's weights, a tenth of the output layer's, "
        f"and when it {other} {compared(tables, ours)}"
    )


def compared(tables: Tables, ours: Recipes) -> str:
    """Return what is drawn, and each printed number beside the second recipe's."""
    theirs, (start, other) = Published.of(tables), ours
    rows = ours[other]
    drawn = (
        "Means over initialisations with the 95\\,\\% intervals of Student's $t$, the "
        "authors' means with their smallest and largest sample. "
    )
    if not measured(rows):
        return f"{drawn}The rows of {other} are not in the table yet."
    parts = []
    for unit, name in (("L2", "distance"), ("degrees", "angle in degrees")):
        for quantity, kind in PLACES:
            own = estimate(rows, quantity, unit, kind)
            mean, reach = theirs.value(quantity, unit, kind)
            parts.append(
                f"{name}, {quantity}, {KINDS[kind][0]} {interval(own)} against "
                f"${mean:.1f} \\pm {reach:.1f}$ (${100 * (own.mean / mean - 1):+.0f}$"
                "\\,\\%)"
            )
    shares = (estimate(rows, "accuracy", "share", kind).mean for kind in KINDS)
    accuracies = " / ".join(f"{100 * share:.1f}" for share in shares)
    printed = " / ".join(f"{theirs.accuracy(kind)[0]:.1f}" for kind in KINDS)
    before, after = (meeting(own, theirs) for own in ours.values())
    orders = [int(own["orders"].iloc[0]) for own in ours.values()]
    return (
        f"{drawn}With {other} ({rows['initialisation'].nunique()} initialisations, "
        f"{orders[1]} data orders each), ours against theirs: {'; '.join(parts)}. "
        f"Of these {len(parts)} intervals {after} meet the authors' range, of those "
        f"with {start} ({orders[0]} data orders each) {before}: of fewer orders they "
        "are wider, and meet it more easily. How much of a distance is rounding is in "
        "Figure~\\ref{fig:stability}. "
        f"Test accuracy in \\% of IMP's and random subnetworks {accuracies} against "
        f"{printed}."
    )


def measured(rows: pd.DataFrame) -> bool:
    """Return whether there are two initialisations, as an interval needs."""
    return bool(rows["initialisation"].nunique() > 1)


def meeting(rows: pd.DataFrame, theirs: Published) -> int:
    """Return how many of our intervals have a point of the authors' range."""
    found = 0
    for unit in UNITS:
        for quantity, kind in PLACES:
            own = estimate(rows, quantity, unit, kind)
            mean, reach = theirs.value(quantity, unit, kind)
            found += own.low <= mean + reach and mean - reach <= own.high
    return found


def _points(
    ax: Axes, means: list[float], reach: list[list[float]], name: str, number: int
) -> None:
    colour, marker, shift = LOOKS[number]
    ax.errorbar(
        means,
        [place + shift for place in PLACES.values()],
        xerr=reach,
        color=colour,
        marker=marker,
        mfc="white" if name == "authors" else colour,
        ms=3.5,
        ls="",
        elinewidth=0.7,
        label=name,
    )
