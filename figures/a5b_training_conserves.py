"""Figure a5b (paper A, figure 5b): squared weights of the layers during training."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures.common import PAGE, Tables

RUNS = {
    ("xavier", False, 0.0): ("Xavier", "C0", "o"),
    ("xavier", True, 0.0): ("Xavier, biases", "C4", "v"),
    ("xavier", True, 0.02): ("Xavier, biases, decay", "C1", "s"),
    ("default", False, 0.0): ("Kaiming", "C2", "^"),
    ("default", True, 0.0): ("Kaiming, biases", "C6", "P"),
    ("default", True, 0.02): ("Kaiming, biases, decay", "C3", "D"),
}
THEIRS = {"xavier": ("Xavier, published", "o"), "default": ("Kaiming, published", "s")}
EPOCHS = (0, 1, 10, 20, 50, 100)
"""Of the published runs, that the first panel shows."""


def draw(tables: Tables) -> Figure:
    """Return mean squares above; below changes, their slopes, and what decay leaves."""
    ours, theirs = tables["a5b_training_conserves"], _published(tables)
    ours = ours[ours["architecture"] == "small-vgg-digits"]
    figure, ((stored, free, decayed), (change, slope, kept)) = plt.subplots(
        2, 3, figsize=(PAGE, 4.2)
    )
    xavier = theirs[theirs["initialization"] == "xavier"]
    _epochs(stored, xavier[xavier["epoch"].isin(EPOCHS)], filled=False)
    _epochs(free, _run(ours, ("xavier", False, 0.0)))
    _epochs(decayed, _run(ours, ("xavier", True, 0.02)))
    titles = ("VGG-19, published (decay)", "small VGG", "small VGG, biases, decay")
    for axes, title in zip((stored, free, decayed), titles, strict=True):
        axes.set_title(f"Xavier: {title}")
        axes.set(ylabel=r"mean of $W(t)^2$ (squared weight)")
        _line(axes)
    _ours(ours, change, slope, kept)
    _theirs(theirs, change, slope, kept)
    _line(change)
    change.set(ylabel=r"|mean of $W(t)^2 - W(0)^2$| (squared weight)")
    slope.axhline(1, color="0.3", lw=0.8)
    slope.set(xscale="log", xlabel="time (epochs)", ylabel="slope of the change (1)")
    slope.set_ylim(-0.1, 1.5)
    ends = np.array([0.7, 1.0])
    kept.plot(ends, ends, color="0.3", lw=0.8, marker="")
    kept.set(xlabel=r"$e^{-2\lambda t}$ (1)")
    kept.set(ylabel=r"differences left, $Q(t) / Q(0)$ (1)")
    handles, labels = slope.get_legend_handles_labels()
    line = Line2D([], [], color="0.3", lw=0.8, marker="", label="theory")
    figure.legend(
        [*handles, line],
        [*labels, "theory"],
        loc="outside lower center",
        ncols=4,
    )
    return figure


def caption(tables: Tables) -> str:
    """Return the caption: slopes, what decay leaves, deviation from the authors."""
    ours, theirs = tables["a5b_training_conserves"], _published(tables)
    ours = ours[ours["architecture"] == "small-vgg-digits"]
    ends = ours[(ours["epoch"] == ours["epoch"].max()) & (ours["layer"] == 1)]
    free = ends[~ends["bias"] & (ends["weight_decay"] == 0)]
    biased = ends[ends["bias"] & (ends["weight_decay"] == 0)]
    decay = ends[ends["weight_decay"] > 0]
    parts = []
    for name, kind in (("xavier", "Xavier"), ("default", "Kaiming")):
        rows = theirs[theirs["initialization"] == name]
        runs = free[free["initialization"] == name]
        line = _span(runs["slope"], 2)
        parts.append(f"{kind} {line} (theirs ${_slope(rows, 100, 'mean_square'):.2f}$)")
    stored = [_slope(theirs[theirs["initialization"] == name], 100) for name in THEIRS]
    left = [_kept(theirs[theirs["initialization"] == name], 100) for name in THEIRS]
    return (
        "Squared weights of the layers during training against the inverse of their "
        "size (figure 5b of paper A; theorem "
        r"\ref{gradient-flow-conservation}). The small VGG on 500 digits, "
        f"{ours['seed'].nunique()} initialisations (points are means, bars smallest "
        f"and largest values), rate {free['learning_rate'].iloc[0]:g}, Nesterov's "
        f"momentum {free['momentum'].iloc[0]:g}, {free['epoch'].iloc[0]} epochs; open "
        "symbols are the authors' runs (VGG-19 on CIFAR-10, biases, decay; the paper "
        "draws Xavier's only). Above: "
        "mean squares, colour is the epoch; the line has slope 1, through the middle "
        "of the data. The fitted slope "
        f"after training, without biases and decay, is {'; '.join(parts)}: the line is "
        "approached from Xavier's small first layers, not reached. Below, left and "
        "middle: what the flow does conserve is the total of the CHANGE, whose slope "
        f"without biases and decay is {_change(free)}, with biases {_change(biased)}, "
        f"with biases and decay ($\\lambda = {decay['weight_decay'].iloc[0]:g}$) "
        f"{_change(decay)}, the authors' "
        f"${stored[0]:.2f}$ and ${stored[1]:.2f}$. Right: decay shrinks the "
        "differences between the layers' totals (least-squares factor) as "
        r"$e^{-2\lambda t}$: "
        f"{_span(decay['kept'] / decay['decayed'], 3)} times that with ours; the "
        f"authors' ${left[0]:.3f}$ and ${left[1]:.3f}$ after 100 epochs, predicted "
        f"${_decayed(100):.3f}$ with their schedule and "
        r"$\lambda = 10^{-3}$ (inferred from their first epochs)."
    )


def _change(rows: pd.DataFrame) -> str:
    """Return the slopes of the change, and the least R^2 of the fits."""
    least = np.floor(rows["change_r_squared"].min() * 1e4) / 1e4
    return f"{_span(rows['change_slope'], 3)} ($R^2 \\geq {least:.4f}$)"


def _ours(ours: pd.DataFrame, change: Axes, slope: Axes, kept: Axes) -> None:
    for key, (label, colour, marker) in RUNS.items():
        rows = _run(ours, key)
        last = rows[rows["epoch"] == rows["epoch"].max()]
        _bars(change, 1 / last["size"], last["change"], label, colour, marker, ls="")
        later = rows[(rows["epoch"] > 0) & (rows["layer"] == 1)]
        _bars(slope, later["epoch"], later["change_slope"], label, colour, marker)
        if key[2]:
            first = rows[rows["layer"] == 1]
            _bars(kept, first["decayed"], first["kept"], label, colour, marker, ls="")


def _theirs(theirs: pd.DataFrame, change: Axes, slope: Axes, kept: Axes) -> None:
    for name, (label, marker) in THEIRS.items():
        rows = theirs[theirs["initialization"] == name]
        last = rows[rows["epoch"] == rows["epoch"].max()]
        style: dict[str, Any] = {
            "marker": marker,
            "color": "0.4",
            "mfc": "none",
            "label": label,
        }
        change.plot(1 / last["size"], last["change"], ls="", **style)
        slopes = pd.Series({e: _slope(rows, e) for e in EPOCHS[1:]})
        slope.plot(slopes, lw=0.7, **style)
        left = pd.Series({_decayed(e): _kept(rows, e) for e in EPOCHS})
        kept.plot(left, ls="", **style)


def _span(values: pd.Series, digits: int) -> str:
    low, high = f"${values.min():.{digits}f}$", f"${values.max():.{digits}f}$"
    return low if low == high else f"{low} to {high}"


def _published(tables: Tables) -> pd.DataFrame:
    return tables["published/fig5b_imp_layer_scores"].rename(
        columns={
            "layer_size": "size",
            "mean_squared_weight": "mean_square",
            "abs_mean_change_of_squared_weight": "change",
        }
    )


def _run(ours: pd.DataFrame, key: tuple[str, bool, float]) -> pd.DataFrame:
    rows = ours[(ours["initialization"] == key[0]) & (ours["bias"] == key[1])]
    return rows[rows["weight_decay"] == key[2]]


def _slope(rows: pd.DataFrame, epoch: int, column: str = "change") -> float:
    """Return the least-squares slope of log(column) against log(1 / size)."""
    rows = rows[rows["epoch"] == epoch]
    return float(np.polyfit(-np.log(rows["size"]), np.log(rows[column]), 1)[0])


def _kept(rows: pd.DataFrame, epoch: int) -> float:
    """Return the least-squares factor between the totals' differences then and first.

    As the experiment's `kept`.
    """
    totals = (rows["size"] * rows["mean_square"]).groupby(
        [rows["epoch"], rows["layer"]]
    )
    table = totals.sum().unstack()
    table = table.sub(table.mean(axis=1), axis=0)
    start, end = table.loc[0].to_numpy(), table.loc[epoch].to_numpy()
    return float(end @ start / (start @ start))


def _decayed(epoch: int) -> float:
    """Return exp(-2 lambda t) of the authors' runs: 391 steps an epoch, momentum 0.9.

    Rate 0.001, a tenth after epochs 30, 60, 80; lambda = 1e-3 (inferred).
    """
    whole = min(epoch, 30) + 0.1 * np.clip(epoch - 30, 0, 30)
    whole += 0.01 * np.clip(epoch - 60, 0, 20) + 0.001 * max(epoch - 80, 0)
    return float(np.exp(-2 * 1e-3 * 0.001 / (1 - 0.9) * 391 * whole))


def _epochs(axes: Axes, rows: pd.DataFrame, *, filled: bool = True) -> None:
    """Draw mean squares of each epoch, bars over seeds, in the colour of the epoch."""
    last = np.log1p(rows["epoch"].max())
    for epoch in sorted(set(rows["epoch"].astype(int))):
        group = rows[rows["epoch"] == epoch]
        colour = plt.get_cmap("viridis")(0.92 * float(np.log1p(epoch) / last))
        layers = group.groupby("layer")
        size, value = layers["size"].first(), layers["mean_square"]
        axes.errorbar(
            1 / size,
            value.mean(),
            yerr=[value.mean() - value.min(), value.max() - value.mean()],
            ls="",
            marker="o",
            ms=3,
            color=colour,
            mfc=colour if filled else "none",
            elinewidth=0.7,
            label=f"epoch {epoch}",
        )
    axes.legend(loc="upper left", handletextpad=0.1, labelspacing=0.2)


def _bars(
    axes: Axes,
    x: pd.Series,
    y: pd.Series,
    label: str,
    colour: str,
    marker: str,
    ls: str = "-",
) -> None:
    """Draw means of y at equal x, with bars from the smallest to the largest."""
    values = y.groupby(x)
    middle = values.mean()
    axes.errorbar(
        middle.index,
        middle,
        yerr=[middle - values.min(), values.max() - middle],
        ls=ls,
        lw=0.7,
        elinewidth=0.7,
        marker=marker,
        ms=3,
        color=colour,
        label=label,
    )


def _line(axes: Axes) -> None:
    """Draw slope 1 through the middle of the data, and axes of whole decades."""
    axes.set(xscale="log", yscale="log", xlabel="1 / layer size (1 / parameters)")
    x, (y0, y1) = np.array(axes.get_xlim()), axes.get_ylim()
    axes.plot(x, x * np.sqrt(y0 * y1 / x.prod()), color="0.3", lw=0.8, marker="")
    low, high = np.floor(np.log10(y0)), np.ceil(np.log10(y1))
    axes.set(xlim=x, ylim=(10**low, 10**high))
    axes.minorticks_off()
