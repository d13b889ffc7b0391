"""The one tolerance of all tests."""

import torch

CONSTANT = 8.0
"""Ours: rounding of both sides (2), of products and sums (2), and a safety of 2."""


def tolerance(
    operations: int, scale: float = 1.0, dtype: torch.dtype = torch.float64
) -> float:
    """Return the rounding error of `operations` operations on terms of size `scale`."""
    if operations < 1 or not scale >= 0:
        raise ValueError(
            f"expected operations >= 1 and scale >= 0, got {operations} and {scale}"
        )
    return CONSTANT * operations * torch.finfo(dtype).eps * scale
