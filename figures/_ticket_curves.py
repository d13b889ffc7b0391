"""What the figures of lottery tickets share: accuracy against the weights remaining."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator
from numpy.typing import NDArray

from figures.common import Tables

KINDS = {
    "imp": ("IMP", "C0", "o", "-"),
    "reinitialised": ("reinitialised", "C1", "s", "--"),
    "snip": ("SNIP", "C2", "^", "-"),
    "random": ("random masks", "C4", "v", "--"),
}
"""Title, colour, marker and line of each kind of subnetwork."""

TITLES = {
    "lenet-digits": "LeNet, digits",
    "resnet6-digits": "ResNet6, digits",
    "resnet20-cifar10": "Resnet-18, CIFAR-10",
    "resnet20-cifar10-jpeg": "Resnet-18, cifar10-jpeg",
    "vgg19-cifar10": "VGG-19, CIFAR-10",
}
"""Titles of the networks, by the case without its schedule."""

IMAGE = 100 / 358
"""One test image of digits, in %."""

TICKS = (100, 50, 20, 10, 5, 2, 1, 0.5)
"""Shares of weights to name, in %."""

ACCURACIES = (10, 20, 40, 60, 70, 80, 85, 90, 93, 95, 97, 98, 99, 100)
"""Accuracies to name on a stretched axis, in %."""


def rows_of(tables: Tables, name: str) -> pd.DataFrame:
    """Return a table with `network`, `schedule`, and `left` and `accuracy` in %."""
    rows = tables[name]
    named = rows["case"].str.extract(r"^(.*?)(?:-(standard|low|warmup))?$")
    return rows.assign(
        network=named[0],
        schedule=named[1],
        left=100 * rows["density"],
        accuracy=100 * rows["test_accuracy"],
    )


def claims(tables: Tables) -> dict[str, float]:
    """Return the numbers that the paper states in its text, by their id."""
    stated = tables["published/claims"]
    return dict(zip(stated["id"], stated["value"], strict=True))


def curve(ax: Axes, rows: pd.DataFrame, kind: str, label: str, colour: str) -> None:
    """Draw the mean over initialisations at each density, and the range as a band."""
    _, _, marker, line = KINDS[kind]
    values = rows[rows["kind"] == kind].groupby("left")["accuracy"]
    left = values.mean().index.to_numpy()
    ax.plot(
        left,
        values.mean().to_numpy(),
        color=colour,
        marker=marker,
        ls=line,
        ms=2.5,
        label=label,
    )
    ax.fill_between(left, values.min(), values.max(), color=colour, alpha=0.15, lw=0)


def level(
    ax: Axes, rows: pd.DataFrame, label: str = "all weights", line: str = ":"
) -> None:
    """Draw the mean accuracy of the whole networks."""
    mean = whole(rows).mean()
    ax.axhline(mean, color="0.5", lw=0.6, marker="", ls=line, label=label)


def scale(ax: Axes, lowest: float) -> None:
    """Give an axis of weights remaining, in %: logarithmic, all of them at the left."""
    ax.set(xscale="log", xlim=(115, lowest / 1.15))
    ax.xaxis.set_major_locator(FixedLocator(TICKS))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter("{x:g}")


def stretch(ax: Axes) -> None:
    """Make the accuracies' axis logarithmic in the error plus 1 %.

    Some controls fall far below the others, which differ by a point or two.
    """
    ax.set_yscale("function", functions=(_stretched, _unstretched))
    low, high = ax.get_ylim()
    ax.set_yticks([tick for tick in ACCURACIES if low <= tick <= high])


def _stretched(accuracy: NDArray[np.float64]) -> NDArray[np.float64]:
    return -np.log(np.maximum(101 - accuracy, 1e-3))


def _unstretched(place: NDArray[np.float64]) -> NDArray[np.float64]:
    return 101 - np.exp(-place)


def legend(figure: Figure, columns: int) -> None:
    """Put one legend of all axes above them, each label once."""
    shown: dict[str, Any] = {}
    for ax in figure.axes:
        handles, labels = ax.get_legend_handles_labels()
        shown = dict(zip(labels, handles, strict=True)) | shown
    figure.legend(
        shown.values(), shown.keys(), loc="outside upper center", ncols=columns
    )


def whole(rows: pd.DataFrame) -> pd.Series:
    """Return the accuracy of the whole network of each initialisation, in %."""
    dense = rows[(rows["kind"] == "imp") & (rows["round"] == 0)]
    return dense.set_index("initialisation")["accuracy"]


def losses(rows: pd.DataFrame, kind: str) -> pd.Series:
    """Return by how many points a kind is worse than all weights, at each density.

    Means over initialisations, most weights first.
    """
    own = rows[(rows["kind"] == kind) & (rows["round"] > 0)]
    loss = whole(rows).mean() - own.groupby("left")["accuracy"].mean()
    # means of equal sums may be rounded otherwise
    return (loss - 1e-9).sort_index(ascending=False)


def winning(rows: pd.DataFrame, kind: str) -> str:
    """Return with how few weights it is on average as accurate as with all of them.

    In parentheses: with how few it is so within one test image of digits.
    """
    loss = losses(rows, kind)
    return f"{_down_to(loss <= 0)} ({_down_to(loss <= IMAGE)})"


def _down_to(fine: pd.Series) -> str:
    """Return the least density down to which all rounds are fine, or how many are."""
    if not fine.any():
        return "never"
    least = f"{fine.index[fine].min():.1f}\\,\\%"
    if fine.sum() == fine.cummin().sum():
        return f"down to {least}"
    return f"in {fine.sum()} of {len(fine)} rounds, the last at {least}"


def gain(rows: pd.DataFrame, other: pd.DataFrame) -> pd.Series:
    """Return how much more accurate rows are than others, in points.

    One value for each initialisation: the mean over the rounds that both have, the
    unpruned ones left out. Both have the same data order.
    """
    index = ["round", "initialisation"]
    own, theirs = (
        part[part["round"] > 0].set_index(index)["accuracy"] for part in (rows, other)
    )
    return (own - theirs).dropna().groupby("initialisation").mean()


def interval(values: pd.Series) -> str:
    """Return the mean and the range of the initialisations."""
    return f"${values.mean():+.2f}$ [${values.min():+.2f}$, ${values.max():+.2f}$]"
