"""Simpler graphs of tensor operations with the same values, before they are run often.

For functional graphs (no operation writes into a tensor), as a traced derivative is
full of tangents that are zero and of copies:

    a copy or an alias of a tensor is that tensor,
    a product with zeros is zeros, a sum with zeros its other term,
    other + a @ b, of its shape and where nothing else reads it, is addmm(other, a, b),
    convolution_backward of the same arguments is called once, for what is read of it.

No value changes, other than by the rounding of a sum in another order; 0 * inf is taken
as 0. The rules are ours.
"""

from typing import Any

import torch
from torch import fx

aten = torch.ops.aten
ZEROS = (aten.zeros, aten.zeros_like, aten.new_zeros, aten._efficientzerotensor)
LINEAR = (aten.expand, aten.view, aten.t, aten.transpose, aten.neg, aten.sum)
BILINEAR = (aten.mm, aten.bmm, aten.mul)


def simplify(graph: fx.Graph) -> None:
    """Apply the rules above to a functional graph, in place."""
    zeros: set[fx.Node] = set()
    for node in list(graph.nodes):
        if _is_zero(node, zeros):
            zeros.add(node)
            continue
        same = _copied(node) or _without_zero(graph, node, zeros)
        if same is not None:
            node.replace_all_uses_with(same)
    graph.eliminate_dead_code()
    for node in list(graph.nodes):
        _add_to_product(graph, node)
    _join_backward(graph)
    graph.eliminate_dead_code()


def operation(node: fx.Node) -> Any:
    """Return the node's operation without its overload, None if it has none."""
    return getattr(node.target, "overloadpacket", None)


def _meta(node: fx.Node, what: str) -> Any:
    return getattr(node.meta.get("tensor_meta"), what, None)


def _is_zero(node: fx.Node, zeros: set[fx.Node]) -> bool:
    kind, sources = operation(node), node.all_input_nodes
    if kind in BILINEAR:
        return not zeros.isdisjoint(sources)
    if kind is aten.convolution:
        return node.args[2] is None and not zeros.isdisjoint(sources)
    return kind in ZEROS or (kind in LINEAR and sources[0] in zeros)


def _copied(node: fx.Node) -> fx.Node | None:
    """Return the tensor that a node is a copy of, if it is one."""
    kind, sources = operation(node), node.all_input_nodes
    if kind is aten.alias or (kind is aten.clone and not node.kwargs):
        return sources[0]
    if kind is not aten.copy:
        return None
    into, source = sources[0], sources[-1]
    alike = all(_meta(into, a) == _meta(source, a) for a in ("shape", "dtype"))
    return source if alike else None


def _terms(node: fx.Node) -> list[fx.Node]:
    """Return the two tensors that a node adds, none if it does anything else."""
    plain = operation(node) is aten.add and len(node.args) == 2 and not node.kwargs
    terms = [term for term in node.args if isinstance(term, fx.Node)]
    alike = len({_meta(term, "dtype") for term in terms}) == 1
    return terms if plain and len(terms) == 2 and alike else []


def _without_zero(
    graph: fx.Graph, node: fx.Node, zeros: set[fx.Node]
) -> fx.Node | None:
    """Return the other term of a sum with zeros, in the shape of the sum."""
    terms = [term for term in _terms(node) if term not in zeros]
    if len(terms) != 1:
        return None
    (term,), shape = terms, _meta(node, "shape")
    if _meta(term, "shape") == shape:
        return term
    with graph.inserting_before(node):
        wide = graph.call_function(aten.expand.default, (term, list(shape)))
    wide.meta = dict(node.meta)
    return wide


def _add_to_product(graph: fx.Graph, node: fx.Node) -> None:
    for product in _terms(node):
        (other,) = [t for t in _terms(node) if t is not product] or [product]
        same = _meta(product, "shape") == _meta(node, "shape")
        if operation(product) is aten.mm and same and len(product.users) == 1:
            with graph.inserting_before(node):
                joined = graph.call_function(aten.addmm.default, (other, *product.args))
            joined.meta = dict(node.meta)
            node.replace_all_uses_with(joined)
            return


def _join_backward(graph: fx.Graph) -> None:
    """Call convolution_backward once for dx and dW, and for nothing that is not read.

    Its last argument says which of dx, dW, db are wanted.
    """
    first: dict[str, fx.Node] = {}
    for node in list(graph.nodes):
        if operation(node) is aten.convolution_backward:
            node.replace_all_uses_with(first.setdefault(repr(node.args[:-1]), node))
    for node in first.values():
        read = {user.args[1] for user in node.users}
        node.args = (*node.args[:-1], [i in read for i in range(3)])
