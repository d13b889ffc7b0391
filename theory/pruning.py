"""Algorithm 1 of paper A: prune in steps, and score what is left before each of them.

    mask = 1
    for density in densities:            # after step k of n: rho^(-k / n)
        scores = score(mask * theta)
        mask   = the largest scores, an exact count, among those still kept

One step is one-shot pruning; every step one parameter is `one_at_a_time`. Any score of
`theory.scores` can be iterated. What is pruned stays pruned (the public code of paper A
lets SNIP and GraSP revive weights, whose scores at zero need not be zero). A safe run
takes smaller steps wherever the prune size would reach the cut size; see
`theory.pruning_steps`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from theory.descent import Places, descend, pick
from theory.masks import Masks, Scope
from theory.networks import Network, Parameters
from theory.pruning_steps import Positions, Step, masks_after

Score = Callable[[Network], Parameters]
"""Scores of a network whose pruned weights are zero."""


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
        ValueError: no weight to prune, scores that are missing or have another shape,
            NaN scores, infinite ones in a safe run, increasing densities, safe steps
            with scope "layer".
    """
    theta = dict(network.parameters)
    theta |= {
        name: theta[name].detach().clone(memory_format=torch.contiguous_format)
        for name in network.prunable
    }
    own, left = replace(network, parameters=theta), masks_after(network, [])

    def measure(gone: Positions, places: Places) -> dict[str, Tensor]:
        for name, positions in gone.items():
            at = positions.to(theta[name].device)
            theta[name].view(-1)[at] = 0
            left[name].view(-1)[at] = False
        scores = {name: _real(p) for name, p in score(own).items()}
        _check(scores, left, finite=safe)
        return {
            name: pick(torch.where(mask, scores[name], 0), places[name]).cpu()
            for name, mask in left.items()
        }

    yield from descend(network, measure, densities, scope=scope, safe=safe)


def _real(score: Tensor) -> Tensor:
    """Return scores that NumPy can rank; integers and half precision stay exact."""
    fits = score.dtype in (torch.float32, torch.float64)
    return score.detach() if fits else score.detach().double()


def _check(scores: Parameters, left: Masks, *, finite: bool) -> None:
    """Raise ValueError where a layer's scores cannot be used."""
    for name, mask in left.items():
        if name not in scores or scores[name].shape != mask.shape:
            raise ValueError(
                f"expected a score for each entry of {name}, shape "
                f"{tuple(mask.shape)}, got "
                f"{tuple(scores[name].shape) if name in scores else 'none'}"
            )
        if finite and bool(scores[name][mask].isinf().any()):
            raise ValueError(
                f"the scores of {name} have infinite entries; a safe step compares "
                "sums of scores, so score in a larger range or leave out safe=True"
            )
