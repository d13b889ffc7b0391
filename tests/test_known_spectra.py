"""Families of eigenvalues, and matrices that have them."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from tolerance import tolerance

from theory import known_spectra
from theory.known_spectra import FAMILIES, marchenko_pastur, rotated


def test_values() -> None:
    assert known_spectra.flat(2).tolist() == [1, 1]
    assert known_spectra.zero(2).tolist() == [0, 0]
    assert known_spectra.power_law(3).tolist() == [1, 1 / 4, 1 / 9]
    assert known_spectra.indefinite(6).tolist() == [-0.5, 0, 0.5, 1, 1.5, 2]
    assert known_spectra.rank_deficient(7).tolist() == [0] * 5 + [1, 2]
    assert known_spectra.rank_deficient(2).tolist() == [0, 1]
    clusters = known_spectra.clustered(6)
    assert clusters - np.linspace(0, 1e-9, 6) == pytest.approx([1, 2, 4] * 2, abs=1e-15)
    assert len(set(clusters)) == 6
    spiked = known_spectra.spiked(41)
    assert spiked[-3:] == pytest.approx([1, 10, 100]) and len(spiked) == 41
    assert spiked[[0, 37]] == pytest.approx([1e-3, 1e-2])


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.__name__)
def test_matrices_have_the_eigenvalues(family: object) -> None:
    eigenvalues = family(20)  # type: ignore[operator]
    matrix, basis = rotated(eigenvalues, generator=torch.Generator().manual_seed(0))
    largest = float(np.abs(eigenvalues).max())
    found = torch.linalg.eigvalsh(matrix).numpy()
    assert np.abs(found - np.sort(eigenvalues)).max() <= tolerance(100, largest)
    assert torch.equal(matrix, matrix.T)
    gap = matrix @ basis - basis * torch.from_numpy(eigenvalues)
    assert float(gap.abs().max()) <= tolerance(100, largest)
    gram = basis.T @ basis - torch.eye(20, dtype=torch.float64)
    assert float(gram.abs().max()) <= tolerance(100)


def test_the_basis_is_uniform() -> None:
    """Entries of a 2 by 2 basis have both signs equally often (4 comparisons)."""
    draws = torch.Generator().manual_seed(0)
    entries = [rotated(np.ones(2), generator=draws)[1].flatten() for _ in range(400)]
    shares = (torch.stack(entries) > 0).double().mean(0)
    assert float((shares - 0.5).abs().max()) < 4.5 * 0.5 / 20


def test_marchenko_pastur_quantiles() -> None:
    low, high = (1 - math.sqrt(0.5)) ** 2, (1 + math.sqrt(0.5)) ** 2

    def density(x: float) -> float:
        return math.sqrt((high - x) * (x - low)) / (math.pi * x)

    values = marchenko_pastur(9)
    for i in (0, 4, 8):
        share, _ = quad(density, low, values[i])
        assert share == pytest.approx((i + 0.5) / 9, abs=1e-6)
    many = marchenko_pastur(2000)
    assert many.mean() == pytest.approx(1, abs=1e-4)
    assert (many**2).mean() == pytest.approx(1.5, abs=1e-3)
    assert low < many[0] < many[-1] < high
