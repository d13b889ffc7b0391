"""Figure c7 (new): error of trace, density and limit against products spent."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.common import PAGE, Tables
from theory.latex import scientific

STATES = {
    "initial": "at initialisation",
    "trained": "trained",
    "overtrained": "over-trained",
    "sharp": "sharp",
    "dead": "dead units",
}
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
RUNS = {"4 probes": 4, "10 probes": 10, "4 probes, all": 4, "4 probes, deflated": 5}
"""Lanczos runs of equal length that ours consist of."""
LONG = 100
"""Steps from which a run counts as long."""
FLOOR = 1e-4
"""Errors below are drawn here: a limit may be exact."""


def draw(tables: Tables) -> Figure:
    """Return the errors over products: rows of quantities, columns of networks."""
    table = tables["c7_slq_accuracy"]
    figure, axes = plt.subplots(
        len(QUANTITIES), len(STATES), figsize=(PAGE, 5.0), sharex=True, sharey="row"
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
        ax.axhline(0.01, color="0.3", lw=0.6, marker="", zorder=1)
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
    ours = limits[(limits["method"] == "4 probes") & (limits["products"] == 1000)]
    short = limits[(limits["method"] == "10 probes") & (limits["products"] == 1000)]
    theirs = limits[limits["method"] == "smeared"]
    same = limits[limits["method"] == "unsmeared"]
    once, plain = (rows[rows["products"] == 1000] for rows in (theirs, same))
    peer = limits[(limits["method"] == "curvlinops") & (limits["products"] == 1000)]
    sizes = table["size"].unique()
    dead = table[table["state"] == "dead"]["dead"].iloc[0]
    return (
        "Error against Hessian-vector products for five networks on digits whose "
        rf"Hessian is known whole (claim \ref{{slq}}; $D = {sizes[0]}$, {dead} of them "
        "dead in the last). Trace: relative; density: Wasserstein-1 distance to the "
        r"eigenvalues over their mean $|\mu|$; limit: of paper C's removable "
        "weights, relative, from $|\\mu|$. Lines: median of the runs "
        f"({_runs(table)}), bands their range. Ours are "
        "Ritz values as they are, of Lanczos with re-orthogonalisation and dead "
        "parameters left out; paper C's procedure, written anew, smears runs of 125 "
        "steps on a grid; "
        "curvlinops is as it comes, and pyhessian's trace, which stops by itself, at "
        f"{_stops(table)} products. Limit at 1,000 products, ours with 4 probes: "
        f"median error {_by_state(ours, 'median')} (as the columns; line: one per "
        f"cent), worst of all runs {_percent(ours['error'].max())}, but with 10 probes "
        f"of 100 steps {_by_state(short, 'median')}; paper C's procedure "
        f"{_percent(_least(once))} to {_percent(_most(once))} (medians; the same runs "
        f"without the smearing {_percent(_least(plain))} to {_percent(_most(plain))}; "
        f"with other numbers of products {_percent(_least(theirs))} to "
        f"{_percent(_most(theirs))} and {_percent(_least(same))} to "
        f"{_percent(_most(same))}), "
        f"curvlinops {_percent(_least(peer))} to {_percent(_most(peer))}. "
        f"Our 95\\,\\% interval holds the truth in {_coverage(ours[ours['seed'] > 0])} "
        "new runs, with a mean "
        f"width of {_widths(ours)} of the limit. {_fewer(limits)} "
        f"{(limits['error'] < FLOOR).sum()} errors of limits are below "
        f"{scientific(FLOOR)} and drawn there."
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


def _runs(table: pd.DataFrame) -> str:
    counts = table.groupby(["state", "method", "products", "quantity"]).size()
    return f"{counts.min()}, and {counts.max()} of ours with 4 probes at 1,000"


def _stops(table: pd.DataFrame) -> str:
    spent = table[table["method"] == "pyhessian"]["spent"]
    return f"{spent.min()} to {spent.max()}"


def _percent(error: float) -> str:
    return f"{100 * error:.1f}\\,\\%"


def _medians(rows: pd.DataFrame) -> pd.Series:
    return rows.groupby(["state", "products"])["error"].median()


def _least(rows: pd.DataFrame) -> float:
    return float(_medians(rows).min())


def _most(rows: pd.DataFrame) -> float:
    return float(_medians(rows).max())


def _by_state(rows: pd.DataFrame, statistic: str) -> str:
    found = rows.groupby("state")["error"].agg(statistic)
    return ", ".join(_percent(float(found[state])) for state in STATES)


def _held(rows: pd.DataFrame) -> pd.Series:
    return (rows["low"] <= rows["truth"]) & (rows["truth"] <= rows["high"])


def _coverage(rows: pd.DataFrame) -> str:
    held = _held(rows).groupby(rows["state"])
    total, size = held.sum(), held.size()
    return ", ".join(f"{int(total[state])} of {int(size[state])}" for state in STATES)


def _widths(rows: pd.DataFrame) -> str:
    width = ((rows["high"] - rows["low"]) / rows["truth"]).groupby(rows["state"]).mean()
    return ", ".join(_percent(float(width[state])) for state in STATES)


def _fewer(limits: pd.DataFrame) -> str:
    """Return a sentence on the intervals of all choices, by the steps of a run."""
    ours = limits[(limits["stated"] == 1) & (limits["seed"] == 0)]
    held = _held(ours)
    long = ours["products"] // ours["method"].map(RUNS) >= LONG
    parts = [
        f"{int(held[chosen].sum())} of {int(chosen.sum())} runs of {name} steps"
        for chosen, name in ((long, f"at least {LONG}"), (~long, "fewer"))
    ]
    return (
        f"Of all our choices of probes and products it holds it in {parts[0]} and in "
        f"{parts[1]}: of few steps the first half says too little of the error near "
        r"$\mu = 0$, and steps come before probes."
    )
