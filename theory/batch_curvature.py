"""Curvature of one batch along a direction, by automatic differentiation.

For the loss l(f(theta, x), y) of a batch and a direction v of some of the parameters

    Hessian       H v = d/dt grad l(f(theta + t v, x), y)           at t = 0
    Gauss-Newton  G v = J^T (d^2 l / df^2) J v,  J = d f / d theta

both forward over reverse: a derivative along v of a gradient. Each is linear in v.
"""

import warnings
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor
from torch.func import grad, jvp, vjp

from theory.networks import Network, Parameters, scalar

with warnings.catch_warnings():
    # torch loads this at the first use of forward mode, and calls it deprecated
    warnings.simplefilter("ignore", DeprecationWarning)
    import torch._decomp.decompositions_for_jvp

Loss = Callable[[Tensor, Tensor], Tensor]
"""l(outputs, targets) of a batch: one number, such as `F.cross_entropy`."""
SHORT = (torch.uint8, torch.int8, torch.int16, torch.int32)
"""Types of labels that torch's losses refuse, or their traces."""
Point = TypeVar("Point", Parameters, Tensor)


def hessian_along(
    network: Network, loss: Loss, theta: Parameters, v: Parameters, x: Tensor, y: Tensor
) -> Parameters:
    """Return H v for the parameters that v names; the others are constants."""

    def slope(at: Parameters, y: Tensor) -> Parameters:
        def value(at: Parameters) -> Tensor:
            out = network({**theta, **at}, x)
            return scalar(lambda out: loss(out, y), out)

        found: Parameters = grad(value)(at)
        return found

    return _along(slope, {name: theta[name] for name in v}, v, y)


def gauss_newton_along(
    network: Network, loss: Loss, theta: Parameters, v: Parameters, x: Tensor, y: Tensor
) -> Parameters:
    """Return G v for the parameters that v names; the others are constants."""

    def outputs(at: Parameters) -> Tensor:
        return network({**theta, **at}, x)

    def slope(out: Tensor, y: Tensor) -> Tensor:
        found: Tensor = grad(lambda o: scalar(lambda o: loss(o, y), o))(out)
        return found

    at = {name: theta[name] for name in v}
    out, change = jvp(outputs, (at,), (v,))[:2]
    pull = vjp(outputs, at)[1]
    pulled: Parameters = pull(_along(slope, out, change, y))[0]
    return pulled


def _along(
    function: Callable[[Point, Tensor], Point], at: Point, v: Point, y: Tensor
) -> Point:
    """Return the derivative along v in the first argument.

    Real targets move by an explicit zero: with no tangent at all the second derivative
    of torch's mse_loss fails (2.13: it writes into an immutable zero tensor).
    """
    if y.is_floating_point():
        moved: Point = jvp(function, (at, y), (v, torch.zeros_like(y)))[1]
        return moved
    moved = jvp(lambda at: function(at, y), (at,), (v,))[1]
    return moved


def targets(x: Tensor, y: Tensor) -> Tensor:
    """Return a copy of the targets of inputs x, without gaps, labels as int64.

    Raises:
        ValueError: another number of targets than inputs.
    """
    if y.shape[:1] != x.shape[:1]:
        raise ValueError(
            f"expected one target for each of {len(x)} inputs, got shape "
            f"{tuple(y.shape)}; batches are pairs (inputs, targets)"
        )
    kind = torch.int64 if y.dtype in SHORT else y.dtype
    return y.detach().to(kind, copy=True).contiguous()
