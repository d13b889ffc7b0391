"""Figure b5 (paper B, figure 5): rewinding to a step early in training."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

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
from figures.common import COLUMN, PAGE, Tables

KINDS = {
    "imp": ("IMP", "C0", "C2"),
    "reinitialised": ("reinitialised", "C1", "C4"),
}
"""Title, and colours where it is reset and rewound."""


def draw(tables: Tables) -> Figure:
    """Return a panel for each network: IMP reset to step 0 and rewound to a later."""
    reset, rewound = _tables(tables)
    names = [name for name in TITLES if name in set(rewound["network"])]
    width = COLUMN if len(names) == 1 else PAGE
    figure, axes = plt.subplots(1, len(names), figsize=(width, 2.6), squeeze=False)
    for ax, name in zip(axes[0], names, strict=True):
        first = reset[reset["network"] == name]
        later = rewound[rewound["network"] == name]
        if len(first):
            level(ax, first, "all weights, reset")
        level(ax, later, "all weights, rewound", "-.")
        for kind, (label, reset_colour, colour) in KINDS.items():
            if len(first):
                curve(ax, first, kind, f"{label}, reset", reset_colour)
            curve(ax, later, kind, f"{label}, rewound", colour)
        ax.set_title(f"{TITLES[name]}, rewound to step {later['rewind'].iloc[0]}")
        scale(ax, later["left"].min())
    figure.supxlabel("weights remaining (%)", fontsize=7)
    figure.supylabel("test accuracy (%)", fontsize=7)
    legend(figure, 2)
    return figure


def caption(tables: Tables) -> str:
    """Return the caption: what rewinding gains, over step 0 and over other weights."""
    reset, rewound = (
        rows[rows["network"] == "resnet6-digits"] for rows in _tables(tables)
    )
    first, later = ({k: r[r["kind"] == k] for k in KINDS} for r in (reset, rewound))
    gained = gain(later["imp"], first["imp"])
    unpruned = whole(rewound) - whole(reset)
    stated, pruned = claims(tables), tables["published/table_distance"]
    theirs = pruned[pruned["network"] == "Resnet-18 (standard)"].iloc[0]
    networks = tables["published/networks"].set_index(["network", "variant"])
    dense = networks["accuracy_unpruned_percent"]["Resnet-18", "standard"]
    return (
        "Test accuracy at the standard learning rate of IMP's subnetworks reset to "
        f"step 0 and rewound to step {rewound['rewind'].iloc[0]} of 420, and of the "
        "masks of either with other first weights (reinitialised, dashed). ResNet6 on "
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
        f"The authors' Resnet-18 falls from {dense:.1f} to "
        f"{theirs['accuracy_imp_percent']}\\,\\% at "
        f"{theirs['weights_remaining_percent']}\\,\\% of the weights if reset, and "
        f"does not if rewound to step {stated['c1']:g} of 30000 (VGG-19: "
        f"{stated['c2']:g} of 112000; their curves are not known as numbers). "
        + (
            "That rewinding helps is seen here in all initialisations."
            if gained.min() > 0
            else "That rewinding helps is not seen here in all initialisations."
        )
    )


def _tables(tables: Tables) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what was reset to step 0 at the standard rate, and what was rewound."""
    reset = rows_of(tables, "b1_imp_schedules")
    reset = reset[reset["schedule"] == "standard"]
    return reset, rows_of(tables, "b5_rewound_accuracy")
