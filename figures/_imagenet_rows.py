"""The rows that figure b7 draws, and the paper's statements beside them."""

from typing import Any

import pandas as pd

from figures.common import Tables

NETWORKS = {
    "resnet50": ("ResNet-50", "Resnet-50"),
    "inception_v3": ("Inception-v3", "Inception-v3"),
    "squeezenet": ("SqueezeNet", "Squeezenet"),
}
"""By schedule: our spelling and the paper's."""


def chosen(tables: Tables, name: str) -> pd.DataFrame:
    """Return a network's rows: of ImageNet if there are any over rewinding points."""
    ours = tables["b7_imagenet"]
    own = ours[ours["schedule"] == name]
    real = own[own["case"] == name]
    return real if (real["orders"] > 1).any() else own[own["images"] == "generated"]


def unpruned(rows: pd.DataFrame) -> "pd.Series[float]":
    """Return the unpruned networks' accuracies in percent, by configuration."""
    dense = rows[(rows["quantity"] == "accuracy") & (rows["subnetwork"] == "dense")]
    return 100 * dense.groupby("key")["value"].mean()


def gaps(rows: pd.DataFrame) -> pd.DataFrame:
    """Return accuracies in points above the unpruned network of the same training."""
    own = rows[rows["quantity"].isin(["accuracy", "round accuracy"])]
    gap = 100 * own["value"] - own["key"].map(unpruned(rows))
    return own.assign(gap=gap, left=100 * own["density"])


def over_rewinding(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the paper's share of weights at all rewinding points, in % of training."""
    own = rows[(rows["rounds"] == 1) & (rows["orders"] > 1)]
    return own.assign(point=100 * own["rewind"] / own["epochs"])


def paper(tables: Tables, name: str) -> Any:
    """Return a network's row in the paper's figure 6."""
    table = tables["published/imagenet_networks"].set_index("network")
    return table.loc[NETWORKS[name][1]]


def claim(tables: Tables, name: str, unit: str) -> float:
    """Return the number that the text states of a network, by the unit's beginning."""
    table = tables["published/claims"]
    own = table[table["network"] == NETWORKS[name][1]]
    return float(own.loc[own["unit"].str.startswith(unit), "value"].iloc[0])


def first_epoch(rows: pd.DataFrame) -> str:
    """Return the first rewinding epoch where IMP's mean is that of the unpruned."""
    own = over_rewinding(gaps(rows))
    imp = own[(own["quantity"] == "accuracy") & (own["subnetwork"] == "imp")]
    means = imp.groupby("rewind")["gap"].mean()
    reached = means.index[means >= 0]
    return f"epoch {reached.min()}" if len(reached) else "no epoch"


def ratios(rows: pd.DataFrame) -> str:
    """Return the ratio of the mean distances, at the first and last rewinding point."""
    own = over_rewinding(rows)
    own = own[own["unit"] == "L2"]
    means = own.groupby(["quantity", "subnetwork", "point"])["value"].mean()
    parts = []
    for quantity in ("data order", "pruning"):
        ratio = means[quantity, "random"] / means[quantity, "imp"]
        parts.append(f"{ratio.iloc[0]:.1f} and {ratio.iloc[-1]:.1f} ({quantity})")
    return ", ".join(parts)
