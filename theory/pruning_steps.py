"""One step of a pruning run: what it removed and how much score that was.

A run can be checked by its steps afterwards against theorem 3 of paper A
(`theory.critical_compression`): the prune size of each, the score it removed in all,
against its cut size, the score of a whole layer.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from theory.masks import Masks, exponential
from theory.networks import Network

Positions = dict[str, Tensor]
"""Flat positions in each prunable layer, ascending."""


@dataclass(frozen=True)
class Step:
    """One iteration of Algorithm 1."""

    number: int
    """From 1."""
    gone: Positions
    """What it removed, as flat positions in each layer."""
    counts: dict[str, int]
    """Parameters left in each layer after it."""
    totals: dict[str, float]
    """Score of each layer before it, pruned parameters not counted."""
    removed: dict[str, float]
    """Score that it took from each layer."""
    lowest: float
    """Smallest score before it (inf: nothing was left)."""
    highest_removed: float
    """-inf if it removed nothing."""
    lowest_kept: float
    """inf if it left nothing."""

    @property
    def prune_size(self) -> float:
        """Total score that it removed."""
        return sum(self.removed.values())

    @property
    def cut_size(self) -> float:
        """Score of a whole layer; all have the same where theorem 2 makes them cuts.

        The largest: inside a residual block a layer is no cut and has less. It is R if
        some layer is a cut and no path uses a weight twice (else it may exceed R).
        """
        return max(self.totals.values())

    @property
    def remaining(self) -> int:
        """Parameters left in all layers."""
        return sum(self.counts.values())

    @property
    def collapsed(self) -> tuple[str, ...]:
        """Layers without a parameter left."""
        return tuple(name for name, count in self.counts.items() if count == 0)


def layer_sizes(network: Network) -> dict[str, int]:
    """Return the number of weights of each prunable layer."""
    return {name: network.parameters[name].numel() for name in network.prunable}


def schedule(
    density: float,
    steps: int,
    rule: Callable[[float, int, int], float] = exponential,
) -> list[float]:
    """Return the densities after steps 1, ..., `steps`; the last is `density` itself.

    Raises:
        ValueError: as the rule; fewer than one step.
    """
    if steps < 1:
        raise ValueError(f"expected at least one step, got {steps}")
    return [rule(density, step, steps) for step in range(1, steps + 1)]


def one_at_a_time(network: Network, last: int = 0) -> list[float]:
    """Return densities that remove one prunable parameter a step, down to `last`."""
    size = sum(layer_sizes(network).values())
    if not 0 <= last <= size:
        raise ValueError(f"expected to keep 0 to {size} parameters, got {last}")
    return [count / size for count in range(size - 1, last - 1, -1)]


def masks_after(network: Network, steps: Iterable[Step]) -> Masks:
    """Return the masks after all the steps of a run (all True before the first).

    Raises:
        ValueError: steps of another network.
    """
    masks = {
        name: torch.ones(p.shape, dtype=torch.bool, device=p.device)
        for name, p in network.parameters.items()
        if name in network.prunable
    }
    for step in steps:
        for name, positions in step.gone.items():
            last = int(positions.max()) if len(positions) else -1
            if name not in masks or last >= masks[name].numel():
                raise ValueError(
                    f"the steps remove weights of {name}, which are not in this "
                    f"network: its layers have {layer_sizes(network)} weights"
                )
            masks[name].view(-1)[positions.to(masks[name].device)] = False
    return masks
