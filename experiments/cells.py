"""What a configuration that takes an hour may use: checkpoints and a time to stop.

A sweep opens a cell around the configuration that it computes. Training code asks for
the file of a checkpoint by a name of its own, and after writing it calls `pause`, which
ends the computation when the sweep's time budget is spent; the next sweep goes on from
the checkpoints. Outside a sweep there is no cell: no files, no end.
"""

import contextlib
import shutil
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path


class OutOfTimeError(Exception):
    """The time budget is spent; what was computed is in the checkpoints."""


@dataclass(frozen=True)
class Cell:
    """The one configuration that is being computed."""

    folder: Path
    """Of its checkpoints; removed when the configuration is done."""
    deadline: float
    """Seconds of `time.time`, the same clock in all processes; inf: none."""


_CELL: ContextVar[Cell | None] = ContextVar("cell", default=None)


@contextlib.contextmanager
def opened(cell: Cell) -> Iterator[None]:
    """Compute inside a cell; its checkpoints stay if that ends by an exception."""
    token = _CELL.set(cell)
    try:
        yield
    finally:
        _CELL.reset(token)
    shutil.rmtree(cell.folder, ignore_errors=True)


def checkpoint(name: str) -> Path | None:
    """Return where the cell keeps a checkpoint; None outside a sweep."""
    cell = _CELL.get()
    return None if cell is None else cell.folder / f"{name}.pt"


def pause() -> None:
    """Stop here if the time budget is spent; call it after a checkpoint was written.

    Raises:
        OutOfTimeError: it is.
    """
    cell = _CELL.get()
    if cell is not None and time.time() >= cell.deadline:
        raise OutOfTimeError
