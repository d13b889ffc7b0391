"""Figure a3 (paper A, figure 3): score into against score out of each hidden unit."""

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.common import PAGE, Tables
from theory.latex import scientific

TITLES = {
    "magnitude": r"magnitude $|\theta|$",
    "snip": r"SNIP $|S|$",
    "grasp": r"GraSP $\theta \odot Hg$",
    "saliency": r"saliency $S$",
    "synflow": "SynFlow",
}
LAST = "features_34"
"""The last convolution of VGG-19: a linear layer reads it."""
SIGNED = ("grasp", "saliency")
ENDS = {True: (-30.0, 30.0), False: (1e-3, 30.0)}
"""Of the axes, by whether a score has both signs."""
AUTHORS: dict[str, Any] = {
    "marker": "o",
    "facecolors": "none",
    "edgecolors": "0.55",
    "linewidths": 0.5,
    "zorder": 3,
}
STATES = {
    0: ("small VGG at initialisation", "C2", "^"),
    20: ("small VGG trained", "C3", "v"),
}


def draw(tables: Tables) -> Figure:
    """Return S_in against S_out: VGG-19 above, the small VGG on digits below."""
    ours = tables["a3_neuron_conservation"]
    theirs = tables["published/fig3_neuron_scores"]
    figure, axes = plt.subplots(2, len(TITLES), figsize=(PAGE, 3.1))
    for column, (score, title) in enumerate(TITLES.items()):
        large, small = axes[:, column]
        large.set_title(title)
        if score in set(theirs["method"]):
            drawn = _sample(theirs, score)
            _scatter(large, drawn, label="VGG-19, published", s=9, **AUTHORS)
        _scatter(
            large,
            _vgg19(ours, score),
            label="VGG-19, ours",
            s=4,
            color="C0",
            marker="s",
        )
        if score == "grasp":
            turned = -_vgg19(ours, score)[["score_in", "score_out"]]
            style = {"color": "C1", "marker": "x", "linewidths": 0.5}
            _scatter(large, turned, label="VGG-19, ours, sign reversed", s=6, **style)
        for epochs, (label, colour, marker) in STATES.items():
            rows = _digits(ours, score, epochs)
            _scatter(small, rows, label=label, s=5, color=colour, marker=marker)
        for ax in (large, small):
            _scale(ax, signed=score in SIGNED)
    for ax, network in zip(axes[:, 0], ("VGG-19", "small VGG"), strict=True):
        ax.text(0.05, 0.92, network, transform=ax.transAxes)
    figure.supxlabel("score into the hidden unit / mean |score in| (1)", fontsize=7)
    figure.supylabel("score out of it / mean |score in| (1)", fontsize=7)
    handles, labels = axes[0, 2].get_legend_handles_labels()
    more, names = axes[1, 0].get_legend_handles_labels()
    figure.legend(
        [*handles, *more], [*labels, *names], loc="outside upper center", ncols=5
    )
    return figure


def caption(tables: Tables) -> str:
    """Return the caption with the worst defects of every score and what was drawn."""
    ours = tables["a3_neuron_conservation"]
    summary = tables["published/fig3_summary"].query("state == 'initialization'")
    gap = dict(zip(summary["method"], summary["max_relative_gap"], strict=True))
    sums = dict(zip(summary["method"], summary["in_sum"], strict=True))
    synflow = ours[(ours["score"] == "synflow") & (ours["images"] == "generated")]
    double = synflow.loc[synflow["double"], "worst_defect"].max()
    single = synflow.loc[~synflow["double"], "worst_defect"].max()
    digits = ours[ours["images"] == "digits"]
    exact = digits[digits["score"].isin(["saliency", "synflow"])]["worst_defect"].max()
    worst = digits.groupby("score")["worst_defect"].max()
    accuracy = 100 * digits.loc[digits["epochs"] > 0, "test_accuracy"].min()
    sign = _vgg19(ours, "grasp")["total"].iloc[0]
    return (
        "Score into against score out of hidden units (theorem "
        r"\ref{neuron-conservation}); the line is equality. Above: VGG-19 at "
        f"initialisation, {synflow['units'].iloc[0]} hidden units, one initialisation, "
        "4 generated Gaussian images for SNIP, GraSP and saliency; drawn are "
        f"{len(_vgg19(ours, 'synflow'))} channels that a convolution reads, open "
        f"circles {len(_sample(tables['published/fig3_neuron_scores'], 'synflow'))} of "
        "the authors' (ImageNet). "
        "SynFlow's largest defect over all hidden units, "
        "relative to the sum of absolute terms, is "
        f"{scientific(double)} in float64 and {scientific(single)} in float32, where "
        f"the authors' data agree to {scientific(gap['synflow'])}. GraSP is drawn "
        r"in both signs: $\sum \theta \odot Hg$ over hidden units is "
        f"{'positive' if sign > 0 else 'negative'} here and the published sum is "
        f"{'positive' if sums['grasp'] > 0 else 'negative'}, the "
        r"sign that $-\theta \odot Hg$ would have. Below: a small VGG "
        "with biases on a batch of 250 digits, before and after training (test "
        rf"accuracy at least {accuracy:.1f}\,\%), {digits['seed'].nunique()} seeds, "
        "the first of which is drawn: relative to the sum of absolute terms, of single "
        "weights, saliency and SynFlow are "
        f"conserved to {scientific(exact)}, while units miss by up to "
        f"{worst['magnitude']:.2f} (magnitude), {worst['snip']:.2f} (SNIP) and "
        f"{worst['grasp']:.2f} (GraSP, whose terms have both signs; relative to the "
        f"two sums themselves it is up to {_gap(digits, 'grasp'):.2f}, magnitude "
        f"{_gap(digits, 'magnitude'):.2f}, SNIP {_gap(digits, 'snip'):.2f}). Axes are "
        "logarithmic, linear within 0.03 of 0 for signed scores. Units outside the "
        f"axes, as those with a score of 0, are not drawn: {_hidden(tables)}."
    )


def _hidden(tables: Tables) -> str:
    """Return how many units of each panel are outside its axes."""
    ours, theirs = (
        tables["a3_neuron_conservation"],
        tables["published/fig3_neuron_scores"],
    )
    parts = []
    for score in TITLES:
        states = {name: _digits(ours, score, n) for n, (name, *_) in STATES.items()}
        shown = {"VGG-19": _vgg19(ours, score), "authors": _sample(theirs, score)}
        for name, rows in (shown | states).items():
            low, high = ENDS[score in SIGNED]
            scores = _scaled(rows)
            inside = ((scores >= low) & (scores <= high)).all(axis=1)
            if not inside.all():
                title = "SNIP" if score == "snip" else score
                parts.append(f"{title}, {name} {(~inside).sum()} of {len(rows)}")
    return "; ".join(parts) or "none"


def _sample(theirs: pd.DataFrame, score: str) -> pd.DataFrame:
    """Return every twelfth of the authors' points that the table keeps."""
    return theirs[theirs["method"] == score].iloc[::12]


def _vgg19(ours: pd.DataFrame, score: str) -> pd.DataFrame:
    rows = ours[(ours["images"] == "generated") & (ours["score"] == score)]
    rows = rows[rows["double"] | (score == "grasp")]
    # like the authors: channels that a convolution reads
    return rows[rows["layer"].str.startswith("features") & (rows["layer"] != LAST)]


def _digits(ours: pd.DataFrame, score: str, epochs: int) -> pd.DataFrame:
    rows = ours[(ours["images"] == "digits") & (ours["score"] == score)]
    return rows[(rows["epochs"] == epochs) & (rows["seed"] == 0)]


def _gap(rows: pd.DataFrame, score: str) -> float:
    """Return the largest |in - out| / (|in| + |out|) of a score."""
    own = rows[rows["score"] == score]
    into, out = own["score_in"], own["score_out"]
    return float(((into - out).abs() / (into.abs() + out.abs())).max())


def _scatter(ax: Axes, rows: pd.DataFrame, **style: Any) -> None:
    """Scatter the scores in units of the mean |score into a unit|."""
    ax.scatter(*_scaled(rows).to_numpy().T, **style)


def _scaled(rows: pd.DataFrame) -> pd.DataFrame:
    scores = rows[["score_in", "score_out"]]
    return scores / scores["score_in"].abs().mean()


def _scale(ax: Axes, *, signed: bool) -> None:
    """Draw the line of equality over logarithmic axes (linear near 0 if signed)."""
    low, high = ENDS[signed]
    for axis in (ax.set_xscale, ax.set_yscale):
        if signed:
            axis("symlog", linthresh=0.03)
        else:
            axis("log")
    ticks = [-10, 0, 10] if signed else [1e-2, 1, 1e1]
    ax.plot([low, high], [low, high], color="0.3", lw=0.6, marker="", zorder=0)
    ax.set(xlim=(low, high), ylim=(low, high), xticks=ticks, yticks=ticks)
    ax.minorticks_off()
