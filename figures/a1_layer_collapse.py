"""Figure a1 (paper A, figure 1): accuracy against compression, and layer-collapse."""

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.common import (
    METHODS,
    PAGE,
    Tables,
    benchmark_rows,
    digits_rows,
    plot_range,
)

PLACES = {method: place for place, method in enumerate(reversed(METHODS))}


def draw(tables: Tables) -> Figure:
    """Return accuracy and critical compressions, ours and theirs, and the lift."""
    ours, theirs = _ours(tables), _theirs(tables)
    figure, axes = plt.subplot_mosaic(
        [["ours", "theirs", "lift"], ["ours at", "theirs at", "lift"]],
        figsize=(PAGE, 3.0),
        height_ratios=[3, 1.3],
        width_ratios=[1, 1, 0.8],
        gridspec_kw={"hspace": 0.02},
    )
    axes["theirs"].sharey(axes["ours"])
    axes["theirs at"].sharey(axes["ours at"])
    for method, (title, colour, marker) in METHODS.items():
        rows = ours[ours["method"] == method]
        style = (colour, marker)
        plot_range(axes["ours"], rows, "final", *style, hollow=False, label=title)
        rows = theirs[theirs["method"] == method]
        if len(rows):
            plot_range(axes["theirs"], rows, "best", *style, hollow=True)
    _critical_ours(axes["ours at"], ours)
    _critical_theirs(axes["theirs at"], theirs)
    for rows, label, colour, hollow in (
        (_whole(theirs), "authors, no layer empty", "0.45", True),
        (ours.query("path == 1"), "ours, with a path", "C0", False),
    ):
        lifted = rows.assign(lift=rows["best"] - rows["final"])
        plot_range(
            axes["lift"], lifted, "lift", colour, "o", hollow=hollow, label=label
        )
    axes["ours"].set(title="VGG5, digits (ours)", ylabel="top-1 test accuracy (%)")
    axes["theirs"].set_title("VGG-16, CIFAR-100 (authors)")
    axes["lift"].set(title="choice of the epoch", ylim=(-0.1, None))
    axes["lift"].set_ylabel("best test epoch $-$ last epoch (points)")
    axes["lift"].legend(loc="upper right", borderaxespad=0)
    titles = [METHODS[method][0] for method in PLACES]
    axes["ours at"].set_yticks(list(PLACES.values()), titles)
    axes["ours at"].set(ylabel="critical (score)", ylim=(-0.7, len(PLACES) - 0.3))
    for name, axis in axes.items():
        ends, step = ((0.7, 2e4), 1) if name.startswith("ours") else ((0.7, 2e6), 2)
        axis.set(xscale="log", xlim=ends)
        axis.set_xticks(
            [10**power for power in range(0, 7, step) if 10**power < ends[1]]
        )
        axis.minorticks_off()
        axis.tick_params(
            labelbottom=name not in ("ours", "theirs"),
            labelleft=not name.startswith("theirs"),
        )
    figure.supxlabel(r"compression $\rho$ (weights / kept weights)", fontsize=7)
    handles, labels = axes["ours"].get_legend_handles_labels()
    more, names = axes["theirs at"].get_legend_handles_labels()
    figure.legend(
        [*handles, *more], [*labels, *names], loc="outside upper center", ncols=5
    )
    return figure


def caption(tables: Tables) -> str:
    """Return the caption: critical compressions, cut-offs, lift, GraSP's sign."""
    ours, theirs = _ours(tables), _theirs(tables)
    one = ours.iloc[0]
    limit = np.log10(one["prunable_weights"] / one["layers"])
    alive = ours[ours["path"] == 1]
    return (
        "Test accuracy after pruning at initialisation and training. Left: VGG5 on "
        f"digits, {int(one['prunable_weights'])} weights, {int(one['epochs'])} epochs, "
        f"last epoch; middle: the authors' VGG-16 on CIFAR-100, their choice of the "
        f"best test epoch. Lines are means over {ours['seed'].nunique()} seeds (theirs "
        f"{theirs['replicate'].nunique()}), bands their smallest and largest values. "
        "Below: the critical compression of each seed, ours exact to "
        "one weight; dashed the limit $N / L$; crosses, where the authors cut their "
        "curves by hand. log10 of ours, mean (smallest to largest): "
        f"{_criticals(ours)}; the limit is {limit:.3f}. In the authors' table the "
        "largest listed compressions without an empty layer have the means "
        f"{_cuts(theirs)}. Right: how much a choice of the epoch by its test accuracy "
        f"raises it: ours by {_lift(alive)} points (networks with a path from input to "
        f"output), theirs by {_lift(_whole(theirs))} (runs without an empty layer); "
        "lines are means over methods and seeds, "
        "bands the range. An epoch chosen on held-out images changes ours by "
        f"{100 * (alive['validated_accuracy'] - alive['final_accuracy']).mean():+.2f} "
        f"points on average. {_sign(ours, theirs)} Networks without a path "
        f"({_pathless(ours)} runs) are not trained: they name one class."
    )


def _ours(tables: Tables) -> pd.DataFrame:
    return digits_rows(tables["a1_layer_collapse"])


def _theirs(tables: Tables) -> pd.DataFrame:
    return benchmark_rows(tables, "fig1")


def _whole(theirs: pd.DataFrame) -> pd.DataFrame:
    return theirs[theirs["layers_fully_pruned"] == 0]


def _critical_ours(ax: Axes, ours: pd.DataFrame) -> None:
    for method, (_, colour, marker) in METHODS.items():
        own = ours[ours["method"] == method].groupby("seed")["critical_log10"].first()
        _marks(ax, own, method, marker=marker, color=colour, ms=3)
    one = ours.iloc[0]
    ax.axvline(one["prunable_weights"] / one["layers"], color="0.3", lw=0.7, ls="--")


def _critical_theirs(ax: Axes, theirs: pd.DataFrame) -> None:
    for method, found in _uncollapsed(theirs).items():
        _, colour, marker = METHODS[method]
        _marks(ax, found, method, marker=marker, color=colour, mfc="none", ms=3)
    by_hand = _by_hand(theirs)
    x, y = [10**cut for cut in by_hand], [PLACES[method] for method in by_hand.index]
    ax.plot(x, y, "x", color="k", ms=4, label="cut by hand")
    one = theirs.iloc[0]
    limit = one["prunable_weights"] / one["prunable_layers"]
    ax.axvline(limit, color="0.3", lw=0.7, ls="--", marker="", label="limit $N / L$")


def _marks(ax: Axes, found: Iterable[float], method: str, **style: object) -> None:
    x = np.power(10.0, list(found))
    ax.plot(x, np.full(len(x), PLACES[method]), ls="", **style)  # type: ignore[arg-type]


def _uncollapsed(theirs: pd.DataFrame) -> dict[str, pd.Series]:
    """Return each run's largest listed compression without an empty layer."""
    largest = _whole(theirs).groupby(["method", "replicate"])["compression_log10"].max()
    return {method: largest[method] for method in METHODS if method in largest}


def _by_hand(theirs: pd.DataFrame) -> pd.Series:
    drawn = theirs[theirs["drawn_in_figure"] == 1]
    return drawn.groupby("method")["compression_log10"].max()


def _criticals(ours: pd.DataFrame) -> str:
    found = ours.groupby(["method", "seed"])["critical_log10"].first()
    parts = []
    for method, (title, _, _) in METHODS.items():
        own = found[method]
        parts.append(f"{title} {own.mean():.2f} ({own.min():.2f} to {own.max():.2f})")
    return ", ".join(parts)


def _cuts(theirs: pd.DataFrame) -> str:
    by_hand, found = _by_hand(theirs), _uncollapsed(theirs)
    return ", ".join(
        f"{METHODS[method][0]} {own.mean():.3f} (cut at {by_hand[method]:.2f})"
        for method, own in found.items()
    )


def _lift(rows: pd.DataFrame) -> str:
    lift = rows["best"] - rows["final"]
    return f"{lift.mean():.2f} on average, at most {lift.max():.2f}"


def _sign(ours: pd.DataFrame, theirs: pd.DataFrame) -> str:
    """Return what GraSP's reversed sign does to its accuracy and its collapse."""
    right, wrong = (
        ours[ours["method"] == method].set_index(["seed", "compression_log10"])
        for method in ("grasp", "grasp-reversed")
    )
    change = (wrong["final"] - right["final"]).groupby("compression_log10").mean()
    at = ours.groupby("method")["critical_log10"].mean()
    found = _uncollapsed(theirs)
    published = found["grasp-reversed"].mean() - found["snip"].mean()
    return (
        "The authors' GraSP is drawn as reversed, as it very probably is. Reversing "
        "the sign changes our "
        f"accuracy by {change.min():+.1f} points at $10^{{{change.idxmin():.2f}}}$ and "
        f"by {change.max():+.1f} at $10^{{{change.idxmax():.2f}}}$ (means over seeds); "
        "its critical compression is that of SNIP times "
        f"$10^{{{at['grasp'] - at['snip']:.2f}}}$ with the right sign, "
        f"$10^{{{at['grasp-reversed'] - at['snip']:.2f}}}$ with the reversed one and "
        f"$10^{{{published:.2f}}}$ in the authors' table."
    )


def _pathless(ours: pd.DataFrame) -> str:
    return f"{int((ours['path'] == 0).sum())} of {len(ours)}"
