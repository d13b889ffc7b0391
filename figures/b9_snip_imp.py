"""Figure b9 (paper B, figure 9): IMP, reinitialised, SNIP and random masks."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from figures._ticket_authors import authors, missing, panels, published
from figures._ticket_curves import (
    IMAGE,
    KINDS,
    TITLES,
    claims,
    curve,
    gain,
    interval,
    legend,
    level,
    rows_of,
    scale,
    stretch,
    whole,
    winning,
)
from figures.common import PAGE, Tables


def draw(tables: Tables) -> Figure:
    """Return a panel for each network: four kinds of subnetworks, the authors'."""
    ours = rows_of(tables, "b9_snip_imp")
    names = panels(ours)
    figure, axes = plt.subplots(1, len(names), figsize=(PAGE, 2.6))
    for ax, name in zip(axes, names, strict=True):
        rows = ours[ours["network"] == name]
        theirs = published(tables, name, "warmup")
        authors(ax, theirs)
        if len(rows):
            level(ax, rows)
            for kind, (title, colour, _, _) in KINDS.items():
                curve(ax, rows, kind, title, colour)
            stretch(ax)
        ax.set_title(TITLES[name])
        scale(ax, pd.concat([rows["left"], theirs["left"]]).min())
    figure.supxlabel("weights remaining (%)", fontsize=7)
    figure.supylabel("test accuracy (%)", fontsize=7)
    legend(figure, 4)
    return figure


def caption(tables: Tables) -> str:
    """Return the caption: who needs how many weights, and who is better by how much."""
    computed = rows_of(tables, "b9_snip_imp")
    ours = computed[computed["network"] == "lenet-digits"]
    kinds = {kind: ours[ours["kind"] == kind] for kind in KINDS}
    shared = kinds["random"]
    least = shared["left"].min()
    at_least = {
        kind: rows[rows["left"] == least]["accuracy"] for kind, rows in kinds.items()
    }
    return (
        "Test accuracy of LeNet on digits: subnetworks of IMP, the same masks with "
        "other first weights (reinitialised), the same number of weights with the "
        "largest SNIP scores, and random masks with IMP's count in each layer (ours). "
        f"Lines are means over {ours['initialisation'].nunique()} initialisations, "
        "bands their smallest and largest values; all four of an initialisation have "
        "the same order of the data. Its vertical scale is logarithmic in the error "
        "plus 1\\,\\%. All weights reach "
        f"{whole(ours).mean():.2f}\\,\\% (dotted). On average at least as accurate (in "
        f"parentheses: within one test image, {IMAGE:.2f} points): "
        + ", ".join(
            f"{title} {winning(ours, kind)}" for kind, (title, *_) in KINDS.items()
        )
        + ". IMP minus the others, in points, mean over the rounds that both have and "
        "[range] over initialisations: "
        + ", ".join(
            f"{title} {interval(gain(kinds['imp'], kinds[kind]))}"
            for kind, (title, *_) in KINDS.items()
            if kind != "imp"
        )
        + f"; at {least:.1f}\\,\\% the means are "
        + ", ".join(
            f"{title} {at_least[kind].mean():.1f}\\,\\%"
            for kind, (title, *_) in KINDS.items()
        )
        + f". {_empty(ours)} Black: the authors on CIFAR-10 with warm-up, all weights, "
        "IMP and, crosses, the random masks of their figure 3, bars their smallest and "
        "largest values; of SNIP and of those reinitialised they print none. On VGG-19 "
        f"they find IMP as accurate as all weights with up to "
        f"{claims(tables)['c9']:g}\\,\\% of them removed, reinitialised up to "
        f"80\\,\\%, and SNIP between them.{missing(computed)}"
    )


def _empty(ours: pd.DataFrame) -> str:
    """Return how many of the subnetworks have a layer without weights."""
    ours = ours[ours["round"] > 0]
    empty = ours[ours["empty_layers"] > 0]
    kinds = ", ".join(sorted(empty["kind"].unique()))
    return f"{len(empty)} of {len(ours)} subnetworks have an empty layer" + (
        f" ({kinds})." if len(empty) else "."
    )
