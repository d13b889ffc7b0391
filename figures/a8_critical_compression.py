"""Figure a8 (new): critical compression, predicted and measured."""

from typing import Any, Literal

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.common import PAGE, Tables

SCORES = {
    "random": ("random", "C7", "o"),
    "magnitude": ("magnitude", "C1", "s"),
    "snip": ("SNIP", "C2", "^"),
    "taylor_fo": ("Taylor-FO", "0.2", "+"),
    "grasp": ("GraSP", "C4", "v"),
    "saliency": ("signed saliency", "C6", "X"),
    "synflow": ("SynFlow", "C0", "D"),
}
PREDICTED = ("random", "magnitude", "synflow")
LIMITS: dict[str, tuple[str, Literal["-", "--", ":"]]] = {
    "layers": ("one weight a layer, $N / L$", "-"),
    "shortest": ("one shortest path", "--"),
    "bound": (r"equal scores, $N / (N - N_{\max} + 1)$", ":"),
}


def draw(tables: Tables) -> Figure:
    """Return measured over predicted, and all scores over the architectures."""
    rows = _compressions(tables["a8_critical_compression"])
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(PAGE, 3.0), width_ratios=(1, 2.1)
    )
    _agreement(left, rows[rows["steps"] == 1])
    _overview(right, rows)
    handles, labels = right.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=5)
    return figure


def caption(tables: Tables) -> str:
    """Return the caption: ratios to the predictions, and where safe SynFlow ends."""
    rows = _compressions(tables["a8_critical_compression"])
    single = rows[rows["steps"] == 1]
    middle = (single["measured"] / single["predicted"]).groupby(single["score"])
    low, high = middle.min(), middle.max()
    inside = (single["measured"] >= single["predicted_high"]) & (
        single["measured"] <= single["predicted_low"]
    )
    within = inside.groupby(single["score"])
    random = within.sum()["random"]
    ranked = single["score"] == "magnitude"
    chain = single["shortest"] == single["layers"]
    magnitude, branched = (
        f"{int(inside[ranked & of].sum())} of {int((ranked & of).sum())}"
        for of in (chain, ~chain)
    )
    safe = rows[rows["safe"]]
    chains = safe[safe["shortest"] == safe["layers"]]
    exact = int((chains["critical_count"] == chains["layers"]).sum())
    residual = safe[safe["shortest"] < safe["layers"]]
    slack = single[single["score"] == "synflow"]
    slack_factor = (slack["measured"] / slack["bound_compression"]).min()
    seeds = rows.groupby("architecture")["seed"].nunique()
    return (
        r"Critical compression $\rho_\mathrm{cr}$ (claim \ref{one-shot-collapse}): "
        "the largest without an empty layer, exact counts, networks at "
        f"initialisation, {seeds.max()} initialisations of the small networks and "
        f"{seeds.min()} of the others; points are single runs. Left: one-shot pruning "
        "against the predicted median; bars lead from the 5\\,\\% to the 95\\,\\% "
        f"quantile of the prediction, which hold {random} of "
        f"{within.size()['random']} random runs, {magnitude} magnitude runs on chains "
        f"and {branched} on residual networks (bars of magnitude leave out the "
        "fluctuation of a count around its mean). SynFlow's "
        "prediction takes a score for $|\\theta|$ times a constant of the layer; "
        f"measured over predicted is {low['synflow']:.2f} to {high['synflow']:.2f}, "
        "most where the border of small feature maps spreads the constant. The other "
        "scores, which see data, have no prediction. Right: all scores; grey lines are "
        "the ceilings, and what equal scores in each layer give, which is the least "
        "that conserved scores allow in a chain; one-shot SynFlow is "
        f"at least at {slack_factor:.2f} times that. SNIP and Taylor-FO "
        f"($|S|$ and $S^2$) rank alike: {_equal(single)}. Large open symbols: "
        f"iterated in {rows['steps'].max()} exponential steps, by bisection "
        f"({_iterated(rows)}; {_violations(rows)}). Safe SynFlow (stars) leaves "
        f"exactly one weight a layer in {exact} of {len(chains)} runs on chains; "
        f"{_residual(residual)}."
    )


def _equal(single: pd.DataFrame) -> str:
    keys = ["architecture", "seed", "samples"]
    counts = single.set_index([*keys, "score"])["critical_count"].unstack("score")
    same = int((counts["snip"] == counts["taylor_fo"]).sum())
    return f"the same count in {same} of {len(counts)} networks"


def _iterated(rows: pd.DataFrame) -> str:
    """Return which scores were iterated on which networks."""
    searched = rows[rows["steps"] > 1]
    scores = searched.groupby("architecture", sort=False)["score"].nunique()
    return "; ".join(
        f"{_name(str(name))} with {count} of {rows['score'].nunique()} scores"
        for name, count in scores.items()
    )


def _violations(rows: pd.DataFrame) -> str:
    searched = rows[rows["steps"] > 1]
    return (
        f"of {int(searched['probes'].sum())} counts tried "
        f"{int(searched['violations'].sum())} contradict a single boundary between "
        "counts that collapse and larger ones that do not"
    )


def _residual(runs: pd.DataFrame) -> str:
    if runs.empty:
        return "no residual network was run"
    names = " and ".join(_name(n) for n in runs["architecture"].unique())
    return (
        f"in {names} a layer empties long before, at $\\rho_\\mathrm{{cr}}$ of "
        f"{runs['measured'].min():.1f} to {runs['measured'].max():.0f} (not drawn), "
        "which disconnects nothing, and it "
        f"ends on a path of {int(runs['left'].min())} to {int(runs['left'].max())} "
        f"weights, the shortest having {int(runs['shortest'].min())} (open stars)"
    )


def _compressions(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with counts turned into compressions N / count."""
    weights = table["weights"]
    return table.assign(
        measured=weights / table["critical_count"],
        predicted=weights / table["expected"],
        predicted_low=weights / table["expected_low"],
        predicted_high=weights / table["expected_high"],
        bound_compression=weights / table["bound"],
        path_compression=weights / table["left"],
    )


def _agreement(ax: Axes, rows: pd.DataFrame) -> None:
    for score in PREDICTED:
        label, colour, marker = SCORES[score]
        own = rows[rows["score"] == score]
        bars = [
            np.maximum(own["predicted"] - own["predicted_high"], 0),
            np.maximum(own["predicted_low"] - own["predicted"], 0),
        ]
        ax.errorbar(
            own["predicted"],
            own["measured"],
            xerr=bars,
            ls="",
            marker=marker,
            ms=2.5,
            color=colour,
            elinewidth=0.5,
            alpha=0.8,
            label=label,
        )
    ends = (1.0, 4e4)
    ax.plot(ends, ends, color="0.3", lw=0.6, marker="", zorder=0)
    ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    ax.set_xlabel(r"predicted $\rho_\mathrm{cr}$ (weights / weights kept)")
    ax.set_ylabel(r"measured $\rho_\mathrm{cr}$ (weights / weights kept)")


def _overview(ax: Axes, rows: pd.DataFrame) -> None:
    names = list(dict.fromkeys(rows["architecture"]))
    place = rows["architecture"].map(names.index)
    networks = rows.groupby("architecture", sort=False).first()
    for column, (label, dashes) in LIMITS.items():
        ceiling = networks["weights"] / networks[column]
        ax.hlines(
            ceiling,
            np.arange(len(names)) - 0.42,
            np.arange(len(names)) + 0.42,
            colors="0.45",
            linestyles=dashes,
            linewidth=0.8,
            label=label,
        )
    style: dict[str, Any] = {"ls": "", "markerfacecolor": "none"}
    for number, (score, (label, colour, marker)) in enumerate(SCORES.items()):
        own = rows[(rows["score"] == score) & (rows["steps"] == 1)]
        at = place[own.index] + 0.1 * (number - 3)
        ax.plot(
            at, own["measured"], ls="", marker=marker, ms=2.5, color=colour, label=label
        )
        again = rows[(rows["score"] == score) & (rows["steps"] > 1)]
        at = place[again.index] + 0.1 * (number - 3)
        name = "iterated" if score == "synflow" else None
        ax.plot(
            at,
            again["measured"],
            marker=marker,
            ms=5,
            color=colour,
            label=name,
            **style,
        )
    safe = rows[rows["safe"]]
    chain = safe["shortest"] == safe["layers"]
    star: dict[str, Any] = {"ls": "", "marker": "*", "ms": 6, "color": "C3"}
    for part, label, face in (
        (safe[chain], "safe SynFlow", "C3"),
        (safe[~chain], "safe SynFlow, last path", "none"),
    ):
        ax.plot(
            place[part.index] + 0.38,
            part["path_compression"],
            label=label,
            markerfacecolor=face,
            **star,
        )
    ax.set(yscale="log", ylabel=r"$\rho_\mathrm{cr}$ (weights / weights kept)")
    ax.set_xticks(range(len(names)), [_name(n) for n in names], rotation=35, ha="right")
    ax.set_xlabel("architecture (name)")
    ax.grid(axis="x", visible=False)


def _name(architecture: str) -> str:
    for old, new in (
        ("wide_resnet", "WideResNet-"),
        ("resnet", "ResNet-"),
        ("small_vgg", "small VGG"),
        ("vgg", "VGG-"),
        ("lenet_300_100", "LeNet-300-100"),
        ("fc", "FC"),
    ):
        if architecture.startswith(old):
            return architecture.replace(old, new, 1)
    return architecture
