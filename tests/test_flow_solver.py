"""The solver against solutions in closed form; its tolerances, limits and errors."""

import math
import re

import pytest
import torch
from torch import Tensor, nn

from theory.conserved_quantities import layer_law, quantity
from theory.flow_solver import (
    flatten,
    gradient_flow,
    gradient_of,
    heavy_ball,
    unflatten,
)
from theory.networks import Network, Parameters

START = {
    "0.weight": torch.tensor([[3.0, -1.0]]).double(),
    "1.weight": torch.tensor([[2.0]]).double(),
}
TIGHT = 1e-9
"""Error of a path at the default tolerance 1e-11, after some tens of steps."""


def still(theta: Parameters) -> Parameters:
    return {k: torch.zeros_like(p) for k, p in theta.items()}


def spring(theta: Parameters) -> Parameters:
    """L = |theta|^2 / 2."""
    return theta


def jump(theta: Parameters) -> Parameters:
    """L = |theta|_1: the flow reaches 0 and slides."""
    return {k: p.sign() for k, p in theta.items()}


def close(theta: Parameters, factor: float) -> bool:
    return all(
        bool(((theta[k] - factor * p).abs() <= TIGHT).all()) for k, p in START.items()
    )


def network() -> Network:
    layers = (nn.Linear(2, 1, bias=False), nn.Linear(1, 1, bias=False))
    return Network.of(nn.Sequential(*layers))


def test_the_gradient_is_that_of_the_network() -> None:
    net, x = network(), torch.tensor([[1.0, 2.0]])
    gradient = gradient_of(net, x, lambda y: (y**2).sum())
    slope = gradient(START)  # y = (3 - 2) 2 = 2, dL/dy = 4
    assert slope["0.weight"].tolist() == [[8.0, 16.0]]
    assert slope["1.weight"].tolist() == [[4.0]]
    assert not any(p.requires_grad for p in (*START.values(), *slope.values()))
    with torch.no_grad():
        assert gradient(START)["1.weight"].tolist() == [[4.0]]


def test_parameters_that_the_loss_does_not_see_have_gradient_zero() -> None:
    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.Linear(1, 1), nn.Linear(1, 2)

        def forward(self, x: Tensor) -> Tensor:
            output: Tensor = self.used(x)
            return output

    net = Network.of(Half())
    slope = gradient_of(net, torch.ones(1, 1), torch.sum)(net.parameters)
    assert slope["unused.weight"].tolist() == [[0.0], [0.0]]
    assert slope["used.weight"].tolist() == [[1.0]]


def test_bad_batches_and_readouts_are_refused() -> None:
    with pytest.raises(ValueError, match="NaN or infinite"):
        gradient_of(network(), torch.full((1, 2), math.nan), torch.sum)
    with pytest.raises(ValueError, match="must return one number"):
        gradient_of(network(), torch.ones(3, 2), lambda y: y)(START)


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_a_spring_relaxes(decay: float) -> None:
    end = gradient_flow(spring, START, 1.5, decay=decay)
    assert end.time == 1.5 and end.evaluations > 20
    assert close(end.parameters, math.exp(-1.5 * (1 + decay)))


def test_decay_alone_and_no_decay_by_default() -> None:
    assert close(gradient_flow(still, START, 2.0, decay=0.3).parameters, math.exp(-0.6))
    assert close(gradient_flow(still, START, 2.0).parameters, 1.0)


@pytest.mark.parametrize(("rtol", "atol"), [(1e-3, 1e-12), (1e-12, 1e-3)])
def test_each_tolerance_counts(rtol: float, atol: float) -> None:
    fine = gradient_flow(spring, START, 1.0, rtol=1e-12, atol=1e-12)
    assert gradient_flow(spring, START, 1.0).evaluations <= fine.evaluations
    rough = gradient_flow(spring, START, 1.0, rtol=rtol, atol=atol)
    assert rough.evaluations < fine.evaluations


def test_a_flow_stops_where_asked() -> None:
    end = gradient_flow(
        spring, START, 5.0, stop=lambda theta: float(theta["1.weight"]) - 0.5
    )
    assert end.time == pytest.approx(math.log(4.0), abs=TIGHT)
    assert close(end.parameters, 0.25)


def test_an_endless_flow_is_an_error() -> None:
    message = (
        "the solver needs more than 3000 evaluations up to time 4.0: the flow is stiff "
        "or slides along a kink; shorten the horizon, stop at the first kink, loosen "
        "the tolerances or raise the limit"
    )
    with pytest.raises(ValueError, match="^" + re.escape(message) + "$"):
        gradient_flow(jump, START, 4.0, limit=3000)
    with pytest.raises(ValueError, match="more than 7 evaluations"):
        heavy_ball(spring, START, layer_law(network()), 1.0, friction=1.0, limit=7)


def test_the_limit_itself_is_allowed() -> None:
    needed = gradient_flow(spring, START, 1.0).evaluations
    assert gradient_flow(spring, START, 1.0, limit=needed).evaluations == needed
    with pytest.raises(ValueError, match=f"more than {needed - 1} evaluations"):
        gradient_flow(spring, START, 1.0, limit=needed - 1)


def test_a_flow_that_ends_before_its_horizon_is_an_error() -> None:
    """The flow theta' = theta^2 from 2 is infinite at 1/2."""

    def grows(theta: Parameters) -> Parameters:
        return {k: -(p**2) for k, p in theta.items()}

    message = r"^the solver stopped at time 0\.\d+ of 1\.0: .+\. "
    with pytest.raises(
        ValueError,
        match=message + r"Loosen the tolerances or shorten the horizon$",
    ):
        gradient_flow(grows, {"a": torch.tensor([2.0]).double()}, 1.0)


@pytest.mark.parametrize("decay", [0.0, 3.0])
def test_a_damped_ball_in_closed_form(decay: float) -> None:
    """Of x'' + 2 x' + (1 + decay) x = 0, from rest: critical, or frequency sqrt(3)."""
    time = 0.8
    factor = math.exp(-time) * (1 + time)
    if decay:
        w = math.sqrt(decay)
        factor = math.exp(-time) * (math.cos(w * time) + math.sin(w * time) / w)
    law = layer_law(network())
    theta, predicted = heavy_ball(spring, START, law, time, friction=2.0, decay=decay)
    assert close(theta, factor)
    assert predicted.shape == (1,) and predicted.dtype == torch.float64


def test_the_prediction_of_a_ball_without_forces() -> None:
    """Under decay alone q(theta, g) = 0 for g = 0: Q = factor^2 Q(0), from v alone."""
    law, time = layer_law(network()), 0.8
    theta, predicted = heavy_ball(still, START, law, time, friction=2.0, decay=1.0)
    factor = math.exp(-time) * (1 + time)
    assert close(theta, factor)
    assert quantity(law, START).tolist() == [4.0 - 10.0]
    assert float(predicted) == pytest.approx(-6 * factor**2, abs=TIGHT)


def test_friction_is_asked_for_and_decay_is_off() -> None:
    law = layer_law(network())
    theta, predicted = heavy_ball(still, START, law, 1.0, friction=2.0)
    assert close(theta, 1.0) and float(predicted) == pytest.approx(-6.0, abs=TIGHT)


def test_a_ball_with_a_rough_tolerance_is_rough() -> None:
    law, calls = layer_law(network()), 0

    def counted(theta: Parameters) -> Parameters:
        nonlocal calls
        calls += 1
        return spring(theta)

    used = []
    for tolerance_ in (1e-3, 1e-11, 1e-13):
        calls = 0
        heavy_ball(counted, START, law, 1.0, friction=1.0, tolerance=tolerance_)
        used.append(calls)
    calls = 0
    heavy_ball(counted, START, law, 1.0, friction=1.0)
    assert used[0] < used[1] < used[2] and calls == used[1]


def test_vectors_and_names() -> None:
    vector = flatten(START)
    assert vector.tolist() == [3.0, -1.0, 2.0]
    back = unflatten(vector, START)
    assert list(back) == list(START)
    assert all(bool((back[k] == p).all()) for k, p in START.items())
    vector[:] = 0
    assert float(back["1.weight"]) == 2.0  # a copy: solvers reuse their vectors
    single = {name: p.float() for name, p in START.items()}
    with pytest.raises(ValueError, match=r"in float64, got \{torch.float32\}; make"):
        flatten(single)
