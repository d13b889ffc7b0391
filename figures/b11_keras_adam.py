"""Figure b11 (new): LeNet's row of the stability table with Keras's Adam."""

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
LOOKS = {
    "authors": ("k", "o", 0.22),
    "ours, rate 1.2e-3": ("C3", "s", 0.0),
    "ours, Keras's Adam": ("C0", "^", -0.22),
}
"""Colour, marker and shift."""


def draw(tables: Tables) -> Figure:
    """Return distance and angle of both stabilities, a row for each subnetwork."""
    theirs, ours = Published.of(tables), ours_by_adam(tables)
    figure, axes = plt.subplots(1, 2, figsize=(PAGE, 2.4), sharey=True)
    for ax, (unit, label) in zip(axes, UNITS.items(), strict=True):
        values = [theirs.value(quantity, unit, kind) for quantity, kind in PLACES]
        means, reach = [mean for mean, _ in values], [pm for _, pm in values]
        _points(ax, means, [reach, reach], "authors")
        for name, rows in ours.items():
            if len(rows):
                found = [estimate(rows, q, unit, kind) for q, kind in PLACES]
                _points(ax, *bars(found), name)
        ax.set(xlabel=label, xlim=(0, None), ylim=(0.5, 4.5))
    names = [f"{quantity}, {KINDS[kind][0]}" for quantity, kind in PLACES]
    axes[0].set_yticks(list(PLACES.values()), names)
    axes[0].set_ylabel("stability to (subnetwork)")
    legend(figure, [axes[0]], 3)
    return figure


def caption(tables: Tables) -> str:
    """Return the caption: each of the published numbers beside ours, and the gap."""
    theirs, rows = Published.of(tables), ours_by_adam(tables)["ours, Keras's Adam"]
    head = (
        "The stabilities of Figure~\\ref{fig:stability} on MNIST with two Adams: the "
        "rate 1.2e-3, which paper B prints, and what Keras has where nothing is given, "
        "the rate 1e-3 and an epsilon of 1e-7. Means over initialisations with the "
        "95\\,\\% intervals of Student's $t$, the authors' means with their smallest "
        "and largest sample. "
    )
    if rows.empty:
        return f"{head}The rows of Keras's Adam are not in the table yet."
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
    before, after = (meeting(own, theirs) for own in ours_by_adam(tables).values())
    return (
        f"{head}With Keras's, ours against theirs: {'; '.join(parts)}. Of these "
        f"{len(parts)} intervals {after} meet the authors' range, of those at the "
        f"printed rate {before}. Test accuracy in \\% of IMP's and random subnetworks "
        f"{accuracies} against {printed}. Which of the two the authors used is not "
        "known beyond what they print."
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


def ours_by_adam(tables: Tables) -> dict[str, pd.DataFrame]:
    """Return our rows on MNIST: of b3, and of Keras's Adam."""
    start, table = tables["b3_stability_table"], tables["b11_keras_adam"]
    return {
        "ours, rate 1.2e-3": start[(start["case"] == CASE) & ~start["double"]],
        "ours, Keras's Adam": table[table["case"] == CASE],
    }


def _points(ax: Axes, means: list[float], reach: list[list[float]], name: str) -> None:
    colour, marker, shift = LOOKS[name]
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
