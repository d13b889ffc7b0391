"""The quadratic model whole and by Lanczos: the same limits, against plain algebra."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from tiny_problem import images, mlp, problem
from tolerance import tolerance

from experiments import limit_lanczos
from experiments.limit_dense import STIFF, DenseModel
from experiments.limit_lanczos import LanczosModel
from experiments.limit_problem import Problem
from theory import operators
from theory.lanczos import lanczos_columns
from theory.quadrature import gauss
from theory.reoptimised import largest_removal, reoptimised
from theory.spectrum import Spectrum

STRENGTH = 0.005


@cache
def dense(*, gauss_newton: bool = False) -> DenseModel:
    return DenseModel.of(problem(STRENGTH), gauss_newton=gauss_newton)


def test_descent_is_what_a_newton_step_gains() -> None:
    own = dense()
    stiff = own.vectors[:, own.values > STIFF]
    assert 0 < stiff.shape[1] < len(own.values)
    slope = own.problem.hessian().gradient().numpy() @ stiff
    whole = operators.dense(own.problem.hessian()).numpy()
    step = np.linalg.solve(stiff.T @ whole @ stiff, -slope)
    gain = -(slope @ step + step @ (stiff.T @ whole @ stiff) @ step / 2)
    assert own.descent == pytest.approx(gain / own.problem.epsilon, rel=1e-8)


def test_eigenpairs() -> None:
    own = dense()
    vector = torch.randn(53, generator=torch.Generator().manual_seed(0)).double()
    image = own.vectors @ (own.values * (own.vectors.T @ vector.numpy()))
    direct = own.problem.hessian().product(vector).numpy()
    bound = tolerance(53**2, float(np.abs(own.values).max()) * float(vector.norm()))
    np.testing.assert_allclose(image, direct, rtol=0, atol=bound)
    assert own.values[0] < 0 < own.values[-1] and (np.diff(own.values) >= 0).all()
    other = dense(gauss_newton=True)
    assert other.gauss_newton and not own.gauss_newton
    assert other.values[0] > -tolerance(53**2, float(other.values[-1]))


def test_measures() -> None:
    own, weights = dense(), problem(STRENGTH).weights
    assert own.trace.mass == pytest.approx(1, abs=tolerance(53))
    gone = problem(STRENGTH).order[:20]
    removed = np.zeros(53)
    removed[gone] = weights[gone]
    form = float(removed @ (own.vectors * own.values) @ own.vectors.T @ removed)
    found = own.along(20)
    assert found.mass == pytest.approx(1, abs=tolerance(53**2))
    mean = found.integral(lambda nodes: nodes) * float(removed @ removed)
    assert mean == pytest.approx(form, abs=tolerance(53**2, abs(own.values).max()))
    assert own.along(0).mass == 1


def test_limits_are_ordered() -> None:
    epsilon = problem(STRENGTH).epsilon
    positive, absolute = (
        dense().limits(epsilon, treatment) for treatment in ("positive", "absolute")
    )
    assert set(positive) == {"paper", "exact", "orthogonal"}
    for form, n in positive.items():
        assert 0 < absolute[form] <= n <= 45
    assert positive["paper"] <= positive["exact"]
    assert dense().limits(4 * epsilon, "positive")["paper"] > positive["paper"]
    with pytest.raises(ValueError, match="spectrum reaches down"):
        dense().limits(epsilon, "refuse")


def test_reoptimised_survivors_one_set_at_a_time() -> None:
    own = dense()
    losses, epsilon = own.losses("positive"), own.problem.epsilon
    matrix = (own.vectors * np.maximum(own.values, 0)) @ own.vectors.T
    n = largest_removal(losses, epsilon)
    assert 0 < n < 45
    for removed in (n, n + 1):
        gone = np.zeros(53, dtype=bool)
        gone[own.problem.order[:removed]] = True
        found = reoptimised(matrix, own.problem.weights, gone)
        assert (found.loss <= epsilon) == (removed == n)
        assert losses[removed] == pytest.approx(found.loss, rel=1e-5)


def test_random_subspaces_are_near_the_exact_limit() -> None:
    own, epsilon = dense(), problem(STRENGTH).epsilon
    found = own.random_subspaces(epsilon, "positive", 40, seed=0)
    limit = own.limits(epsilon, "positive")["exact"]
    error = np.std(found, ddof=1) / np.sqrt(40)
    assert abs(np.mean(found) - limit) < 4 * error + 1  # z = 4; whole numbers
    assert own.random_subspaces(epsilon, "positive", 1, seed=0) == found[:1]


@pytest.mark.parametrize("gauss_newton", [False, True])
def test_lanczos_finds_the_same_limits(gauss_newton: bool) -> None:
    """All steps, and every unit vector in the place of random probes: no error."""
    split = images(150, (3,), classes=2, seed=0)
    own = Problem.of(mlp(3, 3, 2), split, split)
    size = len(own.weights)
    whole = DenseModel.of(own, gauss_newton=gauss_newton)
    found = LanczosModel.of(
        own, probes=2, steps=size, seed=0, gauss_newton=gauss_newton
    )
    assert found.found.size == size and found.gauss_newton == gauss_newton
    units = torch.eye(size, dtype=torch.float64)
    runs = lanczos_columns(found.operator.product, units, size)
    limits = replace(found, found=Spectrum(size, runs)).limits(own.epsilon)
    for form, n in whole.limits(own.epsilon, "positive").items():
        assert limits[form].low <= limits[form].value <= limits[form].high
        # the next term, less than 2, is the mean of one for each unit vector
        assert abs(limits[form].value - n) <= (0 if form == "paper" else 1)
    mean = whole.along(5).integral(lambda nodes: nodes)
    bound = tolerance(size**2, float(np.abs(whole.values).max()))
    other = found.along(5, gauss).integral(lambda nodes: nodes)
    assert other == pytest.approx(mean, abs=bound)


def test_fewer_steps() -> None:
    few = LanczosModel.of(problem(STRENGTH), probes=3, steps=5, seed=4)
    many = LanczosModel.of(problem(STRENGTH), probes=3, steps=12, seed=4)
    short, epsilon = many.shortened(5), problem(STRENGTH).epsilon
    assert [run.steps for run in short.found.runs] == [5, 5, 5]
    assert short.limits(epsilon) == few.limits(epsilon)
    assert [run.steps for run in many.shortened(99).found.runs] == [12, 12, 12]


def test_limits_are_multiples_of_a_share_of_the_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = LanczosModel.of(problem(STRENGTH), probes=3, steps=8, seed=4)
    fine = own.limits(problem(STRENGTH).epsilon)
    monkeypatch.setattr(limit_lanczos, "RESOLUTION", 1 / 9)
    coarse = own.limits(problem(STRENGTH).epsilon)  # of 45 weights: multiples of 5
    assert any(found.value % 5 for found in fine.values())
    for form, found in coarse.items():
        assert found.low % 5 == found.value % 5 == 0
        assert 0 <= fine[form].value - found.value < 5


def test_conjugate_gradients_stop_within_epsilon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    losses = dense(gauss_newton=True).losses("positive")
    own = LanczosModel.of(
        problem(STRENGTH), probes=2, steps=5, seed=0, gauss_newton=True
    )
    # they would not converge, but one step is enough for a loss of all that there is
    monkeypatch.setattr(limit_lanczos, "TOLERANCE", 1e-15)
    monkeypatch.setattr(limit_lanczos, "PRODUCTS", 2)
    assert own.reoptimised(1e9) == 45
    assert own.reoptimised(1e-3 * float(losses[20])) < 20


def test_conjugate_gradients_agree_with_cholesky(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    losses = dense(gauss_newton=True).losses("positive")
    own = LanczosModel.of(
        problem(STRENGTH), probes=2, steps=5, seed=0, gauss_newton=True
    )
    epsilons = [1.02 * float(losses[n]) for n in (25, 30, 35, 40)]
    exact = [largest_removal(losses, epsilon) for epsilon in epsilons]
    # stopped early, their loss is never too small
    assert all(own.reoptimised(e) <= n for e, n in zip(epsilons, exact, strict=True))
    monkeypatch.setattr(limit_lanczos, "TOLERANCE", 1e-9)
    assert [own.reoptimised(epsilon) for epsilon in epsilons] == exact
    assert own.reoptimised(1e9) == 45
    monkeypatch.setattr(limit_lanczos, "PRODUCTS", 1)
    assert own.reoptimised(epsilons[0]) < exact[0]
