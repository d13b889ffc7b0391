"""How many weights can go, measured: by the loss and the accuracy of real networks.

Readings of the largest n of the N prunable weights, removed by magnitude at once:

    one-shot loss      L(w^k) <= L(w*) + epsilon, w^k as it is
    retrained          a point with L <= L(w*) + epsilon found by training survivors
    one-shot accuracy  the test accuracy of w^k is at least that of w*

The sets of such n need not be intervals. So `first` is the largest n up to which all
hold, `last` the largest that holds. Where not every n is tried, both are refined by
bisection between the neighbours on the grid. Retraining is costly: bisection only, from
all of 0..N, by a budget of epochs; it shows that a point exists, never that none does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from experiments.limit_problem import Problem
from experiments.recipes import Recipe
from theory.networks import Parameters
from theory.pruning_limit import largest


class Crossing(NamedTuple):
    """Ends of the set of n that hold."""

    first: int
    last: int


@dataclass(frozen=True)
class OneShot:
    """The pruned networks w^k of a problem; each number is computed once."""

    problem: Problem
    levels: int
    """Numbers n on the grid, at most all."""

    @property
    def count(self) -> int:
        """N."""
        return len(self.problem.order)

    @property
    def grid(self) -> list[int]:
        """Whole numbers from 0 to N, evenly spaced up to rounding."""
        points = np.linspace(0, self.count, min(self.levels, self.count) + 1)
        return [int(n) for n in np.rint(points)]

    @cached_property
    def loss(self) -> Callable[[int], float]:
        """The function from n to the loss of w^k."""
        return cache(lambda n: self.problem.loss_at(self.problem.pruned(n)))

    @cached_property
    def accuracy(self) -> Callable[[int], float]:
        """The function from n to the accuracy of w^k on test images."""
        return cache(lambda n: self.problem.accuracy_at(self.problem.pruned(n)))

    def loss_crossing(self, epsilon: float) -> Crossing:
        """Return the ends of the n with L(w^k) <= L(w*) + epsilon."""
        bound = self.problem.loss + epsilon
        return crossing(self.grid, lambda n: self.loss(n) <= bound)

    def accuracy_crossing(self) -> Crossing:
        """Return the ends of the n with a test accuracy of at least w*'s."""
        bound = self.problem.test_accuracy
        return crossing(self.grid, lambda n: self.accuracy(n) >= bound)


def crossing(grid: Sequence[int], holds: Callable[[int], bool]) -> Crossing:
    """Return the ends of the set of n that hold; 0 is taken to.

    Args:
        grid: ascending whole numbers from 0.
        holds: asked for every n of the grid, and for those between two neighbours
            until it holds for one n and not for the next.
    """
    found = [n == 0 or holds(n) for n in grid]
    failed = found.index(False) if False in found else len(grid)
    held = len(grid) - 1 - found[::-1].index(True)
    return Crossing(_between(grid, failed - 1, holds), _between(grid, held, holds))


def _between(grid: Sequence[int], index: int, holds: Callable[[int], bool]) -> int:
    """Return where holds ends after grid[index], which holds; the next does not."""
    start = grid[index]
    if index + 1 == len(grid):
        return start
    gap = grid[index + 1] - start
    return start + largest(lambda more: holds(start + more), gap - 1)


def retrained(problem: Problem, recipe: Recipe, epsilon: float, *, seed: int) -> int:
    """Return an n at which training the survivors reaches S, and at n + 1 it does not.

    Args:
        problem: the network.
        recipe: of each training from w^k, on the images of L without augmentation.
        epsilon: of S.
        seed: of the order of the images, the same for every n.
    """
    bound = problem.loss + epsilon

    def reaches(removed: int) -> bool:
        masks, start = problem.masks(removed), problem.pruned(removed)
        found = survivors(problem, start, masks, recipe, bound, seed=seed)
        return found is not None

    return largest(reaches, len(problem.order))


def gradual(
    problem: Problem, recipe: Recipe, epsilon: float, share: float, *, seed: int
) -> list[int]:
    """Return the numbers removed after each cycle of pruning that returned to S.

    Each cycle removes the smallest of the weights that are left, and trains the rest
    from where they are.

    Args:
        problem: the network.
        recipe: of the training in each cycle.
        epsilon: of S.
        share: of the remaining weights that a cycle removes, at least one.
        seed: of the order of the images, the same in every cycle.
    """
    bound, count = problem.loss + epsilon, len(problem.order)
    weights, reached = problem.network.parameters, [0]
    while reached[-1] < count:
        left = count - reached[-1]
        removed = reached[-1] + max(1, round(share * left))
        # weights that went are 0, the first in the order
        moved = replace(problem, network=replace(problem.network, parameters=weights))
        kept = moved.masks(removed)
        start = {name: p * kept[name] for name, p in weights.items()}
        found = survivors(problem, start, kept, recipe, bound, seed=seed)
        if found is None:
            break
        weights = found
        reached.append(removed)
    return reached


def survivors(
    problem: Problem,
    start: Parameters,
    masks: Parameters,
    recipe: Recipe,
    bound: float,
    *,
    seed: int,
) -> Parameters | None:
    """Return trained weights with L <= bound, looked at after each epoch, or None.

    BatchNorm stays in eval mode: L is then the function that the limit is about.
    """
    leaves = {name: nn.Parameter(p.clone()) for name, p in start.items()}
    weights: Parameters = dict(leaves)
    optimizer = recipe.build(leaves.values())
    generator = torch.Generator().manual_seed(seed)
    for epoch in range(recipe.epochs):
        if problem.loss_at(weights) <= bound:
            break
        order = torch.randperm(len(problem.labels), generator=generator)
        batches = torch.split(order.to(problem.labels.device), recipe.batch_size)
        for step, chosen in enumerate(batches, epoch * len(batches)):
            outputs = problem.network(weights, problem.images[chosen])
            loss = cross_entropy(outputs, problem.labels[chosen])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            for name, leaf in leaves.items():
                if leaf.grad is not None:
                    leaf.grad.mul_(masks[name])
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate(step, len(batches))
            optimizer.step()
    if not problem.loss_at(weights) <= bound:  # nor where it is NaN
        return None
    return {name: leaf.detach() for name, leaf in leaves.items()}
