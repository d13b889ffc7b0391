"""Lanczos quadrature as it should not be done: the negative controls of claim `slq`.

Each of these is in published code or was (see the claim). They are written plainly, to
be compared with, never to be used.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from theory.lanczos import Lanczos
from theory.measure import Function, Measure

DAMPING = 1e-6
"""What pyhessian adds to a norm before it divides by it."""
GRID = 100_000
"""Points of paper C's density grid, 0.01 beyond the least and the largest node."""
VARIANCE = 1e-10
"""Of paper C's Gaussians, times max(1, range of the grid)."""


def without_orthogonality(
    matrix: Float[Tensor, "size size"], start: Float[Tensor, " size"], steps: int
) -> Lanczos:
    """Return exactly this many steps of the bare recurrence, breakdown or not."""
    return _bare(matrix, start, steps, damping=0.0)


def damped_norms(
    matrix: Float[Tensor, "size size"], start: Float[Tensor, " size"], steps: int
) -> Lanczos:
    """Return the bare recurrence with 1e-6 added to each norm before dividing."""
    return _bare(matrix, start, steps, damping=DAMPING)


def smeared(measure: Measure, function: Function) -> float:
    """Return the integral of f over Gaussians at the nodes, summed on a grid.

    As paper C's code does: the density on the grid is divided by its own sum.
    """
    grid = np.linspace(measure.nodes.min() - 0.01, measure.nodes.max() + 0.01, GRID)
    variance = VARIANCE * max(1.0, grid[-1] - grid[0])
    density = np.zeros(GRID)
    for node, weight in zip(measure.nodes, measure.weights, strict=True):
        density += weight * np.exp(-((grid - node) ** 2) / (2 * variance))
    return float(density @ function(grid) / density.sum())


def _bare(matrix: Tensor, start: Tensor, steps: int, damping: float) -> Lanczos:
    vector = start / (start.norm() + damping)
    previous, beta = torch.zeros_like(vector), 0.0
    alphas, betas = [], []
    for _ in range(steps):
        image = matrix @ vector
        alphas.append(float(vector @ image))
        rest = image - alphas[-1] * vector - beta * previous
        beta = float(rest.norm())
        betas.append(beta)
        previous, vector = vector, rest / (beta + damping)
    return Lanczos(np.array(alphas), np.array(betas))
