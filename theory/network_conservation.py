"""Claim `network-conservation` (paper A, theorem 2): every cut carries the same flow.

Let U be a set of nodes of a homogeneous network's graph that contains the input and,
with every node, all that feeds it. The cut is the set of edges that leave U; an edge
into a linear or convolution layer carries the saliency of that layer's weight, any
other edge that of an identity weight. Then

    sum of S over the cut = <dR/dx, x> + sum of S(b) over the biases in U
                          = <dR/dy, y> - sum of S(b) over the biases outside U.

Biases are further inputs, and so is any tensor that the graph reads by itself and adds
or joins (a position embedding), whose flow joins <dR/dx, x>. One that it multiplies by
(a weight used as F.linear(x, self.w)) counts there too, and is then counted twice: give
it a layer of its own. In a chain the cut before layer l
gives sum S(W_l) = <dR/dx, x> + sum_{k<l} S(b_k); without biases every cut carries
<dR/dx, x>.

Proof. By theorem 1 each node passes on what enters it, plus its bias; add this up over
U: what enters from inside U cancels what leaves to inside U. An edge back into U would
count with the opposite sign, which is why U must be closed: a separating set that some
path crosses twice, minimal or not, is no cut and its sum is not conserved.

The left side is made of parameter gradients (flows of identity edges where there is no
weight), the right side of gradients with respect to x and y alone, by backward passes
of their own.
"""

from collections.abc import Collection
from random import Random

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import grad

from theory import exact, random_networks
from theory.claim import Check, Claim, Control, Sides, total
from theory.graph import Flows, Graph
from theory.networks import Network, Readout, describe, scalar


def network_sides(
    network: Network, x: Tensor, readout: Readout, upstream: Collection[str]
) -> Sides:
    """Return a cut's saliency, and what the input and the biases say it must be.

    Args:
        network: the network.
        x: a batch.
        readout: R, a scalar function of the output.
        upstream: names of the graph's nodes on the input's side. Sources (the input,
            parameters that the graph reads by themselves) belong there anyway.

    Returns:
        Two entries: from the input's side, and from the output's side.

    Raises:
        ValueError: upstream is not closed (an edge leads back into it).
    """
    graph = Graph.of(network, x)
    sources = {n.name for n in graph.nodes if n.op in ("placeholder", "get_attr")}
    inside = set(upstream) | sources
    for producer, consumer in graph.edges:
        if consumer in inside and producer not in inside:
            raise ValueError(
                f"the upstream side holds {consumer} but not {producer}, which feeds "
                "it: a path would cross the cut twice; add everything upstream"
            )
    return crossing_sides(graph, x, readout, inside)


def crossing_sides(
    graph: Graph, x: Tensor, readout: Readout, inside: set[str], skipped: int = 0
) -> Sides:
    """Return both sides for the edges that leave `inside`, without a check.

    The first `skipped` crossing edges are left out (for negative controls).
    """
    flows = graph.flows(x, readout)
    crossing = [(p, c) for p, c in graph.edges if p in inside and c not in inside]
    terms = [edge_saliency(graph, flows, edge) for edge in crossing[skipped:]]
    cut, scale = total(terms)
    shifts = {node: flows.saliency[name] for node, name in graph.biases.items()}
    before, size_before = total([s for n, s in shifts.items() if n in inside])
    after, size_after = total([s for n, s in shifts.items() if n not in inside])
    at_input, at_output = boundary_flows(graph, x, readout)
    read = [flows.edges[e] for e in graph.edges if graph.is_parameter(e[0])]
    alone, size_alone = total(read)
    right = torch.stack([at_input + before + alone, at_output - after])
    sizes = scale + size_before + size_after + size_alone + right.abs()
    return Sides(cut.expand(2), right, sizes, describe(graph.network))


def edge_saliency(graph: Graph, flows: Flows, edge: tuple[str, str]) -> Tensor:
    """Return the saliency of an edge: of its layer's weight, else of the identity."""
    layer = graph.weights.get(edge[1])
    return flows.edges[edge] if layer is None else flows.saliency[layer]


def boundary_flows(
    graph: Graph, x: Tensor, readout: Readout
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Return <dR/dx, x> and <dR/dy, y>, each by a gradient of its own.

    Raises:
        ValueError: x has integers (tokens).
    """
    network = graph.network
    x = network.batch(x)
    if not x.is_floating_point():
        raise ValueError(
            f"expected a batch of real numbers, got {x.dtype}: tokens have no "
            "derivative; start at what the embedding makes of them"
        )
    y = network(network.parameters, x).detach()
    into = grad(lambda z: scalar(readout, network(network.parameters, z)))(x)
    out = grad(lambda z: scalar(readout, z))(y)
    return (into * x).sum().cpu(), (out * y).sum().cpu()


def random_side(graph: Graph, rng: Random) -> set[str]:
    """Return a random set of nodes, closed upstream, that does not hold the output."""
    inside: set[str] = set()
    for node in graph.nodes[:-1]:
        fed = all(source.name in inside for source in node.all_input_nodes)
        if fed and (not node.all_input_nodes or rng.random() < 0.8):
            inside.add(node.name)
    return inside


def random_cut(rng: Random) -> Sides:
    """Return theorem 2 on a random cut of a random DAG."""
    return _on(random_networks.dag(rng), rng)


def random_layer_cut(rng: Random) -> Sides:
    """Return theorem 2 on a random cut of a random MLP: one of its layers."""
    return _on(random_networks.mlp(rng), rng)


def random_convnet_cut(rng: Random) -> Sides:
    """Return theorem 2 on a convnet whose residual shortcuts the cut must take."""
    return _on(random_networks.convnet(rng), rng)


def missing_edge(rng: Random) -> Sides:
    """Return both sides of a cut that misses one of its edges."""
    return _on(random_networks.dag(rng, bias=False), rng, skipped=1)


def crossed_twice(rng: Random) -> Sides:
    """Return both sides where a path leaves U, comes back and leaves it again.

    The graph is 0 -> 1 -> 2 -> 3 with 0 -> 2 and 1 -> 3; U = {0, 2} misses 1. The edges
    01 and 23 separate input from output and neither can be spared, but the path 0123
    crosses both: their sum counts it twice.
    """
    edges = [(0, 1), (1, 2), (2, 3), (0, 2), (1, 3)]
    model = random_networks.Dag(
        [2, 2, 2, 2], edges, [], [nn.ReLU() for _ in range(3)], [False] * 4
    )
    random_networks.fill(model, rng)
    x, readout = random_networks.inputs(model, rng), random_networks.readout(rng)
    graph = Graph.of(Network.of(model), x)
    second = [node.name for node in graph.nodes if "activations_1" in node.name]
    feeding = [n.name for n in graph.nodes if n.name in ("maps_0_2", "maps_1_2", "add")]
    inside = {graph.nodes[0].name, *second, *feeding}
    return crossing_sides(graph, x, readout, inside)


def block_alone(rng: Random) -> Sides:
    """Return both sides for a layer of a residual block without its shortcut."""
    width = rng.randint(1, 4)
    body = nn.Sequential(nn.Linear(width, width, bias=False), nn.ReLU())
    layers = (nn.Linear(2, width, bias=False), random_networks.Residual(body))
    model = random_networks.fill(nn.Sequential(*layers, nn.Linear(width, 2)), rng)
    x, readout = random_networks.inputs(model, rng), random_networks.readout(rng)
    graph = Graph.of(Network.of(model), x)
    inside = {graph.nodes[0].name, "_0"}
    return crossing_sides(graph, x, readout, inside, skipped=1)


def biases_ignored(rng: Random) -> Sides:
    """Return the sums of the layers of a biased MLP against <dR/dx, x> alone."""
    model = random_networks.mlp(rng, bias=True)
    network = Network.of(model)
    x, readout = random_networks.inputs(model, rng), random_networks.readout(rng)
    graph = Graph.of(network, x)
    saliency = graph.flows(x, readout).saliency
    left = torch.stack([saliency[name].sum() for name in network.prunable])
    sizes = torch.stack([saliency[name].abs().sum() for name in network.prunable])
    at_input, _ = boundary_flows(graph, x, readout)
    return Sides(
        left, at_input.expand(len(left)), sizes + at_input.abs(), describe(network)
    )


def tanh_network(rng: Random) -> Sides:
    """Return theorem 2 on an MLP with tanh."""
    return _on(random_networks.mlp(rng, activation=nn.Tanh()), rng)


def _on(model: nn.Module, rng: Random, skipped: int = 0) -> Sides:
    network = Network.of(model)
    x, readout = random_networks.inputs(model, rng), random_networks.readout(rng)
    graph = Graph.of(network, x)
    inside = random_side(graph, rng)
    if skipped:
        return crossing_sides(graph, x, readout, inside, skipped)
    return network_sides(network, x, readout, inside)


CLAIM = Claim(
    label="network-conservation",
    title="Every cut of the network carries the same saliency",
    statement="Σ_cut S = ⟨∂R/∂x, x⟩ + Σ S(b upstream) = ⟨∂R/∂y, y⟩ − Σ S(b downstream)",
    source="Tanaka et al. 2020, arXiv 2006.05467, theorem 2",
    assumptions=(
        "as neuron-conservation",
        "every path crosses the cut exactly once",
        "biases count as inputs on their side of the cut",
    ),
    checks=(
        Check("layers of random MLPs", random_layer_cut, 1e-10),
        Check("random cuts of random DAGs", random_cut, 1e-10),
        Check("random cuts of convnets", random_convnet_cut, 1e-10),
        Check("rational DAGs, exact", exact.network_sides, 0.0),
    ),
    controls=(
        Control("the cut misses one edge", missing_edge),
        Control("a path crosses the set twice", crossed_twice),
        Control("a layer of a residual block alone", block_alone),
        Control("biases ignored", biases_ignored),
        Control("tanh", tanh_network),
    ),
)
