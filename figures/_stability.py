"""What the figures of stability share: distances, ours and the authors'."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.common import Tables
from theory.u_statistic import Estimate, over_networks, ratio_over_networks

CASES = {"lenet-mnist": "LeNet, MNIST", "lenet-digits": "LeNet, digits"}
AUTHORS = {
    "lenet-mnist": "Lenet",
    **{
        f"{case}-cifar10-{rate}": f"{name} ({rate})"
        for case, name in (("resnet20", "Resnet-18"), ("vgg19", "VGG-19"))
        for rate in ("standard", "low", "warmup")
    },
}
"""The network of each case in the authors' tables."""
QUANTITIES = ("data order", "pruning")
KINDS = {"imp": ("IMP", "C0", "o"), "random": ("random", "C1", "s")}
"""Title, colour and marker of each subnetwork."""
RATIOS = {"data order": ("C2", "^"), "pruning": ("C3", "D")}
"""Colour and marker of random over IMP."""
UNITS = {"L2": "distance ($L_2$ norm)", "degrees": "angle (degrees)"}


def networks(
    rows: pd.DataFrame, quantity: str, unit: str, kind: str
) -> list[list[float]]:
    """Return the values of a quantity, in one list for each initialisation."""
    own = rows[
        (rows["quantity"] == quantity)
        & (rows["unit"] == unit)
        & (rows["subnetwork"] == kind)
    ]
    return [part["value"].tolist() for _, part in own.groupby("initialisation")]


def estimate(rows: pd.DataFrame, quantity: str, unit: str, kind: str) -> Estimate:
    """Return the mean over networks; pairs of one network share runs."""
    return over_networks(networks(rows, quantity, unit, kind))


def ratio(rows: pd.DataFrame, quantity: str, unit: str) -> Estimate:
    """Return the distance of random subnetworks over that of IMP's."""
    random, imp = (networks(rows, quantity, unit, kind) for kind in ("random", "imp"))
    return ratio_over_networks(random, imp)


def bars(found: Sequence[Estimate]) -> tuple[list[float], list[list[float]]]:
    """Return the means, and how far the intervals reach below and above them."""
    below = [e.mean - e.low for e in found]
    above = [e.high - e.mean for e in found]
    return [e.mean for e in found], [below, above]


def interval(own: Estimate, digits: int = 1) -> str:
    """Return the mean and its interval as text."""
    mean, low, high = (f"{x:.{digits}f}" for x in (own.mean, own.low, own.high))
    return f"{mean} [{low}, {high}]"


def legend(figure: Figure, axes: Iterable[Axes], columns: int) -> None:
    """Name everything in the axes once, above them."""
    found: dict[str, Artist] = {}
    for ax in axes:
        handles, labels = ax.get_legend_handles_labels()
        found |= dict(zip(labels, handles, strict=True))
    figure.legend(
        list(found.values()), list(found), loc="outside upper center", ncols=columns
    )


@dataclass(frozen=True)
class Published:
    """The authors' row of a network: LeNet on MNIST if no other is named."""

    rows: dict[str, dict[Any, Any]]
    """By unit: the columns."""

    @classmethod
    def of(cls, tables: Tables, network: str = "Lenet") -> "Published":
        """Return it from their two tables."""
        names = {"L2": "published/table_distance", "degrees": "published/table_angle"}
        return cls(
            {
                unit: tables[name].set_index("network").loc[network].to_dict()
                for unit, name in names.items()
            }
        )

    def value(self, quantity: str, unit: str, kind: str) -> tuple[float, float]:
        """Return the mean, and its distance to the smallest or largest sample."""
        row, stem = self.rows[unit], f"{quantity.replace(' ', '_')}_{kind}"
        name = {"L2": "l2", "degrees": "deg"}[unit]
        return float(row[f"{stem}_{name}"]), float(row[f"{stem}_pm"])

    def ratio(self, quantity: str, unit: str) -> float:
        """Return random over IMP, from the two printed means."""
        name = f"{quantity.replace(' ', '_')}_random_over_imp_recomputed"
        return float(self.rows[unit][name])

    def accuracy(self, kind: str) -> tuple[float, float]:
        """Return the test accuracy in % and its distance to an extreme sample."""
        row, stem = self.rows["L2"], f"accuracy_{kind}"
        return float(row[f"{stem}_percent"]), float(row[f"{stem}_pm"])
