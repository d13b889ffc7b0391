"""Two tables of the paper: predicted limits beside measured ones, and their distances.

Not figures: `thresholds` and `distances` write the rows of LaTeX tables from the table
of figure c5. Every number has its uncertainty: over seeds, the mean with the smallest
and the largest; predictions from Lanczos runs add the ends of their 95 % intervals.
"""

from typing import Any

import pandas as pd

from figures._limits import (
    IMAGES,
    KEYS,
    MEASURED,
    PREDICTED,
    READINGS,
    Interval,
    limits,
    nearer,
    networks,
    settings,
)
from figures.common import Tables

TABLE = "c5_threshold_table"
DATA = IMAGES | {"cifar10-jpeg": "CIFAR"}
"""Titles of the data sets that fit a narrow column."""


def thresholds(tables: Tables) -> str:
    """Return a row for each network and lambda: predictions, then readings (a) to (d).

    In % of the prunable weights.
    """
    table = tables[TABLE]
    sizes = table.groupby(KEYS[:-1])["prunable"].first()
    of_hessian, of_other = (_wide(table, m) for m in ("hessian", "gauss-newton"))
    rows = []
    for title, own in settings(of_hessian["share"]):
        key = own.index[0][:-1]
        data, count = DATA.get(key[1], key[1]), f"{sizes[key]:,}"
        rows.append([title, data, count, *_cells(of_hessian, own.index)])
        if own.reindex(columns=["re-optimised"]).isna().all(axis=None):
            other = _cells(of_other, own.index)
            rows.append(["\\quad Gauss--Newton", data, count, *other])
    return "\n".join(" & ".join(row) + r" \\" for row in rows)


def _wide(table: pd.DataFrame, matrix: str) -> dict[str, pd.DataFrame]:
    """Return the limits and the ends of their intervals."""
    names = ("share", "share_low", "share_high")
    return {name: limits(table, column=name, matrix=matrix) for name in names}


def _cells(wide: dict[str, pd.DataFrame], index: "pd.Index[Any]") -> list[str]:
    """Return the number of runs, and a cell for each prediction and reading."""
    own = {name: values.loc[index] for name, values in wide.items()}
    names = (*PREDICTED, *MEASURED)
    return [str(len(index)), *(_cell(*(v.get(n) for v in own.values())) for n in names)]


def distances(tables: Tables) -> str:
    """Return a row for each reading: how far each form is, which is nearer, the bias.

    Means over seeds, over lambda, over networks. Gains and biases (the paper's form
    minus the reading, without and with l1) carry the interval of Student's t over
    networks.
    """
    wide = limits(tables[TABLE])
    rows = []
    for reading, title in READINGS.items():
        own = wide.dropna(subset=[reading])
        means = [
            f"{networks((own[form] - own[reading]).abs()).mean():.1f}"
            for form in PREDICTED
        ]
        gains = [_text(nearer(own, form, reading)) for form in ("exact", "orthogonal")]
        without = own.index.get_level_values("strength") == 0
        biases = [
            _text(Interval.of(networks(part["paper"] - part[reading])))
            for part in (own[without], own[~without])
        ]
        rows.append(" & ".join([title, *means, *gains, *biases]) + r" \\")
    return "\n".join(rows)


def _text(interval: Interval) -> str:
    return f"${interval.text(1, '+')}$"


def _cell(
    values: pd.Series | None, low: pd.Series | None, high: pd.Series | None
) -> str:
    """Return the mean and the ends, which are left out where they say nothing."""
    if values is None or low is None or high is None or values.isna().all():
        return "--"
    mean, ends = values.mean(), (low.min(), high.max())
    if len(values) == 1 and ends[0] == ends[1]:
        return f"${mean:.1f}$"
    return f"${mean:.1f}_{{{ends[0]:.1f}}}^{{{ends[1]:.1f}}}$"
