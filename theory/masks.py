"""Masks that keep an exact number of parameters, and the schedules that lead there.

A mask is one boolean tensor per parameter, True where it is kept; it enters the network
as an argument (`masked`) and never changes the parameters themselves.

Tie rule: of equal scores the one that comes first is kept, in the order of the mapping
and then of the flattened tensor. So the count is exact whatever the scores; a
threshold (`score > t`) would remove all of a tie, one parameter too many or six.
"""

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

from theory.networks import Parameters
from theory.selection import lowest

Masks = dict[str, Bool[Tensor, "..."]]
Scope = Literal["global", "layer"]


def kept(size: int, density: float) -> int:
    """Return the number of parameters that a density in [0, 1] keeps of `size`.

    density * size rounded to the nearest integer, halves up: a density computed as
    n / size gives back exactly n, where rounding down would often lose one.

    Raises:
        ValueError: density outside [0, 1] or NaN.
    """
    if not 0.0 <= density <= 1.0:
        raise ValueError(
            f"expected a density in [0, 1] (fraction of parameters kept), got "
            f"{density}; a compression rho is the density 1 / rho"
        )
    return math.floor(density * size + 0.5)


def keep_largest(
    scores: Mapping[str, Tensor],
    density: float,
    *,
    scope: Scope = "global",
    among: Masks | None = None,
) -> Masks:
    """Return the mask of the largest scores, by exact count with the tie rule above.

    Args:
        scores: of the prunable parameters only, such as
            `{name: scores[name] for name in network.prunable}`; -inf is allowed
            (the logarithm of a zero score), NaN is not.
        density: fraction kept, of all parameters or of each layer.
        scope: "global" ranks all together; "layer" keeps the fraction in each.
        among: an earlier mask; what it pruned stays pruned, whatever its score. The
            density is still a fraction of all parameters.

    Raises:
        ValueError: no scores, NaN scores, density outside [0, 1] or larger than that of
            `among`, unknown scope, masks that do not fit.
    """
    if not scores:
        raise ValueError("expected the scores of at least one parameter, got none")
    for name, score in scores.items():
        if bool(score.isnan().any()):
            raise ValueError(
                f"the scores of {name} have NaN entries, which cannot be ranked; "
                "score in float64 or in the log domain"
            )
    shapes = {name: score.shape for name, score in scores.items()}
    if among is not None and {n: mask.shape for n, mask in among.items()} != shapes:
        raise ValueError(
            f"expected one earlier mask for each score, {shapes}, got "
            f"{ {name: mask.shape for name, mask in among.items()} }"
        )
    if scope == "layer":
        parts = [
            keep_largest({name: score}, density, among=among and {name: among[name]})
            for name, score in scores.items()
        ]
        return {name: mask for part in parts for name, mask in part.items()}
    if scope != "global":
        raise ValueError(f"expected scope 'global' or 'layer', got {scope!r}")
    flat, earlier = _flat(scores), None if among is None else _flat(among)
    mask = _top(flat, kept(flat.size, density), earlier)
    sizes = [score.numel() for score in scores.values()]
    split = torch.split(torch.from_numpy(mask), sizes)
    return {
        name: part.view(score.shape).to(score.device)
        for (name, score), part in zip(scores.items(), split, strict=True)
    }


def _flat(tensors: Mapping[str, Tensor]) -> Shaped[np.ndarray, " size"]:
    """Return all entries of all tensors in the order of the tie rule."""
    parts = [tensor.detach().reshape(-1).cpu() for tensor in tensors.values()]
    flat: np.ndarray = torch.cat(parts).numpy()
    return flat


def _top(
    values: Shaped[np.ndarray, " size"],
    count: int,
    among: Bool[np.ndarray, " size"] | None = None,
) -> Bool[np.ndarray, " size"]:
    """Return a mask of the `count` largest values; the first of equal ones win."""
    if among is not None:
        live = np.flatnonzero(among)
        if count > live.size:
            raise ValueError(
                f"cannot keep {count} parameters: the earlier mask left {live.size}; "
                "densities must not increase"
            )
        result = np.zeros(values.size, dtype=bool)
        result[live] = _top(values[live], count)
        return result
    mask = np.ones(values.size, dtype=bool)
    mask[lowest(values, values.size - count).positions] = False
    return mask


def shuffled(masks: Masks, *, generator: torch.Generator) -> Masks:
    """Return masks with each layer's count and a random choice inside the layer."""
    return {
        name: mask.flatten()[torch.randperm(mask.numel(), generator=generator)].view(
            mask.shape
        )
        for name, mask in masks.items()
    }


def masked(parameters: Parameters, masks: Masks) -> Parameters:
    """Return m * theta; parameters without a mask are kept whole."""
    return {
        name: p * masks[name] if name in masks else p for name, p in parameters.items()
    }


def counts(masks: Masks) -> dict[str, int]:
    """Return the number of kept parameters of each layer."""
    return {name: int(torch.count_nonzero(mask)) for name, mask in masks.items()}


def collapsed(masks: Masks) -> tuple[str, ...]:
    """Return the names of the layers with no parameter left (layer-collapse)."""
    return tuple(name for name, count in counts(masks).items() if count == 0)


def exponential(density: float, step: int, steps: int) -> float:
    """Return density^(step / steps): paper A's schedule, after `step` of `steps`."""
    _check_schedule(density, step, steps)
    return float(density ** (step / steps))


def linear(density: float, step: int, steps: int) -> float:
    """Return 1 - (1 - density) step / steps: equal numbers removed at each step."""
    _check_schedule(density, step, steps)
    done = step / steps
    return (1.0 - done) + density * done  # exactly `density` at the end


def _check_schedule(density: float, step: int, steps: int) -> None:
    kept(1, density)
    if not 0 <= step <= steps or steps < 1:
        raise ValueError(
            f"expected 0 <= step <= steps and steps >= 1, got {step} of {steps}"
        )
