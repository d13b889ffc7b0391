"""Figure a2 (paper A, figure 2): what is left of each layer, and when it empties."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from figures.common import PAGE, Tables

PANELS = (
    ("random", "random", 1),
    ("magnitude", "magnitude", 1),
    ("snip", "SNIP", 1),
    ("grasp", "GraSP", 1),
    ("grasp", "GraSP reversed", -1),
    ("synflow", "SynFlow, 100 it.", 1),
)
"""Score, title, and the sign that the score is ranked with."""
FLOOR = 1e-9
"""Where the axis shows an empty layer; one weight of the largest is 1e-8 of it."""
EXPONENTS = range(0, 23, 2)
COLOURS = plt.get_cmap("cividis", len(EXPONENTS))
NORM = BoundaryNorm(np.arange(-1, 24, 2), len(EXPONENTS))
OPEN: dict[str, Any] = {"ls": "", "marker": "o", "markerfacecolor": "none"}


def draw(tables: Tables) -> Figure:
    """Return fractions left above and the compression that empties a layer below."""
    ours, theirs = tables["a2_where_layers_collapse"], _published(tables)
    figure, axes = plt.subplots(
        2, len(PANELS), figsize=(PAGE, 4.0), sharex=True, sharey="row"
    )
    for (score, title, sign), (above, below) in zip(PANELS, axes.T, strict=True):
        rows = ours[(ours["score"] == score) & (ours["sign"] == sign)]
        published = theirs[theirs["title"] == title]
        above.set_title(title)
        _fractions(above, rows[rows["seed"] == 0], published)
        _empties(below, rows, published)
    axes[0, 0].set(
        yscale="log",
        ylim=(FLOOR / 2, 3),
        ylabel="fraction of the layer left (1)",
        xlim=(0, 20),
    )
    ticks = [FLOOR, 1e-8, 1e-6, 1e-4, 1e-2, 1]
    axes[0, 0].set_yticks(ticks, ["0", *(f"$10^{{{e}}}$" for e in (-8, -6, -4, -2, 0))])
    axes[1, 0].set(ylim=(2**7, 2**28), ylabel="emptied at (weights / weights kept)")
    axes[1, 0].set_yscale("log", base=2)
    figure.supxlabel("layer (number from the input)", fontsize=7)
    bar = figure.colorbar(
        ScalarMappable(NORM, COLOURS), ax=axes[0, :], ticks=list(EXPONENTS), pad=0.01
    )
    bar.set_ticklabels([f"$4^{{{exponent // 2}}}$" for exponent in EXPONENTS])
    bar.set_label("compression (weights / weights kept)")
    _legend(figure)
    return figure


def caption(tables: Tables) -> str:
    """Return the caption: critical compressions, ours exact and theirs on the grid."""
    ours, theirs = tables["a2_where_layers_collapse"], _published(tables)
    total = int(ours.drop_duplicates("layer")["size"].sum())
    random = ours[(ours["score"] == "random") & (ours["layer"] == 1)]
    odds = random.drop_duplicates("exponent").set_index("exponent")["empty_odds"]
    magnitude = ours[ours["score"] == "magnitude"].iloc[0]
    low, middle, high = (
        total / magnitude[f"expected{e}"] for e in ("_high", "", "_low")
    )
    firsts = "; ".join(
        f"{title} {_ours(ours, score, sign)}, {_theirs(theirs, title)}"
        for score, title, sign in PANELS
        if score != "synflow"
    )
    return (
        "Where pruning empties the layers of VGG-19 at ImageNet size "
        f"({total / 1e6:.1f} million weights, at initialisation; claim "
        r"\ref{one-shot-collapse}). Above: fraction of each layer left at compression "
        "$4^n$ (0 has a place of its own), first initialisation, dashed once a layer "
        "is empty; circles are the "
        "authors' values. Below: the compression at which a layer empties, exact from "
        "ranks for ours (crosses, "
        f"initialisations: {random['seed'].nunique()}), the first power of 2 for "
        "theirs (circles); line and band are the predicted median and 5 to 95\\,\\% "
        "range of the first of them. First empty layers, ours and theirs: "
        f"{firsts}. Random pruning is a matter of chance: conv 1 is empty with "
        f"probability {odds[11]:.2f} at $2^{{11}}$, {odds[12]:.2f} at $2^{{12}}$ and "
        f"{odds[13]:.2f} at $2^{{13}}$. Magnitude: the linear layers have the smallest "
        "standard deviation, and of them the smallest layer the lowest maximum; "
        f"predicted $2^{{{np.log2(middle):.2f}}}$ ($2^{{{np.log2(low):.2f}}}$ to "
        f"$2^{{{np.log2(high):.2f}}}$); both implementations draw "
        "weights alike. SNIP and GraSP see "
        f"{ours['samples'].max():.0f} generated Gaussian images, the authors' 10 of "
        "each ImageNet class, whose part in the differences is not tested; their GraSP "
        "very probably keeps the lowest scores, and is drawn beside ours reversed. "
        "Their masks drop ties together, which magnitude and random scores hardly "
        "have; biases are not prunable in either. "
        f"{_synflow(ours, theirs)}"
    )


def _ours(ours: pd.DataFrame, score: str, sign: int) -> str:
    """Return the smallest and largest critical compression and the layers that go."""
    rows = ours[(ours["score"] == score) & (ours["sign"] == sign)]
    runs = rows.drop_duplicates(["seed", "layer"])
    total = runs["size"].sum() / runs["seed"].nunique()
    first = runs.loc[runs.groupby("seed")["rank"].idxmax()]
    exponents = np.log2(total / first["rank"])
    low, high = exponents.min(), exponents.max()
    span = f"$2^{{{low:.2f}}}$" + (f" to $2^{{{high:.2f}}}$" if high > low else "")
    return f"{span} ({_layers(sorted(set(first['layer'])))})"


def _theirs(theirs: pd.DataFrame, title: str) -> str:
    """Return the first power of 2 with an empty layer, and those layers."""
    if title == "GraSP":
        return "not published"
    rows = theirs[theirs["title"] == title]
    empty = rows[rows["weights_remaining"] == 0]
    first = empty[empty["compression_log2"] == empty["compression_log2"].min()]
    exponent = int(first["compression_log2"].iloc[0])
    return f"$2^{{{exponent}}}$ ({_layers(list(first['layer']))})"


def _layers(numbers: list[int]) -> str:
    return ", ".join(f"conv {n}" if n < 17 else f"fc{n - 16}" for n in numbers)


def _synflow(ours: pd.DataFrame, theirs: pd.DataFrame) -> str:
    rows = ours[ours["score"] == "synflow"]
    runs = rows.groupby(["seed", "exponent"])["remaining"]
    empty = int((runs.min() == 0).sum())
    targets = rows.groupby("exponent")["seed"].nunique()
    left = int(runs.sum().xs(targets.index[-1], level="exponent").iloc[0])
    sizes = rows.drop_duplicates("layer")["size"]
    their = theirs[theirs["method"] == "synflow"]
    counts = their.groupby("compression_log2")["weights_remaining"]
    first = int(counts.min()[counts.min() == 0].index.min())
    listed = ", ".join(f"$2^{{{at}}}$ ({count})" for at, count in targets.items())
    return (
        f"SynFlow empties a layer in {empty} of {len(runs)} runs, to {listed}, in "
        "parentheses the initialisations, and was tried at no other compression; at "
        f"the last {left} weights are left for {len(sizes)} layers. "
        f"Theirs empties one at $2^{{{first}}}$ first, "
        f"where {int(counts.sum()[first])} are: more than "
        f"$N / L = 10^{{{np.log10(sizes.sum() / len(sizes)):.3f}}}$, where any method "
        "must."
    )


def _published(tables: Tables) -> pd.DataFrame:
    rows = tables["published/fig2_layer_fraction"]
    rows = rows[rows["prune_iterations"].isin([1, 100])]
    # their GraSP keeps the lowest scores: see figures/published/README.md
    titles = {score: title for score, title, _ in PANELS}
    return rows.assign(title=rows["method"].map(titles))


def _fractions(ax: Axes, rows: pd.DataFrame, theirs: pd.DataFrame) -> None:
    for exponent in EXPONENTS:
        colour = COLOURS(NORM(exponent))
        own = rows[rows["exponent"] == exponent]
        left = np.maximum(own["remaining"] / own["size"], FLOOR)
        dashes = "--" if (own["remaining"] == 0).any() else "-"
        ax.plot(own["layer"], left, color=colour, ls=dashes, lw=0.7, marker="")
        their = theirs[theirs["compression_log2"] == exponent]
        left = np.maximum(their["fraction_remaining"], FLOOR)
        ax.plot(their["layer"], left, color=colour, ms=1.6, markeredgewidth=0.4, **OPEN)


def _empties(ax: Axes, rows: pd.DataFrame, theirs: pd.DataFrame) -> None:
    total = rows.drop_duplicates("layer")["size"].sum()
    if rows["expected"].notna().any():
        row = rows.iloc[0]
        low, middle, high = (total / row[f"expected{e}"] for e in ("_high", "", "_low"))
        ax.axhspan(low, high, color="C0", alpha=0.2, lw=0)
        ax.axhline(middle, color="C0", lw=0.7, marker="")
    exact = rows[rows["rank"] > 1].drop_duplicates(["seed", "layer"])
    # the first compression WITHOUT the layer keeps rank - 1 weights; that of the very
    # best weight never empties
    at = total / (exact["rank"] - 1)
    ax.plot(exact["layer"], at, ls="", marker="x", ms=2.5, color="C0")
    empty = theirs[theirs["weights_remaining"] == 0]
    first = empty.groupby("layer")["compression_log2"].min()
    ax.plot(first.index, 2.0 ** first.to_numpy(), ms=3, color="0.35", **OPEN)
    ax.axhline(total / 19, color="0.3", lw=0.6, ls=":", marker="")


def _legend(figure: Figure) -> None:
    grey: dict[str, Any] = {"color": "0.3", "lw": 0.7}
    handles: list[Any] = [
        Line2D([], [], ls="-", **grey),
        Line2D([], [], ls="--", **grey),
        Line2D([], [], color="0.35", ms=3, **OPEN),
        Line2D([], [], color="C0", ls="", marker="x", ms=2.5),
        (Patch(color="C0", alpha=0.2, lw=0), Line2D([], [], color="C0", lw=0.7)),
        Line2D([], [], color="0.3", lw=0.6, ls=":"),
    ]
    labels = [
        "ours",
        "ours, with an empty layer",
        "published",
        "ours, exact",
        "first empty layer, predicted",
        "$N / L$",
    ]
    figure.legend(handles, labels, loc="outside upper center", ncols=6)
