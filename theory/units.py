"""The units of a network, and the scores that enter and leave each of them.

A *unit* is one output channel of a layer with weights (linear, convolution, frozen
BatchNorm), one channel of a sum (residual connections), or the whole output of any
operation that is not listed below. Operations that act on each channel by itself
(activations, pooling, dropout) or only move entries (flatten, concatenation, slicing)
keep a unit's identity: integer labels travel through them, and say which unit each
column of the next layer's weight reads.

For a unit i and any scores of the parameters (saliency, SNIP, ...),

    into(i)   = sum of the scores of the weights into i, and of i's bias
    out of(i) = sum of the scores of all weights that read i.

Where no weight stands between (into and out of a sum, or the network's output) the
flow of the graph's edge counts: the saliency of an identity weight.
"""

import re
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, fx, nn
from torch.nn.modules import activation, dropout, pooling

from theory.graph import Edge, Flows, Graph, apply
from theory.networks import CONVOLUTIONS, Affine, Parameters

WEIGHTED = (nn.Linear, *CONVOLUTIONS, Affine)
_MIXES = "MultiheadAttention Softmax Softmin LogSoftmax Softmax2d GLU".split()
CHANNELWISE_MODULES = (
    *(
        getattr(module, name)
        for module in (activation, pooling, dropout)
        for name in module.__all__
        if name not in _MIXES
    ),
    nn.Identity,
)
CHANNELWISE = frozenset(
    "relu relu_ leaky_relu tanh sigmoid gelu silu elu softplus relu6 hardtanh dropout "
    "max_pool1d max_pool2d avg_pool1d avg_pool2d adaptive_avg_pool1d "
    "adaptive_avg_pool2d adaptive_max_pool1d adaptive_max_pool2d".split()
)
MOVES = frozenset(
    "flatten view reshape permute transpose squeeze unsqueeze cat concat chunk split "
    "getitem size getattr contiguous".split()
)
SUMS = frozenset("add add_ iadd sub sub_ isub".split())


@dataclass(frozen=True)
class Layer:
    """A layer with weights: the unit that each column reads and each row makes."""

    name: str
    groups: int
    reads: Int[Tensor, " columns"] | None  # -1: an input; None: not separable
    makes: Int[Tensor, " rows"]

    def parameter(self, kind: str) -> str:
        """Return the full name of the layer's "weight" or "bias"."""
        return f"{self.name}.{kind}"


@dataclass(frozen=True)
class Sums:
    """What enters and what leaves each unit, and the sum of all absolute terms."""

    into: Float[Tensor, " units"]
    out_of: Float[Tensor, " units"]
    scale: Float[Tensor, " units"]

    def add(
        self, side: Float[Tensor, " units"], units: Int[Tensor, "..."], terms: Tensor
    ) -> None:
        """Add terms, shaped (units, anything), to one side and to the scale."""
        kept = units.reshape(-1) >= 0
        index = units.reshape(-1)[kept]
        terms = terms.reshape(kept.numel(), -1).cpu()[kept]
        side.index_add_(0, index, terms.sum(1))
        self.scale.index_add_(0, index, terms.abs().sum(1))


@dataclass(frozen=True)
class Units:
    """All units of a graph; unit i is made by the node `owners[i]`."""

    owners: tuple[str, ...]
    layers: tuple[Layer, ...]
    labels: dict[str, Tensor]  # the unit of each entry of one sample, -1: an input
    joined: dict[str, str]  # nodes that are no layer, with their bias ("": none)
    bare: tuple[Edge, ...]  # edges whose flow no weight represents

    @classmethod
    def of(cls, graph: Graph) -> "Units":
        """Return the units of a traced network.

        Raises:
            ValueError: a tensor whose first axis is not the batch, or a rearrangement
                that the labels cannot follow; `audit` needs no units.
        """
        if graph.turned:
            raise ValueError(
                f"the first axis of {graph.turned[0]} is not the batch, so its entries "
                "belong to no single unit; use batch_first=True, or audit the network"
            )
        labeller = _Labeller(graph)
        for node in graph.nodes:
            try:
                labeller.values[node] = labeller.visit(node)
            except (RuntimeError, IndexError) as error:
                raise ValueError(
                    f"units cannot be followed through {node.name}: {error}; "
                    "audit the network, which needs none"
                ) from error
        return cls(
            tuple(labeller.owners),
            tuple(labeller.layers),
            {
                node.name: value if node.op == "get_attr" else value[0]
                for node, value in labeller.values.items()
                if isinstance(value, Tensor)
            },
            labeller.joined,
            tuple(labeller.bare),
        )

    def hidden(self) -> Bool[Tensor, " units"]:
        """Return, for each unit, whether only weights enter it and only weights leave.

        These are the hidden units of theorem 1; their sums need no flows.
        """
        made = torch.zeros(len(self.owners), dtype=torch.bool)
        read = made.clone()
        for layer in self.layers:
            made[layer.makes] = True
            if layer.reads is not None:
                read[layer.reads[layer.reads >= 0]] = True
        for producer, _ in self.bare:
            seen = self.labels[producer]
            read[seen[seen >= 0]] = False
        return made & read

    def sums(self, scores: Parameters, flows: Flows | None = None) -> Sums:
        """Return the scores into and out of every unit.

        Without flows only the entries of `hidden()` are complete.
        """
        some = next(iter(scores.values()))
        size = len(self.owners)
        sums = Sums(*(torch.zeros(size, dtype=some.dtype) for _ in range(3)))
        for layer in self.layers:
            weight = scores[layer.parameter("weight")]
            sums.add(sums.into, layer.makes, weight)
            if layer.parameter("bias") in scores:
                sums.add(sums.into, layer.makes, scores[layer.parameter("bias")])
            if layer.reads is not None:
                sums.add(sums.out_of, layer.reads, columns(weight, layer.groups))
        if flows is None:
            return sums
        for producer, consumer in self.bare:
            flow = flows.edges[producer, consumer]
            sums.add(sums.out_of, self.labels[producer], flow)
            if consumer in self.joined:
                into = self.labels[consumer]
                if into.shape != flow.shape:  # one unit stands for the whole output
                    into = into.flatten()[0].expand(flow.shape)
                sums.add(sums.into, into, flow)
        for node, bias in self.joined.items():
            if bias:
                unit = self.labels[node].flatten()[0]
                sums.add(sums.into, unit.expand(scores[bias].shape), scores[bias])
        return sums


def columns(
    weight: Float[Tensor, "rows *rest"], groups: int
) -> Float[Tensor, "columns *terms"]:
    """Return a weight of shape (rows, columns, ...) with its input columns first.

    A grouped convolution stores (rows, columns / groups, ...): the rows of a group
    read only that group's block of inputs.
    """
    if weight.dim() == 1:
        return weight
    blocks = weight.reshape(groups, -1, *weight.shape[1:])
    return blocks.transpose(1, 2).flatten(0, 1)


class _Labeller:
    """Walks the graph once; labels have a batch axis of length 1 on the way."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.values: dict[fx.Node, object] = {}
        self.owners: list[str] = []
        self.layers: list[Layer] = []
        self.joined: dict[str, str] = {}
        self.bare: list[Edge] = []

    def visit(self, node: fx.Node) -> object:
        """Return the labels of the node's output (or its value if no real tensor)."""
        shape = self.graph.shapes.get(node.name, ())
        if node.op == "placeholder":
            return node.args[0] if node.args else torch.full((1, *shape), -1)
        if node.op == "get_attr":
            return torch.full(shape, -1)
        if node.op == "output":
            self.bare.extend(self._edges(node))
            return None
        inputs = [self.values[source] for source in node.all_input_nodes]
        module, name = self.graph.layer(node), _operation(self.graph, node)
        if isinstance(module, WEIGHTED):
            return self._layer(node, module)
        if name == "getitem" and node.all_input_nodes[0].name in self.joined:
            one = self.values[node.all_input_nodes[0]]
            return one.expand(1, *shape) if isinstance(one, Tensor) else one
        if name in MOVES or not any(isinstance(v, Tensor) for v in inputs):
            return self._moved(node, inputs)
        if isinstance(module, CHANNELWISE_MODULES) or name in CHANNELWISE:
            labels, pooled = inputs[0], re.search(r"pool(\d)d", name)
            same = isinstance(labels, Tensor) and labels.shape[1:] == shape
            if same and not pooled:
                return labels
            kept = _along(labels, 1)
            whole = pooled is None or len(shape) == 1 + int(pooled[1])
            if kept is not None and whole and len(kept) == shape[0]:
                return _spread(kept, shape, 0)
        if not self._edges(node):  # reads tokens: a source of real numbers
            return torch.full((1, *shape), -1)
        return self._join(node, name, shape)  # a tuple of tensors counts as one unit

    def _moved(self, node: fx.Node, inputs: list[object]) -> object:
        moved = apply(self.graph.network, node, {}, inputs)
        if isinstance(moved, Tensor) and node.name in self.graph.shapes:
            expected = (1, *self.graph.shapes[node.name])
            if moved.shape != expected and bool((moved >= 0).any()):
                raise RuntimeError(
                    f"of one sample it makes the shape {tuple(moved.shape)}, not "
                    f"{expected}; name the axes that squeeze removes"
                )
        return moved

    def _layer(self, node: fx.Node, module: nn.Module) -> Tensor:
        last = isinstance(module, nn.Linear)
        shape = self.graph.shapes[node.name]
        reads = _along(self.values[node.all_input_nodes[0]], -1 if last else 1)
        if reads is None:
            self.bare.extend(self._edges(node))
        makes = self._fresh(node, shape[-1 if last else 0])
        groups = getattr(module, "groups", 1)
        self.layers.append(Layer(str(node.target), groups, reads, makes))
        return _spread(makes, shape, len(shape) - 1 if last else 0)

    def _join(self, node: fx.Node, name: str, shape: tuple[int, ...]) -> Tensor:
        edges = self._edges(node)
        self.bare.extend(edges)
        self.joined[node.name] = self.graph.biases.get(node.name, "")
        entrywise = all(self.graph.shapes[source] == shape for source, _ in edges)
        if name in SUMS and entrywise and shape:
            return _spread(self._fresh(node, shape[0]), shape, 0)
        return self._fresh(node, 1).reshape((1,) * (len(shape) + 1)).expand(1, *shape)

    def _fresh(self, node: fx.Node, count: int) -> Tensor:
        start = len(self.owners)
        self.owners.extend([node.name] * count)
        return torch.arange(start, start + count)

    def _edges(self, node: fx.Node) -> list[Edge]:
        return [edge for edge in self.graph.edges if edge[1] == node.name]


def _operation(graph: Graph, node: fx.Node) -> str:
    module = graph.layer(node)
    if module is not None:
        return type(module).__name__.lower()
    return str(getattr(node.target, "__name__", node.target))


def _along(labels: object, axis: int) -> Tensor | None:
    """Return the labels along one axis, or None if they vary along another."""
    if not isinstance(labels, Tensor) or labels.dim() < 2:
        return None
    table = labels.movedim(axis, 0).flatten(1)
    return table[:, 0] if bool((table == table[:, :1]).all()) else None


def _spread(units: Tensor, shape: tuple[int, ...], axis: int) -> Tensor:
    """Return (1, *shape) labels that repeat the units along the other axes."""
    view = [1] * (len(shape) + 1)
    view[axis + 1] = -1
    return units.view(view).expand(1, *shape)
