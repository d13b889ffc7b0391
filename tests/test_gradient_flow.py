"""Conservation along training: identity, oracle, symmetry, edge cases, controls."""

import math
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from strategies import sources
from torch import nn

from theory import gradient_flow as claim
from theory import random_networks
from theory.conserved_quantities import layer_law, magnitude, quantity
from theory.flow_cases import smooth
from theory.flow_solver import gradient_flow, gradient_of
from theory.gradient_flow import CLAIM
from theory.ledger import COUNTER_EXAMPLE
from theory.networks import Network, describe

CHECKS = {check.family: check for check in CLAIM.checks}
CONTROLS = {control.dropped: control for control in CLAIM.controls}


# identity ---------------------------------------------------------------------------


@pytest.mark.parametrize("family", CHECKS)
@settings(max_examples=8)  # each follows a flow: about a tenth of a second
@given(rng=sources())
def test_every_check_holds(family: str, rng: Random) -> None:
    assert CHECKS[family].draw(rng).defect() <= CHECKS[family].bound


def test_all_bounds_are_tight_and_one_is_exact() -> None:
    assert {check.bound for check in CLAIM.checks} == {0.0, 1e-10}


# oracle -----------------------------------------------------------------------------


def test_two_numbers_in_closed_form() -> None:
    """L = -a b: a' = b, b' = a, so a + b grows and a - b shrinks as exp(+-t)."""
    layers = [nn.Linear(1, 1, bias=False) for _ in range(2)]
    for layer, value in zip(layers, (2.0, 0.5), strict=True):
        layer.weight.data.fill_(value)
    network = Network.of(nn.Sequential(*layers))
    gradient = gradient_of(network, torch.ones(1, 1), lambda y: -y.sum())
    end = gradient_flow(gradient, network.parameters, 1.0).parameters
    a, b = (float(p) for p in end.values())
    assert a + b == pytest.approx(2.5 * math.e, abs=1e-9)
    assert a - b == pytest.approx(1.5 / math.e, abs=1e-9)
    law = layer_law(network)
    assert float(quantity(law, end)) == pytest.approx(0.25 - 4.0, abs=1e-9)


def test_pruning_steps_of_descent_approach_the_flow() -> None:
    """The drift of descent over a fixed time halves with the rate."""
    network, loss, x = smooth(Random(1))
    law, gradient = layer_law(network), gradient_of(network, x, loss)
    drifts = []
    for steps in (200, 400):
        theta = network.parameters
        for _ in range(steps):
            slope = gradient(theta)
            theta = {k: p - slope[k] / steps for k, p in theta.items()}
        gap = quantity(law, theta) - quantity(law, network.parameters)
        drifts.append(float(gap.norm()))
    assert drifts[0] / drifts[1] == pytest.approx(2.0, rel=0.02)


# symmetry ---------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1e-8, 1e8])
def test_scaling_the_loss_and_the_time(factor: float) -> None:
    network, loss, x = smooth(Random(4))
    law, start = layer_law(network), network.parameters
    scaled = gradient_of(network, x, lambda y: factor * loss(y))
    one = gradient_flow(gradient_of(network, x, loss), start, 0.5).parameters
    two = gradient_flow(scaled, start, 0.5 / factor).parameters
    for end in (one, two):
        gap = (quantity(law, end) - quantity(law, start)).abs()
        assert bool((gap <= 1e-10 * magnitude(law, start)).all())
    assert all(bool((one[k] - two[k]).abs().max() <= 1e-9) for k in one)


# edge cases -------------------------------------------------------------------------


def test_flows_move() -> None:
    """The checks would hold trivially for networks that stand still."""
    moved = []
    for seed in range(10):
        network, loss, x = smooth(Random(seed))
        gradient = gradient_of(network, x, loss)
        end = gradient_flow(gradient, network.parameters, claim.HORIZON).parameters
        change = sum(float((end[k] - p).norm()) for k, p in network.parameters.items())
        moved.append(change)
    assert sorted(moved)[5] > 0.05


# families: what each check and control is made of -------------------------------------


def families(seed: int) -> dict[str, Any]:
    return {name: c.draw(Random(seed)) for name, c in (CHECKS | CONTROLS).items()}


LINEAR = (
    "flow of linear chains: layers, matrices",
    "flow with decay: exp(-2λt) Q(0)",
    "heavy ball: Q'' + γ Q' + 2λ Q = 2 q(v, v)",
    "one step of size 0.5 taken for the flow",
    "weight decay ignored",
    "momentum ignored",
)


@pytest.mark.parametrize("name", LINEAR)
def test_flows_without_activation_have_the_network_of_their_seed(name: str) -> None:
    for seed in range(3):
        network, _, _ = smooth(Random(seed))
        sides = (CHECKS | CONTROLS)[name].draw(Random(seed))
        assert sides.case == describe(network)
        first = quantity(layer_law(network), network.parameters)
        count = len(first)
        if name in ("heavy ball: Q'' + γ Q' + 2λ Q = 2 q(v, v)",):
            assert sides.left.shape == sides.right.shape == first.shape
        elif name == "flow with decay: exp(-2λt) Q(0)":
            ratio = float(sides.right[0] / first[0])
            assert math.exp(-1.0) <= ratio <= math.exp(-0.1)
        else:
            assert sides.right[:count].tolist() == first.tolist()
        assert sides.left[:count].tolist() != first.tolist()


def test_kinked_flows_have_biases_kinks_and_all_hidden_units() -> None:
    kinds, early = set(), 0
    for seed in range(12):
        sides = CHECKS["flow of ReLU networks to a kink: units"].draw(Random(seed))
        kinds |= {kind for kind in ("LeakyReLU", " ReLU") if kind in sides.case}
        early += bool((sides.left == sides.right).all())
    assert kinds == {"LeakyReLU", " ReLU"} and early < 12


def test_kinked_flows_end_at_their_first_kink(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = []

    def spy(*arguments: Any, stop: Any, **options: Any) -> Any:
        end = gradient_flow(*arguments, stop=stop, **options)
        ends.append((end.time, stop(end.parameters)))
        return end

    monkeypatch.setattr(claim, "gradient_flow", spy)
    for seed in range(12):
        claim.kinked_flow(Random(seed))
    early = [distance for time, distance in ends if time < claim.HORIZON]
    late = [distance for time, distance in ends if time == claim.HORIZON]
    assert early and late and len(early) + len(late) == 12
    assert max(map(abs, early)) < 1e-6 < min(late)  # the event is found by bisection


def test_units_of_descent_come_from_all_kinds_of_networks() -> None:
    found = [
        CHECKS["SGD with momentum and decay: units"].draw(Random(s)).case
        for s in range(30)
    ]
    assert any("Conv2d" in case for case in found)
    assert any("Conv2d" not in case for case in found)


def test_ball_checks_have_decay_and_do_not() -> None:
    drawn = []
    for seed in range(12):
        rng = Random(seed)
        smooth(rng)
        rng.uniform(0.5, 5.0)
        drawn.append(rng.choice([0.0, rng.uniform(0.1, 1.0)]))
        sides = claim.ball_flow(Random(seed))
        assert sides.defect() <= 1e-10
    assert any(drawn) and not all(drawn)


# controls ---------------------------------------------------------------------------


@pytest.mark.parametrize("dropped", CONTROLS)
def test_every_control_fails(dropped: str) -> None:
    worst = max(CONTROLS[dropped].draw(Random(s)).defect() for s in range(6))
    assert worst > COUNTER_EXAMPLE


def test_what_the_controls_are_made_of() -> None:
    for seed in range(3):
        drawn = families(seed)
        assert "Tanh" in drawn["tanh"].case or "Linear" in drawn["tanh"].case
        assert "GELU" in drawn["GELU"].case or "Linear" in drawn["GELU"].case
        norm = "Linear 3x2, BatchNorm1d, ReLU, Linear 2x3"
        assert drawn["BatchNorm by the batch"].case == norm


def test_the_controls_hold_once_the_hypothesis_is_back() -> None:
    """Biased networks: units balance where layers do not."""
    for seed in range(6):
        model = random_networks.mlp(Random(seed), bias=True)
        assert claim.units_descended(model, Random(seed)).defect() <= 1e-10
    assert any(
        claim.biased_layers(Random(seed)).defect() > COUNTER_EXAMPLE
        for seed in range(6)
    )


def test_networks_with_another_activation_have_it() -> None:
    for seed in range(5):
        sides = claim.with_activation(nn.Tanh())(Random(seed))
        again = claim.with_activation(nn.Tanh())(Random(seed))
        assert "Tanh" in sides.case and again.case == sides.case
        assert sides.defect() > COUNTER_EXAMPLE
