"""Figure a5a (paper A, figure 5a): iterative magnitude pruning, with n iterations."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.common import PAGE, Tables, digits_rows, plot_range, published_rows

STYLES = {1: ("C0", "o"), 2: ("C1", "s"), 3: ("C2", "^")}
"""Colour and marker of each number of iterations that the paper draws."""

KINDS = {"final": "after training (%)", "initial": "before training (%)"}


def draw(tables: Tables) -> Figure:
    """Return accuracy after and before the last training: rewound, not, authors'."""
    ours, theirs = _ours(tables), _theirs(tables)
    columns = (
        ("narrow VGG5, digits, rewound (ours)", ours[ours["rewind"]], False),
        ("narrow VGG5, digits, not rewound (ours)", ours[~ours["rewind"]], False),
        ("VGG-11, CIFAR-10, not rewound (authors)", theirs, True),
    )
    figure, axes = plt.subplots(
        2, len(columns), figsize=(PAGE, 3.4), sharex="col", sharey=True
    )
    for column, (title, rows, hollow) in enumerate(columns):
        axes[0, column].set_title(title)
        for axis, kind in zip(axes[:, column], KINDS, strict=True):
            _curves(axis, rows, kind, hollow=hollow)
            axis.set(xscale="log", ylim=(0, 100))
            axis.minorticks_off()
    for axis, label in zip(axes[:, 0], KINDS.values(), strict=True):
        axis.set_ylabel(label)
    figure.supxlabel(r"compression $\rho$ (weights / kept weights)", fontsize=7)
    figure.supylabel("test accuracy, last training (%)", fontsize=7)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    more, names = axes[0, 2].get_legend_handles_labels()
    shown = dict(zip([*labels, *names], [*handles, *more], strict=True))
    figure.legend(shown.values(), shown.keys(), loc="outside upper center", ncols=4)
    return figure


def caption(tables: Tables) -> str:
    """Return the caption: what the missing rewinding changes, by how much."""
    ours, theirs = _ours(tables), _theirs(tables)
    whole = theirs[theirs["compression_log10"] == 0]["initial"]
    before = ours[ours["compression_log10"] == 0].groupby("rewind")["initial"].mean()
    lift = theirs["best"] - theirs["final"]
    own = ours["best"] - ours["final"]
    return (
        "Iterative magnitude pruning with $n$ iterations of training and pruning, and "
        "a last training: test accuracy after its last epoch (above) and before it "
        "(below). Left: kept weights rewound to their initial values; middle: not "
        "rewound; narrow VGG5 on digits, lines are means over "
        f"{ours['seed'].nunique()} seeds, bands their "
        "smallest and largest values; open markers: the authors' single run of VGG-11 "
        "on CIFAR-10. At compression 1 the accuracy before "
        f"the authors' last training is {whole.min():.1f} to {whole.max():.1f}\\,\\%, "
        "where rewound networks guess: by mistake theirs were not rewound. Ours have "
        f"{before[True]:.1f}\\,\\% if rewound and {before[False]:.1f}\\,\\% if not. "
        f"{_effect(ours)} First compression with an empty layer, log10, for each "
        f"$n$ from 1 (theirs up to 5, of which three are drawn): theirs "
        f"{_firsts(theirs, [])}; ours (mean over seeds) rewound "
        f"{_firsts(ours[ours['rewind']], ['seed'])}, not rewound "
        f"{_firsts(ours[~ours['rewind']], ['seed'])}. The authors drew the best test "
        f"epoch of each run, {lift.mean():.2f} points above the last on average and at "
        f"most {lift.max():.2f}; ours would gain {own.mean():.2f} and at most "
        f"{own.max():.2f}."
    )


def _ours(tables: Tables) -> pd.DataFrame:
    return digits_rows(tables["a5a_imp_iterations"])


def _theirs(tables: Tables) -> pd.DataFrame:
    return published_rows(tables["published/fig5a_imp_accuracy"]).rename(
        columns={
            "prune_train_iterations": "iterations",
            "layers_fully_pruned": "empty_layers",
        }
    )


def _curves(ax: Axes, rows: pd.DataFrame, column: str, *, hollow: bool) -> None:
    """Draw the mean and the range, with crosses where a layer is empty."""
    for iterations, style in STYLES.items():
        own = rows[rows["iterations"] == iterations]
        label = f"$n = {iterations}$, " + ("authors" if hollow else "ours")
        plot_range(ax, own, column, *style, hollow=hollow, label=label, size=2.5)
        empty = own[own["empty_layers"] > 0]
        ax.plot(
            10 ** empty["compression_log10"].to_numpy(),
            empty[column].to_numpy(),
            "x",
            color="k",
            ms=3,
            mew=0.5,
            label="a layer is empty",
        )


def _effect(ours: pd.DataFrame) -> str:
    """Return the change of accuracy without rewinding, by number of iterations."""
    points = ["iterations", "seed", "compression_log10"]
    kept, reset = (
        ours[ours["rewind"] == rewind].set_index(points)["final"]
        for rewind in (False, True)
    )
    change = (kept - reset).groupby(["iterations", "compression_log10"]).mean()
    parts = []
    for iterations, own in change.groupby("iterations"):
        own = own.droplevel("iterations")
        parts.append(
            f"$n = {iterations}$: {own.mean():+.1f} on average, {own.min():+.1f} (at "
            f"$10^{{{own.idxmin():.2f}}}$) to {own.max():+.1f} (at "
            f"$10^{{{own.idxmax():.2f}}}$)"
        )
    return (
        "Without rewinding the accuracy after training changes by, in points, means "
        f"over seeds, {'; '.join(parts)}."
    )


def _firsts(rows: pd.DataFrame, seeds: list[str]) -> str:
    """Return the first compression with an empty layer, by number of iterations."""
    empty = rows[rows["empty_layers"] > 0]
    first = empty.groupby(["iterations", *seeds])["compression_log10"].min()
    means = first.groupby("iterations").mean()
    counts = sorted(rows["iterations"].unique())
    return " / ".join(f"{means[n]:.2f}" if n in means else "none" for n in counts)
