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

from theory.descent import Places, descend, pick
from theory.networks import Network, Parameters
from theory.pruning_steps import Positions, Step
from theory.synflow import absolute, averaging, ones


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
        ValueError: increasing densities.
    """
    positive, x = absolute(network), ones(network, shape)
    theta = {n: positive.parameters[n].contiguous() for n in positive.prunable}
    whole = {**positive.parameters, **theta}
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

    def measure(gone: Positions, places: Places) -> dict[str, Tensor]:
        wanted.update(places)
        for name, some in places.items():
            scores[name] = scores[name][: None if some is None else len(some)]
        with torch.no_grad():
            for name, positions in gone.items():
                theta[name].view(-1)[positions.to(x.device)] = 0
        value = positive(whole, x).sum()
        flow = float(value.detach())
        if not math.isfinite(flow) or (flow == 0 and _connected(positive, whole, x)):
            raise OverflowError(
                f"SynFlow's R = {flow}: the products leave the range of "
                f"{x.dtype}; use float64, or rank by log_synflow"
            )
        torch.autograd.backward(value)
        return {name: score.cpu() for name, score in scores.items()}

    yield from descend(positive, measure, densities, safe=safe)


@torch.no_grad()
def _connected(positive: Network, whole: Parameters, x: Tensor) -> bool:
    """Return whether a path is left, by weights that cannot underflow."""
    return float(positive(averaging(whole), x).sum()) > 0
