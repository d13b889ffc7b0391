"""SGD's recursion of the conserved quantities, against torch and by hand."""

import math
import re
from fractions import Fraction
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t
from strategies import sources
from tolerance import tolerance
from torch import nn

from theory import random_networks
from theory.claim import Sides
from theory.conserved_quantities import layer_law, magnitude, quantity
from theory.exact import RationalDag
from theory.flow_solver import gradient_of
from theory.gradient_descent import (
    Sgd,
    descent_sides,
    drift_exponent,
    rational_gradient,
    rational_quantities,
    rational_sides,
)
from theory.networks import Network, Parameters


def squares(y: torch.Tensor) -> torch.Tensor:
    return ((y - 1) ** 2).sum()


def case() -> tuple[nn.Module, Network, torch.Tensor]:
    layers = (nn.Linear(3, 4, bias=False), nn.LeakyReLU(0.3))
    more = (nn.Linear(4, 4, bias=False), nn.ReLU(), nn.Linear(4, 2, bias=False))
    model = random_networks.fill(nn.Sequential(*layers, *more), Random(3)).double()
    return model, Network.of(model), random_networks.inputs(model, Random(3))


# the optimiser ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("momentum", "decay"), [(0, 0), (0.9, 0), (0, 0.1), (0.5, 0.2)]
)
def test_the_steps_are_those_of_torch(momentum: float, decay: float) -> None:
    model, network, x = case()
    gradient = gradient_of(network, x, squares)
    optimizer = torch.optim.SGD(model.parameters(), 1e-3, momentum, weight_decay=decay)
    theta = network.parameters
    velocity = {k: torch.zeros_like(p) for k, p in theta.items()}
    for _ in range(3):
        theta, velocity = Sgd(1e-3, momentum, decay).step(
            theta, velocity, gradient(theta)
        )
        optimizer.zero_grad()
        torch.autograd.backward(squares(model(x)))
        optimizer.step()
    for name, parameter in model.named_parameters():
        bound = tolerance(100, float(parameter.detach().abs().max()) + 1)
        assert bool(((theta[name] - parameter).abs() <= bound).all())


def test_momentum_and_decay_are_off_unless_asked_for() -> None:
    assert (Sgd(0.5).momentum, Sgd(0.5).decay) == (0, 0)


def test_one_step_of_two_numbers_by_hand() -> None:
    """L = (a b - 1)^2 / 2 at a = 2, b = 1: g = (1, 2), q = b^2 - a^2."""
    slope = {"a": Fraction(1), "b": Fraction(2)}
    start = {"a": Fraction(2), "b": Fraction(1)}
    velocity = {"a": Fraction(3), "b": Fraction(-1)}
    sgd = Sgd(Fraction(1, 2), Fraction(1, 3), Fraction(1, 5))
    theta, moved = sgd.step(start, velocity, slope)
    assert moved == {"a": Fraction(12, 5), "b": Fraction(28, 15)}
    assert theta == {"a": Fraction(4, 5), "b": Fraction(1, 15)}


def test_the_recursion_by_hand() -> None:
    sgd = Sgd(Fraction(1, 2), Fraction(1, 3), Fraction(1, 5))
    q, p = sgd.next(Fraction(10), Fraction(4), Fraction(6), Fraction(8))
    assert p == Fraction(4 - 3, 3) + 2  # mu (P - eta q(v, v)) + lambda Q
    assert q == 10 - p + 2  # Q - 2 eta P+ + eta^2 q(v+, v+)


# identities -------------------------------------------------------------------------


def measured(sgd: Sgd, steps: int = 5) -> tuple[Sides, list[Parameters], Network]:
    """Return both sides and the gradients on the way."""
    _, network, x = case()
    gradient, slopes = gradient_of(network, x, squares), list[Parameters]()

    def recorded(theta: Parameters) -> Parameters:
        slopes.append(gradient(theta))
        return slopes[-1]

    law = layer_law(network)
    sides = descent_sides(network.parameters, [recorded] * steps, law, sgd, "chain")
    return sides, slopes, network


def test_plain_descent_drifts_by_exactly_the_squared_rate() -> None:
    rate = 1e-2
    sides, slopes, network = measured(Sgd(rate))
    law = layer_law(network)
    before = quantity(law, network.parameters)
    assert sides.left.shape == (5, len(before)) and sides.case == "chain"
    for now, slope in zip(sides.left, slopes, strict=True):
        drift, bound = now - before, tolerance(10**3) * sides.scale[0]
        assert bool(((drift - rate**2 * quantity(law, slope)).abs() <= bound).all())
        assert float(drift.abs().max()) > 0
        before = now
    assert sides.defect() <= tolerance(10**3)


def test_decay_alone_shrinks_by_a_square() -> None:
    rate, decay = 1e-2, 3.0
    sides, slopes, network = measured(Sgd(rate, decay=decay))
    law, expected = layer_law(network), quantity(layer_law(network), network.parameters)
    for now, slope in zip(sides.left, slopes, strict=True):
        expected = (1 - rate * decay) ** 2 * expected + rate**2 * quantity(law, slope)
        assert bool(((now - expected).abs() <= tolerance(10**3) * sides.scale[0]).all())


def test_momentum_alone_has_a_closed_form() -> None:
    rate, mu, steps = 1e-3, 0.9, 8
    sides, slopes, network = measured(Sgd(rate, mu), steps)
    law, v = layer_law(network), {k: 0 * p for k, p in network.parameters.items()}
    expected = quantity(law, network.parameters)
    for s, slope in enumerate(slopes, start=1):
        v = {k: mu * v[k] + slope[k] for k in v}
        weight = 1 + 2 * mu * (1 - mu ** (steps - s)) / (1 - mu)
        expected = expected + rate**2 * weight * quantity(law, v)
    gap = (sides.left[-1] - expected).abs()
    assert bool((gap <= tolerance(10**3) * sides.scale[0]).all())
    assert bool((sides.right[-1] - expected).abs().le(gap + 1e-12).all())


def test_constant_gradients_drift_nineteen_times_as_far() -> None:
    """(1 + mu) / (1 - mu) at mu = 0.9, in the limit of many steps."""
    n, mu, q = 10**5, 0.9, 0.0
    p = before = 0.0
    for step in range(1, n + 1):
        v = (1 - mu**step) / (1 - mu)
        q, p = Sgd(1 - mu, mu).next(q, p, before, v**2)
        before = v**2
    assert q / n == pytest.approx(19.0, rel=1e-3)


@pytest.mark.parametrize(("slope", "largest"), [(-3.0, 41.0), (1.0, 5.0)])
def test_the_scale_is_the_largest_on_the_way(slope: float, largest: float) -> None:
    """From (2, 1), of squared length 5, to (5, 4) or to (1, 0)."""
    layers = [nn.Linear(1, 1, bias=False) for _ in range(2)]
    for layer, value in zip(layers, (2.0, 1.0), strict=True):
        layer.weight.data.fill_(value)
    network = Network.of(nn.Sequential(*layers))

    def gradient(theta: Parameters) -> Parameters:
        return {k: torch.full_like(p, slope) for k, p in theta.items()}

    law = layer_law(network)
    sides = descent_sides(network.parameters, [gradient], law, Sgd(1.0), "")
    assert sides.scale.tolist() == [[largest]]
    assert magnitude(law, network.parameters).tolist() == [5.0]


@given(rng=sources())
def test_rational_descent_is_exact(rng: Random) -> None:
    assert rational_sides(rng).defect() == 0.0


def test_rational_cases_move_and_have_every_hyperparameter() -> None:
    seen, moved = set(), 0
    for seed in range(60):
        sides = rational_sides(Random(seed))
        seen |= set(
            re.findall(r"(?:rate|momentum|decay)=Fraction\(\d, \d\)", sides.case)
        )
        half = len(sides.left) // 2
        moved += sides.left[:half] != sides.left[half:]
    assert len(seen) == 12 and moved > 20


def test_rational_gradients_and_quantities_by_hand() -> None:
    """From x = 2 by w = 4 with bias 2, then by v = 6; R = 7 y, all linear."""
    one = Fraction(1)
    dag = RationalDag(
        weights={(0, 1): 3 * one, (1, 2): 5 * one},
        biases={1: one},
        slopes=(one, one, one),
        inputs={0: 2 * one},
        linear=(0 * one, 0 * one, 7 * one),
        quadratic=(0 * one,) * 3,
    )
    theta = {(0, 1): 4 * one, (1, 2): 6 * one, 1: 2 * one}
    assert rational_gradient(dag, theta) == {(0, 1): 84, (1, 2): 70, 1: 42}
    assert rational_quantities(dag, theta) == [16 + 4 - 36]
    del theta[1]
    assert rational_quantities(dag, theta) == [16 - 36]


# the exponent -----------------------------------------------------------------------


@given(st.floats(0.1, 3), st.floats(1e-6, 1e3))
def test_a_power_law_has_its_exponent(power: float, constant: float) -> None:
    rates = [0.1, 0.05, 0.02, 0.01]
    fit = drift_exponent(rates, [constant * r**power for r in rates])
    assert fit.slope == pytest.approx(power, abs=tolerance(10**4))
    assert fit.low <= fit.slope <= fit.high
    # residuals come from 1 - R^2, which rounds: the error is a root of that
    assert fit.high - fit.low <= math.sqrt(tolerance(10**3)) * power


def test_the_interval_is_that_of_regression() -> None:
    rates, drifts = [1.0, 2.0, 4.0, 16.0], [1.0, 2.5, 3.0, 20.0]
    x, y = np.log(rates), np.log(drifts)
    dx = x - x.mean()
    slope = float((dx * y).sum() / (dx**2).sum())
    rest = y - y.mean() - slope * dx
    error = math.sqrt(float((rest**2).sum()) / 2 / float((dx**2).sum()))
    for level, quantile in ((0.95, 0.975), (0.5, 0.75)):
        half = float(t.ppf(quantile, 2)) * error
        fit = drift_exponent(rates, drifts, level=level)
        assert fit.slope == pytest.approx(slope, rel=tolerance(100))
        assert fit.low == pytest.approx(slope - half, rel=tolerance(1000))
        assert fit.high == pytest.approx(slope + half, rel=tolerance(1000))
    assert drift_exponent(rates, drifts) == drift_exponent(rates, drifts, level=0.95)


REFUSED: dict[str, tuple[list[float], list[float]]] = {
    "two rates": ([1.0, 2.0], [1.0, 2.0]),
    "two different rates": ([1.0, 2.0, 2.0], [1.0, 2.0, 2.0]),
    "no drift": ([1.0, 2.0, 3.0], [1.0, 0.0, 2.0]),
    "negative drift": ([1.0, 2.0, 3.0], [1.0, -1.0, 2.0]),
    "negative rate": ([1.0, -2.0, 3.0], [1.0, 2.0, 2.0]),
    "zero rate": ([1.0, 0.0, 3.0], [1.0, 2.0, 2.0]),
    "infinite drift": ([1.0, 2.0, 3.0], [1.0, math.inf, 2.0]),
    "infinite rate": ([1.0, 2.0, math.inf], [1.0, 3.0, 2.0]),
    "NaN": ([1.0, 2.0, 3.0], [1.0, math.nan, 2.0]),
    "more rates": ([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0]),
}


@pytest.mark.parametrize("what", REFUSED)
def test_drifts_without_an_exponent_are_refused(what: str) -> None:
    rates, drifts = REFUSED[what]
    message = (
        "expected one positive drift for each of at least three different positive "
        f"rates, got rates {rates} and drifts {drifts}; a quantity that does not drift "
        "has no exponent"
    )
    with pytest.raises(ValueError, match="^" + re.escape(message) + "$"):
        drift_exponent(rates, drifts)
