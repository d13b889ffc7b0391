"""Reading tables, and drawing a figure to bytes that depend on the tables alone.

A figure is a module `figures/<name>.py` with `draw(tables) -> Figure` and
`caption(tables) -> str`. It draws the table of the experiment of the same name;
`tables` holds every committed table under its file's stem, and the authors' own
numbers under "published/" and the stem. Here is also what several figures share: the
rows of accuracy tables, and curves with a band.
"""

import importlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import store

Tables = dict[str, pd.DataFrame]

FIGURES = Path(__file__).parent
STYLE = FIGURES / "paper.mplstyle"
OUTPUT = FIGURES / "output"
PUBLISHED = FIGURES / "published"
RESULTS = store.root() / "results"
GENERATED = FIGURES.parent / "paper" / "generated"

COLUMN = 3.25
"""Width of one text column, in inches."""
PAGE = 6.75
"""Width of both columns, in inches."""

OURS = {
    "initial_accuracy": "initial",
    "final_accuracy": "final",
    "best_test_accuracy": "best",
}
"""Short names of the accuracies before and after training and at its best epoch."""
THEIRS = {
    "top1_before_training_percent": "initial",
    "top1_final_percent": "final",
    "top1_max_over_epochs_percent": "best",
}
"""The same in the authors' tables."""

METHODS = {
    "random": ("random", "C7", "v"),
    "magnitude": ("magnitude", "C1", "s"),
    "snip": ("SNIP", "C2", "^"),
    "grasp": ("GraSP", "C3", "D"),
    "grasp-reversed": ("GraSP reversed", "C4", "P"),
    "synflow": ("SynFlow", "C0", "o"),
}
"""Title, colour and marker of what paper A compares."""

# Dates and version numbers that the files would carry otherwise.
METADATA: dict[str, dict[str, None]] = {
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}


@dataclass(frozen=True)
class Drawing:
    """A figure's two functions, and the name that it shares with its table."""

    name: str
    draw: Callable[[Tables], Figure]
    caption: Callable[[Tables], str]


def discover(folder: Path = FIGURES, package: str = "figures") -> list[Drawing]:
    """Return the drawings in the folder: its modules that have `draw` and `caption`."""
    names = [p.stem for p in sorted(folder.glob("*.py")) if p.stem[0] != "_"]
    modules = {name: importlib.import_module(f"{package}.{name}") for name in names}
    return [
        Drawing(name, module.draw, module.caption)
        for name, module in modules.items()
        if hasattr(module, "draw") and hasattr(module, "caption")
    ]


def read_tables(results: Path = RESULTS, published: Path = PUBLISHED) -> Tables:
    """Return all committed tables, every float exactly as it was written."""
    ours = {p.stem: pd.read_csv(p) for p in sorted(results.glob("*.csv"))}
    theirs = {p.stem: pd.read_csv(p) for p in sorted(published.glob("*.csv"))}
    return ours | {f"published/{name}": table for name, table in theirs.items()}


def digits_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return our runs on digits: accuracies as `initial`, `final` and `best`, in %."""
    rows = table[table["dataset"] == "digits"]
    return rows.assign(**{short: 100 * rows[name] for name, short in OURS.items()})


def published_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the authors' runs: accuracies as `initial`, `final` and `best`, in %."""
    return table.rename(columns=THEIRS)


def benchmark_rows(tables: Tables, figure: str) -> pd.DataFrame:
    """Return the authors' runs of "fig1" or "fig6" of paper A, as `published_rows`.

    Their GraSP is called reversed: it very probably keeps the lowest scores, see
    figures/published/README.md.
    """
    rows = published_rows(tables["published/fig1_fig6_accuracy"])
    rows = rows.assign(method=rows["method"].replace("grasp", "grasp-reversed"))
    return rows[rows["figure"] == figure]


def plot_range(
    ax: Axes,
    rows: pd.DataFrame,
    column: str,
    colour: str,
    marker: str,
    *,
    hollow: bool,
    label: str = "",
    size: float = 3,
) -> None:
    """Draw the mean over runs at each compression, and their range as a band.

    Args:
        ax: of which x is the compression, not its logarithm.
        rows: one for each run and compression, the latter as `compression_log10`.
        column: what is drawn over it.
        colour: of line, markers and band.
        marker: matplotlib's letter.
        hollow: leave the markers open, as for the authors' numbers.
        label: in the legend; none if it is empty.
        size: of the markers, in points.
    """
    values = rows.groupby("compression_log10")[column]
    x = 10 ** values.mean().index.to_numpy()
    ax.plot(
        x,
        values.mean().to_numpy(),
        color=colour,
        marker=marker,
        ms=size,
        mfc="white" if hollow else colour,
        label=label,
    )
    ax.fill_between(x, values.min(), values.max(), color=colour, alpha=0.2, lw=0)


def render(drawing: Drawing, tables: Tables) -> dict[str, bytes]:
    """Return the figure as the bytes of a "pdf" and a "png" file.

    The bytes are the same for the same tables and the locked versions, whatever the
    clock and the user's own matplotlib settings.

    Raises:
        ValueError: the table of the figure's experiment is missing or empty.
    """
    check_table(drawing.name, tables)
    with plt.style.context(STYLE, after_reset=True):
        figure = drawing.draw(tables)
        try:
            return {kind: _bytes(figure, kind) for kind in METADATA}
        finally:
            plt.close(figure)


def check_table(name: str, tables: Tables) -> None:
    """Raise ValueError if the figure's own table is missing or has no rows."""
    if name not in tables or tables[name].empty:
        state = "is empty" if name in tables else "does not exist"
        raise ValueError(
            f"figure {name} draws experiments/results/{name}.csv, which {state}; "
            f"compute it with `python -m experiments run {name}`"
        )


def _bytes(figure: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, metadata=METADATA[kind])
    return buffer.getvalue()
