"""Sentences of the caption of figure c7; every number is measured."""

import math

import numpy as np
import pandas as pd

from theory.latex import scientific

STATES = {
    "initial": "at initialisation",
    "trained": "trained",
    "overtrained": "over-trained",
    "sharp": "sharp",
    "dead": "dead units",
}
"""Titles of the networks, in the order of the columns."""
RUNS = {"4 probes": 4, "10 probes": 10, "4 probes, all": 4, "4 probes, deflated": 5}
"""Lanczos runs of equal length that ours consist of."""
LONG = 100
"""Steps from which a run counts as long."""
LINE = 0.01
"""Error of the limit that is drawn as a line."""
NORMAL = 1.96 * math.sqrt(math.pi / 2)
"""Half a 95 % interval over the mean absolute error, of a normal error."""


def runs(table: pd.DataFrame) -> str:
    """Return how many runs a point is of."""
    counts = table.groupby(["state", "method", "products", "quantity"]).size()
    return f"{counts.min()}, and {counts.max()} of ours with 4 probes at 1,000"


def stops(table: pd.DataFrame) -> str:
    """Return the products after which pyhessian's trace stops."""
    spent = table[table["method"] == "pyhessian"]["spent"]
    return f"{spent.min()} to {spent.max()}"


def traces(table: pd.DataFrame) -> str:
    """Return the errors of the trace, and how often curvlinops' is the least."""
    titles = {
        "hutchinson": "Hutchinson",
        "hutch++": "Hutch++",
        "deflated": "deflated",
        "xtrace": "XTrace",
    }
    found = pd.DataFrame({m: _medians(_at(table, "trace", m)) for m in titles})
    least, most = found.min().map(scientific), found.max().map(scientific)
    parts = ", ".join(f"{titles[m]} {least[m]} to {most[m]}" for m in titles)
    first = (found.idxmin(axis=1) == "xtrace").sum()
    return f"Trace: {parts}, the least of these in {first} of {len(found)} networks."


def densities(table: pd.DataFrame) -> str:
    """Return the errors of the density: where ours are nearer than paper C's."""
    theirs = _medians(_at(table, "density", "smeared"))
    titles = {
        "4 probes": "4 probes",
        "10 probes": "10 probes",
        "4 probes, deflated": "4 probes and deflation",
    }
    found = {name: _medians(_at(table, "density", name)) for name in titles}
    parts = "; ".join(
        f"{title} {_numbers(found[name])} ({(found[name] < theirs).sum()})"
        for name, title in titles.items()
    )
    gain = _medians(_at(table, "density", "4 probes", 100)) / found["4 probes"]
    return (
        f"Density: paper C's procedure {_numbers(theirs)}; ours, and in how many of "
        f"{len(theirs)} networks it is nearer: {parts}. With 4 probes ten times the "
        f"products divide it by {gain.min():.1f} to {gain.max():.1f} only: runs from "
        "four random starts become longer, paper C's more."
    )


def limits(table: pd.DataFrame) -> str:
    """Return the errors of the limit: ours, paper C's procedure, curvlinops."""
    ours, short, deflated = (
        _at(table, "limit", name)
        for name in ("4 probes", "10 probes", "4 probes, deflated")
    )
    above = (ours["error"] > LINE).groupby(ours["state"]).mean()
    once, plain, peer = (
        _ends(_at(table, "limit", name))
        for name in ("smeared", "unsmeared", "curvlinops")
    )
    return (
        f"Limit: ours with 4 probes {_percents(_medians(ours))} (line: one per cent), "
        f"above one per cent in {_percents(above, 0)} of the runs, at most "
        f"{_percent(ours['error'].max())}; with 10 probes of 100 steps "
        f"{_percents(_medians(short))}; with 4 probes and deflation "
        f"{_percents(_medians(deflated))}; paper C's procedure {once}, the same runs "
        f"without the smearing {plain}, curvlinops {peer}."
    )


def intervals(table: pd.DataFrame) -> str:
    """Return how often our interval of the limit holds, and how wide it is."""
    rows = _at(table, "limit", "4 probes")
    rows = rows[rows["seed"] > 0]
    width = ((rows["high"] - rows["low"]) / rows["truth"]).groupby(rows["state"]).mean()
    ratio = width / 2 / rows.groupby("state")["error"].mean()
    off = rows["truth"] - rows["value"]
    way = np.fmax(
        off / (rows["high"] - rows["value"]), -off / (rows["value"] - rows["low"])
    )
    return (
        "With 4 probes our 95\\,\\% interval is conservative: it holds the truth in "
        f"{_held(rows).sum()} of {len(rows)} new runs, where its mean width is "
        f"{_percents(width)} of the limit, half of which is "
        f"{', '.join(f'{ratio[state]:.0f}' for state in STATES)} times the mean error "
        f"(of normal errors {NORMAL:.1f} times would do). The truth is at most "
        f"{_percent(way.max(), 0)} of the way from the estimate to an end."
    )


def choices(table: pd.DataFrame) -> str:
    """Return a sentence on the intervals of all choices, by the steps of a run."""
    ours = table[
        (table["quantity"] == "limit") & (table["stated"] == 1) & (table["seed"] == 0)
    ]
    held = _held(ours)
    long = ours["products"] // ours["method"].map(RUNS) >= LONG
    parts = [
        f"{int(held[chosen].sum())} of {int(chosen.sum())} runs of {name} steps"
        for chosen, name in ((long, f"at least {LONG}"), (~long, "fewer"))
    ]
    return (
        f"Of all our choices of probes and products it holds it in {parts[0]} and in "
        f"{parts[1]}: of few steps the first half says too little of the error near "
        r"$\mu = 0$, and steps come before probes."
    )


def _at(
    table: pd.DataFrame, quantity: str, method: str, products: int = 1000
) -> pd.DataFrame:
    chosen = (table["quantity"] == quantity) & (table["method"] == method)
    return table[chosen & (table["products"] == products)]


def _medians(rows: pd.DataFrame) -> pd.Series:
    return rows.groupby("state")["error"].median()


def _ends(rows: pd.DataFrame) -> str:
    """Return the least and the largest median of a network."""
    found = _medians(rows)
    return f"{_percent(found.min())} to {_percent(found.max())}"


def _held(rows: pd.DataFrame) -> pd.Series:
    return (rows["low"] <= rows["truth"]) & (rows["truth"] <= rows["high"])


def _percent(error: float, digits: int = 1) -> str:
    return f"{100 * error:.{digits}f}\\,\\%"


def _percents(values: pd.Series, digits: int = 1) -> str:
    return ", ".join(_percent(float(values[state]), digits) for state in STATES)


def _numbers(values: pd.Series) -> str:
    return ", ".join(f"{values[state]:.2g}" for state in STATES)
