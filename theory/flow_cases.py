"""Random networks and losses on which the conservation along training is tried."""

import math
from collections.abc import Callable, Sequence
from random import Random

import torch
from torch import Tensor, nn
from torch.func import functional_call

from theory import random_networks
from theory.claim import Sides
from theory.conserved_quantities import (
    Law,
    layer_law,
    magnitude,
    matrix_law,
    quantity,
    unit_law,
)
from theory.flow_solver import gradient_of
from theory.gradient_descent import Gradient, Sgd, descent_sides
from theory.networks import Network, Parameters, Readout, cross_entropy, describe

HORIZON = 0.5
"""Time that the flows take (ours): weights move by about a tenth of their length."""


def smooth(
    rng: Random, *, activation: nn.Module | None = None, bias: bool = False
) -> tuple[Network, Readout, Tensor]:
    """Return a random MLP without zeros, a random loss, and a batch.

    Linear without an activation. The losses are bounded below, so that the flow exists
    for all time: mean squared error or cross-entropy.
    """
    activation = nn.Identity() if activation is None else activation
    model = random_networks.mlp(rng, bias=bias, activation=activation)
    generator = torch.Generator().manual_seed(rng.getrandbits(48))
    network = Network.of(model)
    for parameter in network.parameters.values():
        parameter.copy_(torch.randn(parameter.shape, generator=generator) / 2)
    x = random_networks.inputs(model, rng)
    losses: list[Readout] = [lambda y: ((y - 1) ** 2).mean() / 2]
    if network(network.parameters, x).shape[1] > 1:  # of one class it is constant
        losses.append(cross_entropy(torch.zeros(len(x), dtype=torch.long)))
    return network, rng.choice(losses), x


class _Gate(nn.Module):
    """Multiplication of each entry by a constant: an activation frozen where it is."""

    def __init__(self, z: Tensor, value: Tensor) -> None:
        super().__init__()
        self.sign, self.slope = z.sign(), value / z

    def forward(self, z: Tensor) -> Tensor:
        """Return slope z."""
        return z * self.slope


def gated(network: Network, x: Tensor) -> tuple[Network, Callable[[Parameters], float]]:
    """Return the network with its gates frozen, and its distance from the first kink.

    For a torch.nn.Sequential of linear layers, dropout and activations such as (leaky)
    ReLU: phi(z) becomes s z with s = phi(z) / z of each unit and sample at the
    network's parameters. This has the same gradient on x while no z changes its sign,
    and no kinks. The distance, a function of theta, is the smallest sign(z at first) z
    over units and samples: negative past the first kink.

    Raises:
        ValueError: a unit stands at its kink already.
    """
    x = network.batch(x)
    layers, z = list[nn.Module](), x
    for name, layer in _parts(network.module):
        value = _apply(name, layer, network.parameters, z)
        if not isinstance(layer, nn.Linear | nn.Dropout):
            if not bool(z.all()):
                raise ValueError(
                    f"{int((z == 0).sum())} of {z.numel()} inputs of layer {name} are "
                    "0, at its kink; change the parameters or the batch"
                )
            layer = _Gate(z, value)
        layers.append(layer)
        z = value
    frozen = nn.Sequential(*layers)

    def distance(theta: Parameters) -> float:
        smallest, z = float("inf"), x
        for name, layer in _parts(frozen):
            if isinstance(layer, _Gate):
                smallest = min(smallest, float((layer.sign * z).min()))
            z = _apply(name, layer, theta, z)
        return smallest

    return Network(frozen, network.parameters, {}), distance


def _parts(module: nn.Module) -> list[tuple[str, nn.Module]]:
    # a module may stand at several places: named_children would list it once
    return [p for p in module.named_modules(remove_duplicate=False) if p[0]]


def _apply(name: str, layer: nn.Module, theta: Parameters, x: Tensor) -> Tensor:
    own = {key: theta[f"{name}.{key}"] for key, _ in layer.named_parameters()}
    output: Tensor = functional_call(layer, own, (x,))
    return output


def compared(law: Law, end: Parameters, network: Network, factor: float = 1.0) -> Sides:
    """Return Q at the end, and factor times Q at the network's own parameters."""
    left, right = quantity(law, end), factor * quantity(law, network.parameters)
    scale = magnitude(law, end) + factor * magnitude(law, network.parameters)
    return Sides(left, right, scale, describe(network))


def both_laws(network: Network, end: Parameters, factor: float = 1.0) -> Sides:
    """Return layers and matrices at the end, and factor times those at the start."""
    one = compared(layer_law(network), end, network, factor)
    two = compared(matrix_law(network), end, network, factor)
    return Sides(
        torch.cat([one.left, two.left]),
        torch.cat([one.right, two.right]),
        torch.cat([one.scale, two.scale]),
        one.case,
    )


def batches(model: nn.Module, rng: Random) -> list[Tensor]:
    """Return 4 batches that the random network accepts, one for each step."""
    return [random_networks.inputs(model, rng) for _ in range(4)]


def descended(
    network: Network,
    xs: Sequence[Tensor],
    law: Law,
    rng: Random,
    change: Callable[[Tensor], Tensor] = torch.clone,
) -> Sides:
    """Return Q after each step of SGD, measured and by the recursion.

    Every batch has a loss of its own, scaled to a gradient as long as the parameters,
    so that no step overflows; momentum and decay are random. `change` acts on every
    gradient before its step (for negative controls).
    """
    slopes = [gradient_of(network, x, random_networks.readout(rng)) for x in xs]
    gradients = [_scaled(slope, change) for slope in slopes]
    sgd = Sgd(0.1, rng.choice([0.0, 0.5, 0.9]), rng.choice([0.0, 1.0]))
    return descent_sides(network.parameters, gradients, law, sgd, describe(network))


def layers_descended(model: nn.Module, rng: Random) -> Sides:
    """Return `descended` for the differences of neighbouring layers."""
    network = Network.of(model)
    return descended(network, batches(model, rng), layer_law(network), rng)


def units_descended(model: nn.Module, rng: Random) -> Sides:
    """Return `descended` for the balances of hidden units."""
    network, xs = Network.of(model), batches(model, rng)
    return descended(network, xs, unit_law(network, xs[0]), rng)


def length(parameters: Parameters) -> float:
    """Return the Euclidean norm of all parameters together."""
    return math.sqrt(sum(float((p**2).sum()) for p in parameters.values()))


def _scaled(gradient: Gradient, change: Callable[[Tensor], Tensor]) -> Gradient:
    def scaled(theta: Parameters) -> Parameters:
        slopes = {k: change(slope) for k, slope in gradient(theta).items()}
        factor = length(theta) / (length(slopes) or 1.0)
        return {k: factor * slope for k, slope in slopes.items()}

    return scaled
