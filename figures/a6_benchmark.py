"""Figure a6 (paper A, figure 6): accuracy to compression 10^3, networks x images."""

import matplotlib.pyplot as plt
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

SMALL = {
    "lenet": "LeNet-300-100",
    "vgg5-narrow": "narrow VGG5",
    "resnet6": "ResNet6",
    "resnet6-wide": "wide ResNet6",
}
LARGE = ("VGG-11 (BN)", "VGG-16 (BN)", "ResNet-18", "WideResNet-18")
IMAGES = {
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "tinyimagenet": "Tiny ImageNet",
}


def draw(tables: Tables) -> Figure:
    """Return ours on digits in the first row, the authors' 12 pairs below."""
    ours, theirs = _ours(tables), _theirs(tables)
    figure, axes = plt.subplots(
        1 + len(IMAGES), len(LARGE), figsize=(PAGE, 6.2), sharex=True, sharey="row"
    )
    for axis, (network, title) in zip(axes[0], SMALL.items(), strict=True):
        _curves(axis, ours[ours["architecture"] == network], "final", hollow=False)
        axis.set_title(f"{title}, digits (ours)", fontsize=6.5)
    for row, (images, name) in zip(axes[1:], IMAGES.items(), strict=True):
        for axis, network in zip(row, LARGE, strict=True):
            own = theirs[(theirs["dataset"] == images) & (theirs["model"] == network)]
            _curves(axis, own, "best", hollow=True)
            axis.set_title(f"{network.removesuffix(' (BN)')}, {name}", fontsize=6.5)
    axes[0, 0].set(xscale="log", xlim=(0.8, 1300))
    axes[0, 0].minorticks_off()
    figure.supxlabel(r"compression $\rho$ (weights / kept weights)", fontsize=7)
    figure.supylabel("top-1 test accuracy (%)", fontsize=7)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    more, names = axes[1, 0].get_legend_handles_labels()
    figure.legend(
        [*handles, *more], [*labels, *names], loc="outside upper center", ncols=5
    )
    return figure


def caption(tables: Tables) -> str:
    """Return the caption: who is best, ours and theirs, and by how much at 10^2."""
    ours, theirs = _ours(tables), _theirs(tables)
    weights = ours.groupby("architecture")["prunable_weights"].first()
    sizes = ", ".join(f"{title} {weights[name]}" for name, title in SMALL.items())
    dense = ours[ours["compression_log10"] == 0]["final"]
    lift = ours["best"] - ours["final"]
    return (
        "Test accuracy after pruning at initialisation and training. First row: four "
        f"small networks on digits ({sizes} weights), {int(ours['epochs'].iloc[0])} "
        "epochs, accuracy after the last; below the authors' twelve pairs, open "
        "markers, their choice of the best test epoch (which would raise ours by "
        f"{lift.mean():.2f} points on average, at most {lift.max():.2f}). Lines are "
        f"means over {ours['seed'].nunique()} seeds, bands their smallest and largest "
        "values. Whole, ours "
        f"reach {dense.min():.1f} to {dense.max():.1f}\\,\\%. Mean over networks and "
        f"images at $10^1$, $10^2$, $10^3$: ours {_means(ours, 'final')}; theirs "
        f"{_means(theirs, 'best')} (that their GraSP is reversed is very "
        "probable). SynFlow has the "
        "best mean over seeds in "
        f"{_wins(ours, 'final', ['architecture'])} of ours and in "
        f"{_wins(theirs, 'best', ['model', 'dataset'])} of theirs beyond $10^1$. "
        f"{_collapses(ours)}"
    )


def _ours(tables: Tables) -> pd.DataFrame:
    return digits_rows(tables["a6_benchmark"])


def _theirs(tables: Tables) -> pd.DataFrame:
    return benchmark_rows(tables, "fig6")


def _curves(ax: Axes, rows: pd.DataFrame, column: str, *, hollow: bool) -> None:
    """Draw the mean at each compression and the range of each method."""
    whose = "authors" if hollow else "ours"
    for method, (title, colour, marker) in METHODS.items():
        own, label = rows[rows["method"] == method], f"{title}, {whose}"
        if own.empty:
            continue
        plot_range(ax, own, column, colour, marker, hollow=hollow, label=label)


def _means(rows: pd.DataFrame, column: str) -> str:
    means = rows.groupby(["method", "compression_log10"])[column].mean()
    return ", ".join(
        f"{title} " + " / ".join(f"{means[method, at]:.0f}" for at in (1.0, 2.0, 3.0))
        for method, (title, _, _) in METHODS.items()
        if method in means
    )


def _wins(rows: pd.DataFrame, column: str, pair: list[str]) -> str:
    """Return in how many cells SynFlow's mean over seeds is the best, of how many."""
    far = rows[rows["compression_log10"] > 1]
    cells = far.groupby([*pair, "compression_log10", "method"])[column].mean().unstack()
    return f"{int((cells.idxmax(axis=1) == 'synflow').sum())} of {len(cells)} cells"


def _collapses(ours: pd.DataFrame) -> str:
    """Return what empties in a network that still has a path."""
    empty = ours[ours["empty_layers"] > 0]
    alive = empty[empty["path"] == 1]
    residual = alive["architecture"].str.startswith("resnet").sum()
    broken = ours[(ours["empty_layers"] == 0) & (ours["path"] == 0)]
    return (
        f"Of {len(empty)} runs with an empty layer {len(alive)} still have a path from "
        f"input to output, {residual} of them in ResNets, whose shortcuts go around; "
        f"{len(broken)} runs have weights in every layer and no path."
    )
