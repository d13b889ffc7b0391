"""Figure c3 (paper C's spectra): eigenvalues of the Hessian, before and after l1."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures._limits import PREDICTED, strength
from figures._stability import legend
from figures.common import PAGE, Tables

CASE = "mlp-digits"
COLOURS = {("start", False): "C7", ("final", False): "C2", ("final", True): "C3"}
"""By the stage, and whether l1 was there."""
MARKERS = {("start", False): "*", ("final", False): "s", ("final", True): "D"}


ENDS = 8e-6, 30.0
"""Of the eigenvalues that are drawn: nearer to 0 Lanczos knows nothing."""


def draw(tables: Tables) -> Figure:
    """Return eigenvalues above, eigenvalues below zero, and the limit's error."""
    table = tables["c3_spectrum"]
    table = table[table["case"] == CASE]
    figure, axes = plt.subplots(1, 3, figsize=(PAGE, 2.5))
    for ax, side in zip(axes[:2], ("above", "below"), strict=True):
        for (stage, value), rows in table[table["side"] == side].groupby(
            ["stage", "strength"]
        ):
            _curve(ax, rows, str(stage), float(str(value)))
        ax.set(xscale="log", ylim=(0, None))
    axes[0].set_xlim(ENDS)
    axes[0].set_xlabel("eigenvalue $x$ (nats)")
    axes[0].set_ylabel("eigenvalues above $x$ (%)")
    axes[1].set_xlim(ENDS[0], 1)
    axes[1].set_xlabel("distance below zero $x$ (nats)")
    axes[1].set_ylabel("eigenvalues below $-x$ (%)")
    _errors(axes[2], table)
    legend(figure, axes, 4)
    return figure


def caption(tables: Tables) -> str:
    """Return the caption: shares, and the error that Lanczos makes in the limit."""
    table = tables["c3_spectrum"]
    own = table[table["case"] == CASE]
    size = own["parameters"].iloc[0]
    exact = own[(own["source"] == "exact") & (own["x"] < 1.1e-8) & (own["form"].isna())]
    parts = []
    for (stage, value), rows in exact.groupby(["stage", "strength"]):
        above, below = (
            100 * rows.loc[rows["side"] == side, "value"].mean()
            for side in ("above", "below")
        )
        title = _title(str(stage), float(str(value)))
        zero = 100 - above - below
        parts.append(f"{title}: {above:.1f} / {below:.1f} / {zero:.1f}")
    return (
        "The Hessian of the training loss of an MLP on digits "
        f"($D = {size}$). Left and centre: share of the eigenvalues beyond a distance "
        "from zero, exactly (lines) and by stochastic Lanczos quadrature with 8 probes "
        "of 64 steps (markers; bars: 95\\,\\% intervals over the probes, each of which "
        "knows the share between bounds only, as its nodes are few). Trainings: "
        f"{own['seed'].nunique()}, lines their means, bands their range, markers the "
        "first of them. Eigenvalues "
        f"above, below and within $10^{{-8}}$ of zero in \\%: {'; '.join(parts)}. "
        "Right: error of the predicted limit against Lanczos steps, as a share of the "
        f"prunable weights, means of its absolute value with their range. {_worst(own)}"
    )


def _title(stage: str, value: float) -> str:
    return "before training" if stage == "start" else f"trained, {strength(value)}"


def _curve(ax: Axes, rows: pd.DataFrame, stage: str, value: float) -> None:
    """Draw the exact shares as a line and Lanczos' as markers."""
    key = (stage, value > 0)
    colour, title = COLOURS[key], _title(stage, value)
    exact = 100 * rows[rows["source"] == "exact"].groupby("x")["value"].agg(
        ["mean", "min", "max"]
    )
    ax.plot(exact.index, exact["mean"], color=colour, marker="", label=title)
    ax.fill_between(
        exact.index, exact["min"], exact["max"], color=colour, alpha=0.2, lw=0
    )
    lanczos = rows[(rows["source"] == "slq") & (rows["seed"] == rows["seed"].min())]
    # a third of the places each, so that no bar hides another
    lanczos = lanczos[lanczos["x"] >= ENDS[0]].iloc[list(COLOURS).index(key) :: 3]
    middle = 100 * lanczos["value"]
    ends = [middle - 100 * lanczos["low"], 100 * lanczos["high"] - middle]
    ax.errorbar(
        lanczos["x"],
        middle,
        yerr=ends,
        color=colour,
        marker=MARKERS[key],
        mfc="white",
        ms=2.5,
        ls="",
        elinewidth=0.6,
        label=f"{title}, Lanczos",
    )


def _differences(table: pd.DataFrame) -> pd.DataFrame:
    """Return |limit by Lanczos - exact limit| in % of the prunable weights."""
    rows = table[table["side"] == "limit"]
    keys = ["strength", "seed", "form"]
    exact = rows[rows["source"] == "exact"][[*keys, "value"]]
    found = rows[rows["source"] == "slq"].merge(exact, on=keys, suffixes=("", "_exact"))
    error = 100 * (found["value"] - found["value_exact"]).abs() / found["prunable"]
    covered = found["value_exact"].between(found["low"], found["high"])
    return found.assign(error=error, covered=covered)


def _errors(ax: Axes, table: pd.DataFrame) -> None:
    """Draw the error of two forms against steps."""
    found = _differences(table)
    for name in ("paper", "orthogonal"):
        title, colour, marker = PREDICTED[name]
        values = found[found["form"] == name].groupby("steps")["error"]
        x = values.mean().index
        ax.plot(x, values.mean(), color=colour, marker=marker, label=title)
        ax.fill_between(x, values.min(), values.max(), color=colour, alpha=0.2, lw=0)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    steps = np.sort(found["steps"].unique())
    ax.set_xticks(steps, [str(n) for n in steps])
    ax.set_xlabel("Lanczos steps (1)")
    ax.set_ylabel("error of the limit (% of the weights)")


def _worst(table: pd.DataFrame) -> str:
    """Return error, width and coverage of the intervals at each number of steps."""
    found = _differences(table)
    width = 100 * (found["high"] - found["low"]) / found["prunable"]
    parts = []
    for steps, own in found.groupby("steps"):
        parts.append(
            f"{steps} steps {own['error'].max():.1f} points at most, "
            f"{own['covered'].sum()} of {len(own)} exact limits within the interval, "
            f"which is {width[own.index].mean():.0f} points wide on average"
        )
    cases = found[["strength", "seed", "form"]].nunique()
    return (
        f"With 8 probes ({cases['form']} forms, of which two are drawn, "
        f"{cases['strength']} $\\lambda$, {cases['seed']} trainings): "
        f"{'; '.join(parts)}."
    )
