"""Matrices whose spectrum is known: eigenvalues in a random orthonormal basis.

The families in which estimates of spectra fail first: all eigenvalues equal, few
different ones, tight clusters, a few large ones above a bulk (what trained networks
have), decay over many orders of magnitude, exact zeros, both signs.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

Eigenvalues = Float[np.ndarray, " size"]


def flat(size: int) -> Eigenvalues:
    """Return 1, ..., 1."""
    return np.ones(size)


def clustered(size: int) -> Eigenvalues:
    """Return three clusters at 1, 2 and 4, each of the width 1e-9."""
    return np.array([1.0, 2.0, 4.0])[np.arange(size) % 3] + 1e-9 * np.linspace(
        0, 1, size
    )


def spiked(size: int) -> Eigenvalues:
    """Return a bulk of 1e-3 to 1e-2 with the share 1/20 at 1 to 100."""
    spikes = math.ceil(size / 20)
    return np.concatenate(
        [np.geomspace(1e-3, 1e-2, size - spikes), np.geomspace(1, 100, spikes)]
    )


def power_law(size: int) -> Eigenvalues:
    """Return i^-2 for i = 1, ..., size."""
    decay: Eigenvalues = np.arange(1, size + 1) ** -2.0
    return decay


def marchenko_pastur(size: int) -> Eigenvalues:
    """Return quantiles of the Marchenko-Pastur law of ratio 1/2, variance 1.

    Its density is sqrt((b - x)(x - a)) / (pi x) on [a, b] = [(1 - r)^2, (1 + r)^2],
    r^2 = 1/2; the eigenvalues are its quantiles at (i - 1/2) / size, from the cumulated
    density in the angle with x = 1 + r^2 + 2 r cos.
    """
    r = math.sqrt(0.5)
    angle = np.linspace(0, math.pi, 20001)
    x = 1 + r**2 - 2 * r * np.cos(angle)
    density = 4 * r**2 * np.sin(angle) ** 2 / x
    cumulated = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    levels = (np.arange(size) + 0.5) / size * cumulated[-1]
    quantiles: Eigenvalues = np.interp(levels, cumulated, x)
    return quantiles


def zero(size: int) -> Eigenvalues:
    """Return 0, ..., 0."""
    return np.zeros(size)


def rank_deficient(size: int) -> Eigenvalues:
    """Return zeros for two thirds, and 1 to 2 for the rest."""
    rank = max(1, size // 3)
    return np.concatenate([np.zeros(size - rank), np.linspace(1, 2, rank)])


def indefinite(size: int) -> Eigenvalues:
    """Return -1/2 to 2 evenly, neither end left out."""
    return np.linspace(-0.5, 2, size)


FAMILIES: tuple[Callable[[int], Eigenvalues], ...] = (
    flat,
    clustered,
    spiked,
    power_law,
    marchenko_pastur,
    zero,
    rank_deficient,
    indefinite,
)


def rotated(
    eigenvalues: Eigenvalues, *, generator: torch.Generator
) -> tuple[Float[Tensor, "size size"], Float[Tensor, "size size"]]:
    """Return a matrix with these eigenvalues and its eigenvectors, as columns.

    The basis is uniformly distributed: the Q of a Gaussian matrix with the signs of R's
    diagonal made positive.
    """
    size = len(eigenvalues)
    gaussian = torch.randn(size, size, generator=generator, dtype=torch.float64)
    q, r = torch.linalg.qr(gaussian)
    basis = q * torch.sign(torch.diagonal(r))
    matrix = (basis * torch.from_numpy(eigenvalues)) @ basis.T
    return (matrix + matrix.T) / 2, basis
