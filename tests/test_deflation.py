"""Deflation: exact splitting of f-traces for any orthonormal vectors."""

import numpy as np
import pytest
import torch
from tolerance import tolerance

from theory.deflation import deflation
from theory.known_spectra import rotated, spiked
from theory.quadrature import gauss, radau


def problem(size: int = 60) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    matrix, _ = rotated(spiked(size), generator=generator)
    return matrix, torch.randn(size, generator=generator, dtype=torch.float64)


def test_spikes_converge_and_are_eigenvectors() -> None:
    matrix, start = problem()
    found = deflation(lambda v: matrix @ v, start, 12)
    assert found.products == 12
    nodes = np.array([run.nodes[0] for run in found.runs])
    assert nodes == pytest.approx(np.sort(spiked(60))[-3:], rel=tolerance(10**4))
    gram = found.vectors.T @ found.vectors
    assert float((gram - torch.eye(3, dtype=torch.float64)).abs().max()) <= tolerance(
        100
    )
    gaps = matrix @ found.vectors - found.vectors * torch.from_numpy(nodes)
    residuals = [run.betas[0] for run in found.runs]
    assert gaps.norm(dim=0).tolist() == pytest.approx(
        residuals, abs=tolerance(100, 100)
    )


@pytest.mark.parametrize("tolerances", [(1e-8, 1e-4, 1e-1, 10.0)])
def test_larger_tolerances_take_more_vectors(tolerances: tuple[float, ...]) -> None:
    matrix, start = problem()
    counts = [
        len(deflation(lambda v: matrix @ v, start, 8, tolerance=t).runs)
        for t in tolerances
    ]
    assert counts == sorted(counts) and counts[0] < counts[-1] == 8
    runs = deflation(lambda v: matrix @ v, start, 8, tolerance=1e-4).runs
    assert max(run.betas[0] for run in runs) <= 1e-4 * 100


def test_the_trace_splits_for_any_vectors() -> None:
    """Over q and over the complement; each q between its own rules."""
    matrix, start = problem(20)
    found = deflation(lambda v: matrix @ v, start, 6, tolerance=10.0)
    values, vectors = torch.linalg.eigh(matrix)
    function = (vectors * (0.01 / (0.01 + values))) @ vectors.T
    identity = torch.eye(20, dtype=torch.float64)
    rest = found.project(identity)
    outside = float(torch.trace(rest.T @ function @ rest))
    inside = [float(q @ function @ q) for q in found.vectors.T]
    total = float(torch.trace(function))
    assert outside + sum(inside) == pytest.approx(total, rel=tolerance(1000))
    widths = []
    for value, run in zip(inside, found.runs, strict=True):
        low, high = (
            rule(run).integral(lambda x: 0.01 / (0.01 + x)) for rule in (gauss, radau)
        )
        assert low - tolerance(1000) <= value <= high + tolerance(1000)
        widths.append(high - low)
    assert len(widths) == 6 and max(widths) > 1e-3


def test_projection() -> None:
    matrix, start = problem()
    found = deflation(lambda v: matrix @ v, start, 12)
    both = found.project(torch.stack([start, matrix @ start], 1))
    assert float((found.vectors.T @ both).abs().max()) <= tolerance(100)
    alone = found.project(start)
    assert float((alone - both[:, 0]).abs().max()) <= tolerance(100, 10.0)
    again = found.project(both)
    assert float((again - both).abs().max()) <= tolerance(100, 10.0)
    kept = both[:, 0] + found.vectors @ (found.vectors.T @ start)
    assert float((kept - start).abs().max()) <= tolerance(100, 10.0)


def test_one_pass_of_projection_is_not_enough() -> None:
    """Of a vector that lies in Q but for 1e-9: rounding would be 1e-7 of the rest."""
    matrix, start = problem()
    found = deflation(lambda v: matrix @ v, start, 12)
    inside = found.vectors.sum(1)
    rest = found.project(inside + 1e-9 * found.project(start))
    shares = found.vectors.T @ rest / rest.norm()
    assert float(shares.abs().max()) <= tolerance(100)
    assert float(rest.norm()) == pytest.approx(
        1e-9 * float(found.project(start).norm()), rel=1e-5
    )


def test_nothing_converged() -> None:
    matrix, start = problem()
    found = deflation(lambda v: matrix @ v, start, 2, tolerance=1e-12)
    assert found.runs == () and found.vectors.shape == (60, 0) and found.products == 2
    assert torch.equal(found.project(start), start)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_nodes_that_are_zero_to_rounding_are_zero(scale: float) -> None:
    """Else Radau's other node would be at 1e-18 / -1e-17, far below 0."""
    matrix = torch.tensor([[1.0, 1e-10, 0], [1e-10, -1e-17, 1e-9], [0, 1e-9, 0.5]])
    matrix = scale * matrix.double()
    start = torch.tensor([1.0, 0, 0]).double()
    found = deflation(lambda v: matrix @ v, start, 2)
    small, large = found.runs
    assert small.nodes.tolist() == [0.0] and large.nodes == pytest.approx([scale])
    assert small.betas == pytest.approx([1e-9 * scale])
    assert radau(small).nodes.tolist() == [0.0]
    assert radau(large).nodes.min() == 0.0


@pytest.mark.parametrize(("share", "zero"), [(0.9, True), (1.1, False)])
def test_what_rounding_is_is_relative(share: float, zero: bool) -> None:
    entries = torch.tensor([4.0, -share * 4 * 2.0**-40]).double()
    matrix = torch.diag(entries)
    found = deflation(lambda v: matrix @ v, torch.ones(2), 2)
    assert (found.runs[0].nodes[0] == 0.0) == zero
    assert found.runs[1].nodes == pytest.approx([4.0])


def test_bad_tolerance() -> None:
    with pytest.raises(ValueError, match=r"^expected a positive tolerance, got 0.0$"):
        deflation(lambda v: v, torch.ones(2), 2, tolerance=0.0)
