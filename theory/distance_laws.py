"""The laws of the masked distance and of the angle, each by two routes.

The laws are stated in `theory.masked_distance`; here they are measured on random
weights in float64, and once more on few fractions in rational arithmetic, where the
triangle inequality needs no root: for squares A, B, C of the three sides

    sqrt(C) <= sqrt(A) + sqrt(B)   if and only if   C - A - B <= 0
                                   or               (C - A - B)^2 <= 4 A B.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from random import Random

import torch
from torch import Tensor

from theory.claim import ExactSides, Sides
from theory.lottery_tickets import masked
from theory.masked_distance import angle, distance, permuted
from theory.masks import Masks, counts
from theory.rational_training import squared_distance

LAYERS = ("fc1.weight", "fc2.weight", "fc3.weight")
Entry = tuple[float, float, float]
"""Left, right, scale."""


def laws(rng: Random) -> Sides:
    """Return both sides of all laws for random weights of a random MLP."""
    widths = [rng.randint(1, 4) for _ in range(len(LAYERS) + 1)]
    a, b, c = (random_weights(rng, widths) for _ in range(3))
    small, large = nested_masks(rng, a)
    entries = [
        *metric(a, b, c, small),
        *growth(a, b, small, large),
        *scaling(a, b, small, rng.uniform(0.1, 10), rng.uniform(0.1, 10)),
        cosines(a, b, small),
        *permutation(a, b, small, [_order(rng, n) for n in widths[1:-1]]),
    ]
    left, right, scale = (
        torch.tensor(column, dtype=torch.float64)
        for column in zip(*entries, strict=True)
    )
    return Sides(left, right, scale, f"{widths}, kept {sum(counts(small).values())}")


def metric(
    a: dict[str, Tensor], b: dict[str, Tensor], c: dict[str, Tensor], masks: Masks
) -> list[Entry]:
    """Return law 1: zero on the mask only, symmetry, triangle."""
    ab, bc = distance(a, b, masks), distance(b, c, masks)
    elsewhere = {k: torch.where(masks[k], p, b[k]) for k, p in a.items() if k in masks}
    way = ab + bc
    return [
        (distance(a, a | elsewhere, masks), 0.0, ab),
        (distance(b, a, masks), ab, ab),
        (max(distance(a, c, masks), way), way, way),
    ]


def growth(
    a: dict[str, Tensor], b: dict[str, Tensor], small: Masks, large: Masks
) -> list[Entry]:
    """Return law 2: Pythagoras for nested masks, and that it grows."""
    d, more = distance(a, b, small), distance(a, b, large)
    rest = distance(a, b, {name: large[name] & ~small[name] for name in large})
    return [(more**2, d**2 + rest**2, more**2), (max(d, more), more, more)]


def scaling(
    a: dict[str, Tensor], b: dict[str, Tensor], masks: Masks, s: float, t: float
) -> list[Entry]:
    """Return law 3: d of -s a and -s b, the angle of -s a and -t b."""
    u, v = ({k: -s * p for k, p in w.items()} for w in (a, b))
    w = {k: -t * p for k, p in b.items()}
    d = distance(a, b, masks)
    return [
        (distance(u, v, masks), s * d, s * d),
        (angle(u, w, masks), angle(a, b, masks), 180.0),
    ]


def cosines(a: dict[str, Tensor], b: dict[str, Tensor], masks: Masks) -> Entry:
    """Return law 4, with norms of the masked vectors."""
    x, y = _size(masks, a), _size(masks, b)
    theta = torch.deg2rad(torch.tensor(angle(a, b, masks), dtype=torch.float64))
    right = x**2 + y**2 - 2 * x * y * float(torch.cos(theta))
    return distance(a, b, masks) ** 2, right, (x + y) ** 2


def permutation(
    a: dict[str, Tensor], b: dict[str, Tensor], masks: Masks, orders: Sequence[Tensor]
) -> list[Entry]:
    """Return law 5: d and angle of weights and masks whose hidden units moved."""
    first, second = (permuted(w, LAYERS, orders) for w in (a, b))
    along = permuted(masks, LAYERS, orders)
    d = distance(a, b, masks)
    return [
        (distance(first, second, along), d, d),
        (angle(first, second, along), angle(a, b, masks), 180.0),
    ]


def rational_laws(rng: Random) -> ExactSides:
    """Return laws 1 to 4 for the squares of distances of vectors of halves."""
    size, half = rng.randint(1, 6), Fraction(1, 2)
    a, b, c = ({j: rng.randint(-1, 1) * half for j in range(size)} for _ in range(3))
    large = [j for j in range(size) if rng.random() < 0.8]
    small = [j for j in large if rng.random() < 0.8]
    ab, bc = squared_distance(a, b, small), squared_distance(b, c, small)
    ac = squared_distance(a, c, small)
    rest = squared_distance(a, b, set(large) - set(small))
    excess = max(ac - ab - bc, Fraction(0)) ** 2
    s = Fraction(rng.randint(-5, 5), 3)
    scaled = [{j: s * w for j, w in v.items()} for v in (a, b)]
    law = [a[j] ** 2 + b[j] ** 2 - 2 * a[j] * b[j] for j in small]
    rows = [
        (Fraction(ab == 0), Fraction(all(a[j] == b[j] for j in small))),
        (squared_distance(b, a, small), ab),
        (max(excess, 4 * ab * bc), 4 * ab * bc),
        (squared_distance(a, b, large), ab + rest),
        (squared_distance(scaled[0], scaled[1], small), s**2 * ab),
        (ab, sum(law, Fraction(0))),
    ]
    left, right = zip(*rows, strict=True)
    return ExactSides(left, right, f"{a}, {b}, {c}, {large}, {small}")


def random_weights(rng: Random, widths: Sequence[int]) -> dict[str, Tensor]:
    """Return normal weights of linear layers, and biases."""
    generator = torch.Generator().manual_seed(rng.getrandbits(62))
    weights = {}
    for name, read, units in zip(LAYERS, widths[:-1], widths[1:], strict=True):
        for kind, shape in ((name, (units, read)), (name[:4] + "bias", (units,))):
            weights[kind] = torch.randn(shape, generator=generator).double()
    return weights


def nested_masks(rng: Random, weights: dict[str, Tensor]) -> tuple[Masks, Masks]:
    """Return masks of some weights, at least one, and masks that keep no less."""
    generator = torch.Generator().manual_seed(rng.getrandbits(62))
    draws = {k: torch.rand(weights[k].shape, generator=generator) for k in LAYERS}
    small = {name: draw < 0.5 for name, draw in draws.items()}
    small[rng.choice(LAYERS)].view(-1)[0] = True
    return small, {k: small[k] | (draw < 0.8) for k, draw in draws.items()}


def _size(masks: Masks, weights: dict[str, Tensor]) -> float:
    only = masked(weights, masks)
    return math.sqrt(sum(float((only[name] ** 2).sum()) for name in masks))


def _order(rng: Random, size: int) -> Tensor:
    return torch.tensor(rng.sample(range(size), size))
