"""Figure b5 (paper B, figure 5): rewinding to a step early in training."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures._ticket_authors import AUTHORS, authors, missing, panels, published
from figures._ticket_curves import (
    IMAGE,
    TITLES,
    claims,
    curve,
    gain,
    interval,
    legend,
    level,
    rows_of,
    scale,
    whole,
    winning,
)
from figures.common import PAGE, Tables

KINDS = {
    "imp": ("IMP", "C0", "C2"),
    "reinitialised": ("reinitialised", "C1", "C4"),
}
"""Title, and colours where it is reset and rewound."""


def draw(tables: Tables) -> Figure:
    """Return a panel for each network: ours and the authors', reset and rewound."""
    reset, rewound = _tables(tables)
    names = panels(rewound)
    figure, axes = plt.subplots(1, len(names), figsize=(PAGE, 2.6))
    for ax, name in zip(axes, names, strict=True):
        first = reset[reset["network"] == name]
        later = rewound[rewound["network"] == name]
        theirs = published(tables, name, "standard")
        _ours(ax, first, "reset", ":", 0)
        _ours(ax, later, "rewound", "-.", 1)
        authors(ax, theirs)
        ax.set_title(TITLES[name])
        scale(ax, pd.concat([later["left"], theirs["left"]]).min())
    figure.supxlabel("weights remaining (%)", fontsize=7)
    figure.supylabel("test accuracy (%)", fontsize=7)
    legend(figure, 4)
    return figure


def _ours(ax: Axes, rows: pd.DataFrame, start: str, line: str, colour: int) -> None:
    """Draw the accuracies from a start, if they are computed."""
    if rows.empty:
        return
    level(ax, rows, f"all weights, {start}", line)
    for kind, (label, *colours) in KINDS.items():
        curve(ax, rows, kind, f"{label}, {start}", colours[colour])


def caption(tables: Tables) -> str:
    """Return the caption: what rewinding gains, over step 0 and over other weights."""
    reset, rewound = (
        rows[rows["network"] == "resnet6-digits"] for rows in _tables(tables)
    )
    first, later = ({k: r[r["kind"] == k] for k in KINDS} for r in (reset, rewound))
    gained = gain(later["imp"], first["imp"])
    unpruned = whole(rewound) - whole(reset)
    stated = claims(tables)
    return (
        "Test accuracy at the standard learning rate of IMP's subnetworks reset to "
        f"step 0 and rewound to step {rewound['rewind'].iloc[0]} of 420, and of the "
        "masks of either with other first weights, trained from step 0 "
        "(reinitialised, dashed). ResNet6 on "
        f"digits; lines are means over {rewound['initialisation'].nunique()} "
        "initialisations, bands their smallest and largest values; a test image is "
        f"{IMAGE:.2f} points. All weights reach {whole(reset).mean():.2f}\\,\\% "
        f"(dotted) trained from step 0 and {whole(rewound).mean():.2f}\\,\\% (dash-"
        "dotted) from the later step, where the optimiser starts anew; each IMP is "
        "compared with its own. IMP is on average at least as accurate as all weights "
        f"(in parentheses: within one test image) {winning(reset, 'imp')} if reset, "
        f"{winning(rewound, 'imp')} if rewound. Rewinding changes the accuracy by "
        f"{interval(gained)} points, mean over all pruned rounds and [range] over "
        f"initialisations; that of all weights by {interval(unpruned)}. IMP minus its "
        "masks reinitialised: "
        f"{interval(gain(first['imp'], first['reinitialised']))} if reset, "
        f"{interval(gain(later['imp'], later['reinitialised']))} if rewound. "
        "Black: the authors on CIFAR-10 with all weights, IMP reset and, crosses, "
        "random masks with IMP's count in each layer, bars their smallest and largest "
        "values; their curves, and what is rewound, are not known as numbers."
        f"{missing(rows_of(tables, 'b5_rewound_accuracy'))} If reset, their "
        f"{' and '.join(_falls(tables))}; if rewound to step {stated['c1']:g} of 30000 "
        f"and {stated['c2']:g} of 112000, by their text, they do not fall. "
        + (
            "Rewinding helps here in every initialisation."
            if gained.min() > 0
            else "Rewinding does not help here in every initialisation."
        )
    )


def _falls(tables: Tables) -> list[str]:
    """Return how far the accuracy of each of the authors' networks falls if reset."""
    parts = []
    for case, name in AUTHORS.items():
        rows = published(tables, case, "standard")
        unpruned, imp, random = rows["accuracy"]
        parts.append(
            f"{name} falls from {unpruned:.1f} to {imp:.1f}\\,\\% at "
            f"{rows['left'].min():g}\\,\\% of the weights (random masks {random:.1f})"
        )
    return parts


def _tables(tables: Tables) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what was reset to step 0 at the standard rate, and what was rewound."""
    reset = rows_of(tables, "b1_imp_schedules")
    reset = reset[reset["schedule"] == "standard"]
    return reset, rows_of(tables, "b5_rewound_accuracy")
