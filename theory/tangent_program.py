"""A function linear in some of its tensors, as two programs: without and with them.

The product H v of a Hessian is linear in v. Its computation is traced once; what does
not depend on v (activations, back-propagated signals) is `before`, and is not computed
again for the next v; what does is `linear`. A layer y = W x costs a gradient 3 matrix
products (y, dx, dW) and H v 6 more (two terms each); where x is the data, which has no
tangent and needs no gradient, 2 and 2. Hence H v costs little more than a gradient
where the first layer is the largest, and at most two where all are alike.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, fx
from torch.func import functionalize
from torch.fx.experimental.proxy_tensor import make_fx

from theory.graph_simplification import simplify


@dataclass(frozen=True)
class Program:
    """f(moving, fixed) in two halves: `linear(*before(*fixed), *moving)`."""

    before: fx.GraphModule
    linear: fx.GraphModule

    @classmethod
    def of(
        cls,
        function: Callable[[list[Tensor], list[Tensor]], list[Tensor]],
        moving: Sequence[Tensor],
        fixed: Sequence[Tensor],
    ) -> "Program":
        """Return the halves of a function, for arguments of these shapes.

        Args:
            function: of the moving and the fixed tensors; it may not branch on values.
            moving: examples of the tensors that change from call to call.
            fixed: examples of those that stay.

        Raises:
            ValueError: the function draws random numbers (they would be drawn once),
                reads a value (as `if x.sum() > 0` and `.item()` do), or has tensors
                whose shape depends on values (as `x[x > 0]`: it would be that of one
                call for ever).
        """
        pure = functionalize(function)
        try:
            module = make_fx(lambda v, rest: pure(v, rest))(list(moving), list(fixed))
        except RuntimeError as error:
            if "tracing tensor" not in str(error):
                raise
            raise ValueError(
                "the function reads a tensor's value as a number, which would be that "
                "of one call for ever; leave the branch or the .item() out"
            ) from error
        for node in module.graph.nodes:
            if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
                raise ValueError(
                    f"the function draws random numbers ({node.target}), so it has no "
                    "one derivative; leave that operation out"
                )
            if _shape_from_values(node):
                raise ValueError(
                    f"the shape of a result depends on values ({node.target}); weigh "
                    "samples by torch.where or a factor of 0 or 1 instead of selecting"
                )
        simplify(module.graph)
        return cls(*_halves(module, len(moving)))


def _shape_from_values(node: fx.Node) -> bool:
    """Return whether a result is as long as a condition is true, and no index is."""
    if torch.Tag.dynamic_output_shape not in getattr(node.target, "tags", ()):
        return False
    if getattr(node.target, "overloadpacket", None) is not torch.ops.aten.index:
        return True
    conditions = (torch.bool, torch.uint8)
    return any(
        getattr(index.meta.get("tensor_meta"), "dtype", None) in conditions
        for index in node.all_input_nodes[1:]
    )


def _halves(
    module: fx.GraphModule, moving: int
) -> tuple[fx.GraphModule, fx.GraphModule]:
    """Split a graph whose first inputs are the moving ones by what depends on them."""
    *nodes, output = module.graph.nodes
    inputs = [node for node in nodes if node.op == "placeholder"]
    later = set(inputs[:moving])
    for node in nodes:
        if not later.isdisjoint(node.all_input_nodes):
            later.add(node)
    early = [node for node in nodes if node not in later]
    saved = [node for node in early if not {*later, output}.isdisjoint(node.users)]
    before, linear = fx.Graph(), fx.Graph()
    made: dict[fx.Node, fx.Node] = {}
    for node in early:
        made[node] = before.node_copy(node, made.__getitem__)
    before.output(tuple(made[node] for node in saved))
    passed = {node: linear.placeholder(node.name) for node in saved}
    for node in nodes:
        if node in later:
            passed[node] = linear.node_copy(node, passed.__getitem__)
    linear.output([passed[node] for node in output.args[0]])
    return fx.GraphModule(module, before), fx.GraphModule(module, linear)
