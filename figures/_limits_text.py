"""Sentences of the caption of figure c5; every number is measured."""

import pandas as pd

from figures._limits import KEYS, MEASURED, PREDICTED, Interval, nearer, shares

SHORT = {"paper": "paper", "exact": "exact", "orthogonal": "survivors"}


def samples(wide: pd.DataFrame) -> str:
    """Return how many networks, strengths and seeds there are."""
    nets = wide.groupby(level=KEYS[:2]).ngroups
    cells = wide.groupby(level=KEYS[:-1]).ngroups
    return (
        f"{nets} networks, {cells} pairs of network and $\\lambda$, {len(wide)} "
        "trainings."
    )


def distances(wide: pd.DataFrame, readings: dict[str, str]) -> str:
    """Return the mean distance of each form from each reading, and which is nearer."""
    parts = []
    for reading, title in readings.items():
        own = wide.dropna(subset=[reading])
        means = " / ".join(
            f"{(own[form] - own[reading]).abs().mean():.1f}" for form in PREDICTED
        )
        gain = nearer(own, "orthogonal", reading)
        parts.append(f"{title} {means}, gain {gain.text(1, '+')}")
    return (
        "Mean distance of the three forms (paper's, exact for random subspaces, exact "
        "for survivors) from each reading in points, and the gain of the last over the "
        "paper's with the 95\\,\\% interval of Student's $t$ over pairs of network and "
        f"$\\lambda$: {'; '.join(parts)}."
    )


def strengths(wide: pd.DataFrame) -> str:
    """Return how far readings are from the survivors' limit without and with l1."""
    values = wide.index.get_level_values("strength")
    parts = []
    for title, rows in (("without", wide[values == 0]), ("with", wide[values > 0])):
        found = (
            f"{name} {Interval.of(_cells(rows['paper'] - rows[name])).text(1, '+')}"
            for name in MEASURED
        )
        parts.append(f"{title} $\\ell_1$ {', '.join(found)}")
    return f"The paper's form minus the reading, in points: {'; '.join(parts)}."


def checkpoint(wide: pd.DataFrame, early: pd.DataFrame) -> str:
    """Return how far the early prediction is from the last one."""
    parts = []
    for form in ("paper", "orthogonal"):
        gap = _cells(early[form] - wide[form])
        parts.append(f"{SHORT[form]} {Interval.of(gap).text(1, '+')}")
    rank = early["orthogonal"].corr(wide["orthogonal"], method="spearman")
    return (
        "Predicted after a tenth of the training minus at its end, in points: "
        f"{', '.join(parts)} (rank correlation over trainings {rank:.2f})."
    )


def epsilons(table: pd.DataFrame) -> str:
    """Return what other values of epsilon do, and other treatments of eigenvalues."""
    rows = shares(table[table["stage"] == "final"])
    rows = rows.assign(reading=rows["reading"].str.removesuffix(", last"))
    usual = (rows["matrix"] == "hessian") & (rows["treatment"] == "positive")
    names = ("paper", "orthogonal", "re-optimised", "one-shot loss")
    parts = []
    for factor in (0.25, 4.0):
        moved = (
            f"{name} {_change(rows[usual | rows['matrix'].isna()], name, factor):+.1f}"
            for name in names
        )
        parts.append(f"$\\epsilon\\times{factor:g}$ {', '.join(moved)}")
    here = rows["factor"] == 1
    for title, other in (
        ("$|\\mu|$ in place of $\\max(\\mu, 0)$", rows["treatment"] == "absolute"),
        ("Gauss-Newton", rows["matrix"] == "gauss-newton"),
    ):
        if other.any():
            moved = (
                f"{name} {_gap(rows[here & other], rows[here & usual], name):+.1f}"
                for name in names[:3]
            )
            parts.append(f"{title} {', '.join(moved)}")
    return f"Changes in points: {'; '.join(parts)}."


def _cells(values: pd.Series) -> pd.Series:
    """Return the means over seeds."""
    return values.groupby(level=KEYS[:-1]).mean()


def _change(rows: pd.DataFrame, name: str, factor: float) -> float:
    own = rows[rows["reading"] == name]
    return _gap(own[own["factor"] == factor], own[own["factor"] == 1], name)


def _gap(other: pd.DataFrame, usual: pd.DataFrame, name: str) -> float:
    """Return the mean difference over the networks that have both."""
    left, right = (
        rows[rows["reading"] == name].set_index(KEYS)["share"]
        for rows in (other, usual)
    )
    return float((left - right).dropna().mean())
