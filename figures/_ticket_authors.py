"""The authors' Resnet-18 and VGG-19 on CIFAR-10 beside curves of lottery tickets."""

import pandas as pd
from matplotlib.axes import Axes

from figures._ticket_curves import KINDS, TITLES
from figures.common import Tables

AUTHORS = {"resnet20-cifar10": "Resnet-18", "vgg19-cifar10": "VGG-19"}
"""The network of each case in their tables."""


def panels(ours: pd.DataFrame) -> list[str]:
    """Return the networks of which there are rows of ours or numbers of theirs."""
    return [name for name in TITLES if name in {*AUTHORS, *ours["network"]}]


def published(tables: Tables, case: str, schedule: str) -> pd.DataFrame:
    """Return the authors' accuracies in %: all weights, IMP and random masks."""
    network = AUTHORS.get(case, "")
    unpruned, pruned = tables["published/networks"], tables["published/table_distance"]
    unpruned = unpruned[unpruned["network"] == network]
    pruned = pruned[pruned["network"] == f"{network} ({schedule})"]
    sources = (
        ("imp", "unpruned", unpruned[unpruned["variant"] == schedule].assign(left=100)),
        *(
            (kind, kind, pruned.assign(left=pruned["weights_remaining_percent"]))
            for kind in ("imp", "random")
        ),
    )
    return pd.concat(
        pd.DataFrame(
            {
                "kind": kind,
                "left": rows["left"],
                "accuracy": rows[f"accuracy_{name}_percent"],
                "pm": rows[f"accuracy_{name}_pm"],
            }
        )
        for kind, name, rows in sources
    )


def authors(
    ax: Axes, rows: pd.DataFrame, name: str = "", colour: str = "k", marker: str = "o"
) -> None:
    """Draw the authors' accuracies: open markers for IMP, crosses for random masks.

    The name is that of a network that shares its panel with others.
    """
    for kind in ("imp", "random") if len(rows) else ():
        own = rows[rows["kind"] == kind]
        ax.errorbar(
            own["left"],
            own["accuracy"],
            own["pm"],
            color=colour,
            marker=marker if kind == "imp" else "x",
            mfc="none",
            ms=4,
            ls="",
            elinewidth=0.7,
            label=", ".join(filter(None, (name, KINDS[kind][0], "authors"))),
        )


def missing(ours: pd.DataFrame) -> str:
    """Return of which of the authors' networks there are no rows of ours."""
    names = [AUTHORS[name] for name in AUTHORS if name not in set(ours["network"])]
    if not names:
        return ""
    return f" Ours of {' and '.join(names)} (for a GPU) are not computed."
