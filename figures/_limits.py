"""What the figures of pruning limits share: a table of limits, one row a network."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t

NAMES = {
    "mlp": "MLP",
    "fc5-narrow": "FC5 (narrow)",
    "convnet": "convnet",
    "lenet-300-100": "LeNet",
    "fc5": "FC5",
    "fc12": "FC12",
    "small-vgg": "small VGG",
    "alexnet": "AlexNet",
    "vgg16": "VGG-16",
    "resnet18": "ResNet-18",
    "resnet50": "ResNet-50",
}
PREDICTED = {
    "paper": ("paper's form", "C1", "s"),
    "exact": ("exact, random subspaces", "C6", "X"),
    "orthogonal": ("exact, survivors", "C0", "D"),
}
"""Title, colour and marker of each prediction."""
MEASURED = {
    "one-shot loss": ("one-shot, loss (a)", "C3", "v"),
    "re-optimised": ("re-optimised, quadratic (b)", "C2", "o"),
    "retrained": ("retrained (c)", "k", "^"),
    "one-shot accuracy": ("one-shot, accuracy (d)", "C4", "P"),
}
"""Title, colour and marker of each reading; of (a) and (d) the last that holds."""
READINGS = {
    "random subspace": "random subspaces",
    "re-optimised": "(b) re-optimised",
    "retrained": "(c) retrained",
    "one-shot loss": "(a) loss",
    "one-shot accuracy": "(d) accuracy",
}
"""By what it is nearest to: titles of the readings that a form can be near to."""

IMAGES = {"digits": "digits", "mnist": "MNIST", "cifar10-jpeg": "CIFAR-10, lossy"}
"""Titles of the data sets."""
KEYS = ["architecture", "dataset", "strength", "seed"]
"""Of a trained network."""


@dataclass(frozen=True)
class Interval:
    """A mean with the 95 % interval of Student's t; no interval of one value."""

    mean: float
    low: float
    high: float
    samples: int

    @classmethod
    def of(cls, values: pd.Series) -> "Interval":
        """Return it for independent values."""
        mean, count = float(values.mean()), len(values)
        if count < 2:
            return cls(mean, mean, mean, count)
        reach = float(t.ppf(0.975, count - 1)) * float(values.std()) / np.sqrt(count)
        return cls(mean, mean - reach, mean + reach, count)

    def text(self, digits: int = 1, sign: str = "") -> str:
        """Return the mean and the interval."""
        numbers = (f"{x:{sign}.{digits}f}" for x in (self.mean, self.low, self.high))
        return "{} [{}, {}]".format(*numbers)


def shares(table: pd.DataFrame) -> pd.DataFrame:
    """Return the weights removed in % of the prunable ones, as `share` and ends."""
    whole = table["prunable"] / 100
    return table.assign(
        share=table["removed"] / whole,
        share_low=table["low"] / whole,
        share_high=table["high"] / whole,
    )


def limits(
    table: pd.DataFrame,
    stage: str = "final",
    noise: str = "final",
    column: str = "share",
    matrix: str = "hessian",
) -> pd.DataFrame:
    """Return a row for each network trained, a column for each prediction and reading.

    In %, at the epsilon of the stage `noise`; of one matrix, with max(eigenvalue, 0).
    Means over random subspaces. Index: KEYS. `column` is one of those of `shares`.
    """
    rows = shares(table)
    rows = rows[(rows["factor"] == 1) & (rows["treatment"] != "absolute")]
    chosen = (rows["stage"] == stage) & (rows["noise"] == noise)
    chosen &= rows["matrix"] == matrix
    rows = rows[chosen | rows["matrix"].isna()]
    rows = rows.assign(reading=rows["reading"].str.removesuffix(", last"))
    wide = rows.pivot_table(index=KEYS, columns="reading", values=column)
    return wide.rename_axis(columns=None)


class Intervals(NamedTuple):
    """The limits of `limits`, and the ends of their intervals: equal where exact."""

    value: pd.DataFrame
    low: pd.DataFrame
    high: pd.DataFrame

    @classmethod
    def of(
        cls, table: pd.DataFrame, stage: str = "final", noise: str = "final"
    ) -> "Intervals":
        """Return them for the weights of a stage, at the epsilon of another."""
        columns = ("share", "share_low", "share_high")
        return cls(*(limits(table, stage, noise, column) for column in columns))

    def reach(self, name: str) -> np.ndarray:
        """Return how far each interval of a column reaches below and above."""
        value, low, high = (frame[name].to_numpy() for frame in self)
        return np.abs([value - low, high - value])

    def spread(self, name: str, runs: "pd.Index[Any]") -> tuple[float, float, float]:
        """Return the mean over some networks, the lowest and the highest end."""
        value, low, high = (frame.loc[runs, name] for frame in self)
        return float(value.mean()), float(low.min()), float(high.max())


def settings(wide: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return title and rows of each network and lambda, in the order of NAMES."""
    found = []
    for name, title in NAMES.items():
        for key, rows in wide.groupby(level=KEYS[:-1]):
            architecture, _, value = map(str, key)
            if architecture == name:
                found.append((f"{title}, {strength(float(value))}", rows))
    return found


def strength(value: float) -> str:
    """Return lambda as text."""
    return f"$\\lambda={power(value)}$" if value else "no $\\ell_1$"


def power(value: float) -> str:
    """Return a number with one digit, such as 5e-4, in math mode's inside."""
    if not value:
        return "0"
    mantissa, exponent = f"{value:.0e}".split("e")
    factor = "" if mantissa == "1" else f"{mantissa}\\cdot"
    return f"{factor}10^{{{int(exponent)}}}"


def networks(values: pd.Series) -> pd.Series:
    """Return the means by network: over seeds, then over lambda.

    Networks are the independent samples; strengths of one share its seeds.
    """
    pairs = values.groupby(level=KEYS[:-1]).mean()
    return pairs.groupby(level=KEYS[:2]).mean()


def nearer(wide: pd.DataFrame, form: str, reading: str) -> Interval:
    """Return how much nearer to a reading a form is than paper C's, in points.

    |paper - reading| - |form - reading|, with the interval over networks.
    """
    gain = (wide["paper"] - wide[reading]).abs() - (wide[form] - wide[reading]).abs()
    return Interval.of(networks(gain.dropna()))
