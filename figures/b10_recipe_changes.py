"""Figure b10 (new): what LeNet's distances owe to the recipe of training."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures._stability import (
    CASES,
    QUANTITIES,
    UNITS,
    Published,
    bars,
    estimate,
    interval,
    legend,
    networks,
)
from figures.common import PAGE, Tables
from theory.u_statistic import Estimate, over_networks, ratio_over_networks

LOOKS = {"data order": ("C0", "^", 0.14), "pruning": ("C1", "s", -0.14)}
"""Colour, marker and shift of each stability."""
WHOLE = 50_000
"""Steps of the published training."""
Line = tuple[str, str, int]
"""Case, change and steps."""


def draw(tables: Tables) -> Figure:
    """Return distance (as a ratio) and angle (as a difference) of each change."""
    table, theirs = tables["b10_recipe_changes"], Published.of(tables)
    unchanged = _unchanged(table)
    groups = {
        case: lines
        for case in CASES
        if (lines := [line for line in _lines(table) if line[0] == case])
    }
    sizes = [len(lines) for lines in groups.values()]
    figure, axes = plt.subplots(
        len(groups),
        2,
        figsize=(PAGE, 1.2 + 0.2 * sum(sizes)),
        sharex="col",
        sharey="row",
        height_ratios=sizes,
        squeeze=False,
    )
    for (case, lines), row in zip(groups.items(), axes, strict=True):
        places = [len(lines) - place for place in range(len(lines))]
        for ax, unit in zip(row, UNITS, strict=True):
            ax.axvline(1.0 if unit == "L2" else 0.0, color="0.3", lw=0.6, marker="")
            for quantity in LOOKS:
                if case == "lenet-mnist" and len(unchanged):
                    _published(ax, unchanged, theirs, quantity, unit)
                found = [_change(table, line, quantity, unit) for line in lines]
                _points(ax, places, found, quantity)
            ax.set_title(CASES[case])
        row[0].set_yticks(places, [_title(*line) for line in lines])
        row[0].set_ylim(0.4, len(lines) + 0.6)
        row[0].set_ylabel("change (what, steps)")
    axes[-1, 0].set_xlabel("distance over that of our recipe (1)")
    axes[-1, 1].set_xlabel("angle minus that of our recipe (degrees)")
    legend(figure, axes[0], 4)
    return figure


def _points(ax: Axes, places: list[int], found: list[Estimate], quantity: str) -> None:
    """Draw means with their intervals, one quantity a little above the other."""
    colour, marker, shift = LOOKS[quantity]
    means, reach = bars(found)
    ax.errorbar(
        means,
        [place + shift for place in places],
        xerr=reach,
        color=colour,
        marker=marker,
        ms=3.5,
        ls="",
        elinewidth=0.7,
        label=f"{quantity}, ours",
    )


def caption(tables: Tables) -> str:
    """Return the caption: what is compared, and MNIST's numbers beside the authors'."""
    table = tables["b10_recipe_changes"]
    return (
        "Stabilities of random subnetworks of LeNet-300-100 when one thing at a time "
        "differs from the recipe of Figure~\\ref{fig:stability}: distance over, and "
        "angle minus, that of the unchanged recipe with the same first weights, masks "
        "and data orders after the same number of steps (after 50,000 where the "
        "unchanged recipe was stopped earlier). Changes: the rate or epsilon of Adam, "
        "the scale of the pixels or of the first weights, biases counted as weights "
        "(the experiment's module describes each). Means over "
        f"{table['initialisation'].nunique()} initialisations, bars 95\\,\\% "
        "intervals of Student's $t$."
        + (_beside(table, Published.of(tables)) if len(_unchanged(table)) else "")
    )


def _beside(table: pd.DataFrame, theirs: Published) -> str:
    """Return the authors' bands, and each change that was trained as long as theirs."""
    unchanged = _unchanged(table)
    own = (estimate(unchanged, q, "L2", "random").mean for q in QUANTITIES)
    far = (theirs.value(q, "L2", "random")[0] for q in QUANTITIES)
    ratios = (f"{a / b:.3f}" for a, b in zip(far, own, strict=True))
    angles = (f"{theirs.value(q, 'degrees', 'random')[0]:.1f}" for q in QUANTITIES)
    long = [
        _numbers(table, line)
        for line in _lines(table)
        if line[0] == "lenet-mnist" and (line[2] >= WHOLE or line[1] == "none")
    ]
    return (
        f" Bands on MNIST: the authors' numbers after {WHOLE:,} steps, from their "
        f"smallest to their largest sample, against our mean after {WHOLE:,} steps of "
        "the unchanged recipe in the table of the points "
        f"({unchanged['orders'].iloc[0]} data orders an initialisation), not that of "
        "Figure~\\ref{fig:stability}; behind changes with fewer steps they only show "
        "how large the gap is. Data order and pruning, distance over that of our "
        f"recipe: authors {' and '.join(ratios)} (angles {' and '.join(angles)} "
        f"degrees){''.join(f'; {numbers}' for numbers in long)}."
    )


def _numbers(table: pd.DataFrame, line: Line) -> str:
    """Return a change's ratios of distances, and its angles."""
    rows = _rows(table, *line)
    ratios = (interval(_change(table, line, q, "L2"), 3) for q in QUANTITIES)
    angles = (interval(estimate(rows, q, "degrees", "random")) for q in QUANTITIES)
    pair = f"{' and '.join(ratios)} (angles {' and '.join(angles)} degrees)"
    return f"{_title(*line)} steps, {pair}"


def _unchanged(table: pd.DataFrame) -> pd.DataFrame:
    """Return the recipe of b3 on MNIST as trained here, for as long as the authors'."""
    return _rows(table, "lenet-mnist", "none", WHOLE)


def _lines(table: pd.DataFrame) -> list[Line]:
    """Return the lines with something to compare with: MNIST first, long runs first."""
    columns = table[["case", "change", "steps"]].drop_duplicates()
    found = [
        (str(case), str(change), int(steps))
        for case, change, steps in columns.itertuples(index=False)
    ]
    changed = [
        line for line in found if (base := _base(line)) in found and line != base
    ]
    changes, cases = list(table["change"].unique()), list(CASES)
    return sorted(
        changed,
        key=lambda line: (cases.index(line[0]), -line[2], changes.index(line[1])),
    )


def _base(line: Line) -> Line:
    """Return the unchanged recipe: after the same steps, or not stopped earlier."""
    case, change, steps = line
    return case, "none", WHOLE if change == "none" else steps


def _title(_: str, change: str, steps: int) -> str:
    return f"{'stopped earlier' if change == 'none' else change}, {steps:,}"


def _rows(table: pd.DataFrame, case: str, change: str, steps: int) -> pd.DataFrame:
    return table[
        (table["case"] == case)
        & (table["change"] == change)
        & (table["steps"] == steps)
    ]


def _change(table: pd.DataFrame, line: Line, quantity: str, unit: str) -> Estimate:
    """Return ratio (distances) or difference (angles), paired by initialisation."""
    new, old = (
        networks(rows, quantity, unit, "random")
        for rows in (_rows(table, *line), _rows(table, *_base(line)))
    )
    if unit == "L2":
        return ratio_over_networks(new, old)
    return over_networks(
        [
            [x - y for x, y in zip(a, b, strict=True)]
            for a, b in zip(new, old, strict=True)
        ]
    )


def _published(
    ax: Axes, unchanged: pd.DataFrame, theirs: Published, quantity: str, unit: str
) -> None:
    """Draw the authors' range, as a ratio to or a difference from our mean."""
    own = estimate(unchanged, quantity, unit, "random").mean
    mean, reach = theirs.value(quantity, unit, "random")
    ends = (mean - reach, mean + reach)
    low, high = (x / own if unit == "L2" else x - own for x in ends)
    label = f"{quantity}, authors"
    colour = LOOKS[quantity][0]
    ax.axvspan(low, high, fc=(colour, 0.2), ec=colour, lw=0.6, zorder=0.9, label=label)
