"""Figure a12 (new): cells of paper A's figure 7 from the authors' own first weights."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.common import PAGE, Tables

KEY = ["schedule", "iterations", "compression_log10"]
LOOKS = {
    (False, "linear"): ("linear, float32", "C0", "o"),
    (False, "exponential"): ("exponential, float32", "C1", "s"),
    (True, "linear"): ("linear, float64", "C2", "^"),
    (True, "exponential"): ("exponential, float64", "C3", "D"),
}
"""Label, colour and marker, by precision and schedule."""
LAST = 100
"""Iterations of the cell that all initialisations have."""


def draw(tables: Tables) -> Figure:
    """Return the linear schedule's ratios over the authors', and all cells' errors."""
    own, apart = beside(tables, "a12_authors_weights"), others(tables)
    figure, (linear, every) = plt.subplots(1, 2, figsize=(PAGE, 2.6))
    linear.axhline(0, color="0.3", lw=0.6, marker="")
    linear.plot(
        apart["iterations"],
        100 * apart["error"],
        color="0.5",
        marker="x",
        ms=3.5,
        ls="",
        label="other initialisations",
    )
    _points(linear, own[own["compression_log10"] == 3], signed=True)
    _points(every, own, signed=False)
    linear.set(ylabel="ours over the authors', less 1 (%)")
    every.set(yscale="log", ylabel="|ours over the authors', less 1| (%)")
    linear.set_title("linear schedule to $10^3$")
    every.set_title("all cells from the authors' weights")
    for ax in (linear, every):
        ax.set(xlabel="iterations of the schedule (iterations)", xlim=(-4, 104))
    handles, labels = every.get_legend_handles_labels()
    cross, name = (found[0] for found in linear.get_legend_handles_labels())
    figure.legend(
        [*handles, cross], [*labels, name], loc="outside upper center", ncols=5
    )
    return figure


def caption(tables: Tables) -> str:
    """Return the caption: with one iteration, with more, and other initialisations."""
    own = beside(tables, "a12_authors_weights")
    once = own.loc[own["iterations"] == 1, "error"].abs()
    text = (
        "The largest prune size / cut size of SynFlow (VGG-19 at ImageNet size, "
        f"Figure~\\ref{{fig:schedule}}) in {len(own.drop_duplicates(KEY))} of the "
        "authors' cells, from their own first weights, which the seed of their script "
        "still gives. Theirs are float32 on a GPU, ours float32 on a CPU or float64. "
    )
    if len(once):
        text += (
            f"With one iteration ours and theirs differ by {_power(once.max())} of the "
            f"ratio at most ({len(once)} compressions). "
        )
    for row in own[own["schedule"] == "exponential"].itertuples():
        exponent = float(str(row.compression_log10))
        text += (
            f"Exponential to $10^{{{exponent:g}}}$ in {row.iterations}, "
            f"float{64 if row.double else 32}: ours {row.ratio:.4f}, theirs "
            f"{row.published:.4f}{_nearest(tables, exponent)}. "
        )
    return text + _linear(own[own["schedule"] == "linear"], others(tables))


def _nearest(tables: Tables, exponent: float) -> str:
    """Return how near other initialisations come to an exponential cell."""
    rows = others(tables, "exponential", exponent)
    rows = rows[rows["iterations"] == LAST]
    if rows.empty:
        return ""
    near = float(rows["ratio"].to_numpy()[rows["error"].abs().argmin()])
    return f" (the nearest of other initialisations, {len(rows)}: {near:.4f})"


def _linear(own: pd.DataFrame, apart: pd.DataFrame) -> str:
    """Return how the linear runs to 10^3 differ, and those of other initialisations."""
    own = own[(own["compression_log10"] == 3) & (own["iterations"] > 1)]
    single = own[~own["double"]].sort_values("iterations").set_index("iterations")
    if single.empty:
        return ""
    rest = apart.groupby("iterations")["error"]
    parts = []
    for count, error in single["error"].abs().items():
        part = f"{count}: {_power(error)}"
        if count in rest.groups:
            part += f" (others {_power(rest.get_group(count).abs().min())})"
        parts.append(part)
    text = (
        "Linear to $10^3$, by how much of the ratio they differ, by iterations (in "
        "parentheses the least of other initialisations, crosses): "
        f"{'; '.join(parts)}. "
    )
    ratios = apart.loc[apart["iterations"] == LAST, "ratio"]
    if LAST not in single.index or len(ratios) < 2:
        return text
    ratio, theirs = single["ratio"][LAST], single["published"][LAST]
    double = own.loc[own["double"] & (own["iterations"] == LAST), "ratio"]
    twice = f" and {double.item():.4f} in float64" if len(double) else ""
    share = 100 * abs(ratio - theirs) / abs(ratios.mean() - theirs)
    return (
        f"{text}In {LAST} theirs is {theirs:.4f}, ours from the same weights "
        f"{ratio:.4f} in float32{twice}; from {len(ratios)} other initialisations "
        f"{ratios.mean():.4f} on average (standard deviation {ratios.std():.4f}, from "
        f"{ratios.min():.4f} to {ratios.max():.4f}). Of the distance between their "
        f"value and that average {share:.0f}\\,\\% is left if we start from their "
        "weights."
    )


def beside(tables: Tables, name: str) -> pd.DataFrame:
    """Return our rows with the authors' value of the cell, and the relative error."""
    theirs = tables["published/fig7_prune_size_ratio"].rename(
        columns={
            "pruning_iterations": "iterations",
            "max_prune_size_over_cut_size": "published",
        }
    )
    found = tables[name].merge(theirs[[*KEY, "published"]], on=KEY, how="left")
    return found.assign(error=found["ratio"] / found["published"] - 1)


def others(
    tables: Tables, schedule: str = "linear", exponent: float = 3.0
) -> pd.DataFrame:
    """Return a schedule's cells of other initialisations to 10^exponent."""
    rows = beside(tables, "a7_schedule")
    return rows[
        (rows["architecture"] == "vgg19-imagenet")
        & (rows["schedule"] == schedule)
        & (rows["compression_log10"] == exponent)
    ]


def _points(ax: Axes, own: pd.DataFrame, *, signed: bool) -> None:
    """Draw relative errors over iterations, of each precision and schedule."""
    for (double, schedule), (label, colour, marker) in LOOKS.items():
        rows = own[(own["double"] == double) & (own["schedule"] == schedule)]
        if rows.empty or (signed and schedule != "linear"):
            continue
        error = rows["error"] if signed else rows["error"].abs()
        ax.plot(
            rows["iterations"],
            100 * error,
            color=colour,
            marker=marker,
            ms=3.5,
            ls="",
            label=label,
        )


def _power(number: float) -> str:
    """Return a number of one digit as a multiple of a power of ten, in LaTeX."""
    digit, exponent = f"{number:.0e}".split("e")
    return f"${digit} \\cdot 10^{{{int(exponent)}}}$"
