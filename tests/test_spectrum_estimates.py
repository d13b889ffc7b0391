"""Estimates of a known spectrum: right where they should be, and as paid for."""

from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

from experiments import density_estimates, trace_estimates
from experiments.density_estimates import density, distance, removable, smeared, truth
from experiments.known_curvature import KnownCurvature
from theory import slq_mistakes
from theory.measure import Measure

SIZE, DEAD = 120, 20
OURS = ("4 probes", "10 probes", "4 probes, all", "4 probes, deflated")


@pytest.fixture(scope="module")
def known() -> KnownCurvature:
    """100 eigenvalues from -0.1 to 10 in a random basis, and 20 dead coordinates."""
    rng = torch.Generator().manual_seed(0)
    basis, _ = torch.linalg.qr(
        torch.randn(SIZE - DEAD, SIZE - DEAD, generator=rng, dtype=torch.float64)
    )
    values = np.append(np.geomspace(1e-3, 10, 99), -0.1)
    values.sort()
    matrix = torch.zeros(SIZE, SIZE, dtype=torch.float64)
    matrix[DEAD:, DEAD:] = (basis * torch.from_numpy(values)) @ basis.T
    weights = np.linspace(0.01, 1, SIZE)
    return KnownCurvature(
        model=nn.Linear(3, 2).double(),
        batch=(
            torch.randn(9, 3, generator=rng, dtype=torch.float64),
            torch.arange(9) % 2,
        ),
        matrix=matrix,
        dead=np.arange(SIZE) < DEAD,
        eigenvalues=values,
        vectors=basis,
        weights=weights,
        prunable=np.ones(SIZE, dtype=bool),
        epsilon=0.1,
        accuracy=1.0,
    )


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("method", get_args(trace_estimates.Method))
def test_traces_come_near_and_cost_what_they_say(
    known: KnownCurvature, method: str
) -> None:
    if method == "pyhessian":
        pytest.importorskip("pyhessian")
    if method == "xtrace":
        pytest.importorskip("curvlinops")
    state = torch.get_rng_state()
    estimator = trace_estimates.ESTIMATORS[method]
    found = estimator(known, 90, seeded())
    assert 0 < found.products <= 90
    assert estimator(known, 90, seeded()) == found != estimator(known, 90, seeded(1))
    assert torch.equal(torch.get_rng_state(), state)
    if method != "pyhessian":  # which has the network, not this matrix
        exact = known.spectrum.sum()
        assert abs(found.value - exact) <= 0.15 * exact
        assert found.products >= 88


def test_pyhessian_leaves_the_network_alone(known: KnownCurvature) -> None:
    pytest.importorskip("pyhessian")
    trace_estimates.ESTIMATORS["pyhessian"](known, 5, seeded())
    assert all(p.grad is None for p in known.model.parameters())


@pytest.mark.parametrize("method", get_args(density_estimates.Method))
def test_measures_have_mass_one_and_cost_what_they_say(
    known: KnownCurvature, method: str
) -> None:
    if method == "curvlinops":
        pytest.importorskip("curvlinops")
    found = density(known, method, 200, seeded())
    assert found.measure.mass == pytest.approx(1.0, rel=1e-6)
    assert 0 < distance(known, found.measure) < 1.5
    assert found.products <= 200
    assert found.limit.stated is (method in OURS)
    low, value, high, _ = found.limit
    assert low <= value <= high and (low < high) is (method in OURS)


def test_many_steps_are_nearly_exact(known: KnownCurvature) -> None:
    """100 steps of each probe leave no error of the limit but the probes'."""
    limit = removable(known, truth(known))
    found = density(known, "10 probes", 1000, seeded())
    assert found.limit.low <= limit <= found.limit.high
    assert abs(found.limit.value - limit) <= 0.06 * limit
    assert found.products == 1000


def test_all_coordinates_or_the_live_ones(known: KnownCurvature) -> None:
    """The mass at 0 is exact without the dead, and random with them."""
    for method, exact in (("4 probes", True), ("4 probes, all", False)):
        measure = density(known, method, 160, seeded()).measure
        mass = float(measure.weights[measure.nodes == 0].sum())
        assert (mass == pytest.approx(DEAD / SIZE, rel=1e-10)) is exact


def test_distance_in_units_of_the_mean_eigenvalue(known: KnownCurvature) -> None:
    exact = truth(known)
    scale = np.abs(known.spectrum).mean()
    assert distance(known, exact) <= 1e-12
    moved = Measure(exact.nodes + scale / 2, exact.weights)
    assert distance(known, moved) == pytest.approx(0.5, rel=1e-9)


def test_smearing_is_paper_c_s() -> None:
    measure = Measure(np.array([0.0, 0.3, 20.0]), np.array([0.5, 0.2, 0.3]))
    found = smeared(measure)
    for f in (lambda x: 1 / (1 + np.abs(x)), lambda x: x**2):
        expected = slq_mistakes.smeared(measure, f)
        assert found.integral(f) == pytest.approx(expected, rel=1e-9)
    assert len(found.nodes) == slq_mistakes.GRID


def test_unsmeared_are_the_nodes_of_the_same_runs(known: KnownCurvature) -> None:
    nodes = density(known, "unsmeared", 125, seeded())
    grid = density(known, "smeared", 125, seeded())
    expected = smeared(nodes.measure)
    assert np.array_equal(grid.measure.nodes, expected.nodes)
    assert grid.measure.weights == pytest.approx(expected.weights, abs=1e-15)
    assert len(nodes.measure.nodes) < 125 < len(grid.measure.nodes)
    assert nodes.products == grid.products == 125


def test_the_limit_takes_absolute_values(known: KnownCurvature) -> None:
    exact = truth(known)
    folded = Measure(np.abs(exact.nodes), exact.weights)
    assert removable(known, exact) == removable(known, folded)
    assert 0 < removable(known, exact) < SIZE
