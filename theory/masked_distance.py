"""Distances and angles between the weights of a subnetwork after two trainings.

    d(W, W')     = || m * W - m * W' ||_2
    angle(W, W') = arccos( <m * W, m * W'> / (|m * W| |m * W'|) )

over the layers that have a mask, all together; biases, normalisation and buffers have
none and do not count. Source: paper B (Frankle, Dziugaite, Roy, Carbin 2019, arXiv
1903.01611, section 2).

Laws (a, b, c weights; all checked by `theory.stability_to_pruning`):

1. d is a pseudometric: d(a, b) = d(b, a) >= 0, 0 if and only if a = b wherever m
   keeps, and d(a, c) <= d(a, b) + d(b, c). For it is a norm of m * (a - b).
2. It grows with the mask: d_m <= d_m' if m <= m', and d_m'^2 = d_m^2 + d_(m' - m)^2.
3. d(s a, s b) = |s| d(a, b), and the angle does not depend on scales s > 0 at all.
4. d^2 = |m * a|^2 + |m * b|^2 - 2 |m * a| |m * b| cos(angle) (law of cosines).
5. Permuting hidden units (`permuted`) moves weights and masks alike, and changes
   neither d nor the angle: the same terms are added in another order.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float64
from torch import Tensor

from theory.lottery_tickets import Weights, check_masks
from theory.masks import Masks


def distance(first: Weights, second: Weights, masks: Masks) -> float:
    """Return ||m * W - m * W'||_2, added in float64 whatever the weights' precision.

    Raises:
        ValueError: no masks, or one that is not boolean or has no weight of its shape.
    """
    a, b = _survivors(first, masks), _survivors(second, masks)
    return float(torch.linalg.vector_norm(a - b))


def angle(first: Weights, second: Weights, masks: Masks) -> float:
    """Return the angle between m * W and m * W' in degrees, from 0 to 180.

    2 atan2(|u - v|, |u + v|) of the unit vectors u, v is exact to rounding at all
    angles; the arccos of a cosine has no digits left below 1e-6 degrees.

    Raises:
        ValueError: one of them is zero, no masks, or a mask that is not boolean or has
            no weight of its shape.
    """
    vectors = _survivors(first, masks), _survivors(second, masks)
    norms = [float(torch.linalg.vector_norm(vector)) for vector in vectors]
    if 0.0 in norms:
        raise ValueError(
            f"a zero vector has no angle: the masked weights have norms {norms}; "
            "use distance where a subnetwork can be empty"
        )
    u, v = (vector / norm for vector, norm in zip(vectors, norms, strict=True))
    apart, together = (torch.linalg.vector_norm(w) for w in (u - v, u + v))
    return float(torch.rad2deg(2 * torch.atan2(apart, together)))


def permuted(
    weights: Mapping[str, Tensor],
    layers: Sequence[str],
    permutations: Sequence[Tensor],
) -> dict[str, Tensor]:
    """Return weights (or masks, or an optimiser's state) with hidden units moved.

    The units between layers i and i + 1 are put in the order `permutations[i]`: of the
    rows of layer i, of its bias, and of the columns of layer i + 1. The function that
    the network computes stays. `inverse(permutations)` undoes it.

    Args:
        weights: tensors by name; those of other names stay as they are.
        layers: names of the weights (rows, columns) of linear layers that follow one
            another; the bias of "fc.weight" is "fc.bias" if there is one.
        permutations: one for each hidden layer, of 0, ..., units - 1.

    Raises:
        ValueError: other than one permutation between any two layers, or one that is
            no permutation of the units.
    """
    if len(permutations) != len(layers) - 1:
        raise ValueError(
            f"expected one permutation between any two of the {len(layers)} layers, "
            f"got {len(permutations)}"
        )
    moved = dict(weights)
    for index, order in enumerate(permutations):
        name, following = layers[index], layers[index + 1]
        units, read = moved[name].shape[0], moved[following].shape[1]
        if units != read or sorted(order.tolist()) != list(range(units)):
            raise ValueError(
                f"expected a permutation of the {units} units of {name}, which "
                f"{following} reads ({read} columns), got {order.tolist()}"
            )
        moved[name] = moved[name][order]
        moved[following] = moved[following][:, order]
        bias = name.removesuffix("weight") + "bias"
        if bias in moved:
            moved[bias] = moved[bias][order]
    return moved


def inverse(permutations: Sequence[Tensor]) -> list[Tensor]:
    """Return the permutations that undo these."""
    return [torch.argsort(order) for order in permutations]


def _survivors(weights: Weights, masks: Masks) -> Float64[Tensor, " survivors"]:
    if not masks:
        raise ValueError("expected the mask of at least one layer, got none")
    check_masks(weights, masks)
    parts = [weights[name].detach()[mask].double() for name, mask in masks.items()]
    return torch.cat(parts)
