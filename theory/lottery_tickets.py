"""Lottery tickets: iterative magnitude pruning with rewinding (paper B, Algorithm 1).

    W_k = the weights after k iterations,  m = 1            # the caller's
    each round:  W_T = A(m * W_k, u)                        # train from k to T
                 m   = m without the survivors of lowest |W_T|
                 rewind: the next round starts from W_k again, not from W_T

A subnetwork is a pair (W_k, m). Its controls are the same training A with another pair:
`random_masks` of the same count in each layer, or other weights under the same masks
(reinitialised). Frankle, Dziugaite, Roy, Carbin 2019, arXiv 1903.01611, section 2; they
remove 20 % of the survivors a round, in LeNet layer by layer and 10 % of the output
layer's (Frankle & Carbin 2019, arXiv 1803.03635), in the convolutional networks of all
layers together.

Nothing here trains: A is an argument, which gets all networks of a round at once so
that it can train them in one batch.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from theory import masks as exact_masks
from theory.masks import Masks, keep_largest, shuffled

Weights = Mapping[str, Tensor]
"""Parameters and buffers of a network by name; those with a mask can be pruned."""

Train = Callable[[Sequence[Weights], Sequence[Masks]], Sequence[Weights]]
"""A(m * W_k, u) of several networks, each by its own pair of weights and masks.

It must hold pruned weights at exactly 0, and start its optimiser from rest.
"""


@dataclass(frozen=True)
class Ticket:
    """A trained subnetwork: the masks that it was trained with, and its weights."""

    masks: Masks
    weights: Weights


def masked(weights: Weights, masks: Masks) -> dict[str, Tensor]:
    """Return m * W; entries without a mask as they are.

    Raises:
        ValueError: a mask that is not boolean or has no weight of its shape.
    """
    check_masks(weights, masks)
    return exact_masks.masked(dict(weights), masks)


def random_masks(like: Masks, generator: torch.Generator) -> Masks:
    """Return random masks with exactly the count of `like` in each layer."""
    return shuffled(like, generator=generator)


def stay(survivors: int, rate: float) -> int:
    """Return how many survivors a round keeps: (1 - rate) n rounded, halves up.

    The rate is the decimal that prints it. In floats 1 - 0.9 is below 0.1, and 5
    survivors would all go.
    """
    return math.floor((1 - Fraction(str(rate))) * survivors + Fraction(1, 2))


def lower(weights: Weights, masks: Masks, rates: float | Mapping[str, float]) -> Masks:
    """Return masks without the given share of the survivors of lowest |weight|.

    As many stay as `stay` says, so some few for ever: 2 at a rate of 20 %. Of equal
    magnitudes, compared in float64, the first are kept; what is pruned stays pruned
    whatever its weight.

    Args:
        weights: the trained weights.
        masks: what is left of each layer that can be pruned.
        rates: one share, of all layers ranked together; or one for each layer, which
            is then ranked by itself.

    Raises:
        ValueError: a rate outside [0, 1], rates that do not name exactly the masked
            layers, NaN weights, no masks, a mask that is not boolean or has no weight
            of its shape.
    """
    check_masks(weights, masks)
    if not masks:
        raise ValueError("expected the mask of at least one layer, got none")
    scores = {name: weights[name].detach().abs().double() for name in masks}
    if isinstance(rates, Mapping):
        if rates.keys() != masks.keys():
            raise ValueError(
                f"expected one rate for each masked layer, {sorted(masks)}, got "
                f"{sorted(rates)}; give a rate of 0 to a layer that stays whole"
            )
        parts = [
            _lowered({name: scores[name]}, {name: mask}, rates[name])
            for name, mask in masks.items()
        ]
        return {name: mask for part in parts for name, mask in part.items()}
    return _lowered(scores, masks, rates)


def iterative_magnitude_pruning(
    train: Train,
    starts: Sequence[Weights],
    masks: Sequence[Masks],
    rates: float | Mapping[str, float],
    rounds: int,
) -> Iterator[list[Ticket]]:
    """Yield the tickets of rounds 0, ..., `rounds`, one for each network.

    Round 0 has the given masks; round i has the masks of round i - 1 lowered by the
    weights that were trained there. All rounds train from `starts`, which stay as they
    are: the trainer gets copies.

    Args:
        train: A. Called once a round, when that round is asked for.
        starts: W_k of each network.
        masks: the first masks of each network, all True for a dense one.
        rates: as in `lower`.
        rounds: how many times to prune.

    Raises:
        ValueError: at the first round: rounds < 0, other than one mask for each start;
            at any: what `lower` refuses, other than one result for each network, and
            trained weights where a pruned one is not exactly 0.
    """
    if rounds < 0 or len(starts) != len(masks):
        raise ValueError(
            "expected rounds >= 0 and as many masks as networks, got "
            f"rounds={rounds}, {len(starts)} networks and {len(masks)} masks"
        )
    current = list(masks)
    for number in range(rounds + 1):
        pairs = [masked(*pair) for pair in zip(starts, current, strict=True)]
        copies = [{name: p.clone() for name, p in pair.items()} for pair in pairs]
        trained = train(copies, current)
        if len(trained) != len(starts):
            raise ValueError(
                f"expected trained weights of {len(starts)} networks in round "
                f"{number}, got {len(trained)}"
            )
        tickets = [Ticket(*pair) for pair in zip(current, trained, strict=True)]
        for network, ticket in enumerate(tickets):
            _check_frozen(ticket, f"round {number}, network {network}")
        yield tickets
        if number < rounds:
            current = [lower(t.weights, t.masks, rates) for t in tickets]


def _lowered(scores: dict[str, Tensor], masks: Masks, rate: float) -> Masks:
    if not 0.0 <= rate <= 1.0:
        raise ValueError(
            "expected a rate in [0, 1] (share of the survivors that is removed), got "
            f"{rate} for {list(masks)}"
        )
    size = sum(mask.numel() for mask in masks.values())
    count = stay(sum(exact_masks.counts(masks).values()), rate)
    return keep_largest(scores, count / max(size, 1), among=masks)


def check_masks(weights: Weights, masks: Masks) -> None:
    """Raise ValueError unless each mask is boolean, with a weight of its shape."""
    for name, mask in masks.items():
        if mask.dtype != torch.bool:
            raise ValueError(
                f"expected a boolean mask for {name}, got {mask.dtype}, whose entries "
                "would be read as positions or factors; pass mask.bool()"
            )
        shape = weights[name].shape if name in weights else None
        if shape != mask.shape:
            raise ValueError(
                f"expected a weight of shape {tuple(mask.shape)} for the mask {name}, "
                f"got {'none' if shape is None else tuple(shape)}"
            )


def _check_frozen(ticket: Ticket, where: str) -> None:
    check_masks(ticket.weights, ticket.masks)
    for name, mask in ticket.masks.items():
        revived = int(torch.count_nonzero(ticket.weights[name][~mask]))
        if revived:
            raise ValueError(
                f"the trainer revived {revived} pruned weights of {name} ({where}): "
                "mask the gradient in each step, and start momentum from zero"
            )
