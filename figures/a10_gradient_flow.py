"""Figure a10 (new): what gradient flow conserves, and what moves it in training."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.common import PAGE, Tables
from theory.latex import scientific

KINDS = {
    (False, 0.0): ("layers, plain descent", "C0", "o"),
    (False, 0.9): ("layers, momentum 0.9", "C1", "s"),
    (True, 0.0): ("units, plain descent", "C2", "^"),
    (True, 0.9): ("units, momentum 0.9", "C3", "D"),
}
SOLVED = {
    ("linear", False): ("layers, linear network", "C4", "v"),
    ("relu", False): ("layers, ReLU", "C0", "P"),
    ("relu", True): ("units, ReLU", "C2", "X"),
}
PATHS = {
    (0.0, 0.0): ("plain", "C0", "-"),
    (0.9, 0.0): ("momentum", "C1", "-"),
    (0.0, 0.1): ("decay", "C2", "--"),
    (0.9, 0.1): ("decay, momentum", "C3", "--"),
}
SHOWN = 0.012
"""The step size of the lower row."""


def draw(tables: Tables) -> Figure:
    """Return drift over step size and tolerance above, over time below."""
    table = tables["a10_gradient_flow"]
    figure, ((steps, solver), (ratio, drift)) = plt.subplots(2, 2, figsize=(PAGE, 4.0))
    _ends_of(table, steps, solver)
    shown = table[(table["value"] == SHOWN) & ~table["bias"]]
    for (momentum, decay), style in PATHS.items():
        rows = shown[(shown["momentum"] == momentum) & (shown["decay"] == decay)]
        _band(ratio, rows, "ratio", *style)
        _band(drift, rows, "drift", *style)
    decayed = shown[shown["decay"] > 0].groupby("time")["expected"].first()
    ratio.plot(decayed, color="0.2", lw=0, marker="|", ms=4, label=r"$e^{-2\lambda t}$")
    ratio.set(
        xlabel=r"time (step size $\times$ steps)", ylabel=r"$|Q(t)| / |Q(0)|$ (1)"
    )
    ratio.set_ylim(0.5, 1.05)
    drift.set(
        xlabel=r"time (step size $\times$ steps)", ylabel="drift (share of the norms)"
    )
    drift.set_yscale("log")
    drift.set_ylim(bottom=3e-7)
    drift.minorticks_off()
    for axes, place in (
        (steps, "lower right"),
        (solver, "upper left"),
        (ratio, "lower left"),
        (drift, "lower right"),
    ):
        axes.legend(loc=place, ncols=2 if axes in (steps, drift) else 1)
    titles = ("descent", "the flow, solved", "descent, what is left", "descent, drift")
    for axes, title in zip((steps, solver, ratio, drift), titles, strict=True):
        axes.set_title(title)
    return figure


def caption(tables: Tables) -> str:
    """Return the caption: fitted exponents with intervals, solver, momentum, decay."""
    table = tables["a10_gradient_flow"]
    descent = table[table["method"] == "descent"]
    plain = descent.query("decay == 0 and momentum == 0")
    momentum = descent.query("decay == 0 and momentum == 0.9")
    decay = _ends(table, "descent").query("decay > 0 and momentum == 0")
    error = (decay["ratio"] / decay["expected"] - 1).abs().max()
    flow = _ends(table, "flow")
    linear = flow[flow["activation"] == "linear"]
    best = linear[linear["value"] == linear["value"].min()]
    relu = flow[flow["activation"] == "relu"]
    finest = relu[relu["value"] == relu["value"].min()]
    over = flow["drift"] / flow["value"]
    return (
        r"What gradient flow conserves (theorem \ref{gradient-flow-conservation}): a "
        "64-32-16-10 network on 200 digits, without biases (differences of squared "
        "norms of neighbouring layers) and with biases (balances of hidden units). "
        r"Drift is $|Q(t) - e^{-2\lambda t} Q(0)|$ over the norms at the start. Points "
        f"and lines are means over {descent['seed'].nunique()} initialisations, bars "
        "and bands their smallest and largest value. Above left: descent over the time "
        f"{plain['horizon'].iloc[0]:g} at several rates; {_exponents(plain)} for plain "
        f"descent, {_exponents(momentum)} with momentum, whose drift is "
        f"{_factors(table)} times that of plain descent at the same "
        r"$\eta / (1 - \mu)$, smallest step ($(1 + \mu) / (1 - \mu) = 19$ for slow "
        "gradients). Above right: the flow itself by an ODE solver; a linear network "
        f"drifts by {scientific(best['drift'].max())} at a tolerance of "
        f"{scientific(best['value'].iloc[0])} ({best['evaluations'].max():.0f} "
        "gradients); with ReLU (one initialisation) the flow has kinks, and "
        f"{scientific(finest['value'].iloc[0])} takes up to "
        f"{finest['evaluations'].max():.0f}. A tolerance bounds a step's error, not "
        f"the drift, which is at most {over.max():.1f} times it. Below, layers at a "
        f"step size of {SHOWN:g}: weight decay "
        f"$\\lambda = {decay['decay'].iloc[0]:g}$ follows "
        r"$e^{-2\lambda t}$ to "
        f"{scientific(error)} of it without momentum, over all step sizes; momentum "
        r"applies decay late, by $\mu / (1 - \mu)$ steps."
    )


def _ends_of(table: pd.DataFrame, steps: Axes, solver: Axes) -> None:
    """Draw the drift at the horizon against step size and tolerance."""
    for (bias, momentum), style in KINDS.items():
        rows = _ends(table, "descent").query("decay == 0")
        rows = rows[(rows["bias"] == bias) & (rows["momentum"] == momentum)]
        _points(steps, rows, *style)
    rates = np.array([1.3e-3, 2.8e-2])
    steps.plot(rates, 2e-2 * rates, color="0.3", lw=0.8, marker="", label="slope 1")
    steps.set(xlabel=r"step size $\eta / (1 - \mu)$ (time)")
    used = sorted(set(_ends(table, "descent")["value"]))
    for (activation, bias), style in SOLVED.items():
        rows = _ends(table, "flow")
        rows = rows[(rows["activation"] == activation) & (rows["bias"] == bias)]
        _points(solver, rows, *style)
    ends = np.array([5e-12, 2e-3])
    solver.plot(ends, ends, color="0.3", lw=0.8, marker="", label="drift = tolerance")
    solver.set(xlabel="solver's tolerance (relative and absolute)")
    for axes in (steps, solver):
        axes.set(xscale="log", yscale="log", ylabel="drift (share of the norms)")
    steps.set_xticks(used, [f"{value:g}" for value in used])
    steps.set_ylim(bottom=4e-7)
    solver.set_xticks([1e-11, 1e-9, 1e-7, 1e-5, 1e-3])
    for axes in (steps, solver):
        axes.minorticks_off()


def _exponents(rows: pd.DataFrame) -> str:
    fits = rows.groupby(["bias", "seed"])[
        ["exponent", "exponent_low", "exponent_high"]
    ].first()
    return (
        f"fitted exponents ${fits['exponent'].min():.3f}$ to "
        f"${fits['exponent'].max():.3f}$ (95\\,\\% intervals of the regressions within "
        f"[${fits['exponent_low'].min():.3f}$, ${fits['exponent_high'].max():.3f}$])"
    )


def _factors(table: pd.DataFrame) -> str:
    ends = _ends(table, "descent").query("decay == 0")
    ends = ends[ends["value"] == ends["value"].min()]
    drift = ends.pivot(index=["bias", "seed"], columns="momentum", values="drift")
    factor = drift[0.9] / drift[0.0]
    return f"{factor.min():.1f} to {factor.max():.1f}"


def _ends(table: pd.DataFrame, method: str) -> pd.DataFrame:
    """Return the last time of every run."""
    rows = table[table["method"] == method]
    key = ["activation", "bias", "momentum", "decay", "seed", "value"]
    return rows.loc[rows.groupby(key)["time"].idxmax()]


def _points(
    axes: Axes, rows: pd.DataFrame, label: str, colour: str, marker: str
) -> None:
    drift = rows.groupby("value")["drift"]
    middle = drift.mean()
    axes.errorbar(
        middle.index,
        middle,
        yerr=[middle - drift.min(), drift.max() - middle],
        color=colour,
        marker=marker,
        lw=0.7,
        elinewidth=0.7,
        label=label,
    )


def _band(
    axes: Axes, rows: pd.DataFrame, column: str, label: str, colour: str, dashes: str
) -> None:
    values = rows.groupby("time")[column]
    middle = values.mean()
    axes.plot(middle, color=colour, ls=dashes, marker="", label=label)
    axes.fill_between(
        middle.index, values.min(), values.max(), color=colour, alpha=0.25, lw=0
    )
