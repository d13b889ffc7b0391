"""Figure c4 (paper C, figure 3): loss and accuracy against sparsity, one-shot."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures._limits import MEASURED, NAMES, PREDICTED, limits, strength
from figures._stability import legend
from figures.common import PAGE, Tables

CASES = {"mlp-digits": "mlp", "fc5-digits": "fc5-narrow"}
"""Networks that are drawn, and their architectures in the table of limits."""
FORMS = {"paper": "--", "orthogonal": "-"}
"""Predictions that are drawn as lines."""
TICKS = ("re-optimised", "retrained")
"""Readings that are drawn as ticks: the network is then no longer the one pruned."""


def draw(tables: Tables) -> Figure:
    """Return a column for each network and lambda: loss above, accuracy below."""
    wide = limits(tables["c5_threshold_table"])
    columns = _columns(tables["c4_predicted_threshold"])
    figure, axes = plt.subplots(
        2, len(columns), figsize=(PAGE, 3.3), sharex=True, sharey="row", squeeze=False
    )
    for (case, value, rows), (loss, accuracy) in zip(columns, axes.T, strict=True):
        loss.set_title(f"{NAMES[CASES[case]]}, {strength(value)}")
        own = _own(wide, case, value)
        _curve(loss, rows, "loss", 1.0)
        _curve(accuracy, rows, "test_accuracy", 100.0)
        _bound(loss, tables["c5_threshold_table"], case, value)
        for ax in (loss, accuracy):
            _lines(ax, own)
        loss.set_yscale("log")
        accuracy.set_xlabel("weights removed (%)")
    axes[0, 0].set_ylabel("training loss (nats)")
    axes[1, 0].set_ylabel("test accuracy (%)")
    axes[0, 0].set_ylim(top=10)
    legend(figure, axes.flat, 4)
    return figure


def caption(tables: Tables) -> str:
    """Return the caption: what is drawn, seeds, where curves leave epsilon."""
    wide = limits(tables["c5_threshold_table"])
    columns = _columns(tables["c4_predicted_threshold"])
    parts = []
    for case, value, _ in columns:
        own = _own(wide, case, value)
        parts.append(
            f"{NAMES[CASES[case]]}, {strength(value)}: "
            f"{own['paper'].mean():.1f} and {own['orthogonal'].mean():.1f} against "
            f"{own['one-shot loss'].mean():.1f} (loss), "
            f"{own['re-optimised'].mean():.1f} (re-optimised), "
            f"{own['retrained'].mean():.1f} (retrained)"
        )
    seeds = columns[0][2]["seed"].nunique()
    return (
        "Global one-shot magnitude pruning of small networks on digits (claim "
        r"\ref{predicted-threshold}): training loss "
        "and test accuracy of the pruned network as it is, means of "
        f"{seeds} trainings each, bands their range. Vertical lines: limits predicted "
        "from the Hessian of the dense network, bands their range. Markers above the "
        "axis: what can be removed if the survivors are re-optimised in the quadratic "
        "model, or trained. Dotted: $L(w^*) + \\varepsilon$, $\\varepsilon$ as in "
        "Figure~\\ref{fig:thresholds}. Predicted (paper's form and "
        "exact, survivors) and measured, in \\% of the weights: "
        f"{'; '.join(parts)}. The authors' curves are not available to us "
        "as numbers."
    )


def _own(wide: pd.DataFrame, case: str, value: float) -> pd.DataFrame:
    """Return the limits of one column's networks."""
    keys = wide.index.get_level_values
    return wide[(keys("architecture") == CASES[case]) & (keys("strength") == value)]


def _columns(table: pd.DataFrame) -> list[tuple[str, float, pd.DataFrame]]:
    """Return case, lambda and rows of each column."""
    return [
        (case, float(str(value)), rows)
        for case in CASES
        for value, rows in table[table["case"] == case].groupby("strength")
    ]


def _curve(ax: Axes, rows: pd.DataFrame, column: str, factor: float) -> None:
    """Draw the mean over seeds and the range."""
    values = factor * rows.groupby("removed")[column].agg(["mean", "min", "max"])
    x = 100 * values.index.to_numpy() / rows["prunable"].iloc[0]
    ax.plot(x, values["mean"], color="k", marker="", label="pruned at once")
    ax.fill_between(x, values["min"], values["max"], color="k", alpha=0.2, lw=0)


def _bound(ax: Axes, table: pd.DataFrame, case: str, value: float) -> None:
    """Draw L(w*) + epsilon of the trained weights, the mean over seeds."""
    ax.axhline(
        _level(table, case, value),
        color="0.3",
        ls=":",
        lw=0.9,
        marker="",
        label="$L(w^*)+\\varepsilon$",
    )


def _level(table: pd.DataFrame, case: str, value: float) -> float:
    rows = table[(table["case"] == case) & (table["strength"] == value)]
    final = rows[(rows["stage"] == "final") & (rows["noise"] == "final")]
    own = final.drop_duplicates("seed")
    return float((own["loss"] + own["epsilon"]).mean())


def _lines(ax: Axes, own: pd.DataFrame) -> None:
    """Draw predictions as lines with their range, readings as ticks on the axis."""
    for name, style in FORMS.items():
        title, colour, _ = PREDICTED[name]
        ax.axvline(own[name].mean(), color=colour, ls=style, marker="", label=title)
        ax.axvspan(own[name].min(), own[name].max(), color=colour, alpha=0.2, lw=0)
    for name in TICKS:
        title, colour, marker = MEASURED[name]
        ends = np.array([[own[name].min()], [own[name].max()]])
        ax.errorbar(
            [own[name].mean()],
            [0.04],
            xerr=np.abs(ends - own[name].mean()),
            transform=ax.get_xaxis_transform(),
            color=colour,
            marker=marker,
            ls="",
            elinewidth=0.7,
            label=title,
        )
