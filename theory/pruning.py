"""Algorithm 1 of paper A: prune in steps, and score what is left before each of them.

    mask = 1
    for density in densities:            # after step k of n: rho^(-k / n)
        scores = score(mask * theta)
        mask   = the largest scores, an exact count, among those still kept

One step is one-shot pruning; every step one parameter is `one_at_a_time`. Any score of
`theory.scores` can be iterated. What is pruned stays pruned (the public code of paper A
lets SNIP and GraSP revive weights, whose scores at zero need not be zero).

A `Step` says what it removed and how much score that was, so that a run can be checked
afterwards against theorem 3 (`theory.critical_compression`): its prune size, the score
it removed in all, against its cut size, the score of a whole layer. A safe run takes
smaller steps wherever the prune size would reach the cut size.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from theory.masks import Masks, Scope, exponential, kept
from theory.networks import Network, Parameters
from theory.selection import lowest

Score = Callable[[Network], Parameters]
"""Scores of a network whose pruned weights are zero."""

Positions = dict[str, Tensor]
"""Flat positions in each prunable layer, ascending."""

Measure = Callable[[Positions, Positions], dict[str, Tensor]]
"""(gone, live): forget the parameters `gone`, return the scores of the live ones."""


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


def schedule(
    density: float,
    steps: int,
    rule: Callable[[float, int, int], float] = exponential,
) -> list[float]:
    """Return the densities after steps 1, ..., `steps`; the last one is `density`."""
    return [rule(density, step, steps) for step in range(1, steps + 1)]


def one_at_a_time(network: Network, last: int = 0) -> list[float]:
    """Return densities that remove one prunable parameter a step, down to `last`."""
    size = sum(network.parameters[name].numel() for name in network.prunable)
    if not 0 <= last <= size:
        raise ValueError(f"expected to keep 0 to {size} parameters, got {last}")
    return [count / size for count in range(size - 1, last - 1, -1)]


def prune(
    network: Network,
    score: Score,
    densities: Iterable[float],
    *,
    scope: Scope = "global",
    safe: bool = False,
) -> Iterator[Step]:
    """Yield the steps of Algorithm 1 on the prunable weights of the network.

    Args:
        network: stays as it is; the steps work on a copy of its parameters.
        score: what to score by; called before every step.
        densities: fraction of all prunable weights (of each layer with scope "layer")
            that is left after each step; must not increase.
        scope: "global" or "layer", as in `masks.keep_largest`, with its tie rule.
        safe: reach a density in several steps, each re-scored, where one would have a
            prune size >= cut size (see `Step.cut_size` for when that is theorem 3's
            premise). The run ends early when no parameter can go.

    Raises:
        ValueError: NaN scores, increasing densities, safe steps with scope "layer".
    """
    theta = dict(network.parameters)
    theta |= {
        name: theta[name].clone(memory_format=torch.contiguous_format)
        for name in network.prunable
    }
    own = replace(network, parameters=theta)

    def measure(gone: Positions, live: Positions) -> dict[str, Tensor]:
        for name, positions in gone.items():
            theta[name].view(-1)[positions.to(theta[name].device)] = 0
        scores = score(own)
        return {n: gather(scores[n], live[n]) for n in live}

    yield from descend(network, measure, densities, scope=scope, safe=safe)


def gather(scores: Tensor, positions: Tensor) -> Tensor:
    """Return the scores at flat positions, on the CPU."""
    return scores.reshape(-1).cpu().index_select(0, positions)


def descend(
    network: Network,
    measure: Measure,
    densities: Iterable[float],
    *,
    scope: Scope = "global",
    safe: bool = False,
) -> Iterator[Step]:
    """Yield the steps of Algorithm 1 for scores that are measured on live weights only.

    `prune` measures any score in this way; arguments and errors are the same.
    """
    if scope not in ("global", "layer") or (safe and scope == "layer"):
        raise ValueError(
            "expected scope 'global' or 'layer', and safe steps with 'global' only; "
            f"got {scope!r} and safe={safe}"
        )
    sizes = {name: network.parameters[name].numel() for name in network.prunable}
    # int32: half the memory of int64, and no layer has 2^31 weights
    live = {n: torch.arange(size, dtype=torch.int32) for n, size in sizes.items()}
    gone: Positions = {}
    number = 0
    for density in densities:
        groups = list(sizes.values()) if scope == "layer" else [sum(sizes.values())]
        targets = [kept(size, density) for size in groups]
        while True:
            number += 1
            step, live = _take(number, live, measure(gone, live), targets, safe)
            gone = step.gone
            yield step
            if not safe or step.remaining == targets[0]:
                break
            if not any(len(positions) for positions in gone.values()):
                return


def _take(
    number: int,
    live: Positions,
    values: dict[str, Tensor],
    targets: list[int],
    safe: bool,
) -> tuple[Step, Positions]:
    """Return the step that leaves `targets`, and the positions that it leaves.

    There is one target for all layers together, or one for each.
    """
    flat = torch.cat([values[name].detach().cpu() for name in live]).numpy()
    ends = np.cumsum([len(positions) for positions in live.values()]).tolist()
    starts = [0, *ends[:-1]]
    layers = {n: slice(a, b) for n, a, b in zip(live, starts, ends, strict=True)}
    totals = {n: float(flat[k].sum(dtype=np.float64)) for n, k in layers.items()}
    if np.isnan(list(totals.values())).any():
        raise ValueError(
            f"step {number}: layers with NaN scores, which cannot be ranked, among "
            f"{totals}; score in float64 or in the log domain"
        )
    # Sums round: a weight that carries the whole flow must not seem to carry less.
    whole = (1 - np.finfo(flat.dtype).eps ** 0.5) * max(totals.values())
    limit = float(whole) if safe else np.inf
    ranked = list(layers.values()) if len(targets) > 1 else [slice(0, len(flat))]
    lines = []
    for part, target in zip(ranked, targets, strict=True):
        size = part.stop - part.start
        if target > size:
            raise ValueError(
                f"step {number} must keep {target} of the {size} parameters that are "
                "left; densities must not increase"
            )
        lines.append(lowest(flat[part], size - target, limit=limit))
    chosen = [p.start + line.positions for p, line in zip(ranked, lines, strict=True)]
    drop = np.concatenate(chosen)
    stays = np.ones(len(flat), dtype=bool)
    stays[drop] = False
    left = {n: torch.from_numpy(live[n].numpy()[stays[k]]) for n, k in layers.items()}
    cuts = dict(
        zip(live, np.split(drop, np.searchsorted(drop, ends[:-1])), strict=True)
    )
    step = Step(
        number=number,
        gone={
            name: live[name][torch.from_numpy(cuts[name] - part.start)].long()
            for name, part in layers.items()
        },
        counts={name: len(positions) for name, positions in left.items()},
        totals=totals,
        removed={n: float(flat[cut].sum(dtype=np.float64)) for n, cut in cuts.items()},
        lowest=float(flat.min(initial=np.inf)),
        highest_removed=max(line.highest for line in lines),
        lowest_kept=min(line.following for line in lines),
    )
    return step, left


def masks_after(network: Network, steps: Iterable[Step]) -> Masks:
    """Return the masks after all the steps of a run (all True before the first)."""
    masks = {
        name: torch.ones(p.shape, dtype=torch.bool, device=p.device)
        for name, p in network.parameters.items()
        if name in network.prunable
    }
    for step in steps:
        for name, positions in step.gone.items():
            masks[name].view(-1)[positions.to(masks[name].device)] = False
    return masks
