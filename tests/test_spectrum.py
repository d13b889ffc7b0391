"""Stochastic Lanczos quadrature: known parts, brackets, coverage of the interval."""

import numpy as np
import pytest
import torch
from tolerance import tolerance
from torch import Tensor

from theory.deflation import deflation
from theory.estimates import bracketed
from theory.known_spectra import indefinite, power_law, rotated, spiked
from theory.lanczos import Lanczos, lanczos
from theory.limit_interval import EstimatedLimits
from theory.quadrature import gauss, radau, step_halved
from theory.spectrum import Spectrum, spectrum

C = 1e-2


def f(x: np.ndarray) -> np.ndarray:
    return C / (C + x)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def matrix_of(eigenvalues: np.ndarray, seed: int = 5) -> Tensor:
    return rotated(eigenvalues, generator=generator(seed))[0]


# identities -------------------------------------------------------------------------


def test_probes_are_unit_vectors_of_the_generator() -> None:
    matrix = matrix_of(spiked(30))
    found = spectrum(
        lambda v: matrix @ v, 30, probes=3, steps=4, generator=generator(1)
    )
    starts = torch.randn(30, 3, generator=generator(1), dtype=torch.float64)
    assert found.size == 30 and found.dead == 0 and found.products == 12
    for run, start in zip(found.runs, starts.T, strict=True):
        alone = lanczos(lambda v: matrix @ v, start, 4)
        assert run.alphas == pytest.approx(alone.alphas, rel=tolerance(10**4))


@pytest.mark.parametrize("columns", [1, 2, 9])
def test_columns_change_only_how_products_are_grouped(columns: int) -> None:
    matrix, widths = matrix_of(spiked(30)), []

    def product(v: Tensor) -> Tensor:
        widths.append(v.shape[1])
        return matrix @ v

    found = spectrum(
        product, 30, probes=3, steps=4, generator=generator(1), columns=columns
    )
    assert widths == {1: [1] * 12, 2: [2] * 4 + [1] * 4, 9: [3] * 4}[columns]
    alone = spectrum(
        lambda v: matrix @ v, 30, probes=3, steps=4, generator=generator(1)
    )
    for run, other in zip(found.runs, alone.runs, strict=True):
        assert run.alphas == pytest.approx(other.alphas, rel=tolerance(10**4))


def test_measures_by_hand() -> None:
    """D = 10: 4 dead, 1 deflated (node 7), 5 seen by two probes."""
    runs = (
        Lanczos(np.array([1.0]), np.array([0.5])),
        Lanczos(np.array([2.0]), np.array([0.0])),
    )
    known = (Lanczos(np.array([7.0]), np.array([0.0])),)
    found = Spectrum(10, runs, dead=4, known=known)
    first, second = found.measures()
    assert first.nodes.tolist() == [0, 1, 7]
    assert first.weights.tolist() == [0.4, 0.5, 0.1]
    assert second.nodes.tolist() == [0, 2, 7]
    pooled = found.measure()
    assert pooled.nodes.tolist() == [0, 0, 1, 2, 7, 7]
    assert pooled.weights.tolist() == [0.2, 0.2, 0.25, 0.25, 0.05, 0.05]
    assert found.measures(radau)[0].nodes.tolist() == [0, 0, 1.25, 7]
    assert found.measure(step_halved).nodes.tolist()[2:4] == [0.5, 1.5]


def test_nothing_known_has_no_atoms() -> None:
    found = Spectrum(3, (Lanczos(np.array([1.0]), np.array([0.5])),))
    assert found.measure().nodes.tolist() == [1.0]
    assert found.measure().weights.tolist() == [1.0]


def test_radau_intervals_by_definition() -> None:
    matrix = matrix_of(power_law(50))
    found = spectrum(lambda v: matrix @ v, 50, probes=4, steps=6, generator=generator())
    low = [m.integral(f) for m in found.measures(gauss)]
    high = [m.integral(f) for m in found.measures(radau)]
    middle = [(a + b) / 2 for a, b in zip(low, high, strict=True)]
    assert max(b - a for a, b in zip(low, high, strict=True)) > 1e-4
    assert found.integral(f, level=0.7) == bracketed(middle, low, high, level=0.7)
    assert found.integral(f) == bracketed(middle, low, high)


def test_halving_intervals_by_definition() -> None:
    matrix = matrix_of(indefinite(50))
    found = spectrum(lambda v: matrix @ v, 50, probes=4, steps=6, generator=generator())
    for treatment in ("absolute", "positive"):
        values, half = (
            np.array([m.treated(treatment).integral(f) for m in found.measures(rule)])
            for rule in (gauss, step_halved)
        )
        gap = np.abs(values - half)
        ours = found.integral(f, error="halving", treatment=treatment, level=0.9)
        ends = (values.tolist(), (values - gap).tolist(), (values + gap).tolist())
        theirs = bracketed(*ends, level=0.9)
        assert ours.low == pytest.approx(theirs.low, rel=tolerance(100))
        assert ours.high == pytest.approx(theirs.high, rel=tolerance(100))
        assert ours.bracket == pytest.approx(2 * gap.mean(), rel=tolerance(1000))
    plain = found.integral(lambda x: x, error="halving")
    assert plain.bracket <= tolerance(100) < plain.standard_error  # degree 1 is exact


# what the estimate is of ------------------------------------------------------------


def test_dead_rows_are_counted_exactly() -> None:
    live = power_law(40)
    matrix = matrix_of(live)
    found = spectrum(
        lambda v: matrix @ v, 40, probes=3, steps=40, generator=generator(), dead=60
    )
    assert found.size == 100
    assert found.measure().mass == pytest.approx(1, rel=tolerance(1000))
    share = found.measure().weights[found.measure().nodes == 0.0].sum()
    assert share == pytest.approx(0.6, rel=tolerance(100))
    truth = (60 + f(live).sum()) / 100
    estimate = found.integral(f)
    assert abs(estimate.value - truth) < 4.5 * estimate.standard_error


def test_deflation_removes_the_variance_of_what_it_knows() -> None:
    """Spikes are exact, the bulk is sampled: the standard error falls."""
    eigenvalues = np.append(np.geomspace(1e-5, 1e-4, 72), np.geomspace(1, 100, 8))
    matrix, truth = matrix_of(eigenvalues), f(eigenvalues).mean()
    start = torch.randn(80, generator=generator(8), dtype=torch.float64)
    pairs = deflation(lambda v: matrix @ v, start, 20)
    assert len(pairs.runs) >= 4
    errors = []
    for deflated in (None, pairs):
        found = spectrum(
            lambda v: matrix @ v,
            80,
            probes=12,
            steps=20,
            generator=generator(2),
            deflated=deflated,
        )
        estimate = found.integral(f)
        assert abs(estimate.value - truth) < 4.5 * estimate.standard_error
        errors.append(estimate.standard_error)
        assert found.products == 240 + (20 if deflated else 0)
        assert found.measure().mass == pytest.approx(1, rel=tolerance(1000))
    assert errors[1] < 0.05 * errors[0]


def test_probes_are_orthogonal_to_what_is_deflated() -> None:
    matrix = matrix_of(spiked(40))
    start = torch.randn(40, generator=generator(8), dtype=torch.float64)
    pairs = deflation(lambda v: matrix @ v, start, 12)
    seen: list[Tensor] = []

    def product(v: Tensor) -> Tensor:
        seen.append(v)
        return matrix @ v

    spectrum(product, 40, probes=1, steps=1, generator=generator(), deflated=pairs)
    assert float((pairs.vectors.T @ seen[0]).abs().max()) <= tolerance(100)


@pytest.mark.parametrize("steps", [6, 30])
def test_intervals_cover_and_converge(steps: int) -> None:
    """95 % intervals over 100 seeds, with few steps and with enough of them.

    A binomial count with p = 0.95 is below 88 with a probability of 0.001.
    """
    eigenvalues = np.concatenate([np.zeros(10), power_law(90)])
    matrix, truth = matrix_of(eigenvalues), f(eigenvalues).mean()
    hits, brackets = 0, []
    for seed in range(100):
        found = spectrum(
            lambda v: matrix @ v, 100, probes=5, steps=steps, generator=generator(seed)
        ).integral(f)
        hits += found.low <= truth <= found.high
        brackets.append(found.bracket)
    assert hits >= 88
    assert (max(brackets) < 1e-6) == (steps == 30)


def test_low_memory_spectra_agree() -> None:
    matrix = matrix_of(power_law(60))
    full, bare = (
        spectrum(
            lambda v: matrix @ v,
            60,
            probes=3,
            steps=25,
            generator=generator(),
            reorthogonalise=keep,
        ).integral(f)
        for keep in (True, False)
    )
    assert bare.value == pytest.approx(full.value, rel=1e-6)


# errors -----------------------------------------------------------------------------


def test_bad_arguments() -> None:
    message = "expected probes >= 1, columns >= 1 and more dimensions than the 0 deflat"
    for size, probes, columns in ((3, 0, 1), (3, 1, 0), (0, 1, 1)):
        with pytest.raises(ValueError, match=message):
            spectrum(
                lambda v: v,
                size,
                probes=probes,
                steps=1,
                generator=generator(),
                columns=columns,
            )
    pairs = deflation(lambda v: v, torch.ones(1), 1)
    with pytest.raises(
        ValueError, match="the 1 deflated ones, got 1, 1 and 1; a spect"
    ):
        spectrum(
            lambda v: v,
            1,
            probes=1,
            steps=1,
            generator=generator(),
            deflated=pairs,
        )
    assert spectrum(lambda v: v, 1, probes=1, steps=1, generator=generator()).size == 1


@pytest.mark.usefixtures("unchecked_types")
def test_unknown_error() -> None:
    found = Spectrum(1, (Lanczos(np.ones(1), np.zeros(1)),) * 2)
    with pytest.raises(
        ValueError, match="expected error 'radau' or 'halving', got 'x'"
    ):
        found.integral(f, error="x")  # type: ignore[arg-type]


def test_indefinite_spectra_have_no_radau_bound() -> None:
    matrix = matrix_of(indefinite(20))
    found = spectrum(lambda v: matrix @ v, 20, probes=2, steps=5, generator=generator())
    with pytest.raises(ValueError, match="estimate the quadrature's error by halving"):
        found.integral(f)
    with pytest.raises(ValueError, match="choose the treatment"):
        found.integral(f, error="halving", treatment="refuse")


def test_radau_bounds_no_negative_definite_matrix() -> None:
    values = -np.linspace(0.5, 3, 60)
    for steps in (1, 3, 60):
        found = spectrum(
            lambda v: (torch.from_numpy(values) * v.T).T,
            60,
            probes=2,
            steps=steps,
            generator=generator(),
        )
        with pytest.raises(ValueError, match=r"down to -.*, where Radau's rule is no"):
            found.integral(lambda x: np.exp(-x))
        found.integral(lambda x: np.exp(-x), error="halving")


def test_artificial_nodes_are_no_reason_to_refuse() -> None:
    """Of one step the halved rule has the node alpha - beta, below 0."""
    values = np.r_[np.zeros(20), np.linspace(1, 100, 60)]
    found = spectrum(
        lambda v: (torch.from_numpy(values) * v.T).T,
        80,
        probes=3,
        steps=1,
        generator=generator(),
    )
    assert min(step_halved(run).nodes[0] for run in found.runs) < 0
    refused = found.integral(f, error="halving", treatment="refuse")
    assert refused == found.integral(f, error="halving", treatment="positive")
    assert EstimatedLimits(np.ones(80), found, 1.0, "halving").paper().low >= 0
