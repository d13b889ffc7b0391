"""The matrix of an operator, block by block."""

import torch
from torch import Tensor

from theory.operators import COLUMNS, dense


class Matrix:
    """A known matrix that notes the widths of what it is multiplied with."""

    def __init__(self, entries: Tensor) -> None:
        self.entries, self.widths = entries, list[int]()
        self.size = len(entries)

    def product(self, vectors: Tensor) -> Tensor:
        self.widths.append(vectors.shape[1])
        return self.entries @ vectors


def test_the_matrix_itself() -> None:
    size = COLUMNS + 3
    entries = torch.arange(float(size * size), dtype=torch.float64).view(size, size)
    operator = Matrix(entries)
    found = dense(operator, device=torch.device("cpu"))
    assert torch.equal(found, entries) and found.dtype == torch.float64
    assert operator.widths == [COLUMNS, 3] and COLUMNS == 256
