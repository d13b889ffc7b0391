"""Figure a11 (new): SynFlow down to one weight a layer, plain and safe."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.common import PAGE, Tables

RUNS = {
    ("plain", 100): ("100 iterations", "C3", "s", -0.15),
    ("plain", 300): ("300 iterations", "C1", "^", 0.0),
    ("safe", 0): ("safe", "C0", "o", 0.15),
}
"""Label, colour, marker and its shift of the runs, by kind and iterations."""


def draw(tables: Tables) -> Figure:
    """Return ratios along the runs, layers left at the ends, and masks that differ."""
    rows = tables["a11_maximal_compression"]
    single = rows[~rows["double"]]
    figure, (along, ends, precision) = plt.subplots(
        1, 3, figsize=(PAGE, 2.5), width_ratios=(5, 3, 3)
    )
    for (kind, iterations), (label, colour, marker, shift) in RUNS.items():
        chosen = single[(single["kind"] == kind) & (single["iterations"] == iterations)]
        _along(along, chosen, label, colour)
        _ends(ends, chosen, colour, marker, shift)
    along.axhline(1, color="0.3", lw=0.6, marker="")
    along.set(
        xscale="log",
        xlabel="weights left (weights)",
        ylabel="prune size / cut size (1)",
    )
    along.invert_xaxis()
    ends.set(
        xlabel="initialisation (seed)", ylabel="layers not empty at the end (layers)"
    )
    ends.axhline(14, color="0.3", lw=0.6, marker="", zorder=0)
    ends.set(ylim=(0, 15.5), xlim=(-0.6, 9.6), xticks=range(0, 10, 3))
    for number, (_, run) in enumerate(_precision(rows).groupby("seed")):
        apart = run[run["differing"] > 0]
        precision.plot(
            apart["iteration"],
            100 * apart["differing"] / apart["left"],
            color="C2",
            lw=0.8,
            marker="",
            label="" if number else "float32 against float64, to $10^2$",
        )
    precision.set(
        yscale="log",
        xlabel="iteration (iterations of 100)",
        ylabel=r"kept weights that differ (%)",
    )
    handles, labels = along.get_legend_handles_labels()
    more, names = precision.get_legend_handles_labels()
    figure.legend(
        [*handles, *more], [*labels, *names], loc="outside upper center", ncols=4
    )
    return figure


def caption(tables: Tables) -> str:
    """Return the caption: what the proof checker says, and the ends of all runs."""
    rows = tables["a11_maximal_compression"]
    single = rows[~rows["double"]]
    return (
        "SynFlow on VGG-16 at CIFAR size down to 14 weights, one for each of the 14 "
        r"layers: $\rho_{\max} = N / L$ (claim \ref{maximal-critical-compression}). "
        "Left: every iteration in float32 that removes anything; the premise of the "
        "theorem is broken from 1 on. Middle: layers with a weight left at the end; "
        "filled if a forward pass in float64 finds a path, open if not. The safe "
        "schedule takes smaller steps wherever the prune size would reach the cut "
        "size. "
        f"{_summary(single, 'safe', 0)}{_summary(single, 'plain', 100)}"
        f"{_summary(single, 'plain', 300)}"
        f"{_summary(rows[rows['double']], 'plain', 100)}"
        f"{_summary(rows[rows['double']], 'safe', 0)}"
        f"{_disagreement(_precision(rows))}"
    )


def _precision(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["kind"] == "precision"]


def _along(ax: Axes, rows: pd.DataFrame, label: str, colour: str) -> None:
    """Draw the ratios of each run as a thin line; none after the last path is gone."""
    for number, (_, run) in enumerate(rows[rows["ratio"] > 0].groupby("seed")):
        ax.plot(
            run["left"],
            run["ratio"],
            color=colour,
            lw=0.5,
            marker="",
            alpha=0.7,
            label="" if number else f"SynFlow, {label}",
        )


def _ends(ax: Axes, rows: pd.DataFrame, colour: str, marker: str, shift: float) -> None:
    """Draw the layers left; filled where a path is left too."""
    last = rows.groupby("seed").last()
    layers = 14 - last["emptied"]
    for path in (True, False):
        shown = layers[(last["end_flow"] > 0) == path]
        ax.plot(
            shown.index + shift,
            shown,
            ls="",
            marker=marker,
            color=colour,
            mfc=colour if path else "none",
        )


def _summary(rows: pd.DataFrame, kind: str, iterations: int) -> str:
    """Return what the runs of a kind end with; nothing if there are none."""
    rows = rows[(rows["kind"] == kind) & (rows["iterations"] == iterations)]
    if rows.empty:
        return ""
    runs = rows.groupby("seed")
    last, ratio = runs.last(), runs["ratio"].max()
    whole = int(((last["emptied"] == 0) & (last["end_flow"] > 0)).sum())
    broken = last[last["failed_step"] > 0]
    name = "The safe schedule" if kind == "safe" else f"Plain, {iterations} iterations"
    taken = f" ({_range(last['iteration'])} iterations)" if kind == "safe" else ""
    text = (
        f"{name}, float{64 if rows['double'].all() else 32}: {_range(last['left'])} "
        f"weights, one in each layer, on a path in {whole} of {len(last)} "
        f"initialisations{taken}; largest ratio {_range(ratio, 4)}; the proof checker "
        f"accepts {len(last) - len(broken) or 'none'}"
    )
    if broken.empty:
        return f"{text}. "
    unsafe = (rows["ratio"] >= 1).groupby(rows["seed"]).sum()[broken.index]
    lines = " and ".join(f"``{line}''" for line in sorted(set(broken["failed_line"])))
    return (
        f"{text}; {len(broken)} break the premise {lines}, first at iteration "
        f"{_range(broken['failed_step'])} and in {_range(unsafe)} iterations. "
    )


def _disagreement(rows: pd.DataFrame) -> str:
    """Return how far float32 masks are from float64 masks."""
    last = rows.groupby("seed").last()
    share = 100 * last["differing"] / last["left"]
    first = rows[rows["differing"] > 0].groupby("seed")["iteration"].min()
    return (
        "Right: the same weights pruned in float32 and in float64 to $10^2$ in 100 "
        f"iterations, one line for each of {len(last)} initialisations: the masks "
        "first differ at "
        f"iteration {_range(first)}, and in the end {_range(share, 1)}\\,\\% of the "
        "weights kept in float32 are not kept in float64."
    )


def _range(values: pd.Series, digits: int = 0) -> str:
    low, high = (f"{value:.{digits}f}" for value in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"
