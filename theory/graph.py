"""The computation graph of a network: edges that carry flow, units, and cuts.

Every edge u -> v of the graph is given a virtual identity weight alpha = 1 on each
entry of the tensor that it carries. The saliency of that weight,

    flow(u -> v) = alpha dR/dalpha = u * dR/du   (through v alone, summed over samples),

is what the conservation laws balance. When v is a linear or convolution layer its own
weights W take alpha's place, and the flow equals sum S(W): that identity is what the
theory checks, so the two sides are always taken from different tensors.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.func import functional_call, grad

from theory.networks import PRUNABLE, Affine, Network, Parameters, Readout, scalar

Edge = tuple[str, str]
"""(producer, consumer) names of graph nodes; one edge even if read twice."""


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        leaf: bool = super().is_leaf_module(m, module_qualified_name)
        return leaf or isinstance(m, Affine)


@dataclass(frozen=True)
class Flows:
    """The flow of every edge (shaped as one sample) and every parameter's saliency."""

    edges: dict[Edge, Tensor]
    saliency: Parameters


@dataclass(frozen=True)
class Graph:
    """The traced graph of a network, with one sample's shape of every tensor in it."""

    network: Network
    nodes: tuple[fx.Node, ...]
    shapes: Mapping[str, tuple[int, ...]]
    turned: tuple[str, ...]  # nodes whose axis 0 is not the batch

    @classmethod
    def of(cls, network: Network, x: Tensor) -> "Graph":
        """Return the graph that the network runs on the batch x.

        Raises:
            ValueError: control flow that depends on data (torch.fx cannot follow it),
                a layer with parameters that is used twice, or an in-place operation
                that another branch sees.
        """
        try:
            nodes = tuple(_Tracer().trace(network.module).nodes)
        except (
            fx.proxy.TraceError,
            TypeError,
            RuntimeError,
            NotImplementedError,
        ) as error:
            raise ValueError(
                f"torch.fx cannot trace {type(network.module).__name__}: {error}; "
                "the scores need no graph, but the conservation audit does"
            ) from error
        inputs = [n.name for n in nodes if n.op == "placeholder" and not n.args]
        if len(inputs) != 1:
            raise ValueError(f"expected a network of one input, got {inputs}")
        _refuse_shared_layers(network, nodes)
        x = network.batch(x)
        values, output = evaluate(network, nodes, network.parameters, x, {})
        # equal_nan: a deep network may overflow here; log_synflow needs only the shapes
        once = network(network.parameters, x)
        if not torch.allclose(output, once, rtol=0, atol=0, equal_nan=True):
            raise ValueError(
                "an in-place operation changes a tensor that another branch reads; "
                "replace it with its out-of-place form"
            )
        shapes = {
            node.name: tuple(value.shape if node.op == "get_attr" else value.shape[1:])
            for node, value in values.items()
            if isinstance(value, Tensor) and value.is_floating_point()
        }
        # One sample more tells a batch axis from another one of the same length.
        more, _ = evaluate(
            network, nodes, network.parameters, torch.cat([x, x[:1]]), {}
        )
        turned = []
        batched: set[fx.Node] = set()  # what depends on the input
        for node in nodes:
            if node.op == "placeholder" or batched & set(node.all_input_nodes):
                batched.add(node)
                if not _follows(values[node], more[node], len(x)):
                    turned.append(node.name)
        return cls(network, nodes, shapes, tuple(turned))

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The edges that carry real tensors, in the order of their consumers."""
        return tuple(
            (source.name, node.name)
            for node in self.nodes
            for source in node.all_input_nodes
            if source.name in self.shapes
        )

    @property
    def weights(self) -> dict[str, str]:
        """The nodes that are layers with a weight, with the weight's name."""
        return {
            node.name: f"{node.target}.weight"
            for node in self.nodes
            if isinstance(self.layer(node), (*PRUNABLE, Affine))
        }

    @property
    def biases(self) -> dict[str, str]:
        """The nodes whose module adds a bias of its own, with the bias's name."""
        return {
            node.name: f"{node.target}.bias"
            for node in self.nodes
            if node.op == "call_module"
            and f"{node.target}.bias" in self.network.parameters
        }

    def is_parameter(self, name: str) -> bool:
        """Return whether the node is a parameter that the graph reads by itself."""
        return any(n.name == name and n.op == "get_attr" for n in self.nodes)

    def layer(self, node: fx.Node) -> nn.Module | None:
        """Return the module that the node calls, or None."""
        if node.op != "call_module":
            return None
        return self.network.module.get_submodule(str(node.target))

    def flows(self, x: Tensor, readout: Readout) -> Flows:
        """Return the saliency of all edges and parameters by one backward pass."""
        x = self.network.batch(x)
        theta = self.network.parameters
        some = next(iter(theta.values()))  # x may hold integers (tokens)
        ones = {_key(edge): some.new_ones(self.shapes[edge[0]]) for edge in self.edges}

        def objective(theta: Parameters, alphas: Parameters) -> Tensor:
            _, output = evaluate(self.network, self.nodes, theta, x, alphas)
            return scalar(readout, output)

        slopes, flows = grad(objective, argnums=(0, 1))(theta, ones)
        return Flows(
            edges={edge: flows[_key(edge)] for edge in self.edges},
            saliency={name: theta[name] * slopes[name] for name in theta},
        )


def evaluate(
    network: Network,
    nodes: tuple[fx.Node, ...],
    theta: Parameters,
    x: Tensor,
    alphas: Parameters,
) -> tuple[dict[fx.Node, object], Tensor]:
    """Return the value of every node, each edge scaled by its alpha, and the output.

    Every operation gets its own copies, so in-place ones change nothing else.
    """
    values: dict[fx.Node, object] = {}

    def carried(source: fx.Node, node: fx.Node) -> object:
        value = values[source]
        if not isinstance(value, Tensor):
            return value
        alpha = alphas.get(_key((source.name, node.name)))
        return value.clone() if alpha is None else value * alpha

    with torch.random.fork_rng(devices=[]):  # as in Network.__call__
        for node in nodes:
            if node.op == "placeholder":
                values[node] = node.args[0] if node.args else x
                continue
            inputs = [carried(source, node) for source in node.all_input_nodes]
            values[node] = apply(network, node, theta, inputs)
    output = values[nodes[-1]]
    if not isinstance(output, Tensor):
        raise ValueError("the network must return one tensor")
    return values, output


def apply(
    network: Network, node: fx.Node, theta: Parameters, inputs: list[object]
) -> object:
    """Return what the node computes from `inputs`, given as in all_input_nodes."""
    known: dict[fx.Node, Any] = dict(zip(node.all_input_nodes, inputs, strict=True))
    args = fx.map_arg(node.args, known.__getitem__)
    kwargs = fx.map_arg(node.kwargs, known.__getitem__)
    target = str(node.target)
    if node.op == "output":
        return args[0]
    if node.op == "get_attr":
        return _stored(network, target, theta)
    if node.op == "call_module":
        module = network.module.get_submodule(target)
        tensors = within(network.buffers, target) | within(theta, target)
        return functional_call(module, tensors, args, kwargs)
    if node.op == "call_method":
        return getattr(args[0], target)(*args[1:], **kwargs)
    if callable(node.target):
        return node.target(*args, **kwargs)
    raise ValueError(f"unknown graph operation {node.op!r} at {node.name}")


def _stored(network: Network, target: str, theta: Parameters) -> object:
    """Return a parameter, a buffer, or a constant, which fx keeps in the module."""
    for tensors in (theta, network.buffers):
        if target in tensors:
            return tensors[target]
    value = attrgetter(target)(network.module)
    if isinstance(value, Tensor) and value.is_floating_point():
        return value.to(next(iter(network.parameters.values())))
    return value


def _follows(value: object, more: object, size: int) -> bool:
    """Return whether axis 0 is the batch, seen with `size` samples and with one more.

    What is no tensor has no axis.
    """
    if not (isinstance(value, Tensor) and isinstance(more, Tensor)):
        return True
    return value.shape[:1] == (size,) and more.shape[:1] == (size + 1,)


def within(tensors: Parameters, module: str) -> Parameters:
    """Return the tensors of one submodule, under the names they have inside it."""
    prefix = f"{module}."
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _key(edge: Edge) -> str:
    return "->".join(edge)


def _refuse_shared_layers(network: Network, nodes: tuple[fx.Node, ...]) -> None:
    called: set[str] = set()
    for node in nodes:
        if node.op != "call_module":
            continue
        target = str(node.target)
        if target in called and within(network.parameters, target):
            raise ValueError(
                f"layer {target!r} is used twice: the saliency of a shared weight "
                "belongs to no single place; give each use a layer of its own"
            )
        for name, _ in network.module.get_submodule(target).named_parameters():
            if f"{target}.{name}" not in network.parameters:
                raise ValueError(
                    f"'{target}.{name}' is tied to another layer's parameter; "
                    "give each layer one of its own"
                )
        called.add(target)
