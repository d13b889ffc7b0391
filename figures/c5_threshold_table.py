"""Figure c5 (paper C, main table): predicted pruning limits against measured ones."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import _limits_text as _text
from figures._limits import (
    IMAGES,
    MEASURED,
    PREDICTED,
    READINGS,
    Intervals,
    limits,
    nearer,
    settings,
)
from figures._stability import legend
from figures.common import PAGE, Tables

STEP = 0.11
"""Between the markers of one network, its place being 1."""


def draw(tables: Tables) -> Figure:
    """Return every network's limits, which form is nearer, early against final."""
    table = tables["c5_threshold_table"]
    last = Intervals.of(table)
    early = {noise: Intervals.of(table, "early", noise) for noise in ("early", "final")}
    figure, axes = plt.subplot_mosaic(
        [["table", "gains"], ["table", "checkpoint"]],
        figsize=(PAGE, 1.1 + 0.36 * len(settings(last.value))),
        width_ratios=[1.5, 1],
    )
    _dots(axes["table"], last)
    _gains(axes["gains"], last.value)
    _early(axes["checkpoint"], last, early)
    legend(figure, [axes["table"]], 4)
    return figure


def _dots(ax: Axes, last: Intervals) -> None:
    """Draw the mean over seeds and the farthest ends of predictions and readings."""
    kinds, found = PREDICTED | MEASURED, settings(last.value)
    places = -np.arange(len(found), dtype=float)
    for lane, (name, (title, colour, marker)) in enumerate(kinds.items()):
        known = [
            (place, *last.spread(name, rows.index))
            for place, (_, rows) in zip(places, found, strict=True)
            if name in rows and rows[name].notna().any()
        ]
        at, means, low, high = np.array(known).T
        ax.errorbar(
            means,
            at + STEP * (len(kinds) / 2 - lane - 0.5),
            xerr=np.abs([means - low, high - means]),
            color=colour,
            marker=marker,
            mfc="white" if name in PREDICTED else colour,
            ms=3.5,
            ls="",
            elinewidth=0.7,
            label=title,
        )
    for place in places[1:] + 0.5:
        ax.axhline(place, color="0.8", lw=0.5, marker="")
    ax.set_yticks(places, [_place(title, rows) for title, rows in found])
    ax.set(ylim=(places[-1] - 0.5, 0.5), xlim=(0, 102))
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("weights that can be removed (% of the prunable ones)")
    ax.set_ylabel("network (trained with or without $\\ell_1$)")


def _place(title: str, rows: pd.DataFrame) -> str:
    """Return the title with the images, if not digits, and the runs, if one."""
    dataset = rows.index.get_level_values("dataset")[0]
    more = [] if dataset == "digits" else [IMAGES.get(dataset, dataset)]
    more += ["1 run"] if len(rows) == 1 else []
    return f"{title}\n({', '.join(more)})" if more else title


def _gains(ax: Axes, wide: pd.DataFrame) -> None:
    """Draw how much nearer the exact forms are to each reading than paper C's."""
    for name, shift in (("exact", 0.15), ("orthogonal", -0.15)):
        title, colour, marker = PREDICTED[name]
        found = [nearer(wide, name, reading) for reading in READINGS]
        ends = [[i.mean - i.low for i in found], [i.high - i.mean for i in found]]
        ax.errorbar(
            [i.mean for i in found],
            shift - np.arange(len(found)),
            xerr=ends,
            color=colour,
            marker=marker,
            mfc="white",
            ls="",
            elinewidth=0.7,
            label=title,
        )
    ax.axvline(0, color="0.3", lw=0.7, marker="")
    ax.set_yticks(-np.arange(len(READINGS)), list(READINGS.values()))
    ax.set_ylabel("measured (reading)")
    ax.set_xlabel("gain over the paper's form (points)")


def _early(ax: Axes, last: Intervals, early: dict[str, Intervals]) -> None:
    """Draw the limit predicted after a tenth of the training against the last one.

    Open markers: with the epsilon of then; filled ones: with the last epsilon.
    """
    forms = ["paper", "orthogonal"]
    least = min(rows.low[forms].to_numpy().min() for rows in (last, *early.values()))
    ends = 5 * np.floor((least - 1) / 5), 102.0
    ax.plot(ends, ends, color="0.6", lw=0.7, marker="")
    ax.set(xlim=ends, ylim=ends)
    for name in forms:
        title, colour, marker = PREDICTED[name]
        for noise, rows in early.items():
            ax.errorbar(
                last.value[name],
                rows.value[name],
                xerr=last.reach(name),
                yerr=rows.reach(name),
                elinewidth=0.4,
                color=colour,
                marker=marker,
                ms=3.5 if noise == "early" else 2.0,
                mfc="none" if noise == "early" else colour,
                ls="",
                label=title,
            )
    ax.set_xlabel("limit at the end of training (%)")
    ax.set_ylabel("limit at 10 % of it (%)")


def caption(tables: Tables) -> str:
    """Return the caption: samples, intervals, gains, checkpoints, sensitivity."""
    table = tables["c5_threshold_table"]
    wide = limits(table)
    return (
        "Predicted pruning limits (open markers; claims "
        r"\ref{exact-statistical-dimension}, \ref{pruning-upper-bound}) against "
        r"measured ones (filled; claim \ref{predicted-threshold}), means "
        "over seeds. $\\varepsilon$ is the standard deviation of the mean losses of "
        "batches of 128 images; a number of weights can go if the loss rises by it at "
        "most (a), also with the survivors re-optimised (b) or trained (c), or if the "
        "test accuracy does not fall (d). "
        f"{_text.samples(wide)} {_text.uncertain(Intervals.of(table))} "
        "Exact forms: of random subspaces, and of the cone cut by the hyperplane in "
        "which the survivors, the weights that stay, can move. Of (a) and (d) the "
        "largest number that holds is drawn; (d) is nearly what the paper reports "
        "(there: strictly better, 1,000 levels); (c) trains for at most "
        f"{table['retraining'].max()} epochs: it is a lower end. The quadratic model "
        f"takes eigenvalues below 0 as 0. {_text.minimum(table)} Above right: gain, by "
        "how much nearer to a reading the exact forms are than the paper's, with the "
        "95\\,\\% interval of Student's $t$ over networks "
        f"({_text.independent(wide)}), the predictions without their own intervals; "
        f"where all forms exceed a reading, as {_text.exceeded(wide)}, it is the "
        "difference of the forms. Below right: checkpoints, open with the "
        "$\\varepsilon$ of then, filled with the last one, bars the predictions' "
        "intervals. "
        f"{_text.checkpoint(table)} {_text.sensitivity(table)} "
        "The authors' table is not available to us as numbers."
    )
