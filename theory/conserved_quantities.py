"""The quadratic quantities that gradient flow conserves, as bilinear forms.

A law is a symmetric bilinear form q(u, v) of two points in parameter space, given by
its two sides, with q(theta, g) = 0 whenever g is the gradient of a loss at theta: the
two sides are then saliencies, and equal by a conservation law. The conserved quantity
is Q(theta) = q(theta, theta).

    layers    q = <u, v> over layer l + 1  -  <u, v> over layer l
    units     q = <u, v> over weights and bias into a unit  -  over weights out of it
    matrices  q = sym(U_{l+1}^T V_{l+1})  -  sym(U_l V_l^T),     sym(A) = (A + A^T) / 2

Hypotheses: bias-free homogeneous chain (layers; `network-conservation`), homogeneous
network (units; `neuron-conservation`), linear layers that follow one another without
bias (matrices).
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from theory.graph import Graph
from theory.networks import Network, Parameters
from theory.units import Units

Law = Callable[[Parameters, Parameters], tuple[Tensor, Tensor]]
"""The two sides of q(u, v), to be subtracted."""


def layer_law(network: Network) -> Law:
    """Return the differences of neighbouring prunable layers, in module order.

    Raises:
        ValueError: fewer than two layers.
    """
    pairs = list(pairwise(network.prunable))
    if not pairs:
        raise ValueError(
            f"expected at least two layers with weights, got {list(network.prunable)}; "
            "one layer alone conserves nothing"
        )

    def law(u: Parameters, v: Parameters) -> tuple[Tensor, Tensor]:
        products = {name: (u[name] * v[name]).sum() for name in network.prunable}
        later = torch.stack([products[b] for _, b in pairs])
        return later, torch.stack([products[a] for a, _ in pairs])

    return law


def unit_law(network: Network, x: Tensor) -> Law:
    """Return the balances of all hidden units: only weights enter and leave them.

    Args:
        network: any network whose units `theory.units` can follow.
        x: a batch to trace it with.
    """
    units = Units.of(Graph.of(network, x))
    hidden = units.hidden()

    def law(u: Parameters, v: Parameters) -> tuple[Tensor, Tensor]:
        sums = units.sums({name: u[name] * v[name] for name in u})
        return sums.into[hidden], sums.out_of[hidden]

    return law


def matrix_law(network: Network) -> Law:
    """Return the entries of the matrices of neighbouring layers, flattened.

    Raises:
        ValueError: a weight that is no matrix, or one layer only.
    """
    names = network.prunable
    if len(names) < 2:
        raise ValueError(
            f"expected at least two layers with weights, got {list(names)}; one layer "
            "alone conserves nothing"
        )
    shapes = {name: tuple(network.parameters[name].shape) for name in names}
    if any(len(shape) != 2 for shape in shapes.values()):
        raise ValueError(
            f"expected linear layers, got weights of shapes {shapes}; for convolutions "
            "use layer_law or unit_law"
        )

    def law(u: Parameters, v: Parameters) -> tuple[Tensor, Tensor]:
        later = [_symmetric(u[b].T @ v[b]) for _, b in pairwise(names)]
        earlier = [_symmetric(u[a] @ v[a].T) for a, _ in pairwise(names)]
        return torch.cat(later), torch.cat(earlier)

    return law


def quantity(
    law: Law, u: Parameters, v: Parameters | None = None
) -> Float[Tensor, " quantities"]:
    """Return q(u, v) for each conserved quantity; Q(u) = q(u, u) without v."""
    later, earlier = law(u, u if v is None else v)
    return later - earlier


def magnitude(law: Law, theta: Parameters) -> Float[Tensor, " quantities"]:
    """Return the sum of the absolute values of all terms of each Q(theta)."""
    absolute = {name: p.abs() for name, p in theta.items()}
    later, earlier = law(absolute, absolute)
    return later + earlier


def _symmetric(matrix: Float[Tensor, "n n"]) -> Float[Tensor, " n*n"]:
    return ((matrix + matrix.T) / 2).flatten()
