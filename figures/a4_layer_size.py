"""Figure a4 (paper A, figure 4): mean score of a layer against 1 / its size."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.common import PAGE, Tables
from theory.latex import scientific

TITLES = {
    "random": "random",
    "magnitude": r"magnitude $|\theta|$",
    "snip": r"SNIP $|S|$",
    "grasp": r"GraSP $\theta \odot Hg$",
    "saliency": r"saliency $S$",
    "synflow": "SynFlow",
}
STATES = {
    (False, 0): ("small VGG, no bias, at initialisation", "C2", "^"),
    (False, 20): ("small VGG, no bias, trained", "C3", "v"),
    (True, 20): ("small VGG, biases, trained", "C4", "x"),
}


def draw(tables: Tables) -> Figure:
    """Return mean scores over 1 / size: VGG-19 above, the small VGG below."""
    ours = tables["a4_layer_size"]
    theirs = _published(tables)
    figure, axes = plt.subplots(
        2, len(TITLES), figsize=(PAGE, 3.1), sharex="row", sharey="row"
    )
    for column, (score, title) in enumerate(TITLES.items()):
        large, small = axes[:, column]
        large.set_title(title)
        rows = theirs[theirs["method"] == score]
        if len(rows):
            _points(large, rows["layer_size"], rows["abs_mean_score"])
        _series(large, _vgg19(ours, score), "VGG-19, ours", "C0", "s")
        for (bias, epochs), style in STATES.items():
            _series(small, _digits(ours, score, bias, epochs), *style)
        for ax, ends in ((large, (3e-9, 1e-3)), (small, (1e-5, 2e-2))):
            _scale(ax, ends)
    for ax, network in zip(axes[:, 0], ("VGG-19", "small VGG"), strict=True):
        ax.text(0.05, 0.92, network, transform=ax.transAxes)
    figure.supylabel("|mean score of the layer| ($C$ of its network)", fontsize=7)
    figure.supxlabel("1 / layer size (1 / parameters)", fontsize=7)
    handles, labels = axes[0, -1].get_legend_handles_labels()
    more, names = axes[1, 0].get_legend_handles_labels()
    figure.legend(
        [*handles, *more],
        [*labels, *names],
        loc="outside upper center",
        ncols=5,
        columnspacing=1.0,
        handletextpad=0.2,
    )
    return figure


def caption(tables: Tables) -> str:
    """Return the caption: slopes with intervals, spreads, deviation from paper A."""
    ours = tables["a4_layer_size"]
    theirs = _published(tables).query("method == 'synflow'")
    totals = theirs["abs_mean_score"] * theirs["layer_size"]
    synflow = ours[(ours["score"] == "synflow") & (ours["images"] == "generated")]
    double = synflow[synflow["double"]]
    flows = double.groupby("seed")["total"].mean()
    digits = ours[(ours["images"] == "digits") & ~ours["bias"]]
    exact = digits[digits["score"].isin(["saliency", "synflow"])]["spread"].abs().max()
    biased = ours[(ours["images"] == "digits") & ours["bias"]]
    saliency = biased[biased["score"] == "saliency"]["spread"].abs()
    return (
        r"Absolute value of a layer's mean score against the inverse of its size "
        r"(corollary \ref{layer-size-scaling}), in units of $C$, the geometric mean of "
        "the layers' totals; the line is $C / N_l$. Points are means over 3 "
        "initialisations, bars their smallest and largest value. Above: VGG-19 at "
        "initialisation, 4 generated Gaussian images for SNIP, GraSP and saliency, "
        "open circles the authors' points (ImageNet). SynFlow's layer totals spread by "
        f"{scientific(double['spread'].max())} of their mean in float64 and by "
        f"{scientific(synflow.loc[~synflow['double'], 'spread'].max())} in float32, "
        "where the authors' spread by "
        f"{scientific((totals.max() - totals.min()) / totals.mean())}; our total is "
        f"{scientific(flows.mean())} (standard deviation {scientific(flows.std())}), "
        f"theirs {scientific(totals.mean())}. Slopes of the logarithms, VGG-19, "
        "with bootstrap 95\\,\\% "
        f"intervals over layers, first initialisation: {_slopes(ours)}. "
        f"{_farthest(ours, _published(tables))} GraSP's layer "
        f"totals $\\theta^T Hg$ are {_signs(ours)}. Below: a small VGG on batches of "
        "250 digits. Without biases the "
        f"totals of saliency and SynFlow spread by at most {scientific(exact)}, before "
        "and after training; with trained biases the totals of the saliency differ by "
        f"{100 * saliency.min():.0f} to {100 * saliency.max():.0f}\\,\\% of their mean."
    )


def _slopes(ours: pd.DataFrame) -> str:
    parts = []
    for score in ("magnitude", "snip", "grasp"):
        row = _vgg19(ours, score).query("seed == 0").iloc[0]
        name = {"magnitude": "magnitude", "snip": "SNIP", "grasp": "GraSP"}[score]
        parts.append(
            f"{name} ${row['slope']:.2f}$ [${row['slope_low']:.2f}$, "
            f"${row['slope_high']:.2f}$], $R^2 = {row['r_squared']:.3f}$"
        )
    return "; ".join(parts)


def _farthest(ours: pd.DataFrame, theirs: pd.DataFrame) -> str:
    """Return SNIP's layer that is farthest from the authors', and the others' gap."""
    own = _vgg19(ours, "snip").query("seed == 0").reset_index(drop=True)
    published = theirs[theirs["method"] == "snip"].sort_values("layer")
    means = np.log10(own["mean"].abs().to_numpy())
    printed = np.log10(published["abs_mean_score"].to_numpy())
    sizes = np.log10(own["size"].to_numpy())
    reported = np.log10(published["layer_size"].to_numpy())
    gaps = (means + sizes) - (means + sizes).mean()
    gaps -= (printed + reported) - (printed + reported).mean()
    layer = int(np.abs(gaps).argmax())
    others = np.abs(np.delete(gaps, layer)).max()
    return (
        f"SNIP's layer {layer + 1} is at $10^{{{gaps[layer]:.2f}}}$ of the authors' "
        f"(whose images were not ours), the others within a factor of {10**others:.2f}."
    )


def _signs(ours: pd.DataFrame) -> str:
    totals = _vgg19(ours, "grasp")["total"]
    positive = int((totals > 0).sum())
    return f"positive in {positive} of {len(totals)} layers over all initialisations"


def _published(tables: Tables) -> pd.DataFrame:
    rows = tables["published/fig4_layer_scores"]
    return rows[rows["drawn_in_figure"] == 1]


def _vgg19(ours: pd.DataFrame, score: str) -> pd.DataFrame:
    rows = ours[(ours["images"] == "generated") & (ours["score"] == score)]
    return rows[rows["double"] | (score == "grasp")]


def _digits(ours: pd.DataFrame, score: str, bias: bool, epochs: int) -> pd.DataFrame:
    rows = ours[(ours["images"] == "digits") & (ours["score"] == score)]
    return rows[(rows["bias"] == bias) & (rows["epochs"] == epochs)]


def _points(ax: Axes, sizes: pd.Series, means: pd.Series) -> None:
    scaled = means / np.exp(np.log(means * sizes).mean())
    style: dict[str, Any] = {
        "facecolors": "none",
        "edgecolors": "0.55",
        "linewidths": 0.6,
    }
    ax.scatter(1 / sizes, scaled, s=14, marker="o", label="VGG-19, published", **style)


def _series(ax: Axes, rows: pd.DataFrame, label: str, colour: str, marker: str) -> None:
    """Draw the mean over seeds of |mean score| / C, with the range over seeds."""
    scaled = rows.assign(value=rows["mean"].abs())
    scaled["log_total"] = np.log(scaled["value"] * scaled["size"])
    centre = scaled.groupby("seed")["log_total"].transform("mean")
    scaled["value"] = scaled["value"] / np.exp(centre)
    layers = scaled.groupby("layer")
    size, value = layers["size"].first(), layers["value"]
    middle = value.mean()
    below, above = middle - value.min(), value.max() - middle
    ax.errorbar(
        1 / size,
        middle,
        yerr=np.maximum([below, above], 0),
        ls="",
        marker=marker,
        ms=2.5,
        color=colour,
        elinewidth=0.7,
        label=label,
    )


def _scale(ax: Axes, ends: tuple[float, float]) -> None:
    ax.plot(ends, ends, color="0.3", lw=0.6, marker="", zorder=0)
    ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    ax.minorticks_off()
