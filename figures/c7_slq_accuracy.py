"""Figure c7 (new): error of trace, density and limit against products spent."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import _slq_text as _text
from figures._slq_text import LINE, STATES
from figures.common import PAGE, Tables
from theory.latex import scientific

LOOKS: dict[str, tuple[str, str, str, str]] = {
    "hutchinson": ("ours, Hutchinson", "0.55", "*", "-"),
    "hutch++": ("ours, Hutch++", "C1", "s", "-"),
    "deflated": ("ours, deflated trace", "C2", "^", "-"),
    "4 probes": ("ours, 4 probes", "C0", "o", "-"),
    "10 probes": ("ours, 10 probes", "C6", "X", "-"),
    "4 probes, all": ("ours, 4 probes, dead kept", "C0", "o", ":"),
    "4 probes, deflated": ("ours, 4 probes, deflated", "C2", "v", "-"),
    "smeared": ("paper C's procedure", "C3", "D", "--"),
    "unsmeared": ("the same, not smeared", "C3", "d", ":"),
    "xtrace": ("curvlinops, XTrace", "C4", "P", "--"),
    "curvlinops": ("curvlinops, density", "C4", "v", "--"),
    "pyhessian": ("pyhessian", "k", "P", ""),
}
"""Name, colour, marker and line of each method."""
QUANTITIES = {
    "trace": "error of trace (1)",
    "density": "error of density (1)",
    "limit": "error of limit (1)",
}
FLOOR = 1e-4
"""Errors below are drawn here: a limit may be exact."""


def draw(tables: Tables) -> Figure:
    """Return the errors over products: rows of quantities, columns of networks."""
    table = tables["c7_slq_accuracy"]
    figure, axes = plt.subplots(
        len(QUANTITIES), len(STATES), figsize=(PAGE, 4.8), sharex=True, sharey="row"
    )
    for row, (quantity, label) in zip(axes, QUANTITIES.items(), strict=True):
        row[0].set_ylabel(label)
        for ax, state in zip(row, STATES, strict=True):
            own = table[(table["quantity"] == quantity) & (table["state"] == state)]
            for method in LOOKS:
                _curve(ax, own[own["method"] == method], method)
            ax.set(xscale="log", yscale="log")
    for ax, title in zip(axes[0], STATES.values(), strict=True):
        ax.set_title(title)
    for ax in axes[2]:
        ax.axhline(LINE, color="0.3", lw=0.6, marker="", zorder=1)
        ax.set_ylim(FLOOR / 1.5, 2)
    axes[0, 0].set_ylim(1e-7, 3)
    figure.supxlabel("Hessian-vector products (products)", fontsize=7)
    found: dict[str, Artist] = {}
    for ax in axes[:, 0]:
        handles, labels = ax.get_legend_handles_labels()
        found |= dict(zip(labels, handles, strict=True))
    figure.legend(
        list(found.values()), list(found), loc="outside upper center", ncols=4
    )
    return figure


def caption(tables: Tables) -> str:
    """Return the caption: errors at 1,000 products, and how often intervals hold."""
    table = tables["c7_slq_accuracy"]
    limits = table[table["quantity"] == "limit"]
    sizes = table["size"].unique()
    counts = table.groupby("state")["dead"].first()
    dead = ", ".join(f"{counts[state]:.0f}" for state in _text.STATES)
    return (
        "Error against Hessian-vector products for five networks on digits whose "
        rf"Hessian is known whole (claim \ref{{slq}}; $D = {sizes[0]}$, of which "
        f"{dead} are dead). Trace: relative; density: Wasserstein-1 distance to the "
        r"eigenvalues over their mean $|\mu|$; limit: of the weights that can go by "
        "paper C's form, relative, from $|\\mu|$ (the error of the exact one, against "
        r"steps, is in Figure~\ref{fig:spectrum}). Lines: median of the runs "
        f"({_text.runs(table)}), bands their range. Ours are Ritz values as they are, "
        "of Lanczos with re-orthogonalisation and dead parameters left out; paper C's "
        "procedure, written anew, smears runs of 125 steps on a grid; curvlinops is as "
        "it comes, and pyhessian's trace, which stops by itself, at "
        f"{_text.stops(table)} products. Medians at 1,000 products, in lists in the "
        f"order of the columns. {_text.traces(table)} "
        f"{_text.densities(table)} {_text.limits(table)} {_text.intervals(table)} "
        f"{_text.choices(table)} {(limits['error'] < FLOOR).sum()} errors of limits "
        f"are below {scientific(FLOOR)} and drawn there."
    )


def _curve(ax: Axes, rows: pd.DataFrame, method: str) -> None:
    if rows.empty:
        return
    label, colour, marker, line = LOOKS[method]
    runs = rows.assign(error=rows["error"].clip(lower=FLOOR * 1e-3))
    if rows["quantity"].iloc[0] == "limit":
        runs["error"] = runs["error"].clip(lower=FLOOR)
    if method == "pyhessian":
        ax.plot(
            runs["spent"],
            runs["error"],
            ls="",
            marker=marker,
            color=colour,
            label=label,
        )
        return
    levels = runs.groupby("products")
    error, spent = levels["error"], levels["spent"].median()
    ax.plot(
        spent,
        error.median(),
        color=colour,
        marker=marker,
        ms=2.5,
        ls=line,
        lw=0.8,
        label=label,
    )
    ax.fill_between(spent, error.min(), error.max(), color=colour, alpha=0.15, lw=0)
