"""Figure a12 (new): paper A's figure 7 again, from the authors' own first weights."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.common import PAGE, Tables

KEY = ["schedule", "iterations", "compression_log10"]
LOOKS = {
    (False, "linear"): ("linear", "C0", "o"),
    (False, "exponential"): ("exponential", "C1", "s"),
    (True, "linear"): ("linear, float64", "C2", "^"),
    (True, "exponential"): ("exponential, float64", "C3", "D"),
}
"""Label, colour and marker, by precision and schedule."""
LAST = 100
"""Iterations of the cell that all initialisations have."""


def draw(tables: Tables) -> Figure:
    """Return the linear schedule's ratios over the authors', and all cells' errors."""
    own, others = _beside(tables, "a12_authors_weights"), _others(tables)
    figure, (linear, every) = plt.subplots(1, 2, figsize=(PAGE, 2.6))
    linear.axhline(0, color="0.3", lw=0.6, marker="")
    linear.plot(
        others["iterations"],
        100 * others["error"],
        color="0.5",
        marker="x",
        ms=3.5,
        ls="",
        label="other initialisations",
    )
    _points(linear, own[own["compression_log10"] == 3], signed=True)
    _points(every, own, signed=False)
    linear.set(ylabel="ours over the authors', less 1 (%)")
    every.set(yscale="log", ylabel="|ours over the authors', less 1| (%)")
    linear.set_title("linear schedule to $10^3$")
    every.set_title("all cells, the authors' weights")
    for ax in (linear, every):
        ax.set(xlabel="iterations of the schedule (iterations)", xlim=(-4, 104))
    handles, labels = every.get_legend_handles_labels()
    more, names = linear.get_legend_handles_labels()
    figure.legend(
        [*handles, more[0]], [*labels, names[0]], loc="outside upper center", ncols=5
    )
    return figure


def caption(tables: Tables) -> str:
    """Return the caption: with one iteration, with more, and other initialisations."""
    own = _beside(tables, "a12_authors_weights")
    once = own[own["iterations"] == 1]
    return (
        "The largest prune size / cut size of SynFlow (VGG-19 at ImageNet size, "
        "Figure~\\ref{fig:schedule}) from the authors' own first weights, which their "
        "script's seed still gives, over the authors' values. With one iteration the "
        f"two differ by {_power(once['error'].abs().max())} of the ratio at most "
        f"({len(once)} compressions), in the last digits that are printed: these are "
        f"their weights.{_iterated(own, _others(tables))}"
    )


def _iterated(own: pd.DataFrame, others: pd.DataFrame) -> str:
    """Return what is left of the difference at the last cell, and whence it comes."""
    last = own[own["iterations"] == LAST]
    cell = last[(last["schedule"] == "linear") & (last["compression_log10"] == 3)]
    if cell.empty:
        return ""
    ratios = others.loc[others["iterations"] == LAST, "ratio"]
    theirs, double = cell["published"].iloc[0], cell[cell["double"]]
    single = cell.loc[~cell["double"], "ratio"].item()
    curve = own[
        (own["schedule"] == "linear")
        & ~own["double"]
        & (own["compression_log10"] == 3)
        & (own["iterations"] > 1)
    ]
    gaps = "; ".join(
        f"{n} ${100 * error:+.3f}$"
        for n, error in curve.sort_values("iterations")[["iterations", "error"]].values
    ).replace(".0 $", " $")
    text = (
        f" Rounding is amplified from iteration to iteration: linear to $10^3$, ours "
        f"over theirs less 1, in \\%, by iterations: {gaps}. At {LAST} theirs is "
        f"{theirs:.3f} (float32 on a GPU), ours {single:.3f} in float32 on a CPU"
    )
    if len(double):
        text += f" and {double['ratio'].item():.3f} in float64"
    text += (
        f". The same cell of {len(ratios)} other initialisations (crosses) has "
        f"{ratios.mean():.3f} with a standard deviation of {ratios.std():.3f}, from "
        f"{ratios.min():.3f} to {ratios.max():.3f}: what sets the published value "
        "apart is its initialisation, not the code."
    )
    for _, row in last[last["schedule"] == "exponential"].iterrows():
        precision = "float64" if row["double"] else "float32"
        text += (
            f" Exponential to $10^{{{row['compression_log10']:g}}}$ in {LAST}, "
            f"{precision}: ours {row['ratio']:.4f}, theirs {row['published']:.4f}."
        )
    return text


def _beside(tables: Tables, name: str) -> pd.DataFrame:
    """Return our rows with the authors' value of the cell, and the relative error."""
    theirs = tables["published/fig7_prune_size_ratio"].rename(
        columns={
            "pruning_iterations": "iterations",
            "max_prune_size_over_cut_size": "published",
        }
    )
    found = tables[name].merge(theirs[[*KEY, "published"]], on=KEY, how="left")
    return found.assign(error=found["ratio"] / found["published"] - 1)


def _others(tables: Tables) -> pd.DataFrame:
    """Return the linear cells of other initialisations to a compression of 10^3."""
    rows = _beside(tables, "a7_schedule")
    return rows[
        (rows["architecture"] == "vgg19-imagenet")
        & (rows["schedule"] == "linear")
        & (rows["compression_log10"] == 3)
    ]


def _points(ax: Axes, own: pd.DataFrame, *, signed: bool) -> None:
    """Draw relative errors over iterations, of each precision and schedule."""
    for (double, schedule), (label, colour, marker) in LOOKS.items():
        rows = own[(own["double"] == double) & (own["schedule"] == schedule)]
        if rows.empty or (signed and schedule != "linear"):
            continue
        error = rows["error"] if signed else rows["error"].abs()
        ax.plot(
            rows["iterations"],
            100 * error,
            color=colour,
            marker=marker,
            ms=3.5,
            ls="",
            label=label,
        )


def _power(number: float) -> str:
    """Return a positive number as a multiple of a power of ten, in LaTeX."""
    exponent = int(np.floor(np.log10(number)))
    return f"${number / 10.0**exponent:.0f} \\cdot 10^{{{exponent}}}$"
