"""Claim `maximal-critical-compression` with one hypothesis dropped at a time.

Each function draws a random network, runs it down by an algorithm that breaks one
hypothesis of theorem 3, and returns the critical count, the parameters left before the
first layer empties, beside the L that the theorem promises. On chains all is exact.
"""

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from random import Random

import torch
from torch import nn

from theory import exact_pruning, random_networks, scores
from theory.claim import ExactSides, Sides
from theory.exact_pruning import critical_count, one_at_a_time, to_every_target
from theory.networks import Network, describe
from theory.positive_paths import Kept, Units, chain, random_chain
from theory.pruning import prune
from theory.pruning_steps import one_at_a_time as singly
from theory.synflow import ones


def signed(rng: Random) -> ExactSides:
    """Return the critical count of signed saliency, one at a time, and L = 2.

    One weight before two or three, and R < 0: with R > 0 the count would be L.
    """
    last = rng.randint(2, 3)
    drawn = [rng.choice((-1, 1)) * rng.randint(1, 9) for _ in range(last)]
    first = rng.randint(1, 9) * (-1 if sum(drawn) > 0 else 1)
    units = chain((1, 1, last), [first, *drawn])
    return _counts(units, one_at_a_time(units, exact_pruning.saliency))


def by_magnitude(rng: Random) -> ExactSides:
    """Return the critical count of magnitude, one at a time, and L."""
    units = random_chain(rng, signed=True)
    return _counts(units, one_at_a_time(units, exact_pruning.magnitude))


def by_snip(rng: Random) -> ExactSides:
    """Return the critical count of SNIP, re-scored one at a time, and L."""
    units = random_chain(rng, signed=True)
    return _counts(units, one_at_a_time(units, exact_pruning.snip))


def one_shot(rng: Random) -> ExactSides:
    """Return the critical count of SynFlow scored once, and L."""
    units = random_chain(rng)
    return _counts(units, to_every_target(units, exact_pruning.synflow, 1))


def two_steps(rng: Random) -> ExactSides:
    """Return the critical count of two steps of any prune size, weights 1, and L."""
    drawn = random_chain(rng)
    units = replace(drawn, weights=(1,) * len(drawn.weights))
    return _counts(units, to_every_target(units, exact_pruning.synflow, 2))


def no_path(rng: Random) -> ExactSides:
    """Return the critical count where R = 0 from the start, and L."""
    units = random_chain(rng)
    dead = replace(units, weights=tuple(0 for _ in units.weights))
    return _counts(dead, one_at_a_time(dead, exact_pruning.synflow))


def biases_kept(rng: Random) -> Sides:
    """Return the critical count over N where |bias| has flow of its own, and L / N.

    One weight, which is not all that enters its unit, before two larger layers.
    """
    widths = (1, 1, rng.randint(1, 4), rng.randint(1, 4))
    model = nn.Sequential(*(nn.Linear(n, m) for n, m in pairwise(widths)))
    network = Network.of(random_networks.fill(model, rng))
    theta = {name: p.abs() for name, p in network.parameters.items()}
    positive, layers = replace(network, parameters=theta), network.prunable
    x = ones(positive, (theta[layers[0]].shape[1],))
    count = size = sum(theta[name].numel() for name in layers)

    def score(left: Network) -> dict[str, torch.Tensor]:
        return scores.saliency(left, x, torch.sum)

    for step in prune(positive, score, singly(positive, len(layers))):
        if step.collapsed:
            break
        count = step.remaining
    left, right = torch.tensor([[count], [len(layers)]], dtype=torch.float64) / size
    return Sides(left, right, torch.ones_like(left), describe(network))


def _counts(units: Units, runs: Iterable[Kept]) -> ExactSides:
    count, layers = critical_count(units, runs), max(units.layers) + 1
    return ExactSides((Fraction(count),), (Fraction(layers),), str(units))
