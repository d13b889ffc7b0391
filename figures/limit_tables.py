"""Two tables of the paper: predicted limits beside measured ones, and their distances.

Not figures: `thresholds` and `distances` write the rows of LaTeX tables from the table
of figure c5. Every number has its uncertainty: over seeds, the mean with the smallest
and the largest; predictions from Lanczos runs add the ends of their 95 % intervals.
"""

import pandas as pd

from figures._limits import (
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
DATA = {"digits": "digits", "mnist": "MNIST", "cifar10-jpeg": "CIFAR-10, lossy"}


def thresholds(tables: Tables) -> str:
    """Return a row for each network and lambda: predictions, then readings (a) to (d).

    In % of the prunable weights.
    """
    table = tables[TABLE]
    values, low, high = (
        limits(table, column=column) for column in ("share", "share_low", "share_high")
    )
    sizes = table.groupby(KEYS[:-1])["prunable"].first()
    rows = []
    for title, own in settings(values):
        key = own.index[0][:-1]
        cells = [
            _cell(own[name], low.loc[own.index, name], high.loc[own.index, name])
            for name in (*PREDICTED, *MEASURED)
        ]
        head = [title, DATA.get(key[1], key[1]), f"{sizes[key]:,}", str(len(own))]
        rows.append(" & ".join(head + cells) + r" \\")
    return "\n".join(rows)


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


def _cell(values: pd.Series, low: pd.Series, high: pd.Series) -> str:
    """Return the mean and the ends, which are left out where they say nothing."""
    mean, ends = values.mean(), (low.min(), high.max())
    if pd.isna(mean):
        return "--"
    if len(values) == 1 and ends[0] == ends[1]:
        return f"${mean:.1f}$"
    return f"${mean:.1f}_{{{ends[0]:.1f}}}^{{{ends[1]:.1f}}}$"
