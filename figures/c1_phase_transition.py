"""Figure c1 (paper C, section 2): random subspaces meet a cone from n - delta on."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import beta

from figures.common import PAGE, Tables

PANELS = {
    "orthant": "orthant and subspace",
    "circular": r"circular, $\sin^2\alpha = 0.3$",
    "descent": r"$\ell_1$ descent, $n/10$ nonzeros",
    "ellipsoid": "from a point into an ellipsoid",
}
EXACT = ("orthant", "circular")
SIZES = {50: ("C0", "o"), 100: ("C1", "s"), 200: ("C2", "^"), 400: ("C3", "D")}
"""Colour and marker of each n."""
BESIDE = {50: -0.036, 100: -0.012, 200: 0.012, 400: 0.036}
"""Shift of each n's bars, so that they can be told apart."""


def draw(tables: Tables) -> Figure:
    """Return the share that meets over (k + delta - n) / sqrt(n), and its residual."""
    rows = _pooled(tables["c1_phase_transition"])
    figure, axes = plt.subplots(
        2,
        len(PANELS),
        figsize=(PAGE, 3.1),
        sharex=True,
        sharey="row",
        height_ratios=(1.5, 1),
    )
    for (kind, title), upper, lower in zip(PANELS.items(), *axes, strict=True):
        upper.set_title(title)
        own = rows[rows["kind"] == kind]
        for size, (colour, marker) in SIZES.items():
            _transition(upper, own[own["size"] == size], colour, marker, kind)
            _residual(lower, own[own["size"] == size], size)
        lower.axhline(0, color="0.3", lw=0.6, marker="")
        lower.set(xlim=(-2.1, 2.1), ylim=(-20, 20))
    _steps(axes[0, 0], rows[rows["kind"] == "subspace"])
    axes[0, 0].set_ylabel("meet (share of subspaces)")
    axes[1, 0].set_ylabel("residual (points)")
    figure.supxlabel(r"$(k + \delta - n)/\sqrt{n}$ (1)", fontsize=7)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    order = [*range(1, len(labels)), 0]  # matplotlib lists lines before error bars
    figure.legend(
        [handles[i] for i in order],
        [labels[i] for i in order],
        loc="outside upper center",
        ncols=len(order),
    )
    return figure


def caption(tables: Tables) -> str:
    """Return the caption: what the intervals hold, and where the limit is off."""
    table = tables["c1_phase_transition"]
    rows = _pooled(table)
    steps = rows[rows["kind"] == "subspace"]
    wrong = int((steps["met"] != steps["draws"] * steps["predicted"]).sum())
    others = rows[rows["kind"] != "subspace"]
    inside = (others["low"] <= others["predicted"]) & (
        others["predicted"] <= others["high"]
    )
    exact = others["kind"].isin(EXACT)
    beyond = others[(others["offset"].abs() > 1.7)]
    tails = (beyond["share"] - (beyond["offset"] > 0)).abs().max()
    fewest = others.groupby("kind")["draws"].min()
    return (
        r"The phase transition (claim \ref{statistical-dimension}): the share of "
        "random subspaces of dimension $k$ that share a ray with a cone of statistical "
        r"dimension $\delta$ in $n$ dimensions. Lines: Crofton's formula, exact, for "
        "orthants and circular cones, and the normal limit with the variance of the "
        "intrinsic volumes for the others (of the descent cone by Monte Carlo, of the "
        "ellipsoid's cone by the formula of claim "
        r"\ref{exact-statistical-dimension}). Points: "
        f"{table['seed'].nunique()} seeds pooled, {fewest.min()} to "
        f"{others['draws'].max()} subspaces each, bars the 95\\,\\% Clopper--Pearson "
        "intervals; those of one $n$ are of nested subspaces: points of a curve err "
        "together. The descent cone, each of whose draws is a linear program, has $n$ "
        "up to "
        f"{others[others['kind'] == 'descent']['size'].max()}. Below: measured less "
        "predicted, in percentage points. "
        f"The exact formula is inside {_of(inside[exact])} intervals, the normal "
        f"limit, which has no skewness, inside {_of(inside[~exact])}; "
        r"beyond $1.7 \sqrt{n}$ the largest share on the wrong side is "
        f"{100 * tails:.1f}\\,\\%. Two subspaces (step, stars; "
        rf"$\delta = n/2$ as the orthant's) meet from $k + \delta = n + 1$ on in all "
        f"draws, with {wrong} of {len(steps)} dimensions off: the width of the "
        "transition is the variance of the intrinsic volumes, not $n$."
    )


def _of(inside: pd.Series) -> str:
    return f"{int(inside.sum())} of {len(inside)}"


def _pooled(table: pd.DataFrame) -> pd.DataFrame:
    """Return the counts of all seeds together, with their 95 % intervals."""
    keys = ["kind", "size", "subspace_dimension", "delta", "deviation", "predicted"]
    rows = table.groupby(keys, as_index=False)[["met", "draws"]].sum()
    met, draws = rows["met"], rows["draws"]
    low = np.where(met > 0, beta.ppf(0.025, met, draws - met + 1), 0.0)
    high = np.where(met < draws, beta.ppf(0.975, met + 1, draws - met), 1.0)
    offset = rows["subspace_dimension"] + rows["delta"] - rows["size"]
    return rows.assign(
        share=met / draws, low=low, high=high, offset=offset / np.sqrt(rows["size"])
    )


def _transition(
    ax: Axes, rows: pd.DataFrame, colour: str, marker: str, kind: str
) -> None:
    if rows.empty:
        return
    size = rows["size"].iloc[0]
    style: dict[str, Any] = {"color": colour, "ms": 2.5, "elinewidth": 0.6}
    ax.plot(rows["offset"], rows["predicted"], color=colour, marker="", lw=0.8)
    bars = [rows["share"] - rows["low"], rows["high"] - rows["share"]]
    ax.errorbar(
        rows["offset"],
        rows["share"],
        yerr=np.maximum(bars, 0),
        ls="",
        marker=marker,
        label=f"$n = {size}$",
        **style,
    )


def _residual(ax: Axes, rows: pd.DataFrame, size: int) -> None:
    colour, marker = SIZES[size]
    middle = 100 * (rows["share"] - rows["predicted"])
    bars = [rows["share"] - rows["low"], rows["high"] - rows["share"]]
    ax.errorbar(
        rows["offset"] + BESIDE[size],
        middle,
        yerr=100 * np.maximum(bars, 0),
        ls="",
        marker=marker,
        ms=2,
        color=colour,
        elinewidth=0.5,
    )


def _steps(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw two subspaces: a step between k = n - delta and one more, at each n."""
    ax.plot([-2, 0, 0, 2], [0, 0, 1, 1], color="0.5", lw=0.6, marker="", ls="--")
    ax.plot(
        rows["offset"],
        rows["share"],
        ls="",
        marker="*",
        ms=3,
        mew=0.3,
        color="0.5",
        label="two subspaces",
        zorder=1,
    )
