"""LeNet's whole row of the stability table under several recipes, beside the authors'.

What figures b11 and b12 share: their `recipes` are by name the rows of b3, which come
first, and of other experiments, all on MNIST.
"""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
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
LOOKS = (("k", "o"), ("C3", "s"), ("C0", "^"), ("C1", "D"))
"""Colour and marker: of the authors, of b3, of the other recipes."""
REACH = 0.24
"""From a row's line to its outermost points."""
Recipes = Mapping[str, pd.DataFrame]


def recipes(tables: Tables, start: str, others: Recipes) -> Recipes:
    """Return the rows on MNIST of b3, named `start`, and of others."""
    first = tables["b3_stability_table"]
    named = {start: first[~first["double"]], **others}
    return {name: rows[rows["case"] == CASE] for name, rows in named.items()}


def draw(tables: Tables, ours: Recipes) -> Figure:
    """Return distance and angle of both stabilities, a row for each subnetwork."""
    theirs, shifts = Published.of(tables), np.linspace(REACH, -REACH, 1 + len(ours))
    figure, axes = plt.subplots(1, 2, figsize=(PAGE, 2.4), sharey=True)
    for ax, (unit, label) in zip(axes, UNITS.items(), strict=True):
        values = [theirs.value(quantity, unit, kind) for quantity, kind in PLACES]
        means, reach = [mean for mean, _ in values], [pm for _, pm in values]
        _points(ax, means, [reach, reach], "authors", LOOKS[0], shifts[0])
        for (name, rows), look, shift in zip(
            ours.items(), LOOKS[1:], shifts[1:], strict=False
        ):
            if len(rows):
                found = [estimate(rows, q, unit, kind) for q, kind in PLACES]
                _points(ax, *bars(found), f"ours, {name}", look, shift)
        ax.set(xlabel=label, xlim=(0, None), ylim=(0.5, 4.5))
    names = [f"{quantity}, {KINDS[kind][0]}" for quantity, kind in PLACES]
    axes[0].set_yticks(list(PLACES.values()), names)
    axes[0].set_ylabel("stability to (subnetwork)")
    legend(figure, [axes[0]], 3)
    return figure


def compared(tables: Tables, ours: Recipes) -> str:
    """Return each printed number beside that of the other recipes, and the gaps."""
    theirs = Published.of(tables)
    (start, first), *others = ours.items()
    return (
        f"With {start} {meeting(first, theirs)} of our {2 * len(PLACES)} intervals "
        "meet the authors' range. "
        + " ".join(_against(theirs, name, rows) for name, rows in others)
    )


def _against(theirs: Published, name: str, rows: pd.DataFrame) -> str:
    if rows.empty:
        return f"The rows of {name} are not in the table yet."
    parts = []
    for unit, what in (("L2", "distance"), ("degrees", "angle in degrees")):
        for quantity, kind in PLACES:
            own = estimate(rows, quantity, unit, kind)
            mean, reach = theirs.value(quantity, unit, kind)
            parts.append(
                f"{what}, {quantity}, {KINDS[kind][0]} {interval(own)} against "
                f"${mean:.1f} \\pm {reach:.1f}$ (${100 * (own.mean / mean - 1):+.0f}$"
                "\\,\\%)"
            )
    shares = (estimate(rows, "accuracy", "share", kind).mean for kind in KINDS)
    accuracies = " / ".join(f"{100 * share:.1f}" for share in shares)
    printed = " / ".join(f"{theirs.accuracy(kind)[0]:.1f}" for kind in KINDS)
    return (
        f"With {name} {meeting(rows, theirs)} do; ours against theirs: "
        f"{'; '.join(parts)}; test accuracy in \\% of IMP's and random subnetworks "
        f"{accuracies} against {printed}."
    )


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
    ax: Axes,
    means: list[float],
    reach: list[list[float]],
    name: str,
    look: tuple[str, str],
    shift: float,
) -> None:
    colour, marker = look
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
