"""The random cases of the flow: gates, networks, steps, and the sides made of them."""

import math
import re
from random import Random

import pytest
import torch
from tolerance import tolerance
from torch import Tensor, nn

from theory import flow_cases, random_networks
from theory.conserved_quantities import layer_law, magnitude, matrix_law, quantity
from theory.flow_cases import (
    batches,
    both_laws,
    compared,
    descended,
    gated,
    layers_descended,
    length,
    smooth,
    units_descended,
)
from theory.flow_solver import gradient_of
from theory.gradient_descent import Sgd
from theory.networks import Network, describe


def squares(y: Tensor) -> Tensor:
    return (y**2).sum()


def relu_network() -> tuple[Network, Tensor]:
    """Hidden inputs 1 x - 2 and -3 x + 1, on x = 1 and x = 4."""
    shared = nn.ReLU()
    layers = (nn.Linear(1, 2), shared, nn.Dropout(0.5), nn.Linear(2, 1), shared)
    model = nn.Sequential(*layers, nn.Linear(1, 1))
    values = {"0.weight": [[1.0], [-3.0]], "0.bias": [-2.0, 1.0], "3.bias": [0.5]}
    values |= {"3.weight": [[2.0, 1.0]], "5.weight": [[1.0]], "5.bias": [0.0]}
    for name, parameter in model.named_parameters():
        parameter.data = torch.tensor(values[name])
    return Network.of(model), torch.tensor([[1.0], [4.0]]).double()


def test_frozen_gates_have_the_same_output_and_gradient() -> None:
    network, x = relu_network()
    frozen, distance = gated(network, x)
    theta = network.parameters
    assert frozen(theta, x).tolist() == network(theta, x).tolist() == [[0.5], [4.5]]
    one, other = (gradient_of(n, x, squares)(theta) for n in (network, frozen))
    assert {k: v.tolist() for k, v in one.items()} == {
        k: v.tolist() for k, v in other.items()
    }
    assert distance(theta) == 0.5  # the second layer's input on x = 1
    assert list(frozen.parameters) == list(theta)


def test_the_distance_is_negative_past_a_kink_and_gates_stay() -> None:
    network, x = relu_network()
    frozen, distance = gated(network, x)
    moved = network.parameters | {"0.bias": torch.tensor([-0.75, 1.0]).double()}
    assert distance(moved) == -0.25  # x - 0.75 is positive at x = 1
    assert frozen(moved, x).tolist() == [[0.5], [7.0]]
    assert network(moved, x).tolist() == [[1.0], [7.0]]


def test_networks_without_activations_have_no_kink() -> None:
    network = Network.of(nn.Sequential(nn.Linear(1, 1), nn.Dropout(0.1)))
    _, distance = gated(network, torch.ones(1, 1))
    assert distance(network.parameters) == math.inf


def test_a_unit_at_its_kink_is_refused() -> None:
    network, x = relu_network()
    message = "1 of 4 inputs of layer 1 are 0, at its kink; change the parameters or "
    message += "the batch"
    with pytest.raises(ValueError, match="^" + re.escape(message) + "$"):
        gated(network, torch.tensor([[2.0], [4.0]]))
    assert x.tolist() == [[1.0], [4.0]]


def test_smooth_networks_are_linear_without_zeros_and_losses_bounded() -> None:
    losses = set()
    for seed in range(30):
        network, loss, x = smooth(Random(seed))
        kinds = {type(m) for m in network.module.modules()}
        assert kinds <= {nn.Sequential, nn.Linear, nn.Identity, nn.Dropout}
        assert not any(name.endswith("bias") for name in network.parameters)
        values = torch.cat([p.flatten() for p in network.parameters.values()])
        assert bool((values != 0).all())
        y = network(network.parameters, x)
        squared = float(loss(torch.ones_like(y))) == 0
        expected = ((y - 1) ** 2).mean() / 2
        if not squared:
            expected = -y.log_softmax(1)[:, 0].mean()
        assert float(loss(y)) == pytest.approx(float(expected), rel=tolerance(1000))
        assert squared or y.shape[1] > 1
        losses.add(squared)
    assert losses == {True, False}


def test_smooth_networks_have_the_asked_activation_biases_and_size() -> None:
    act, squared, count = nn.ReLU(), 0.0, 0
    for seed in range(40):
        network, _, _ = smooth(Random(seed), activation=act, bias=True)
        kinds = {type(m) for m in network.module.modules()}
        assert kinds <= {nn.Sequential, nn.Linear, nn.ReLU, nn.Dropout}
        names = [name for name in network.parameters if name.endswith("bias")]
        assert len(names) == len(network.prunable)
        squared += length(network.parameters) ** 2
        count += sum(p.numel() for p in network.parameters.values())
    # standard deviation 1/2; the mean of `count` squares has spread sqrt(2 / count)
    assert abs(4 * squared / count - 1) < 5 * math.sqrt(2 / count)


def two_points() -> tuple[Network, dict[str, Tensor]]:
    layers = (nn.Linear(2, 2, bias=False), nn.Linear(2, 1, bias=False))
    network = Network.of(random_networks.fill(nn.Sequential(*layers), Random(1)))
    return network, {k: 2 * p + 1 for k, p in network.parameters.items()}


def test_compared_and_both_laws() -> None:
    network, end = two_points()
    start = network.parameters
    for law in (layer_law(network), matrix_law(network)):
        sides = compared(law, end, network, 0.5)
        assert sides.left.tolist() == quantity(law, end).tolist()
        assert sides.right.tolist() == (0.5 * quantity(law, start)).tolist()
        scale = magnitude(law, end) + 0.5 * magnitude(law, start)
        assert sides.scale.tolist() == scale.tolist()
        assert sides.case == describe(network)
        assert (
            compared(law, end, network).right.tolist() == quantity(law, start).tolist()
        )
    one, two = (
        compared(law, end, network, 0.5)
        for law in (layer_law(network), matrix_law(network))
    )
    both = both_laws(network, end, 0.5)
    for side in ("left", "right", "scale"):
        expected = [*getattr(one, side).tolist(), *getattr(two, side).tolist()]
        assert getattr(both, side).tolist() == expected
    assert both.case == describe(network)
    assert both_laws(network, end).right[0] == one.right[0] * 2


def test_batches_are_four_different_ones() -> None:
    model = random_networks.mlp(Random(0))
    found = batches(model, Random(5))
    assert len(found) == 4 and len({float(x.sum()) for x in found}) == 4


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    calls: list[tuple[object, ...]] = []
    original = flow_cases.descent_sides

    def spy(*arguments: object) -> object:
        calls.append(arguments)
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(flow_cases, "descent_sides", spy)
    return calls


def test_every_step_moves_by_a_tenth_of_the_length(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls, seen = recorded(monkeypatch), set()
    for seed in range(40):
        layers_descended(random_networks.mlp(Random(seed), bias=False), Random(seed))
        start, gradients, _, sgd, case = calls[-1]
        assert isinstance(start, dict) and isinstance(gradients, list)
        assert isinstance(sgd, Sgd) and isinstance(case, str) and sgd.rate == 0.1
        for scale in (1.0, 1e10):
            theta = {name: scale * p for name, p in start.items()}
            slope = length(gradients[0](theta))
            expected = pytest.approx(length(theta), rel=tolerance(1000))
            assert slope in (0.0, expected)
        seen.add((sgd.momentum, sgd.decay))
        assert len(gradients) == 4
    assert seen == {(m, d) for m in (0.0, 0.5, 0.9) for d in (0.0, 1.0)}


def test_every_step_has_its_batch_and_its_loss() -> None:
    network, _ = two_points()
    xs = [torch.full((1, 2), float(i)) for i in range(1, 4)]
    sides = descended(network, xs, layer_law(network), Random(0))
    assert sides.left.shape == (3, 1) and sides.case == describe(network)
    assert sides.defect() <= tolerance(1000)
    frozen = descended(network, xs, layer_law(network), Random(0), torch.zeros_like)
    ratio = frozen.left[:, 0] / quantity(layer_law(network), network.parameters)
    decays = {round(float(r), 6) for r in ratio}
    assert decays == {1.0} or max(decays) < 1.0


def test_layers_and_units_have_their_own_laws() -> None:
    for seed in range(10):
        model = random_networks.mlp(Random(seed), bias=False)
        linear = [m for m in model.modules() if isinstance(m, nn.Linear)]
        layers = layers_descended(model, Random(seed))
        units = units_descended(model, Random(seed))
        assert layers.left.shape == (4, len(linear) - 1)
        assert units.left.shape == (4, sum(m.out_features for m in linear[:-1]))
        assert max(layers.defect(), units.defect()) <= tolerance(1000)


def test_length_is_euclidean() -> None:
    assert length({"a": torch.tensor([3.0]), "b": torch.tensor([[4.0]])}) == 5.0
