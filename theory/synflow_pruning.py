"""Iterated SynFlow at the price of its gradients: paper A's Algorithm 1, made fast.

The steps are those of `prune(absolute(network), score)` with the SynFlow score, bit for
bit; what is left out is work whose result is known. The network is made positive once;
what is pruned is set to zero in place; and only live weights are scored and ranked, of
which there are N rho^(-k/n) at step k: N (1 - 1/rho) / ln rho on average instead of N.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.func import grad_and_value

from theory.networks import Network
from theory.pruning import Positions, Step, descend, gather
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
    fixed = dict(positive.parameters)
    theta = {name: fixed.pop(name).contiguous() for name in positive.prunable}
    flow = grad_and_value(lambda weights: positive(fixed | weights, x).sum())

    def measure(gone: Positions, live: Positions) -> dict[str, Tensor]:
        for name, positions in gone.items():
            theta[name].view(-1)[positions.to(x.device)] = 0
        slopes, value = flow(theta)
        dead = float(value) == 0
        if not torch.isfinite(value) or (dead and _connected(positive, theta, x)):
            raise OverflowError(
                f"SynFlow's R = {float(value)}: the products leave the range of "
                f"{x.dtype}; use float64, or rank by log_synflow"
            )
        return {
            name: gather(slopes[name].mul_(theta[name]), live[name]) for name in live
        }

    yield from descend(positive, measure, densities, safe=safe)


def _connected(positive: Network, theta: dict[str, Tensor], x: Tensor) -> bool:
    """Return whether a path is left, by weights that cannot underflow."""
    whole = {**positive.parameters, **theta}
    return float(positive(averaging(whole), x).sum()) > 0
