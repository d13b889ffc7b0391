"""Reading tables, and drawing a figure to bytes that depend on the tables alone.

A figure is a module `figures/<name>.py` with `draw(tables) -> Figure` and
`caption(tables) -> str`. It draws the table of the experiment of the same name;
`tables` holds every committed table under its file's stem, and the authors' own
numbers under "published/" and the stem.
"""

import importlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
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
