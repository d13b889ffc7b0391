"""Figure c2 (new): paper C's form beside the exact dimension, over R."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.common import PAGE, Tables

TITLES = {
    "flat": "flat",
    "power-law": "power law",
    "spiked": "spiked",
    "marchenko-pastur": "Marchenko--Pastur",
}
SIZES = {300: ("C1", "s"), 1000: ("C0", "o")}
"""Colour and marker of each D."""
BESIDE = {300: 0.95, 1000: 1.05}
"""Factor of each D's radii in the lower rows, so that bars can be told apart."""
RESOLVED = 3.0
"""Deviation of the transition above which the large-D value is taken as exact: below,
few directions are left on one side, and only the bounds hold."""
NORMAL = 1.96
EDGE = 5.0
"""Of the bottom row, in standard errors."""


def draw(tables: Tables) -> Figure:
    """Return delta / D, its distance from the exact value, and that in errors."""
    rows = _rows(tables["c2_bound_tightness"])
    figure, axes = plt.subplots(
        3,
        len(TITLES),
        figsize=(PAGE, 4.2),
        sharex=True,
        sharey="row",
        height_ratios=(1.7, 1, 1),
    )
    for (spectrum, title), (upper, middle, lower) in zip(
        TITLES.items(), axes.T, strict=True
    ):
        own = rows[rows["spectrum"] == spectrum]
        upper.set_title(title.replace("--", "–"))
        for size in SIZES:
            _dimensions(upper, own[own["size"] == size], size)
            _gaps(middle, own[own["size"] == size], size)
            _scores(lower, own[own["size"] == size], size)
        lower.axhspan(-NORMAL, NORMAL, color="0.92", zorder=0)
        for ax in (middle, lower):
            ax.axhline(0, color="0.3", lw=0.6, marker="", zorder=1)
        upper.set(xscale="log", ylim=(-0.03, 1.03))
        middle.set_ylim(-1.6, 1.6)
        lower.set_ylim(-EDGE, EDGE)
    axes[0, 0].set_ylabel(r"$\delta / D$ (1)")
    axes[1, 0].set_ylabel("gap (dimensions)")
    axes[2, 0].set_ylabel("gap (std. errors)")
    figure.supxlabel(r"distance $R$ (length of $w$)", fontsize=7)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=5)
    return figure


def caption(tables: Tables) -> str:
    """Return the caption: agreement in standard errors, and the paper's gap."""
    table = tables["c2_bound_tightness"]
    rows = _rows(table)
    sampled = rows[(rows["method"] == "projections") & (rows["deviation"] > 0)]
    fine = sampled[sampled["deviation"] >= RESOLVED]
    brute = rows[(rows["method"] == "subspaces") & (rows["deviation"] >= RESOLVED)]
    coarse = sampled[sampled["deviation"] < RESOLVED]
    worst = rows.sort_values("paper_gap").iloc[-1]
    spiked = rows[
        (rows["spectrum"] == "spiked") & (rows["size"] == 1000) & (rows["radius"] == 1)
    ]
    exact, paper = spiked["exact"] / 1000, spiked["paper"] / 1000
    beyond = np.maximum(sampled["low"] - sampled["estimate"], 0) + np.maximum(
        sampled["estimate"] - sampled["high"], 0
    )
    return (
        r"The dimension $\delta$ of the cone from a point at distance $R$ into the "
        r"sublevel ellipsoid ($\varepsilon = 0.01$; claim "
        r"\ref{exact-statistical-dimension}). Above: the formula from two spectral "
        "measures (lines, one for each of "
        f"{table['seed'].nunique()} random directions), {table['pairs'].max()} pairs "
        "of exactly projected samples (filled), random subspaces that meet the "
        f"ellipsoid (open, {table['draws'].min()} to {table['draws'].max()} draws), "
        "and paper C's form (dashed). Below: projections less the formula; bars are "
        "two standard errors, the shaded bands the bounds of the theorem. Bottom: both "
        "estimates less it, in standard errors, grey the 95\\,\\% range of a normal "
        "variable. "
        f"Where the transition is at least {RESOLVED:g} dimensions wide, "
        f"of projections {_within(fine)} and of brute-force estimates {_within(brute)} "
        f"are within {NORMAL}: of projections a few too many are not, as the last term "
        "of the formula is no theorem; "
        f"largest $|z| = {fine['z'].abs().max():.1f}$ and "
        f"${brute['z'].abs().max():.1f}$. Elsewhere (faint) the formula's last term is "
        f"off by up to {coarse['gap'].abs().max():.2f} dimensions; estimates leave the "
        f"bounds by at most {(beyond / sampled['standard_error']).max():.1f} standard "
        f"errors anywhere. Of the faint points {_outside(rows)} lie beyond the bottom "
        "row and are drawn as arrows at its edge. Paper C's form is always below, by "
        f"up to ${100 * worst['paper_gap']:.0f}\\,\\%$ of $D$ "
        f"({TITLES[worst['spectrum']]}, $D = {worst['size']}$, "
        f"$R = {worst['radius']:.2f}$); spiked, $D = 1000$, $R = 1$: "
        f"exact ${exact.min():.3f}$ to ${exact.max():.3f}$, paper's form "
        f"${paper.mean():.2f}$."
    )


def _within(rows: pd.DataFrame) -> str:
    """Return how many are within two errors, and how many would be by chance alone."""
    found = int((rows["z"].abs() <= NORMAL).sum())
    return f"{found} of {len(rows)} (by chance {0.95 * len(rows):.0f})"


def _outside(rows: pd.DataFrame) -> str:
    """Return how many are beyond the axis, and how far the farthest is."""
    beyond = rows[rows["z"].abs() > EDGE]
    far = beyond["z"].abs().max()
    return f"{len(beyond)} (the farthest at {far:.1f})" if len(beyond) else "none"


def _rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with gaps; inside the ellipsoid nothing is left to chance."""
    gap = table["estimate"] - table["exact"]
    error = table["standard_error"]
    z = np.divide(gap, error, out=np.zeros(len(table)), where=error > 0)
    return table.assign(
        gap=gap, z=z, paper_gap=(table["exact"] - table["paper"]) / table["size"]
    )


def _dimensions(ax: Axes, rows: pd.DataFrame, size: int) -> None:
    colour, marker = SIZES[size]
    plain: dict[str, Any] = {"color": colour, "marker": ""}
    dots: dict[str, Any] = {"color": colour, "ls": "", "marker": marker}
    formula = rows[rows["method"] == "formula"]
    for seed, part in formula.groupby("seed"):
        label = f"$D = {size}$, formula" if seed == 0 else None
        ax.plot(part["radius"], part["exact"] / size, lw=0.8, label=label, **plain)
    one = formula[formula["seed"] == 0]
    ax.plot(
        one["radius"],
        one["paper"] / size,
        ls="--",
        label=f"$D = {size}$, paper C's form",
        **plain,
    )
    for method, looks in (
        ("projections", {"ms": 2}),
        ("subspaces", {"ms": 5, "mfc": "none", "elinewidth": 0.6}),
    ):
        part = rows[rows["method"] == method]
        ax.errorbar(
            part["radius"],
            part["estimate"] / size,
            yerr=2 * part["standard_error"] / size,
            label=f"$D = {size}$, {method}",
            **looks,
            **dots,
        )


def _gaps(ax: Axes, rows: pd.DataFrame, size: int) -> None:
    """Draw estimates less the formula, and the bounds less the formula as a band."""
    colour, marker = SIZES[size]
    outside = rows[(rows["method"] == "projections") & (rows["deviation"] > 0)]
    bounds = outside.groupby("radius")[["low", "high", "exact"]].mean()
    for end in ("low", "high"):
        ax.fill_between(
            bounds.index,
            bounds[end] - bounds["exact"],
            0,
            color=colour,
            alpha=0.13,
            lw=0,
        )
    for coarse, part in outside.groupby(outside["deviation"] < RESOLVED):
        ax.errorbar(
            BESIDE[size] * part["radius"],
            part["gap"],
            yerr=2 * part["standard_error"],
            ls="",
            marker=marker,
            ms=1.8,
            color=colour,
            elinewidth=0.6,
            alpha=0.4 if coarse else 1.0,
        )


def _scores(ax: Axes, rows: pd.DataFrame, size: int) -> None:
    colour, marker = SIZES[size]
    outside = rows[rows["deviation"] > 0]
    for method, face in (("projections", colour), ("subspaces", "none")):
        own = outside[outside["method"] == method]
        for coarse, part in own.groupby(own["deviation"] < RESOLVED):
            for shape, own_part in (
                (marker, part[part["z"].abs() <= EDGE]),
                ("^", part[part["z"] > EDGE]),
                ("v", part[part["z"] < -EDGE]),
            ):
                if own_part.empty:  # an empty unclipped line has no extent to lay out
                    continue
                ax.plot(
                    BESIDE[size] * own_part["radius"],
                    np.clip(own_part["z"], -EDGE, EDGE),
                    ls="",
                    marker=shape,
                    ms=1.8 if method == "projections" and shape == marker else 4.0,
                    mfc=face,
                    color=colour,
                    alpha=0.4 if coarse else 1.0,
                    clip_on=False,
                )
