"""SynFlow scores as logarithms, for networks too deep for float64.

Products over many layers leave every floating-point range: with absolute He weights of
width 512, float32 overflows from depth 30 and float64 before depth 400. Here the graph
is walked with every tensor stored as values * exp(log scale). All operations that
SynFlow meets are homogeneous of degree 1 in their inputs together (Euler's identity is
checked at each), so a scale taken out of the inputs multiplies the output, and
likewise on the way back.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, fx
from torch.func import vjp

from theory import synflow
from theory.graph import Graph, apply, within
from theory.networks import Network, Parameters


def log_synflow(network: Network, shape: tuple[int, ...]) -> Parameters:
    """Return the logarithms of the SynFlow scores; -inf for a score of 0.

    Ranks as `synflow` does, at any depth. Only where terms of one sum differ by more
    than the range of float64 (e^-700) is the smaller one lost.

    Raises:
        ValueError: an operation that is not homogeneous of degree 1 in its inputs (so
            also a product with a parameter that is read by itself), or that returns
            several tensors, by name.
    """
    positive = synflow.absolute(network)
    theta, ones = positive.parameters, synflow.ones(network, shape)
    graph = Graph.of(positive, ones)
    tape = _forward(graph, ones)
    cotangents: dict[fx.Node, _Scaled] = {}
    result = {name: torch.full_like(p, -math.inf) for name, p in theta.items()}
    for node in reversed(graph.nodes):
        if node.op == "output":
            source = node.all_input_nodes[0]
            cotangents[source] = _Scaled(torch.ones_like(tape[source].output), 0.0)
        elif node in tape and node in cotangents:
            step, out = tape[node], cotangents.pop(node)
            to_inputs, to_theta = step.pullback(out.values)
            if node.op != "get_attr" or not to_theta:  # a parameter read by itself
                _check_degree(node, step, to_inputs, out.values)
            for source, value in zip(step.sources, to_inputs, strict=True):
                part = _Scaled.of(value, out.log_scale)
                cotangents[source] = _plus(cotangents.get(source), part)
            for name, slope in to_theta.items():
                score = (theta[name] * slope).log() + out.log_scale + step.log_scale
                result[name] = torch.logaddexp(result[name], score)
    return result


@dataclass(frozen=True)
class _Scaled:
    """The tensor values * exp(log_scale), where max |values| is 1 (or 0)."""

    values: Tensor
    log_scale: float

    @classmethod
    def of(cls, values: Tensor, log_scale: float) -> "_Scaled":
        peak = float(values.abs().max())
        if peak == 0.0:
            return cls(values, -math.inf)
        return cls(values / peak, log_scale + math.log(peak))

    def relative_to(self, log_scale: float) -> Tensor:
        """Return the tensor divided by exp(log_scale)."""
        if self.log_scale == -math.inf:
            return self.values
        return self.values * math.exp(self.log_scale - log_scale)


@dataclass(frozen=True)
class _Step:
    """One operation at inputs divided by exp(log_scale), and its pullback there.

    Homogeneous of degree 1: the slopes with respect to the inputs do not depend on
    the scale, those with respect to the parameters are multiplied by exp(log_scale).
    """

    sources: tuple[fx.Node, ...]
    inputs: tuple[Tensor, ...]
    output: Tensor
    log_scale: float
    pullback: Callable[[Tensor], tuple[list[Tensor], Parameters]]


def _forward(graph: Graph, x: Tensor) -> dict[fx.Node, _Step]:
    """Return every operation on real tensors, run on scaled values."""
    values: dict[fx.Node, object] = {}
    tape: dict[fx.Node, _Step] = {}
    for node in graph.nodes[:-1]:
        if node.op == "placeholder":
            values[node] = node.args[0] if node.args else _Scaled(x, 0.0)
            continue
        everything = [values[source] for source in node.all_input_nodes]
        carried = [v for v in everything if isinstance(v, _Scaled)]
        log_scale = max((v.log_scale for v in carried), default=0.0)
        log_scale = 0.0 if log_scale == -math.inf else log_scale
        inputs = [v.relative_to(log_scale) for v in carried]
        if node.name not in graph.shapes:
            value = apply(graph.network, node, {}, _filled(everything, inputs))
            if isinstance(value, (tuple, list)) and isinstance(value[0], Tensor):
                raise ValueError(
                    f"{node.name} returns several tensors, which the log form does not "
                    "follow; index or slice one tensor instead, or use synflow"
                )
            values[node] = value
            continue

        def run(
            inputs: list[Tensor],
            local: Parameters,
            node: fx.Node = node,
            everything: list[object] = everything,
        ) -> Tensor:
            copies = [value.clone() for value in inputs]
            full = _filled(everything, copies)
            out = apply(graph.network, node, local, full)
            if not isinstance(out, Tensor):
                raise ValueError(f"{node.name} returns no single tensor")
            return out

        target = str(node.target)
        theta = graph.network.parameters
        owned = {k: theta[f"{target}.{k}"] for k in within(theta, target)}
        local = {f"{target}.{k}": v for k, v in owned.items()}
        if node.op == "get_attr":
            local = {target: theta[target]} if target in theta else {}
        output, pullback, *_ = vjp(run, inputs, local)
        sources = tuple(
            s for s in node.all_input_nodes if isinstance(values[s], _Scaled)
        )
        tape[node] = _Step(sources, tuple(inputs), output, log_scale, pullback)
        values[node] = _Scaled.of(output, log_scale)
    return tape


def _filled(everything: list[object], inputs: list[Tensor]) -> list[object]:
    """Return the arguments with the scaled ones replaced, in order, by `inputs`."""
    left = iter(inputs)
    return [next(left) if isinstance(v, _Scaled) else v for v in everything]


def _plus(a: _Scaled | None, b: _Scaled) -> _Scaled:
    if a is None or a.log_scale == -math.inf:
        return b
    scale = max(a.log_scale, b.log_scale)
    return _Scaled.of(a.relative_to(scale) + b.relative_to(scale), scale)


def _check_degree(
    node: fx.Node, step: _Step, slopes: list[Tensor], cotangent: Tensor
) -> None:
    """Raise ValueError unless <slopes, inputs> = <cotangent, output> (Euler)."""
    inside = sum(float((s * v).sum()) for s, v in zip(slopes, step.inputs, strict=True))
    outside = float((cotangent * step.output).sum())
    allowed = torch.finfo(cotangent.dtype).eps ** 0.5 * (abs(inside) + abs(outside))
    if abs(inside - outside) > allowed:
        name = node.target if node.op == "call_module" else node.name
        raise ValueError(
            f"{name} is not homogeneous of degree 1 (in {inside:.3g}, out "
            f"{outside:.3g}): SynFlow is not conserved through it and has no log form; "
            "replace it by ReLU, pooling or a linear layer, or use synflow"
        )
