"""Symmetric matrices that are known by their products with vectors."""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

COLUMNS = 256
"""Columns of the identity that `dense` multiplies at once (ours)."""


@runtime_checkable
class Operator(Protocol):
    """A symmetric matrix of `size` rows."""

    @property
    def size(self) -> int:
        """Number of rows."""

    def product(
        self, vectors: Float[Tensor, "size *columns"]
    ) -> Float[Tensor, "size *columns"]:
        """Return A v for each column v."""


def dense(
    operator: Operator, *, device: torch.device | None = None
) -> Float[Tensor, "size size"]:
    """Return the matrix itself in float64, for small sizes: 8 size^2 bytes.

    What rounding leaves of its asymmetry stays in it.

    Args:
        operator: such as `Hessian`.
        device: where the identity is made that is multiplied; the CPU by default.
    """
    identity = torch.eye(operator.size, dtype=torch.float64, device=device)
    blocks = torch.split(identity, COLUMNS, 1)
    return torch.cat([operator.product(block) for block in blocks], 1)
