"""Sentences of the caption of figure b3; every number is measured."""

from collections.abc import Iterator, Mapping

import pandas as pd

from figures._stability import (
    AUTHORS,
    CASES,
    KINDS,
    QUANTITIES,
    UNITS,
    Published,
    estimate,
    interval,
    networks,
    ratio,
)
from figures.common import Tables
from theory.latex import scientific


def samples(table: pd.DataFrame) -> str:
    """Return how many initialisations, data orders and pairs, and the share kept."""
    parts = []
    for title, rows in _single(table):
        one = rows[rows["subnetwork"] == "random"].iloc[0]
        order, prune = (estimate(rows, q, "L2", "imp") for q in QUANTITIES)
        parts.append(
            f"{title} with {100 * one['density']:.1f}\\,\\% of the weights: "
            f"{order.samples} initialisations, {one['orders']} data orders each, so "
            f"{order.pairs} pairs; {prune.pairs} runs for pruning."
        )
    return " ".join(parts)


def noise_floors(table: pd.DataFrame, precisions: Mapping[bool, str]) -> str:
    """Return LeNet's largest noise floors in each precision, and what is near them.

    A mean below twice the floor says little of the data order: the two make the
    distance or angle together (ours).
    """
    parts, near = [], []
    lenet = table[table["case"].isin(CASES)]
    for (case, double), rows in lenet.groupby(["case", "double"]):
        title = f"{CASES[str(case)]} in {precisions[bool(double)]}"
        floors = {
            (quantity, unit, kind): max(
                value
                for found in networks(rows, f"{quantity} floor", unit, kind)
                for value in found
            )
            for quantity in QUANTITIES
            for unit in UNITS
            for kind in KINDS
        }
        texts = (
            scientific(max(floors[quantity, "L2", kind] for kind in KINDS))
            for quantity in QUANTITIES
        )
        parts.append(f"{title} {' / '.join(texts)}")
        for (quantity, unit, kind), floor in floors.items():
            mean = estimate(rows, quantity, unit, kind).mean
            if mean < 2 * floor:
                name = {"L2": "distance", "degrees": "angle"}[unit]
                near.append(
                    f"{quantity}, {KINDS[kind][0]} of {title} ({name} {mean:.1f} and "
                    f"{floor:.1f})"
                )
    close = (
        f" Less than twice the floor, so partly rounding, are {'; '.join(near)}: "
        "without it they would be smaller, and ratios to them larger."
        if near
        else ""
    )
    stabilities = " / ".join(QUANTITIES)
    return f"As a distance ({stabilities}) it is at most: {'; '.join(parts)}.{close}"


def comparison(table: pd.DataFrame, theirs: Published) -> str:
    """Return each of the published numbers beside ours."""
    rows = table[table["case"] == "lenet-mnist"]
    if rows.empty:
        return "Our rows of MNIST are not in the table yet."
    units = []
    for unit, name in (("L2", "distance"), ("degrees", "angle in degrees")):
        parts = []
        for quantity in QUANTITIES:
            for kind, (title, *_) in KINDS.items():
                own = estimate(rows, quantity, unit, kind)
                mean, reach = theirs.value(quantity, unit, kind)
                more = 100 * (own.mean / mean - 1)
                parts.append(
                    f"{quantity}, {title} {interval(own)} against ${mean:.1f} "
                    f"\\pm {reach:.1f}$ (${more:+.0f}$\\,\\%)"
                )
        units.append(f"{name}: {'; '.join(parts)}")
    return (
        f"MNIST, ours against theirs, {'; '.join(units)}. Here the output layer "
        "is pruned at half the rate of the others, in Figure~\\ref{fig:output} not at "
        "all."
    )


def ratios(table: pd.DataFrame, theirs: Published) -> str:
    """Return random over IMP with its interval, ours and theirs."""
    parts = []
    for title, rows in _single(table):
        for quantity in QUANTITIES:
            found = (interval(ratio(rows, quantity, unit), 2) for unit in UNITS)
            parts.append(f"{title}, {quantity}, {' and '.join(found)}")
    for quantity in QUANTITIES:
        printed = (f"{theirs.ratio(quantity, unit):.2f}" for unit in UNITS)
        parts.append(f"authors, {quantity}, {' and '.join(printed)}")
    return f"Random over IMP, distance and angle: {'; '.join(parts)}."


def published_ratios(tables: Tables) -> str:
    """Return which of the authors' ratios are not above 1, and what lacks ours."""
    theirs = {name: Published.of(tables, name) for name in AUTHORS.values()}
    parts = []
    for unit, title in (("L2", "distances"), ("degrees", "angles")):
        found = {
            f"{name}, {quantity}, {value:.3f}": value
            for name, row in theirs.items()
            for quantity in QUANTITIES
            for value in [row.ratio(quantity, unit)]
        }
        low = [text for text, value in found.items() if value <= 1]
        parts.append(f"{len(low)} of {len(found)} for {title} ({'; '.join(low)})")
    done = {*CASES, *tables["b3_stability_table"]["case"]}
    missing = [name for case, name in AUTHORS.items() if case not in done]
    return f"Of the authors' ratios of means {' and '.join(parts)} are not above 1." + (
        f" Ours of the {len(missing)} networks on CIFAR-10 (complete profiles, for "
        "a GPU) are not computed."
        if missing
        else ""
    )


def accuracies(table: pd.DataFrame, theirs: Published) -> str:
    """Return the mean accuracy of each kind of network."""
    parts = []
    for title, rows in _single(table):
        means = (
            f"{100 * estimate(rows, 'accuracy', 'share', kind).mean:.1f}"
            for kind in ("dense", *KINDS)
        )
        parts.append(f"{title} {' / '.join(means)}")
    printed = (f"{theirs.accuracy(kind)[0]:.1f}" for kind in KINDS)
    return (
        "Test accuracy in \\% of the whole network, IMP's and random subnetworks: "
        f"{'; '.join(parts)}; authors, IMP and random, {' / '.join(printed)}."
    )


def _single(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield title and rows of each case, of training in float32."""
    single = table[~table["double"]]
    for case, title in CASES.items():
        rows = single[single["case"] == case]
        if len(rows):
            yield title, rows
