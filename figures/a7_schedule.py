"""Figure a7 (paper A, figure 7): how far from safe a schedule of SynFlow is."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.common import PAGE, Tables

LOOKS = {
    0.5: ("C0", "o"),
    1.0: ("C1", "s"),
    1.5: ("C2", "^"),
    2.0: ("C3", "D"),
    2.5: ("C4", "v"),
    3.0: ("C6", "X"),
}
"""Colour and marker of each log10 of the compression."""


def draw(tables: Tables) -> Figure:
    """Return the largest ratio over iterations: exponential left, linear right."""
    ours = tables["a7_schedule"]
    theirs = tables["published/fig7_prune_size_ratio"]
    figure, axes = plt.subplots(1, 2, figsize=(PAGE, 2.9), sharex=True, sharey=True)
    for ax, schedule in zip(axes, ("exponential", "linear"), strict=True):
        ax.set_title(f"{schedule} schedule")
        ax.axhspan(1e-3, 1, color="0.95", zorder=0)
        ax.axhline(1, color="0.3", lw=0.6, marker="")
        chosen = ours[ours["schedule"] == schedule]
        for exponent, (colour, marker) in LOOKS.items():
            cells = theirs[
                (theirs["schedule"] == schedule)
                & (theirs["compression_log10"] == exponent)
            ]
            ax.plot(
                cells["pruning_iterations"],
                cells["max_prune_size_over_cut_size"],
                ls="",
                marker=marker,
                ms=4.5,
                mfc="none",
                mec=colour,
                mew=0.5,
                zorder=2,
            )
            rows = chosen[chosen["compression_log10"] == exponent]
            _ours(ax, rows, exponent, colour, marker)
        ax.set(yscale="log", xlim=(-2, 104), ylim=(2e-2, 30))
        ax.set_xticks([1, 10, 20, 50, 100])
    axes[0].text(0.97, 0.93, "premise broken", ha="right", transform=axes[0].transAxes)
    axes[0].text(0.03, 0.05, "safe", transform=axes[0].transAxes)
    for label, marker, colour in (
        ("VGG-19, published", "o", "none"),
        ("VGG-19, ours", "*", "0.5"),
    ):
        style: dict[str, Any] = {"mec": "k", "mew": 0.5, "mfc": colour}
        axes[0].plot([], [], ls="", marker=marker, ms=5.5, label=label, **style)
    axes[0].set_ylabel("max. prune size / cut size (1)")
    figure.supxlabel("iterations of the schedule (iterations)", fontsize=7)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncols=4, columnspacing=1.2
    )
    return figure


def caption(tables: Tables) -> str:
    """Return the caption: where runs are safe, and how ours compare with paper A."""
    ours = tables["a7_schedule"]
    theirs = tables["published/fig7_prune_size_ratio"]
    small = ours[ours["architecture"] == "vgg16-cifar"]
    large = ours[ours["architecture"] == "vgg19-imagenet"]
    means = small.groupby(["schedule", "iterations", "compression_log10"])["ratio"]
    seeds = means.size()
    spread = (means.std() / means.mean())[seeds > 1].max()
    exact = means.mean()
    last = [exact[name, 100, 3.0] for name in ("exponential", "linear")]
    emptied = int((small["emptied"] > 0).sum())
    return (
        "The largest prune size / cut size of all iterations of SynFlow; "
        r"theorem \ref{maximal-critical-compression} needs it below 1 (grey). Lines: "
        "VGG-16 at CIFAR size, an all-ones input, float32, one run for each point; "
        f"means over {seeds.max()} initialisations with their range as bars at "
        f"compression $10^3$ (standard deviation at most {100 * spread:.1f}\\,\\% of "
        "the mean), one initialisation at the others. "
        "Open markers of the same shape: the authors' values for VGG-19 at ImageNet "
        "size, of which the ratios of 0 at compression 1 are left out. At 100 "
        f"iterations to $10^3$ VGG-16 has {last[0]:.2f} (exponential) and "
        f"{last[1]:.1f} (linear). {_vgg19(large, theirs)}"
        "Below 1 is sufficient, not necessary: "
        f"{int((small['first_unsafe'] > 0).sum())} of the {len(small)} runs of VGG-16 "
        f"have an iteration with a ratio of 1 or more, and {emptied} of them emptied a "
        "layer."
    )


def _vgg19(large: pd.DataFrame, theirs: pd.DataFrame) -> str:
    """Return what was computed of VGG-19, beside the authors' values.

    A sentence for each exponential cell, and one for the linear ones.
    """
    if large.empty:
        return ""
    seeds = large.groupby(["schedule", "iterations", "compression_log10"]).size()
    numbers = " to ".join(f"{n}" for n in sorted({seeds.min(), seeds.max()}))
    text = (
        f"Stars: our VGG-19, means over {numbers} initialisations, bars their range. "
    )
    exponential = large[large["schedule"] == "exponential"]
    for key, rows in exponential.groupby(["iterations", "compression_log10"]):
        iterations, exponent = np.asarray(key, float)
        ratio, cell = rows["ratio"], _published(theirs, "exponential", exponent)
        own = (
            f"${ratio.mean():.3f}$ (standard deviation {ratio.std():.3f}) over "
            f"{len(rows)} initialisations, from ${ratio.min():.3f}$ to "
            f"${ratio.max():.3f}$"
            if len(rows) > 1
            else f"${ratio.mean():.3f}$ (one initialisation)"
        )
        text += (
            f"Our VGG-19, exponential to $10^{{{exponent:g}}}$ in {iterations:g}: "
            f"{own}, published ${cell[iterations]:.3f}$. "
        )
    return text + _linear(large[large["schedule"] == "linear"], theirs)


def _linear(rows: pd.DataFrame, theirs: pd.DataFrame) -> str:
    """Return the cell that several initialisations have, beside the authors' one."""
    iterations, exponent = 100, 3.0
    cell = (rows["iterations"] == iterations) & (rows["compression_log10"] == exponent)
    ratio = rows.loc[cell, "ratio"]
    if len(ratio) < 2:
        return ""
    published = _published(theirs, "linear", exponent)[iterations]
    return (
        f"Linear to $10^{{{exponent:g}}}$ in {iterations}: ours ${ratio.mean():.3f}$ "
        f"(standard deviation {ratio.std():.3f}, {len(ratio)} initialisations, from "
        f"${ratio.min():.3f}$ to ${ratio.max():.3f}$), published ${published:.3f}$, "
        f"{abs(published - ratio.mean()) / ratio.std():.1f} standard deviations away. "
        "All published cells have one initialisation; Figure~\\ref{fig:weights} starts "
        "from it. "
    )


def _published(
    theirs: pd.DataFrame, schedule: str, exponent: float
) -> dict[float, float]:
    """Return the authors' ratios by the number of iterations."""
    rows = theirs[
        (theirs["schedule"] == schedule) & (theirs["compression_log10"] == exponent)
    ]
    columns = rows[["pruning_iterations", "max_prune_size_over_cut_size"]]
    return {float(n): float(ratio) for n, ratio in columns.itertuples(index=False)}


def _ours(
    ax: Axes, rows: pd.DataFrame, exponent: float, colour: str, marker: str
) -> None:
    """Draw VGG-16 as a line and VGG-19 as points, with the range over seeds."""
    small: dict[str, Any] = {"marker": marker, "ms": 2.5}
    small["label"] = f"VGG-16, compression $10^{{{exponent:g}}}$"
    large: dict[str, Any] = {"marker": "*", "ms": 4.5, "ls": "", "mec": "k", "mew": 0.5}
    large["zorder"] = 4
    for architecture, style in (("vgg16-cifar", small), ("vgg19-imagenet", large)):
        found = rows[rows["architecture"] == architecture]
        if found.empty:
            continue
        ratio = found.groupby("iterations")["ratio"]
        middle = ratio.mean()
        reach = np.maximum([middle - ratio.min(), ratio.max() - middle], 0)
        ax.errorbar(
            middle.index, middle, yerr=reach, color=colour, elinewidth=0.7, **style
        )
