"""The committed table of an experiment: what it holds, and how it is written.

A table is a tidy CSV, results/<experiment>.csv, with the provenance of every key beside
it in results/<experiment>.json. It counts as a result like the records it was made
from, so a fresh clone computes only what neither holds. Cells are carried over as text:
the bytes do not depend on whether a row came from a record or from the old table.
"""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from experiments import store
from experiments.catalogue import Experiment
from experiments.digest import key

Cells = dict[str, str]
State = Literal["done", "stale", "missing"]


@dataclass(frozen=True)
class Rows:
    """The rows that one configuration gave, as text, and how they were made.

    Rows from a table have the configuration's fields among their cells, rows from a
    record only what was measured.
    """

    key: str
    cells: list[Cells]
    provenance: dict[str, Any]


@dataclass(frozen=True)
class Holding:
    """What is held for a configuration; `key` is what the present code would write."""

    config: Any
    key: str
    rows: Rows | None

    def state(self) -> State:
        """Return "done", "stale" (rows made by other code) or "missing"."""
        if self.rows is None:
            return "missing"
        return "done" if self.rows.key == self.key else "stale"


def holdings(experiment: Experiment, folder: Path) -> dict[str, Holding]:
    """Return by key what is held for each configuration, in the order of the table."""
    table = read(experiment.name, folder)
    found: dict[str, Holding] = {}
    for config in experiment.configs():
        current = key(config, experiment.run)
        if current not in found:
            rows = _rows(current, experiment.name, folder, table)
            found[current] = Holding(config, current, rows)
    return found


def _rows(
    current: str, experiment: str, folder: Path, table: Mapping[str, Rows]
) -> Rows | None:
    """Return the best rows: this code's record or table, else other code's."""
    path = store.record_path(folder, experiment, current)
    config = current.partition("-")[0]
    made = store.load(path)
    if made is None:
        # After a merge the table may hold rows of both codes.
        same = [rows for rows in table.values() if rows.key.startswith(config)]
        if same:
            return table.get(current, same[-1])
        # A sweep that was killed before it wrote the table, then a code edit.
        others = sorted(path.parent.glob(f"{config}-*.json"), key=_age)
        made = store.load(others[-1]) if others and others[-1] != path else None
    if made is None:
        return None
    return Rows(made.key, [_cells(row) for row in made.rows], made.provenance)


def _age(path: Path) -> tuple[int, str]:
    return path.stat().st_mtime_ns, path.name


def _cells(row: Mapping[str, Any]) -> Cells:
    """Return values as text that reads back exactly; empty cells are left out."""
    texts = {name: v if isinstance(v, str) else repr(v) for name, v in row.items()}
    return {name: text for name, text in texts.items() if text}


def write(experiment: Experiment, folder: Path) -> dict[str, Holding]:
    """Write the table and its provenance from all that is held, and return that.

    Rows of configurations that no profile has any more are dropped. Files whose bytes
    would not change are not touched.

    Raises:
        OSError: A file could not be written; the old one is intact.
    """
    held = holdings(experiment, folder)
    lines: list[Cells] = []
    provenance: dict[str, Any] = {}
    for holding in held.values():
        if holding.rows is not None:
            head = _cells({"key": holding.rows.key, **asdict(holding.config)})
            lines += [head | cells for cells in holding.rows.cells]
            provenance[holding.rows.key] = holding.rows.provenance
    path = _path(experiment.name, folder)
    if lines or path.exists():
        fields = ["key", *(name for c in experiment.configs() for name in asdict(c))]
        _replace(path, _csv(fields, lines))
        _replace(path.with_suffix(".json"), json.dumps(provenance, indent=1) + "\n")
    return held


def _csv(fields: list[str], lines: list[Cells]) -> str:
    """Return lines as CSV, `fields` first, other columns in order of appearance."""
    columns = dict.fromkeys([*fields, *(name for line in lines for name in line)])
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _path(experiment: str, folder: Path) -> Path:
    return folder / "results" / f"{experiment}.csv"


def _replace(path: Path, text: str) -> None:
    if not path.exists() or path.read_bytes() != text.encode():
        store.write_atomic(path, text.encode())


def read(experiment: str, folder: Path) -> dict[str, Rows]:
    """Return the rows of a table by key, empty when there is no table.

    The configuration fields are among the cells.

    Raises:
        ValueError: The table or its provenance is not what `write` writes.
    """
    path = _path(experiment, folder)
    if not path.exists():
        return {}
    sidecar = path.with_suffix(".json")
    try:
        provenance = json.loads(sidecar.read_text(encoding="utf-8"))
    except FileNotFoundError:
        provenance = {}
    except ValueError as error:
        raise ValueError(f"{sidecar}: not JSON ({error}); restore it") from error
    found: dict[str, Rows] = {}
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        columns = next(reader, [])
        for row in reader:
            if columns[:1] != ["key"] or len(row) != len(columns):
                raise ValueError(
                    f"{path}, line {reader.line_num}: expected {len(columns)} cells "
                    f"{columns}, the first being key, got {row}; restore the file"
                )
            rows = Rows(row[0], [], provenance.get(row[0], {}))
            cells = dict(zip(columns[1:], row[1:], strict=True))
            found.setdefault(row[0], rows).cells.append(_cells(cells))
    return found
