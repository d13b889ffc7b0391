"""Figure b4 (paper B, figures 4 and 11): stability and accuracy against rewinding."""

from collections.abc import Callable, Iterable
from functools import partial

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures._stability import (
    CASES,
    KINDS,
    QUANTITIES,
    RATIOS,
    UNITS,
    Published,
    bars,
    estimate,
    interval,
    legend,
    networks,
    ratio,
)
from figures.common import PAGE, Tables
from theory.u_statistic import Estimate, over_networks

Measure = Callable[[pd.DataFrame], Estimate]

LINES = {"data order": "-", "pruning": "--"}
NETWORKS = {**KINDS, "dense": ("whole network", "C7", "*")}
STEPS = {
    "lenet-mnist": (100, 40_000, (0, 100, 1000, 10_000)),
    "lenet-digits": (10, 800, (0, 10, 100)),
}
"""The axis of k: linear up to here, logarithmic to there, with these ticks."""


def draw(tables: Tables) -> Figure:
    """Return distance, angle, random over IMP and accuracy; MNIST above digits."""
    table, theirs = _rows(tables), Published.of(tables)
    figure, axes = plt.subplots(2, 4, figsize=(PAGE, 3.7), sharex="row")
    for (case, title), row in zip(CASES.items(), axes, strict=True):
        rows = table[table["case"] == case]
        for ax, (unit, label) in zip(row, UNITS.items(), strict=False):
            _distances(ax, rows, unit)
            _floors(ax, rows[rows["rewind"] == 0], unit)
            ax.set(title=f"{title}: {label.split()[0]}", ylabel=label)
        _ratios(row[2], rows)
        row[2].set(title=f"{title}: random / IMP", ylabel="ratio of distances (1)")
        _accuracies(row[3], rows)
        row[3].set(title=f"{title}: accuracy", ylabel="test accuracy (%)")
        if case == "lenet-mnist":
            _authors(row, theirs)
        for ax in row[:3]:
            ax.set_ylim(0, None)
        linear, end, ticks = STEPS[case]
        row[0].set_xscale("symlog", linthresh=linear, linscale=0.5)
        row[0].set_xlim(-0.3 * linear, end)
        row[0].set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        row[0].minorticks_off()
    figure.supxlabel("rewinding step $k$ (steps)", fontsize=7)
    legend(figure, [axes[1, 0], axes[1, 2], axes[1, 3], *axes[0]], 4)
    return figure


def caption(tables: Tables) -> str:
    """Return the caption: samples, steps, and the change from the first to the last."""
    table = _rows(tables)
    cases = [
        _text(title, table[table["case"] == case])
        for case, title in CASES.items()
        if case in set(table["case"])
    ]
    return (
        "Stability and accuracy of LeNet-300-100's subnetworks whose weights are "
        r"rewound to step $k$ of the training (claims \ref{stability-to-data-order}, "
        r"\ref{stability-to-pruning}): distances and angles as in "
        r"Figure~\ref{fig:stability} (from which step 0 is), the distance of "
        "random subnetworks over that of IMP's, and test accuracy, that of the whole "
        "network trained from $W_k$ beside it; $k$ is drawn on a logarithmic axis, "
        "linear near 0. Lines are means "
        "over initialisations, bars 95\\,\\% intervals of Student's $t$ over them; "
        "each counts once, as its pairs share runs. Thin lines, in the colour and "
        "dashes of their curve: its largest numerical noise floor at $k = 0$, the only "
        "step at which it was measured. Later floors are not known: where a distance "
        "falls with $k$ towards its line or below, it may be rounding that falls. Open "
        "markers: the authors' numbers for MNIST, which they print for step 0 only (of "
        "two markers of one shape the lower one is data order), bars "
        f"their smallest and largest sample. {' '.join(cases)}"
    )


def _rows(tables: Tables) -> pd.DataFrame:
    """Return the rows of all steps, those of step 0 from the table of b3."""
    start = tables["b3_stability_table"]
    start = start[~start["double"]].assign(rewind=0)
    return pd.concat([start, tables["b4_rewinding"]], ignore_index=True)


def _curve(rows: pd.DataFrame, measure: Measure) -> tuple[list[int], list[Estimate]]:
    """Return the rewinding steps that were computed, and what is measured at each."""
    steps = sorted(int(step) for step in rows["rewind"].unique())
    return steps, [measure(rows[rows["rewind"] == step]) for step in steps]


def _line(
    ax: Axes, rows: pd.DataFrame, measure: Measure, scale: float, **style: str
) -> None:
    steps, found = _curve(rows, measure)
    means, reach = bars(found)
    ax.errorbar(
        steps,
        [scale * mean for mean in means],
        yerr=[[scale * part for part in side] for side in reach],
        ms=3,
        elinewidth=0.6,
        **style,  # type: ignore[arg-type]
    )


def _distances(ax: Axes, rows: pd.DataFrame, unit: str) -> None:
    for quantity in QUANTITIES:
        for kind, (title, colour, marker) in KINDS.items():
            measure = partial(estimate, quantity=quantity, unit=unit, kind=kind)
            style = {"color": colour, "marker": marker, "ls": LINES[quantity]}
            _line(ax, rows, measure, 1.0, label=f"{title}, {quantity}", **style)


def _floors(ax: Axes, start: pd.DataFrame, unit: str) -> None:
    """Draw the largest noise floor at step 0 of each curve, and name them all once."""
    for quantity in QUANTITIES:
        for kind, (_, colour, _) in KINDS.items():
            found = networks(start, f"{quantity} floor", unit, kind)
            if found:
                ax.axhline(
                    max(value for network in found for value in network),
                    color=colour,
                    ls=LINES[quantity],
                    lw=0.5,
                    marker="",
                    label="noise floor at step 0 (thin)",
                )


def _ratios(ax: Axes, rows: pd.DataFrame) -> None:
    for quantity, (colour, marker) in RATIOS.items():
        measure = partial(ratio, quantity=quantity, unit="L2")
        style = {"color": colour, "marker": marker, "ls": LINES[quantity]}
        _line(ax, rows, measure, 1.0, label=f"random / IMP, {quantity}", **style)
    ax.axhline(1, color="0.3", lw=0.7, marker="")


def _accuracies(ax: Axes, rows: pd.DataFrame) -> None:
    for kind, (title, colour, marker) in NETWORKS.items():
        measure = partial(estimate, quantity="accuracy", unit="share", kind=kind)
        style = {"color": colour, "marker": marker, "ls": ":"}
        _line(ax, rows, measure, 100.0, label=f"{title}, accuracy", **style)


def _authors(row: Iterable[Axes], theirs: Published) -> None:
    """Draw the published row of the table at step 0."""
    *distances, ratios, accuracy = row
    for kind, (_, colour, marker) in KINDS.items():
        points = [
            (ax, theirs.value(quantity, unit, kind))
            for ax, unit in zip(distances, UNITS, strict=True)
            for quantity in QUANTITIES
        ]
        for ax, (mean, reach) in [*points, (accuracy, theirs.accuracy(kind))]:
            _open(ax, mean, reach, colour, marker)
    for quantity, (colour, marker) in RATIOS.items():
        _open(ratios, theirs.ratio(quantity, "L2"), 0.0, colour, marker)


def _open(ax: Axes, mean: float, reach: float, colour: str, marker: str) -> None:
    ax.errorbar(
        [0],
        [mean],
        yerr=[reach],
        color=colour,
        marker=marker,
        mfc="white",
        ms=4.5,
        ls="",
        elinewidth=0.6,
        zorder=1.5,
        label="authors (open)",
    )


def _text(title: str, rows: pd.DataFrame) -> str:
    """Return the samples, and each quantity at the first and the last step."""
    steps = sorted(int(step) for step in rows["rewind"].unique())
    last = rows[rows["rewind"] == steps[-1]]
    order, prune = (estimate(last, quantity, "L2", "imp") for quantity in QUANTITIES)
    parts = []
    for quantity in QUANTITIES:
        for kind, (name, *_) in KINDS.items():
            measure = partial(estimate, quantity=quantity, unit="L2", kind=kind)
            ends = [interval(found, 2) for found in _curve(rows, measure)[1]]
            change = interval(_change(rows, quantity, kind, "L2"), 2)
            parts.append(f"{quantity}, {name} {ends[0]} to {ends[-1]} ({change})")
    accuracies = []
    for kind, (name, *_) in KINDS.items():
        measure = partial(estimate, quantity="accuracy", unit="share", kind=kind)
        shares = [f"{100 * found.mean:.1f}" for found in _curve(rows, measure)[1]]
        change = interval(_change(rows, "accuracy", kind, "share", 100), 2)
        accuracies.append(f"{name} {shares[0]} to {shares[-1]} ({change})")
    found = rows[rows["quantity"].str.endswith("floor") & (rows["unit"] == "L2")]
    floors = found[found["subnetwork"].isin(KINDS)]["value"]
    noise = f"; floors of distances at most {floors.max():.2f}" if len(floors) else ""
    head = (
        f"{title}: $k = {', '.join(map(str, steps))}$; {order.samples} "
        f"initialisations, {order.pairs} pairs of data orders and {prune.pairs} runs "
        f"for pruning at step {steps[-1]}{noise}."
    )
    if len(steps) == 1:
        return head
    return (
        f"{head} From the first step to the last, in parentheses the change and its "
        "interval, paired over initialisations, the "
        f"distances go: {'; '.join(parts)}; the accuracies in \\%: "
        f"{'; '.join(accuracies)}."
    )


def _change(
    rows: pd.DataFrame, quantity: str, kind: str, unit: str, scale: float = 1.0
) -> Estimate:
    """Return the last step's mean less the first's, paired over initialisations."""
    own = rows[
        (rows["quantity"] == quantity)
        & (rows["unit"] == unit)
        & (rows["subnetwork"] == kind)
    ]
    means = own.groupby(["initialisation", "rewind"])["value"].mean().unstack()
    changes = scale * (means[means.columns.max()] - means[means.columns.min()])
    return over_networks([[change] for change in changes.dropna()])
