"""Lanczos: identities, known spectra, symmetry, breakdown, ghosts, errors."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tolerance import tolerance
from torch import Tensor

from theory.known_spectra import FAMILIES, power_law, rotated, spiked
from theory.lanczos import BREAKDOWN, Lanczos, krylov, lanczos, lanczos_columns
from theory.lanczos import Product as Matrix

BY_NAME = {family.__name__: family for family in FAMILIES}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def times(matrix: Tensor) -> Matrix:
    return lambda v: matrix @ v


def problem(name: str, size: int = 40, seed: int = 0) -> tuple[Tensor, Tensor]:
    matrix, _ = rotated(BY_NAME[name](size), generator=generator(seed))
    return matrix, normal(size, seed=seed + 1)


# identities -------------------------------------------------------------------------


@given(
    st.sampled_from(sorted(BY_NAME)),
    st.integers(1, 15),
    st.sampled_from([1e-8, 1, 1e8]),
)
def test_weights_moments_and_the_basis(name: str, steps: int, scale: float) -> None:
    matrix, start = problem(name)
    matrix = scale * matrix
    run, basis = krylov(times(matrix), 4 * start, steps)
    norm = float(torch.linalg.matrix_norm(matrix, 2))
    rounding = tolerance(100, norm)
    unit = start / start.norm()
    assert abs(run.weights.sum() - 1) <= tolerance(100)
    assert abs(run.weights @ run.nodes - float(unit @ matrix @ unit)) <= rounding
    image = (matrix @ unit).norm() ** 2  # the second moment, exact from two steps on
    if run.steps > 1:
        assert abs(run.weights @ run.nodes**2 - float(image)) <= rounding * norm
    assert torch.equal(basis[0], unit)
    gram = basis @ basis.T - torch.eye(len(basis), dtype=torch.float64)
    assert float(gram.abs().max()) <= tolerance(100)
    tridiagonal = torch.from_numpy(
        np.diag(run.alphas) + np.diag(run.betas[:-1], 1) + np.diag(run.betas[:-1], -1)
    )
    gap = basis @ matrix @ basis.T - tridiagonal
    assert float(gap.abs().max()) <= max(rounding, BREAKDOWN * norm)


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_residuals_are_residuals(name: str) -> None:
    matrix, start = problem(name)
    run, basis = krylov(times(matrix), start, 12)
    ritz = basis.T @ torch.from_numpy(run.vectors)
    gaps = (matrix @ ritz - ritz * torch.from_numpy(run.nodes)).norm(dim=0).numpy()
    norm = float(torch.linalg.matrix_norm(matrix, 2))
    close = max(tolerance(100, norm), BREAKDOWN * norm)
    assert np.abs(gaps - run.residuals).max() <= close
    exact = torch.linalg.eigvalsh(matrix).numpy()
    nearest = np.abs(run.nodes[:, None] - exact).min(1)
    assert (nearest <= run.residuals + close).all()


def test_two_steps_by_hand() -> None:
    matrix = torch.tensor([[1.0, 2.0, 0.0], [2.0, 3.0, 4.0], [0.0, 4.0, 5.0]]).double()
    run = lanczos(times(matrix), torch.tensor([2.0, 0.0, 0.0]), 2)
    assert run.alphas.tolist() == [1, 3] and run.betas.tolist() == [2, 4]
    assert not run.exact and run.steps == 2
    assert run.nodes == pytest.approx([2 - 5**0.5, 2 + 5**0.5], rel=tolerance(10))
    assert run.weights.sum() == pytest.approx(1, rel=tolerance(10))
    first = run.truncated(1)
    assert first.nodes.tolist() == [1] and first.residuals.tolist() == [2]
    assert first.weights.tolist() == [1] and first.betas.tolist() == [2]
    assert run.truncated(2).nodes.tolist() == run.nodes.tolist()


# known spectra ----------------------------------------------------------------------


def test_all_steps_give_all_eigenvalues() -> None:
    eigenvalues = np.sort(spiked(30))
    matrix, basis = rotated(spiked(30), generator=generator())
    run = lanczos(times(matrix), normal(30), 100)
    assert run.steps == 30 and run.exact
    assert np.abs(run.nodes - eigenvalues).max() <= tolerance(1000, 100.0)
    unit = normal(30) / normal(30).norm()
    seen = (basis.T @ unit).numpy()[np.argsort(spiked(30))] ** 2
    assert np.abs(run.weights - seen).max() <= tolerance(10**5)


@pytest.mark.parametrize("values", [[3.0], [0.0], [0.0, 1.0, 2.0, -5.0]])
def test_breakdown_at_the_number_of_distinct_eigenvalues(values: list[float]) -> None:
    matrix, _ = rotated(np.resize(values, 40), generator=generator())
    run = lanczos(times(matrix), normal(40), 30)
    assert run.steps == len(values) and run.exact and run.betas[-1] == 0.0
    assert run.residuals.max() == 0.0
    assert np.abs(run.nodes - np.sort(values)).max() <= tolerance(1000, 5.0)


def test_breakdown_in_an_invariant_subspace() -> None:
    matrix = torch.diag(torch.arange(1.0, 9.0)).double()
    start = torch.tensor([1.0, 0, 0, 2, 0, 0, 3, 0]).double()
    run = lanczos(times(matrix), start, 8)
    assert run.nodes == pytest.approx([1, 4, 7], rel=tolerance(100))
    assert run.weights == pytest.approx([1 / 14, 4 / 14, 9 / 14], rel=tolerance(100))


@pytest.mark.parametrize("coupling", [0.5, 2.0])
def test_the_breakdown_is_relative_to_the_largest_product(coupling: float) -> None:
    """The couplings are 1 and c 2^-40, the products at most about 3."""
    small = coupling * BREAKDOWN
    matrix = torch.tensor([[2.0, 1.0, 0], [1.0, 2.0, small], [0, small, 1.0]]).double()
    norm = float(matrix[:, 1].norm())
    for scale in (1e-100, 1.0, 1e100):
        start = torch.tensor([1.0, 0, 0]).double()
        run = lanczos(times(scale * matrix), start, 3)
        assert run.steps == (2 if small <= BREAKDOWN * norm else 3)


def test_the_largest_product_may_be_an_early_one() -> None:
    """Couplings 1, 1e-6, 1e-13: the last is above 2^-40 of the last product only."""
    couplings = torch.tensor([1.0, 1e-6, 1e-13]).double()
    matrix = torch.diag(couplings, 1) + torch.diag(couplings, -1)
    run = lanczos(times(matrix), torch.tensor([1.0, 0, 0, 0]).double(), 4)
    assert run.steps == 3 and run.exact


def test_one_pass_is_not_enough() -> None:
    """Where rounding makes a product unsymmetric (float32), here by design.

    The third product has half of the first vector in it, and 1e-9 of a new one: one
    pass would leave 1e-16 / 1e-9 of the first vector in the fourth.
    """
    _, basis = rotated(np.ones(40), generator=generator())
    matrix = torch.zeros(40, 40, dtype=torch.float64)
    for row, coupling in enumerate([1.0, 0.7, 1e-9, 0.3]):
        matrix[row, row + 1] = matrix[row + 1, row] = coupling
    matrix[0, 2] += 0.5
    run, vectors = krylov(times(basis @ matrix @ basis.T), basis[:, 0], 5)
    assert run.steps == 5 and run.betas[2] == pytest.approx(1e-9, rel=1e-5)
    gram = vectors @ vectors.T - torch.eye(5, dtype=torch.float64)
    assert float(gram.abs().max()) <= tolerance(100)


# symmetry ---------------------------------------------------------------------------


@given(st.sampled_from(sorted(BY_NAME)), st.integers(-26, 26))
def test_powers_of_two_scale_exactly(name: str, power: int) -> None:
    matrix, start = problem(name)
    one, other = (lanczos(times(f * matrix), start, 10) for f in (1.0, 2.0**power))
    assert np.array_equal(2.0**power * one.alphas, other.alphas)
    assert np.array_equal(2.0**power * one.betas, other.betas)
    assert np.array_equal(one.weights, other.weights) or one.steps > 1
    assert np.abs(one.weights - other.weights).max() <= tolerance(100)


def test_the_length_of_the_start_is_of_no_influence() -> None:
    matrix, start = problem("spiked")
    one, other = (lanczos(times(matrix), f * start, 5) for f in (1.0, 2.0**-300))
    assert np.array_equal(one.alphas, other.alphas)


def test_recurrences_are_in_float64_whatever_the_product() -> None:
    matrix, start = problem("marchenko_pastur")
    exact = lanczos(times(matrix), start, 20)
    seen: list[torch.dtype] = []

    def product(v: Tensor) -> Tensor:
        seen.append(v.dtype)
        return matrix.float() @ v.float()

    run, basis = krylov(product, start.float(), 20)
    assert set(seen) == {torch.float64} and basis.dtype == torch.float64
    gram = basis @ basis.T - torch.eye(20, dtype=torch.float64)
    assert float(gram.abs().max()) <= tolerance(100)
    assert np.abs(run.alphas - exact.alphas).max() <= tolerance(
        1000, 4.0, torch.float32
    )


def test_columns_are_single_runs() -> None:
    matrix, _ = problem("rank_deficient")
    _, vectors = torch.linalg.eigh(matrix)
    starts = torch.stack(
        [normal(40), vectors[:, -2], vectors[:, 0] + vectors[:, -1]], 1
    )
    widths: list[int] = []

    def product(v: Tensor) -> Tensor:
        widths.append(v.shape[1])
        return matrix @ v

    runs = lanczos_columns(product, starts, 6)
    assert [run.steps for run in runs] == [6, 1, 2]
    assert widths == [3, 2, 1, 1, 1, 1]
    for run, start in zip(runs, starts.unbind(1), strict=True):
        alone = lanczos(times(matrix), start, 6)
        assert np.abs(run.alphas - alone.alphas).max() <= tolerance(1000, 2.0)
    bare = lanczos_columns(product, starts[:, :1], 50, reorthogonalise=False)
    assert (
        bare[0].steps
        == lanczos(times(matrix), starts[:, 0], 50, reorthogonalise=False).steps
    )


# without a basis --------------------------------------------------------------------


def test_low_memory_runs_have_ghosts_but_right_integrals() -> None:
    """More nodes than eigenvalues near the largest; the resolvent is right anyway."""
    eigenvalues = np.append(np.linspace(0, 1, 99), 100.0)
    matrix, basis = rotated(eigenvalues, generator=generator())
    start = normal(100)
    run = lanczos(times(matrix), start, 120, reorthogonalise=False)
    assert run.steps == 120
    assert (np.abs(run.nodes - 100) < 1e-6).sum() > 1
    exact = lanczos(times(matrix), start, 60)
    assert (np.abs(exact.nodes - 100) < 1e-6).sum() == 1
    weights = (basis.T @ (start / start.norm())).numpy() ** 2
    truth = float(weights @ (1 / (0.1 + eigenvalues)))
    assert run.weights @ (1 / (0.1 + run.nodes)) == pytest.approx(truth, rel=1e-10)
    assert run.weights.sum() == pytest.approx(1, rel=tolerance(1000))


def test_low_memory_runs_keep_one_vector() -> None:
    matrix, start = problem("power_law")
    run, basis = krylov(times(matrix), start, 4, reorthogonalise=False)
    full = lanczos(times(matrix), start, 4)
    assert basis.shape == (1, 40)
    assert np.abs(run.alphas - full.alphas).max() <= tolerance(1000)
    assert np.abs(run.betas - full.betas).max() <= tolerance(1000)
    flat, start = problem("flat")
    assert lanczos(times(flat), start, 4, reorthogonalise=False).exact


# errors -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "norm"), [([0.0, 0.0], "0.0"), ([1.0, float("nan")], "nan")]
)
def test_bad_starts(start: list[float], norm: str) -> None:
    message = r"finite vector other than zero to start from, got shape \(2,\) and norm "
    with pytest.raises(ValueError, match=message + norm):
        lanczos(lambda v: v, torch.tensor(start), 3)


def test_a_start_whose_norm_overflows() -> None:
    with pytest.raises(ValueError, match=r"and norm inf$"):
        lanczos(lambda v: v, torch.full((4,), 1e308, dtype=torch.float64), 3)


def test_bad_steps() -> None:
    with pytest.raises(ValueError, match=r"^expected at least one step, got 0$"):
        lanczos(lambda v: v, torch.ones(3), 0)
    run = lanczos(lambda v: v, torch.ones(3), 3)
    for steps in (0, 2):
        with pytest.raises(ValueError, match=f"^expected 1 to 1 steps, got {steps}$"):
            run.truncated(steps)


@pytest.mark.parametrize("bad", [torch.full((3,), float("nan")), torch.ones(2)])
def test_bad_products(bad: Tensor) -> None:
    message = (
        r"expected a finite product of shape \(3,\), got shape \(\d,\) at step 1; "
    )
    with pytest.raises(ValueError, match=message):
        lanczos(lambda v: bad, torch.ones(3), 3)


def test_runs_are_what_was_computed() -> None:
    run = Lanczos(np.array([1.0]), np.array([0.5]))
    assert run.nodes.tolist() == [1.0] and run.weights.tolist() == [1.0]
    assert run.residuals.tolist() == [0.5] and run.vectors.tolist() == [[1.0]]
    assert power_law(3).tolist() == [1, 1 / 4, 1 / 9]
