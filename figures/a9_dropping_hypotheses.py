"""Figure a9 (new): theorem 3 with each hypothesis dropped, against N / L."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.common import PAGE, Tables

LABELS = {
    "one at a time": "SynFlow, one at a time (none)",
    "safe steps": "SynFlow, prune size < cut size (none)",
    "100 steps": "SynFlow, 100 steps (prune size)",
    "3 steps": "SynFlow, 3 steps (prune size)",
    "one-shot": "SynFlow, one-shot (re-scoring)",
    "signed": "saliency with its sign (positive scores)",
    "snip": "SNIP (conservation)",
    "magnitude": "magnitude (conservation)",
    "local": "magnitude, layer by layer (all)",
}
FAILURES = {
    "collapse": ("until a layer is empty", "C0", "o", "C0", -0.14),
    "no path": ("until no path is left", "C1", "s", "none", 0.14),
}
PANELS = {
    "chains": "all 1032 chains with $N \\leq 12$",
    "convnet": "convnet, $N = 516$",
}


def draw(tables: Tables) -> Figure:
    """Return critical compression over N / L, one line for each way of pruning."""
    table = tables["a9_dropping_hypotheses"]
    figure, axes = plt.subplots(1, 2, figsize=(PAGE, 2.6), sharey=True)
    for ax, (networks, title) in zip(axes, PANELS.items(), strict=True):
        for row, pruning in enumerate(LABELS):
            for failure in FAILURES:
                _interval(ax, row, failure, _ratios(table, networks, pruning, failure))
        ax.axvline(1, color="0.3", lw=0.6, zorder=0)
        ax.set(title=title, xlim=(0, 1.04))
    axes[0].set_yticks(range(len(LABELS)), list(LABELS.values()))
    axes[0].set_ylabel(
        "pruning, one weight at a time\nunless said (hypothesis dropped)"
    )
    axes[0].invert_yaxis()
    figure.supxlabel(
        r"critical compression / $\rho_\mathrm{max}$ (largest possible = 1)", fontsize=7
    )
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2)
    return figure


def caption(tables: Tables) -> str:
    """Return the caption: shares that reach N / L, ranges, paths lost."""
    table = tables["a9_dropping_hypotheses"]
    chains = table[table["networks"] == "chains"]
    convnets = table[table["networks"] == "convnet"]
    seeds = chains["seed"].nunique()
    revived = int(chains.loc[chains["revived"] == 1, "cases"].sum())
    return (
        r"Theorem \ref{maximal-critical-compression} with one hypothesis dropped at a "
        r"time: critical compression over $\rho_\mathrm{max} = N / L$. Left: every "
        "fully connected linear chain with at most 12 weights, random weights of both "
        f"signs, {seeds} draws of each, exact integers; markers are means over chains "
        "and draws, bars from the 5\\,\\% to the 95\\,\\% quantile. The share that "
        f"reaches $\\rho_\\mathrm{{max}}$ with a layer never empty: {_shares(chains)}. "
        "With so few weights 100 steps remove one at a time, so that they drop nothing "
        "there. Signed saliency fails there only where the outputs do not sum to more "
        "than 0. "
        "Layer by layer (magnitude) no layer empties first, but the path is "
        f"kept in only {_share(chains, 'local', 'no path')}. "
        f"{_revived(revived)} Right: a convnet of 4 layers at initialisation, "
        f"{convnets['seed'].nunique()} seeds, markers their mean, bars their smallest "
        f"and largest value; one-shot SynFlow ends at {_range(convnets, 'one-shot')}, "
        f"three steps at {_range(convnets, '3 steps')}, magnitude at "
        f"{_range(convnets, 'magnitude')} of $\\rho_\\mathrm{{max}}$. The theorem's "
        "hypotheses are sufficient, not necessary: iterated one weight at a time, "
        f"signed saliency reaches $\\rho_\\mathrm{{max}}$ on "
        f"{_share(convnets, 'signed', 'collapse')} of the convnets and SNIP on "
        f"{_share(convnets, 'snip', 'collapse')}. There are no published values."
    )


def _ratios(
    table: pd.DataFrame, networks: str, pruning: str, failure: str
) -> pd.Series:
    """Return critical compression over N / L, once for every network and seed."""
    rows = table[
        (table["networks"] == networks)
        & (table["pruning"] == pruning)
        & (table["failure"] == failure)
    ]
    return rows["ratio"].repeat(rows["cases"].tolist())


def _interval(ax: Axes, row: int, failure: str, ratios: pd.Series) -> None:
    """Draw the mean with the 5 to 95 % quantiles; of few values, the whole range."""
    label, colour, marker, face, shift = FAILURES[failure]
    ends = [0.05, 0.95] if len(ratios) > 20 else [0.0, 1.0]
    low, high = np.quantile(ratios, ends)
    ax.hlines(row + shift, low, high, color=colour, lw=0.9)
    ax.plot(
        [ratios.mean()],
        [row + shift],
        ls="",
        marker=marker,
        color=colour,
        markerfacecolor=face,
        label=label if row == 0 else None,
    )


def _share(table: pd.DataFrame, pruning: str, failure: str) -> str:
    ratios = _ratios(table, str(table["networks"].iloc[0]), pruning, failure)
    return f"{100 * float((ratios == 1).mean()):.3g}\\,\\%"


def _shares(chains: pd.DataFrame) -> str:
    names = {
        "one at a time": "one at a time",
        "safe steps": "safe steps",
        "3 steps": "three steps",
        "one-shot": "one-shot",
        "signed": "signed saliency",
        "snip": "SNIP",
        "magnitude": "magnitude",
    }
    return ", ".join(
        f"{name} {_share(chains, pruning, 'collapse')}"
        for pruning, name in names.items()
    )


def _range(table: pd.DataFrame, pruning: str) -> str:
    ratios = _ratios(table, "convnet", pruning, "collapse")
    return f"{ratios.min():.2f} to {ratios.max():.2f}"


def _revived(count: int) -> str:
    if count:
        return f"In {count} cases a run to fewer weights does not fail again."
    return "Here no schedule that failed at a count succeeded at a smaller one."
