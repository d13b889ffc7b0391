"""Claim `neuron-conservation` (paper A, theorem 1), and the audit of any network.

S(theta) = dR/dtheta * theta is the synaptic saliency of a parameter for a scalar R of
the output. For activations with phi(z) = phi'(z) z (identity, ReLU, leaky ReLU, PReLU)
every hidden unit has

    sum of S over its incoming weights and its bias = sum of S over its outgoing weights

for any R and any batch, at any parameters.

Proof. z = W u + b is homogeneous of degree 1 in (W row, b): the left side is
<dR/dz, z>. Activation, pooling (max, average, adaptive), flattening, concatenation and
dropout in eval are homogeneous of degree 1 (Euler): it equals <dR/da, a>, a what the
next layers read. They read a by weights V: <dR/da, a> = sum of S(V) over the columns
that read it. Padding and stride only choose which products occur.

BatchNorm in eval is an affine layer whose whole shift is its bias. A unit that several
consumers read balances when all branches are added, identity branches too (their flow
is the saliency of a weight that is 1).

Both sides are sums of parameter gradients, of different parameters; only where no
weight stands does the flow of an identity edge take its place.

Lemma (BatchNorm in train mode, eps = 0). Its output does not change when the weights
that feed a channel are scaled, so their saliency sums to 0 in each channel. With
eps > 0 a part of about eps / variance is left.
"""

from collections.abc import Callable
from dataclasses import dataclass
from operator import getitem
from random import Random
from typing import no_type_check

import torch
from torch import Tensor, nn

from theory import exact, random_networks
from theory.claim import Check, Claim, Control, Sides, total
from theory.graph import Graph
from theory.networks import Network, Readout, describe
from theory.units import Units


def neuron_sides(network: Network, x: Tensor, readout: Readout) -> Sides:
    """Return S_in and S_out of every unit of the network (theorem 1)."""
    graph = Graph.of(network, x)
    flows = graph.flows(x, readout)
    sums = Units.of(graph).sums(flows.saliency, flows)
    return Sides(sums.into, sums.out_of, sums.scale, describe(network))


@dataclass(frozen=True)
class Balance:
    """What enters and leaves one operation, summed over the batch and all entries."""

    name: str
    operation: str
    into: float
    out_of: float
    defect: float


def audit(network: Network, x: Tensor, readout: Readout) -> list[Balance]:
    """Return the balance of every operation of any network, in graph order.

    Operations that are not homogeneous (tanh, LayerNorm, softmax, attention, saturated
    ReLU6) show as a defect |in - out| / (sum of absolute terms) beside their name;
    homogeneous ones stay at rounding error, about 1e-16. Filter with
    `[b for b in audit(...) if b.defect > 1e-10]`.

    The defect is the one for this R: pass a loss or random weights of the outputs. A
    plain sum after a LayerNorm, say, is constant and hides it.
    """
    graph = Graph.of(network, x)
    flows = graph.flows(x, readout)
    biases = graph.biases
    result = []
    for node in graph.nodes[:-1]:
        into = [flow for (_, c), flow in flows.edges.items() if c == node.name]
        if not into:
            continue
        made = {node.name}
        if node.name not in graph.shapes:  # a tuple's items carry its flow
            made = {user.name for user in node.users if user.target is getitem}
            if not made:  # a size or another number: nothing flows
                continue
        out = [flow for (p, _), flow in flows.edges.items() if p in made]
        if node.name in biases:
            into.append(flows.saliency[biases[node.name]])
        (left, size), (right, size_out) = total(into), total(out)
        gap, scale = float((left - right).abs()), float(size + size_out)
        layer = graph.layer(node)
        result.append(
            Balance(
                name=str(node.target) if layer is not None else node.name,
                operation=type(layer).__name__ if layer is not None else node.op,
                into=float(left),
                out_of=float(right),
                defect=gap / scale if scale else gap,
            )
        )
    return result


def normalised_sides(
    network: Network, x: Tensor, readout: Readout, layer: str
) -> Sides:
    """Return, per channel, the saliency of the weights of a layer that feeds BatchNorm.

    The right side is 0: the lemma for train mode. The network must have been made with
    `batch_statistics=True`.
    """
    gradient = network.gradient(x, readout)
    terms = gradient[f"{layer}.weight"] * network.parameters[f"{layer}.weight"]
    left = terms.flatten(1).sum(1)
    scale = terms.abs().flatten(1).sum(1)
    return Sides(left, torch.zeros_like(left), scale, describe(network))


def random_mlp(rng: Random) -> Sides:
    """Return theorem 1 on a random MLP with biases and dropout."""
    return _on(random_networks.mlp(rng), rng)


def random_convnet(rng: Random) -> Sides:
    """Return theorem 1 on a random convnet with pooling, joins and frozen BatchNorm."""
    return _on(random_networks.convnet(rng), rng)


def random_dag(rng: Random) -> Sides:
    """Return theorem 1 on a random DAG with identity branches."""
    return _on(random_networks.dag(rng), rng)


def train_mode(rng: Random, *, eps: float = 1e-300) -> Sides:
    """Return the lemma on conv - BatchNorm by the batch - ReLU - linear.

    torch asks for eps > 0; 1e-300 is 0 beside any variance in float64.
    """
    channels = rng.randint(1, 4)
    model = nn.Sequential(
        nn.Conv2d(2, channels, 3),
        nn.BatchNorm2d(channels, eps=eps),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(channels * 9, 3),
    )
    generator = torch.Generator().manual_seed(rng.getrandbits(48))
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    x = torch.randn(3, 2, 5, 5, generator=generator)
    network = Network.of(model, batch_statistics=True)
    return normalised_sides(network, x, random_networks.readout(rng), "0")


def batch_normalised(rng: Random) -> Sides:
    """Return theorem 1 on a convnet whose BatchNorm normalises by the batch."""
    layers = (nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten())
    model = random_networks.fill(nn.Sequential(*layers, nn.Linear(147, 2)), rng)
    x, readout = random_networks.inputs(model, rng), random_networks.readout(rng)
    return neuron_sides(Network.of(model, batch_statistics=True), x, readout)


def without_bias(rng: Random) -> Sides:
    """Return theorem 1 on a biased MLP with the biases left out of S_in."""
    model = random_networks.mlp(rng, bias=True)
    network = Network.of(model)
    x, readout = random_networks.inputs(model, rng), random_networks.readout(rng)
    graph = Graph.of(network, x)
    flows = graph.flows(x, readout)
    weights = {k: s for k, s in flows.saliency.items() if not k.endswith("bias")}
    sums = Units.of(graph).sums(weights, flows)
    return Sides(sums.into, sums.out_of, sums.scale, describe(network))


def without_branch(rng: Random) -> Sides:
    """Return theorem 1 on a residual net whose identity branches are not counted."""
    width = rng.randint(1, 4)
    body = nn.Sequential(nn.Linear(width, width), nn.ReLU())
    layers = (nn.Linear(3, width), random_networks.Residual(body), nn.Linear(width, 2))
    model = random_networks.fill(nn.Sequential(*layers), rng)
    network = Network.of(model)
    x, readout = random_networks.inputs(model, rng), random_networks.readout(rng)
    graph = Graph.of(network, x)
    units = Units.of(graph)
    sums = units.sums(graph.flows(x, readout).saliency)
    first = torch.tensor([owner == "_0" for owner in units.owners])
    left, right, scale = sums.into[first], sums.out_of[first], sums.scale[first]
    return Sides(left, right, scale, describe(network))


def with_activation(make: Callable[[], nn.Module]) -> Callable[[Random], Sides]:
    """Return the claim on random MLPs with another activation, inputs of size 10."""

    def draw(rng: Random) -> Sides:
        model = random_networks.mlp(rng, activation=make())
        x, readout = random_networks.inputs(model, rng), random_networks.readout(rng)
        return neuron_sides(Network.of(model), 10 * x, readout)

    return draw


class Attention(nn.Module):
    """Softmax self-attention over three tokens, for the negative control."""

    def __init__(self) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(4, 2, batch_first=True)

    @no_type_check  # torch.fx calls it with a Proxy
    def forward(self, x: Tensor) -> Tensor:
        """Return the attended tokens."""
        attended: Tensor = self.attend(x, x, x, need_weights=False)[0]
        return attended


def attention(rng: Random) -> Sides:
    """Return theorem 1 on linear - softmax attention - linear."""
    layers = (nn.Linear(2, 4), Attention(), nn.Linear(4, 1))
    model = random_networks.fill(nn.Sequential(*layers), rng)
    generator = torch.Generator().manual_seed(rng.getrandbits(48))
    x = torch.randn(2, 3, 2, generator=generator)
    return neuron_sides(Network.of(model), x, random_networks.readout(rng))


def layer_norm(rng: Random) -> Sides:
    """Return theorem 1 on linear - LayerNorm - ReLU - linear."""
    layers = (nn.Linear(3, 4), nn.LayerNorm(4), nn.ReLU(), nn.Linear(4, 2))
    return _on(random_networks.fill(nn.Sequential(*layers), rng), rng)


def _on(model: nn.Module, rng: Random) -> Sides:
    x, readout = random_networks.inputs(model, rng), random_networks.readout(rng)
    return neuron_sides(Network.of(model), x, readout)


CLAIM = Claim(
    label="neuron-conservation",
    title="Each hidden unit conserves synaptic saliency",
    statement="Σ S(incoming weights, bias) = Σ S(outgoing weights)",
    source="Tanaka et al. 2020, arXiv 2006.05467, theorem 1",
    assumptions=(
        "φ(z) = φ'(z) z",
        "the unit's bias counts as incoming",
        "all branches that read the unit count",
        "BatchNorm frozen, its shift a bias",
    ),
    checks=(
        Check("random MLPs", random_mlp, 1e-10),
        Check("random convnets", random_convnet, 1e-10),
        Check("random DAGs", random_dag, 1e-10),
        Check("rational DAGs, exact", exact.neuron_sides, 0.0),
        Check("BatchNorm in train mode (lemma)", train_mode, 1e-10),
    ),
    controls=(
        Control("tanh", with_activation(nn.Tanh)),
        Control("sigmoid", with_activation(nn.Sigmoid)),
        Control("GELU", with_activation(nn.GELU)),
        Control("SiLU", with_activation(nn.SiLU)),
        Control("softplus", with_activation(nn.Softplus)),
        Control("ELU", with_activation(nn.ELU)),
        Control("ReLU6, saturated", with_activation(nn.ReLU6)),
        Control("bias left out of S_in", without_bias),
        Control("identity branch left out", without_branch),
        Control("LayerNorm", layer_norm),
        Control("softmax attention", attention),
        Control("BatchNorm by the batch", batch_normalised),
        Control("the lemma with eps = 1", lambda r: train_mode(r, eps=1.0)),
    ),
)
