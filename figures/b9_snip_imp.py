"""Figure b9 (paper B, figure 9): IMP, reinitialised, SNIP and random masks."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

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
from figures.common import COLUMN, PAGE, Tables


def draw(tables: Tables) -> Figure:
    """Return a panel for each network: accuracy of the four kinds of subnetworks."""
    ours = rows_of(tables, "b9_snip_imp")
    names = [name for name in TITLES if name in set(ours["network"])]
    width = COLUMN if len(names) == 1 else PAGE
    figure, axes = plt.subplots(1, len(names), figsize=(width, 2.6), squeeze=False)
    for ax, name in zip(axes[0], names, strict=True):
        rows = ours[ours["network"] == name]
        level(ax, rows)
        for kind, (title, colour, _, _) in KINDS.items():
            curve(ax, rows, kind, title, colour)
        ax.set_title(TITLES[name])
        scale(ax, rows["left"].min())
        stretch(ax)
    figure.supxlabel("weights remaining (%)", fontsize=7)
    figure.supylabel("test accuracy (%)", fontsize=7)
    legend(figure, 3)
    return figure


def caption(tables: Tables) -> str:
    """Return the caption: who needs how many weights, and who is better by how much."""
    ours = rows_of(tables, "b9_snip_imp")
    ours = ours[ours["network"] == "lenet-digits"]
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
        "the same order of the data. The vertical scale is logarithmic in the error "
        "plus 1\\,\\%. All weights reach "
        f"{whole(ours).mean():.2f}\\,\\% (dotted). On average at least as accurate (in "
        f"parentheses: within one test image, {IMAGE:.2f} points) are "
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
        + f". {_empty(ours)} On VGG-19 the authors find IMP as accurate as the whole "
        f"network with up to {claims(tables)['c9']:g}\\,\\% of the weights removed, "
        "reinitialised up to 80\\,\\%, and SNIP between them (their figure is not "
        "known as numbers)."
    )


def _empty(ours: pd.DataFrame) -> str:
    """Return how many of the subnetworks have a layer without weights."""
    empty = ours[ours["empty_layers"] > 0]
    kinds = ", ".join(sorted(empty["kind"].unique()))
    return f"{len(empty)} of {len(ours)} subnetworks have an empty layer" + (
        f" ({kinds})." if len(empty) else "."
    )
