"""The mistakes are those that they claim to be."""

import numpy as np
import pytest
import torch
from tolerance import tolerance

from theory import slq_mistakes
from theory.known_spectra import indefinite, rotated
from theory.lanczos import lanczos
from theory.measure import Measure
from theory.slq_mistakes import damped_norms, smeared, without_orthogonality


def problem(scale: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    matrix, _ = rotated(scale * indefinite(20), generator=generator)
    return matrix, torch.randn(20, generator=generator, dtype=torch.float64)


def test_a_few_bare_steps_are_lanczos_steps() -> None:
    matrix, start = problem()
    ours = lanczos(lambda v: matrix @ v, start, 4)
    theirs = without_orthogonality(matrix, start, 4)
    assert theirs.alphas == pytest.approx(ours.alphas, abs=tolerance(1000))
    assert theirs.betas == pytest.approx(ours.betas, abs=tolerance(1000))
    assert without_orthogonality(matrix, start, 30).steps == 30


def test_damping_matters_at_small_scales_only() -> None:
    for scale, error in ((1.0, 1e-5), (1e-6, 0.5)):
        matrix, start = problem(scale)
        exact = without_orthogonality(matrix, start, 10).nodes[-1]
        found = damped_norms(matrix, start, 10).nodes[-1]
        assert 0 < 1 - found / exact < error
        assert error < 0.1 or 1 - found / exact > 0.05


def test_one_node_in_the_middle_of_a_cell_is_smeared_correctly() -> None:
    """Between one node and the grid's ends the range is 0.02: the cells resolve it."""
    one = Measure(np.array([2.0]), np.array([0.5]))
    assert smeared(one, lambda x: x) == pytest.approx(2.0, abs=1e-6)


def test_wide_ranges_lose_nodes_between_grid_points() -> None:
    """A cell of a grid over 1000 is 32 standard deviations wide."""
    assert slq_mistakes.GRID == 100_000 and slq_mistakes.VARIANCE == 1e-10
    cell = 1000.02 / (slq_mistakes.GRID - 1)
    on_grid = -0.01 + 50_000 * cell
    for node, kept in ((on_grid, True), (on_grid + cell / 2, False)):
        several = Measure(np.array([0.0, node, 1000.0]), np.full(3, 1 / 3))
        share = smeared(several, lambda x: (np.abs(x - 500) < 100).astype(float))
        assert (share > 0.3) == kept and (kept or share < 1e-6)
