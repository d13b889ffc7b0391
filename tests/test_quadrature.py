"""Quadrature rules: exactness, bounds, enclosures, and where they must be refused."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tolerance import tolerance

from theory.known_spectra import indefinite, power_law, rotated, spiked
from theory.lanczos import Lanczos, lanczos
from theory.measure import ROUNDING, Measure
from theory.quadrature import enclosure, gauss, radau, resolution, step_halved

TWO = Lanczos(np.array([1.0, 3.0]), np.array([2.0, 4.0]))
"""Nodes 2 -+ sqrt 5: of both signs."""
DEFINITE = Lanczos(np.array([2.0, 3.0]), np.array([1.0, 2.0]))


def seen(
    eigenvalues: np.ndarray, steps: int, seed: int = 0
) -> tuple[Lanczos, Measure, float]:
    """Return a run, the measure that it sees, and the largest |eigenvalue|."""
    generator = torch.Generator().manual_seed(seed)
    matrix, basis = rotated(eigenvalues, generator=generator)
    start = torch.randn(len(eigenvalues), generator=generator, dtype=torch.float64)
    start = start / start.norm()
    run = lanczos(lambda v: matrix @ v, start, steps)
    weights = (basis.T @ start).numpy() ** 2
    return run, Measure(eigenvalues, weights), float(np.abs(eigenvalues).max())


# rules ------------------------------------------------------------------------------


@given(st.integers(1, 8), st.integers(0, 5), st.sampled_from([1e-8, 1.0, 1e8]))
def test_exact_for_polynomials(steps: int, seed: int, scale: float) -> None:
    """Degree <= 2k - 1 for Gauss, <= 2k for Radau; the next degree is not."""
    run, truth, largest = seen(scale * spiked(25), steps, seed)
    rules = {2 * steps - 1: gauss(run), 2 * steps: radau(run)}
    rules |= {max(1, 2 * (steps // 2) - 1): step_halved(run)}
    for degree, rule in rules.items():
        for power in range(degree + 1):
            left, right = (
                m.integral(lambda x, p=power: (x / largest) ** p) for m in (rule, truth)
            )
            assert abs(left - right) <= tolerance(1000)
    beyond = radau(run).integral(lambda x: (x / largest) ** (2 * steps + 1))
    above = truth.integral(lambda x: (x / largest) ** (2 * steps + 1))
    assert steps > 1 or beyond != pytest.approx(above, rel=1e-6)


def test_radau_by_hand() -> None:
    """T = [[2, 1], [1, 3]], beta = 2: pivots 2, 5/2, so alpha' = 4 / (5/2) = 8/5."""
    rule = radau(DEFINITE)
    matrix = np.array([[2.0, 1, 0], [1, 3, 2], [0, 2, 1.6]])
    assert rule.nodes[0] == 0.0
    assert rule.nodes == pytest.approx(np.linalg.eigvalsh(matrix), abs=tolerance(10, 5))
    assert rule.mass == pytest.approx(1, rel=tolerance(10))
    shifted = radau(DEFINITE, -1.0)  # pivots 3, 11/3: alpha' = -1 + 12/11
    assert shifted.nodes[0] == -1.0
    assert shifted.nodes.sum() == pytest.approx(5 + 1 / 11, rel=tolerance(10))
    above = radau(DEFINITE, 10.0)  # pivots -8, -55/8: alpha' = 10 - 32/55
    assert above.nodes[-1] == 10.0
    assert above.nodes.sum() == pytest.approx(15 - 32 / 55, rel=tolerance(10))


def test_radau_inside_the_spectrum_is_refused() -> None:
    message = "expected the node 0 at an end of the spectrum, got Ritz values from -0.2"
    with pytest.raises(
        ValueError, match=message + "36 to 4.24; for an indefinite matr"
    ):
        radau(TWO)


def test_radau_of_an_exact_run_is_the_run() -> None:
    run = Lanczos(np.array([2.0, 3.0]), np.array([1.0, 0.0]))
    assert radau(run).nodes.tolist() == run.nodes.tolist()
    assert radau(run).weights.tolist() == run.weights.tolist()


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_node_that_is_zero_to_rounding_is_moved_to_zero(sign: float) -> None:
    betas = np.array([0.0, 0.5])
    run = Lanczos(np.array([sign * 4 * ROUNDING, 4.0]), betas)
    assert radau(run).nodes.tolist() == [0.0, 4.0]
    assert radau(run).weights.tolist() == run.weights.tolist()
    outside = Lanczos(np.array([1.1 * 4 * ROUNDING, 4.0]), betas)
    assert len(radau(outside).nodes) == 3


def test_half_the_steps() -> None:
    run, _, _ = seen(spiked(25), 7)
    assert step_halved(run).nodes.tolist() == run.truncated(3).nodes.tolist()
    one = step_halved(run.truncated(1))
    assert one.nodes.tolist() == [
        run.alphas[0] - run.betas[0],
        run.alphas[0] + run.betas[0],
    ]
    assert one.weights.tolist() == [0.5, 0.5]


# bounds -----------------------------------------------------------------------------


@given(st.integers(1, 10), st.integers(0, 5), st.sampled_from([1e-4, 1e-2, 1.0]))
def test_bounds_of_completely_monotone_functions(
    steps: int, seed: int, share: float
) -> None:
    run, truth, largest = seen(power_law(25), steps, seed)
    c = share * largest
    for f in (
        lambda x: c / (c + x),
        lambda x: (c / (c + x)) ** 2,
        lambda x: np.exp(-x),
    ):
        value, slack = truth.integral(f), tolerance(10**4)
        assert gauss(run).integral(f) <= value + slack
        assert radau(run, largest).integral(f) <= value + slack
        assert radau(run).integral(f) >= value - slack


def test_the_error_is_that_of_conjugate_gradients() -> None:
    """At most 4 r^2k of the value, for every k, and it does shrink."""
    c, errors = 1e-2, []
    for steps in (1, 2, 4, 8, 16):
        run, truth, largest = seen(np.linspace(0, 1, 200), steps)
        value = truth.integral(lambda x: 1 / (c + x))
        errors.append((value - gauss(run).integral(lambda x: 1 / (c + x))) / value)
        root = math.sqrt(1 + largest / c)
        assert 0 <= errors[-1] <= 4 * ((root - 1) / (root + 1)) ** (2 * steps)
    assert errors[-1] < 1e-2 * errors[0]


@given(st.integers(1, 9), st.integers(0, 5), st.floats(0.01, 1))
def test_enclosures_hold_for_indefinite_matrices(
    steps: int, seed: int, c: float
) -> None:
    run, truth, _ = seen(indefinite(25), steps, seed)

    def f(x: np.ndarray) -> np.ndarray:
        return c / (c + x)

    def within(x: np.ndarray) -> np.ndarray:
        return (x <= c).astype(float)

    for function in (f, within):
        low, high = enclosure(run, function, treatment="absolute")
        value = truth.treated("absolute").integral(function)
        assert low - tolerance(100) <= value <= high + tolerance(100)
        low, high = enclosure(run, function, treatment="positive")
        value = truth.treated("positive").integral(function)
        assert low - tolerance(100) <= value <= high + tolerance(100)
    value, rounding = truth.integral(np.exp), tolerance(1000, math.exp(2))
    low, high = enclosure(run, np.exp, support=(-0.5, 2.0))
    assert low - rounding <= value <= high + rounding


def test_an_enclosure_by_hand() -> None:
    """Nodes 2 -+ sqrt 5 (weights a, b): intervals (-inf, 4.2) and (-0.2, inf)."""
    low, high = TWO.nodes
    a, b = TWO.weights

    def f(x: np.ndarray) -> np.ndarray:
        return 1 / (1 + x)

    close = {"abs": tolerance(10)}
    absolute = enclosure(TWO, f, treatment="absolute")
    assert absolute == (pytest.approx(0.0), pytest.approx(1.0, **close))
    bounded = enclosure(TWO, f, treatment="absolute", support=(-1.0, 5.0))
    assert bounded[0] == pytest.approx(a / (1 + high) + b / 6, **close)
    positive = enclosure(TWO, f, treatment="positive", support=(-1.0, 5.0))
    assert positive == (pytest.approx(a / (1 + high) + b / 6), pytest.approx(1.0))
    plain = enclosure(TWO, lambda x: x, support=(-1.0, 5.0))
    assert plain[0] == pytest.approx(-a + b * low, **close)
    assert plain[1] == pytest.approx(a * high + 5 * b, **close)
    far = Lanczos(np.array([-1.0, 2.0]), np.array([0.0, 1.0]))
    assert far.weights.tolist() == [1.0, 0.0]
    ends = enclosure(far, f, treatment="absolute", support=(-3.0, -0.5))
    assert ends == (0.25, 1.0)  # all between -3 and 2: |x| from 0 to 3


def test_the_enclosure_of_an_exact_run_is_a_point() -> None:
    run = Lanczos(np.array([-1.0]), np.array([0.0]))
    assert enclosure(run, lambda x: 1 / (1 + x), treatment="absolute") == (0.5, 0.5)
    assert enclosure(run, lambda x: 1 / (1 + x), treatment="positive") == (1.0, 1.0)
    assert enclosure(run, lambda x: x) == (-1.0, -1.0)


def test_refused_enclosures() -> None:
    with pytest.raises(ValueError, match=r"the spectrum reaches down to -0.236"):
        enclosure(TWO, np.exp, treatment="refuse")
    low, high = enclosure(DEFINITE, lambda x: 1 / (1 + x), treatment="refuse")
    assert 0 < low < gauss(DEFINITE).integral(lambda x: 1 / (1 + x)) < high < 1


def test_resolution() -> None:
    low, high = TWO.nodes
    assert resolution(TWO).tolist() == [low, high]
    assert resolution(TWO, -1.0).tolist() == [-math.inf, low]
    assert resolution(TWO, 9.0).tolist() == [high, math.inf]
    assert resolution(TWO, low).tolist() == [low, high]
