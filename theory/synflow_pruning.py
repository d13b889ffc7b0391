"""Iterated SynFlow at the price of its gradients: paper A's Algorithm 1, made fast.

The steps are those of `prune(absolute(network), score)` with the SynFlow score, bit for
bit; what is left out is work whose result is known. The network is made positive once;
what is pruned is set to zero in place; a layer is scored as soon as its slopes are
known, so that they are never all in memory; and of a layer that is mostly pruned only
live weights are scored.
"""

import math
from collections.abc import Iterable, Iterator
from functools import partial

import torch
from torch import Tensor

from theory.descent import Measure, Places, descend, pick
from theory.networks import Network
from theory.pruning_steps import Positions, Step
from theory.synflow import (
    absolute,
    connected,
    ones,
    smallest,
    warn_unless_conserved,
)


def prune_synflow(
    network: Network,
    shape: tuple[int, ...],
    densities: Iterable[float],
    *,
    safe: bool = False,
) -> Iterator[Step]:
    """Yield the steps of iterated SynFlow with global masking.

    Args:
        network: stays as it is; float32 halves time and memory, and changes masks.
        shape: of one sample, for the input of ones.
        densities: fraction of the prunable weights left after each step.
        safe: take smaller steps where theorem 3 needs them; see `pruning.prune`. No
            layer may be used twice on a path.

    Raises:
        OverflowError: the products leave the range of the network's precision.
        ValueError: a network in another precision than float32 or float64, no weight
            to prune, increasing densities.
    """
    positive, measure = _measure(network, shape)
    for step in descend(positive, measure, densities, safe=safe):
        if not math.isfinite(sum(step.totals.values())):
            # R is finite, a slope is not: that of a tiny weight between large ones.
            raise OverflowError(_left(f"layer totals {step.totals}", positive))
        yield step


# The caller may be in no_grad or inference_mode, here and between two steps.
@torch.inference_mode(False)
@torch.enable_grad()
def _measure(network: Network, shape: tuple[int, ...]) -> tuple[Network, Measure]:
    """Return the network made positive, and what scores it after each step."""
    x = ones(network, shape).clone()
    if x.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"expected a network in float32 or float64, got {x.dtype}")
    positive = absolute(network)
    whole = {name: p.detach() for name, p in positive.parameters.items()}
    theta = {name: whole[name].contiguous() for name in positive.prunable}
    whole |= theta
    scores = {name: torch.zeros_like(weight).view(-1) for name, weight in theta.items()}
    wanted: Places = {}

    def keep(name: str, weight: Tensor) -> None:
        """Score a layer as soon as its slopes are known, and let them go."""
        slope = pick(weight.grad, wanted[name])  # type: ignore[arg-type]
        weight.grad = None
        torch.mul(slope, pick(weight.detach(), wanted[name]), out=scores[name])

    for name, weight in theta.items():
        weight.requires_grad_().register_post_accumulate_grad_hook(  # type: ignore[no-untyped-call]
            partial(keep, name)
        )

    @torch.inference_mode(False)
    @torch.enable_grad()
    def measure(gone: Positions, places: Places) -> dict[str, Tensor]:
        x.requires_grad_(not wanted)  # at the first step only
        wanted.update(places)
        for name, some in places.items():
            scores[name] = scores[name][: None if some is None else len(some)]
        with torch.no_grad():
            for name, positions in gone.items():
                theta[name].view(-1)[positions.to(x.device)] = 0
        value = positive(whole, x).sum()
        flow = float(value.detach())
        lost = flow < smallest(x.dtype) and connected(positive, whole, x)
        if lost or not math.isfinite(flow):
            raise OverflowError(_left(f"SynFlow's R = {flow}", positive))
        torch.autograd.backward(value)
        if x.grad is not None:
            warn_unless_conserved(flow, float(x.grad.sum()), x)
            x.grad = None
        return {name: score.cpu() for name, score in scores.items()}

    return positive, measure


def _left(what: str, network: Network) -> str:
    precision = next(iter(network.parameters.values())).dtype
    return (
        f"{what}: the products leave the range of {precision}; use float64, or rank by "
        "log_synflow"
    )
