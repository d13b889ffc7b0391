"""Figure c6 (paper C, on heuristics): what moves the limit, and gradual pruning."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures._limits import MEASURED, PREDICTED, limits, power, strength
from figures._stability import legend
from figures.common import PAGE, Tables

LINES = (*PREDICTED, "re-optimised")
SHARES = {0.05: "gradual, 5 % a cycle", 0.2: "gradual, 20 % a cycle"}
STEP = 0.1
"""Between the markers of one lambda, the next lambda being 1 away."""


def draw(tables: Tables) -> Figure:
    """Return the limit against the scale of weights, against lambda, and cycles."""
    table = tables["c6_magnitude_sharpness"]
    wide = limits(tables["c5_threshold_table"])
    strengths = sorted(table["strength"].unique())
    figure, axes = plt.subplots(
        1, 4, figsize=(PAGE, 2.4), sharey=True, width_ratios=[1, 1, 1, 0.8]
    )
    for ax, value in zip(axes[:2], (strengths[0], strengths[-1]), strict=True):
        _scales(ax, table[table["strength"] == value])
        ax.set_title(strength(value))
    _sweep(axes[2], wide)
    _cycles(axes[3], table, wide)
    axes[0].set_ylabel("weights that can be removed (%)")
    axes[0].set_ylim(0, 104)
    legend(figure, axes, 4)
    return figure


def _share(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(percent=100 * rows["removed"] / rows["prunable"])


def _scales(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw limits against weights times t; curvature times c is t = sqrt(c)."""
    for name in LINES:
        own = _share(rows[rows["reading"] == name]).groupby("scale")["percent"]
        found = own.agg(["mean", "min", "max"])
        _band(ax, np.sqrt(found.index.to_numpy()), found, name)
    ax.set_xscale("log", base=2)
    ax.set_xlabel("weights, or $\\sqrt{\\mathrm{curvature}}$, times (1)")


def _sweep(ax: Axes, wide: pd.DataFrame) -> None:
    """Draw limits and readings of the MLP against lambda."""
    own = wide.xs("mlp", level="architecture")
    for name in PREDICTED | MEASURED:
        values = own[name].groupby(level="strength").agg(["mean", "min", "max"])
        _band(ax, np.arange(len(values)), values, name)
    found = [float(str(v)) for v in own.index.unique(level="strength").sort_values()]
    ax.set_xticks(range(len(found)), [f"${power(v)}$" for v in found])
    ax.set_xlabel("$\\lambda$ ($\\ell_1$ strength)")
    ax.set_title("sweep of $\\lambda$")


def _band(ax: Axes, x: np.ndarray, values: pd.DataFrame, name: str) -> None:
    """Draw the mean over seeds and the range; predictions are hollow."""
    title, colour, marker = (PREDICTED | MEASURED)[name]
    face = "white" if name in PREDICTED else colour
    ax.plot(x, values["mean"], color=colour, marker=marker, mfc=face, ms=3, label=title)
    ax.fill_between(x, values["min"], values["max"], color=colour, alpha=0.2, lw=0)


def _cycles(ax: Axes, table: pd.DataFrame, wide: pd.DataFrame) -> None:
    """Draw pruning at once and in cycles, beside the limit of the dense network."""
    rows = _share(table[table["scale"] == 1])
    for place, (_, own) in enumerate(rows.groupby("strength")):
        once = own.loc[own["reading"] == "retrained", "percent"]
        limit = own.loc[own["reading"] == "orthogonal", "percent"]
        _point(ax, place - 1.5 * STEP, limit, *PREDICTED["orthogonal"], hollow=True)
        _point(ax, place - 0.5 * STEP, once, *MEASURED["retrained"])
        for lane, (share, title), (colour, marker) in zip(
            (0.5, 1.5), SHARES.items(), (("0.35", "<"), ("0.6", ">")), strict=True
        ):
            gradual = own.loc[own["share"] == share, "percent"]
            _point(ax, place + lane * STEP, gradual, title, colour, marker)
    values = [float(str(value)) for value in sorted(table["strength"].unique())]
    ax.set_xticks(range(len(values)), [f"${power(v)}$" for v in values])
    ax.set_xlim(-0.4, len(values) - 0.6)
    ax.set_xlabel("$\\lambda$ ($\\ell_1$ strength)")
    ax.set_title("in cycles")


def _point(
    ax: Axes,
    place: float,
    values: pd.Series,
    title: str,
    colour: str,
    marker: str,
    *,
    hollow: bool = False,
) -> None:
    """Draw the mean over seeds and the range."""
    mean = values.mean()
    ax.errorbar(
        [place],
        [mean],
        yerr=[[mean - values.min()], [values.max() - mean]],
        color=colour,
        marker=marker,
        mfc="white" if hollow else colour,
        ms=3.5,
        ls="",
        elinewidth=0.7,
        label=title,
    )


def caption(tables: Tables) -> str:
    """Return the caption: what a factor of 2 costs, and what cycles win."""
    table = tables["c6_magnitude_sharpness"]
    seeds = table["seed"].nunique()
    return (
        r"What moves the pruning limit (claim \ref{predicted-threshold}; MLP 64-20-10 "
        f"on digits, {table['prunable'].iloc[0]} weights that can be pruned); "
        "predictions are hollow, measurements and (b), which is measured in the "
        "quadratic model, filled; $\\varepsilon$ and (a) to (d) as in "
        "Figure~\\ref{fig:thresholds}. Left and second: the limits when all weights "
        "are multiplied in the quadratic model; multiplying the Hessian "
        "by $c$ is the same as multiplying the weights by $\\sqrt{c}$, or dividing "
        f"$\\varepsilon$ by $c$. {_doubling(table)} Third: limits and readings against "
        "the strength of $\\ell_1$ in training (equally spaced). Right: pruning in "
        "cycles, each of which removes a share of the remaining weights and trains the "
        "survivors until "
        "$L \\le L(w^*) + \\varepsilon$ again (so that cycles of a fifth can end at "
        "$1 - 0.8^j$ only), against pruning at once with the budget of "
        f"epochs of one cycle. {_gradual(table)} The limit is that of one mask, the "
        "weights of least $|w^*|$, in the quadratic model at $w^*$, the survivors' "
        "subspace taken as a random one of its hyperplane. Cycles are not bound by it: "
        "they train with the budget again and again, each chooses among the weights "
        "as trained until then, and none has to stay where the model holds. Means of "
        f"{seeds} trainings, bands and bars their range."
    )


def _doubling(table: pd.DataFrame) -> str:
    """Return by how many points limits fall if all weights double."""
    parts = []
    for value, rows in _share(table).groupby("strength"):
        for name in ("paper", "orthogonal"):
            own = rows[rows["reading"] == name].groupby("scale")["percent"].mean()
            parts.append(
                f"{PREDICTED[name][0]} {own[4.0] - own[1.0]:+.1f} "
                f"({strength(float(str(value)))})"
            )
    return f"Doubling the weights moves them by, in points: {'; '.join(parts)}."


def _gradual(table: pd.DataFrame) -> str:
    """Return how much cycles remove, and in how many; pruning at once; the limit."""
    parts = []
    for value, rows in _share(table[table["scale"] == 1]).groupby("strength"):
        means = rows.groupby("reading")["percent"].mean()
        cycles = ", ".join(
            f"{own['percent'].mean():.1f} in {_range(own['cycles'])} cycles of "
            f"{100 * float(str(share)):.0f}\\,\\%"
            for share, own in rows[rows["reading"] == "gradual"].groupby("share")
        )
        parts.append(
            f"{strength(float(str(value)))}: {cycles}, {means['retrained']:.1f} at "
            f"once, where the exact limit (survivors) is {means['orthogonal']:.1f}"
        )
    return f"Removed, in \\%, {'; '.join(parts)}."


def _range(counts: pd.Series) -> str:
    least, most = counts.min(), counts.max()
    return f"{least}" if least == most else f"{least} to {most}"
