"""How far a table computed afresh is from the committed one."""

import math

from experiments.tables import Rows


def difference(old: dict[str, Rows], new: dict[str, Rows], floor: float) -> float:
    """Return the largest |a - b| / max(|a|, |b|) over the cells of two tables.

    Configurations are matched whatever code made their rows; those of `old` that are
    not in `new` do not count. The result is infinite where text differs, or where a
    configuration, a row or a cell of `new` has no counterpart. Numbers that differ by
    at most `floor` count as equal: no digit of a defect that is only rounding, say
    1e-16, can be expected to come back.
    """
    committed = {_config(rows): rows.cells for rows in old.values()}
    worst = 0.0
    for rows in new.values():
        cells = committed.get(_config(rows), [])
        if len(cells) != len(rows.cells):
            return math.inf
        for a, b in zip(cells, rows.cells, strict=True):
            gaps = [_gap(a.get(name), b.get(name), floor) for name in a | b]
            worst = max(worst, *gaps)
    return worst


def _config(rows: Rows) -> str:
    return rows.key.partition("-")[0]


def _gap(a: str | None, b: str | None, floor: float) -> float:
    if a == b:
        return 0.0
    try:
        x, y = float(a or ""), float(b or "")
    except ValueError:
        return math.inf
    if not (math.isfinite(x) and math.isfinite(y)):
        return math.inf
    return 0.0 if abs(x - y) <= floor else abs(x - y) / max(abs(x), abs(y))
