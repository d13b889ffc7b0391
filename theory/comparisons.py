"""Rows of a claim in float64: equalities, and inequalities as equalities of extrema.

a <= b is max(a, b) = b: the defect is 0 where it holds, and the excess a - b over the
scale where it does not.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch

from theory.claim import Sides


class Row(NamedTuple):
    """Both sides of one comparison, and the size of the terms they are made of."""

    left: float
    right: float
    scale: float


def equal(left: float, right: float, scale: float = 0.0) -> Row:
    """Return left = right; the scale is at least |left| + |right|."""
    return Row(left, right, scale + abs(left) + abs(right))


def at_most(small: float, large: float, scale: float = 0.0) -> Row:
    """Return small <= large; the scale is at least |small| + |large|."""
    return Row(max(small, large), large, scale + abs(small) + abs(large))


def sides(rows: Iterable[Row], case: str) -> Sides:
    """Return the rows as the two sides of an identity."""
    table = torch.tensor(list(rows), dtype=torch.float64)
    left, right, scale = table.reshape(-1, 3).unbind(1)
    return Sides(left, right, scale, case)
