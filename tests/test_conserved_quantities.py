"""The laws as bilinear forms: values by hand, orthogonality to gradients, errors."""

import re
from random import Random

import pytest
import torch
from hypothesis import given
from strategies import Case, cases, sources
from tolerance import tolerance
from torch import Tensor, nn

from theory import random_networks
from theory.conserved_quantities import (
    Law,
    layer_law,
    magnitude,
    matrix_law,
    quantity,
    unit_law,
)
from theory.networks import Network, Parameters


def chain(*, bias: bool = False) -> Network:
    """2 - 2 - 1 with W1 = [[1, 2], [-3, 4]], W2 = [[5, -6]], b = (7, 8)."""
    model = nn.Sequential(nn.Linear(2, 2, bias=bias), nn.Linear(2, 1, bias=bias))
    values = {
        "0.weight": [[1.0, 2.0], [-3.0, 4.0]],
        "1.weight": [[5.0, -6.0]],
        "0.bias": [7.0, 8.0],
        "1.bias": [9.0],
    }
    for name, parameter in model.named_parameters():
        parameter.data = torch.tensor(values[name])
    return Network.of(model)


def ones(network: Network) -> Parameters:
    return {name: torch.ones_like(p) for name, p in network.parameters.items()}


def orthogonal(law: Law, theta: Parameters, slope: Parameters) -> bool:
    """Whether q(theta, g) is 0 up to the rounding of its terms."""
    into, out_of = law(
        {k: p.abs() for k, p in theta.items()}, {k: s.abs() for k, s in slope.items()}
    )
    bound = (into + out_of) * tolerance(10**3)
    return bool((quantity(law, theta, slope).abs() <= bound).all())


@given(cases())
def test_unit_balances_are_orthogonal_to_every_gradient(case: Case) -> None:
    slope = case.network.gradient(case.x, case.readout)
    law = unit_law(case.network, case.x)
    assert orthogonal(law, case.network.parameters, slope)


@given(rng=sources())
def test_layers_and_matrices_are_orthogonal_to_every_gradient(rng: Random) -> None:
    model = random_networks.mlp(rng, bias=False, activation=nn.Identity())
    network, x = Network.of(model), random_networks.inputs(model, rng)
    slope = network.gradient(x, random_networks.readout(rng))
    for law in (layer_law(network), matrix_law(network)):
        assert orthogonal(law, network.parameters, slope)


def test_layers_by_hand() -> None:
    network = chain(bias=True)
    law, theta = layer_law(network), network.parameters
    assert quantity(law, theta).tolist() == [61.0 - 30.0]
    assert quantity(law, theta, ones(network)).tolist() == [-1.0 - 4.0]
    assert magnitude(law, theta).tolist() == [91.0]


def test_neighbouring_layers_in_module_order() -> None:
    layers = [nn.Linear(1, 1, bias=False) for _ in range(3)]
    for layer, value in zip(layers, (1.0, 3.0, 7.0), strict=True):
        layer.weight.data.fill_(value)
    network = Network.of(nn.Sequential(*layers))
    assert quantity(layer_law(network), network.parameters).tolist() == [8.0, 40.0]
    assert quantity(matrix_law(network), network.parameters).tolist() == [8.0, 40.0]


def test_units_by_hand() -> None:
    network = chain(bias=True)
    law, theta = unit_law(network, torch.ones(1, 2)), network.parameters
    assert quantity(law, theta).tolist() == [1 + 4 + 49 - 25, 9 + 16 + 64 - 36]
    assert quantity(law, theta, ones(network)).tolist() == [10.0 - 5, 9.0 + 6]
    assert magnitude(law, theta).tolist() == [79.0, 125.0]


def test_outputs_and_inputs_are_no_units() -> None:
    network = Network.of(nn.Sequential(nn.Linear(3, 2)))
    assert (
        quantity(unit_law(network, torch.ones(1, 3)), network.parameters).numel() == 0
    )


def test_matrices_by_hand() -> None:
    network = chain()
    law, theta = matrix_law(network), network.parameters
    later = torch.tensor([[25.0, -30.0], [-30.0, 36.0]])
    earlier = torch.tensor([[5.0, 5.0], [5.0, 25.0]])
    assert quantity(law, theta).tolist() == (later - earlier).flatten().tolist()
    both = torch.tensor([[30.0, 30.0 + 11], [30.0 + 11, 36.0 + 25]])
    assert magnitude(law, theta).tolist() == both.flatten().tolist()


def test_matrices_are_symmetric_forms() -> None:
    network = chain()
    law, theta, other = matrix_law(network), network.parameters, ones(network)
    mixed = quantity(law, theta, other)
    assert mixed.tolist() == quantity(law, other, theta).tolist()
    assert mixed.view(2, 2).tolist() == mixed.view(2, 2).T.tolist()
    # sym([[5, 5], [-6, -6]]) - sym([[3, 3], [1, 1]])
    assert mixed.tolist() == [2.0, -0.5 - 2.0, -0.5 - 2.0, -7.0]


def test_one_layer_alone_is_refused() -> None:
    network = Network.of(nn.Sequential(nn.Linear(2, 2)))
    message = (
        "expected at least two layers with weights, got ['0.weight']; one layer alone "
        "conserves nothing"
    )
    for law in (layer_law, matrix_law):
        with pytest.raises(ValueError, match=re.escape(message) + "$"):
            law(network)


def test_matrices_of_convolutions_are_refused() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 2), nn.Flatten(), nn.Linear(4, 1))
    message = (
        "expected linear layers, got weights of shapes {'0.weight': (1, 1, 2, 2), "
        "'2.weight': (1, 4)}; for convolutions use layer_law or unit_law"
    )
    with pytest.raises(ValueError, match=re.escape(message) + "$"):
        matrix_law(Network.of(model))


def test_laws_leave_their_arguments_alone() -> None:
    network = chain(bias=True)
    before: dict[str, Tensor] = {k: p.clone() for k, p in network.parameters.items()}
    for law in (layer_law(network), unit_law(network, torch.ones(1, 2))):
        quantity(law, network.parameters)
        magnitude(law, network.parameters)
    assert all(bool((before[k] == p).all()) for k, p in network.parameters.items())
