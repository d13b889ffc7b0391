"""Sentences of the caption of figure c5; every number is measured."""

import pandas as pd

from experiments.limit_cases import CASES
from experiments.limit_lanczos import RESOLUTION
from figures._limits import (
    IMAGES,
    KEYS,
    NAMES,
    READINGS,
    Interval,
    Intervals,
    limits,
    nearer,
    networks,
    shares,
)

SHORT = {"paper": "paper", "exact": "exact", "orthogonal": "survivors"}
"""Names of the forms in a sentence."""


def samples(wide: pd.DataFrame) -> str:
    """Return how many networks, strengths and seeds there are."""
    nets = wide.groupby(level=KEYS[:2]).ngroups
    cells = wide.groupby(level=KEYS[:-1]).ngroups
    return (
        f"{nets} networks, {cells} pairs of network and $\\lambda$, {len(wide)} "
        "trainings."
    )


def uncertain(found: Intervals) -> str:
    """Return what the bars are, and how wide the predictions' own intervals."""
    width = found.high - found.low
    width = width[(width > 0).any(axis=1)]
    pairs = width.reset_index()[KEYS[:2]].drop_duplicates().to_numpy(str).tolist()
    names = [_images(network, dataset) for network, dataset in pairs]
    means = ", ".join(
        f"{text} {width[form].mean():.1f}" for form, text in SHORT.items()
    )
    return (
        "Bars: the range over seeds and, where the Hessian is known by its products "
        f"only ({len(width)} of {len(found.value)} trainings), of the 95\\,\\% "
        f"intervals of the predictions, whose mean widths in points are {means} (the "
        "quadrature's part in them is estimated from half the steps). The loss of "
        f"these is that of some random training images ({', '.join(names)}), their "
        f"limits are multiples of $N / {1 / RESOLUTION:.0f}$."
    )


def _images(architecture: str, dataset: str) -> str:
    """Return a network, its data set, and the number of images of its loss."""
    number = next(
        case.images
        for case in CASES.values()
        if (case.architecture, case.dataset) == (architecture, dataset)
    )
    title = f"{NAMES[architecture]} on {IMAGES.get(dataset, dataset)}"
    return f"{title} {number or 'all'}"


def independent(wide: pd.DataFrame) -> str:
    """Return over how many networks each reading has its interval."""
    counts = {
        title: nearer(wide, "orthogonal", reading).samples
        for reading, title in READINGS.items()
    }
    return ", ".join(f"{title}: {count}" for title, count in counts.items())


def exceeded(wide: pd.DataFrame) -> str:
    """Return in how many trainings all forms exceed a reading of weights that go."""
    least = wide[list(SHORT)].min(axis=1)
    counts = {
        title[:3]: int((least > wide[reading]).sum())
        for reading, title in READINGS.items()
        if reading.startswith("one-shot")
    }
    numbers = " and ".join(f"{title} in {n}" for title, n in counts.items())
    return f"{numbers} of {len(wide)} trainings"


def minimum(table: pd.DataFrame) -> str:
    """Return how far the trained weights are from a minimum."""
    found = table.drop_duplicates(KEYS).set_index(KEYS)["descent"].dropna()
    return (
        "The trained weights are no exact minimum: a Newton step along stiff "
        f"directions would gain {found.min():.1f} to {found.max():.1f} $\\varepsilon$ "
        f"(median {found.median():.1f}), which the model leaves out."
    )


def checkpoint(table: pd.DataFrame) -> str:
    """Return how far the early prediction is from the last one, at both epsilons."""
    wide, parts = limits(table), []
    for noise in ("early", "final"):
        early = limits(table, "early", noise)
        gaps = {f: networks(early[f] - wide[f]) for f in ("paper", "orthogonal")}
        texts = (f"{SHORT[f]} {Interval.of(g).text(1, '+')}" for f, g in gaps.items())
        parts.append(", ".join(texts))
    first = table[table["stage"] == "early"].drop_duplicates([*KEYS, "noise"])
    noises = first.pivot_table(index=KEYS, columns="noise", values="epsilon")
    ratio = noises["early"] / noises["final"]
    return (
        "Predicted after a tenth of the training minus at its end, in points, with the "
        "same interval: "
        f"{parts[0]} with the $\\varepsilon$ of then, {ratio.min():.1f} to "
        f"{ratio.max():.1f} times the last one; {parts[1]} with the last one."
    )


def sensitivity(table: pd.DataFrame) -> str:
    """Return what other values of epsilon do, and other treatments of eigenvalues."""
    rows = shares(table[table["stage"] == "final"])
    rows = rows.assign(reading=rows["reading"].str.removesuffix(", last"))
    usual = (rows["matrix"] == "hessian") & (rows["treatment"] == "positive")
    names = ["paper", "orthogonal", "re-optimised", "one-shot loss"]
    plain, here = usual | rows["matrix"].isna(), rows["factor"] == 1
    parts = [
        _changes(
            f"$\\varepsilon\\times{factor:g}$",
            rows[plain & (rows["factor"] == factor)],
            rows[plain & here],
            names,
        )
        for factor in (0.25, 4.0)
    ]
    for title, other in (
        ("$|\\mu|$ in place of $\\max(\\mu, 0)$", rows["treatment"] == "absolute"),
        ("Gauss-Newton", rows["matrix"] == "gauss-newton"),
    ):
        if other.any():
            pair = rows[here & other], rows[here & usual]
            parts.append(_changes(title, *pair, names[:3]))
    return f"Changes in points: {'; '.join(parts)}."


def _changes(
    title: str, other: pd.DataFrame, usual: pd.DataFrame, names: list[str]
) -> str:
    """Return the mean differences over the trainings that have all names in both."""
    left, right = (
        rows.pivot_table(index=KEYS, columns="reading", values="share")[names]
        for rows in (other, usual)
    )
    gaps = (left - right).dropna()
    moved = ", ".join(f"{SHORT.get(n, n)} {gaps[n].mean():+.1f}" for n in names)
    return f"{title} {moved} ({len(gaps)} trainings)"
