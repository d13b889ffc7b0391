"""Training many networks of the same linear layers and ReLUs in one program.

Paper B compares thousands of runs of one small network that differ in mask, data order
and first weights. Here K of them are trained as one `stacked_networks.Stack`. No run
reads a number of another one, so the results are those of K single runs up to the order
in which sums are rounded: that depends on K, and on a run's place among the K.

A run is the function A(m * W_k, u) of paper B (section 2): weights, mask and data order
are all that it depends on. The optimiser starts anew at step k, its learning rate is
that of step k, and the batches are those of u from step k on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from experiments import checkpoints, steps
from experiments.data_order import batches
from experiments.recipes import Recipe
from experiments.stacked_networks import Named, Stack


@dataclass(frozen=True)
class Run:
    """All that one of the runs depends on besides images and recipe."""

    weights: Named
    """Of the linear layers in order: weight (outputs x inputs), bias, weight, ..."""
    masks: Named
    """For weights by name, True where kept; what has none is kept whole."""
    order: int
    """Seed of the data order u."""


def train_stacked(
    runs: Sequence[Run],
    images: Tensor,
    labels: Tensor,
    recipe: Recipe,
    *,
    first: int = 0,
    last: int | None = None,
    checkpoint: Path | None = None,
) -> list[dict[str, Tensor]]:
    """Return the weights of each run after the steps first, ..., last - 1.

    Steps of batch_size images with the mean cross-entropy; the recipe counts in them
    (its `epochs` and `drops` are steps, as paper B counts). Precision is that of the
    weights. Pruned weights are zero before the first step and exactly zero after each.

    Args:
        runs: K networks of the same layers.
        images: N x inputs (or N x anything with so many numbers).
        labels: N classes.
        recipe: optimiser and learning rate; no augmentation.
        first: step that the weights belong to: k for weights rewound to step k.
        last: step to stop before; None for recipe.epochs.
        checkpoint: file to write every so often and to continue from if it is there.

    Raises:
        ValueError: arguments that do not fit each other, a foreign checkpoint.
        FloatingPointError: weights became NaN or infinite; names runs and steps.
        experiments.cells.OutOfTimeError: the sweep's time budget is spent.
    """
    last = recipe.epochs if last is None else last
    _check(runs, images, labels, recipe, first, last)
    images = images.flatten(1).to(next(iter(runs[0].weights.values())))
    training = _Training.of(runs, images, labels, recipe)
    identity = partial(_identity, runs, images, labels, recipe, first, last)
    steps.take(training, first, last, checkpoint, identity)
    return training.stack.split()


@dataclass(frozen=True)
class _Training:
    """The stack of networks while it is trained."""

    stack: Stack
    optimizer: torch.optim.Optimizer
    """Of the whole stack as its only parameter."""
    recipe: Recipe
    images: Tensor
    """N x inputs."""
    labels: Tensor
    orders: tuple[int, ...]

    @classmethod
    def of(
        cls, runs: Sequence[Run], images: Tensor, labels: Tensor, recipe: Recipe
    ) -> "_Training":
        stack = Stack.of([run.weights for run in runs], [run.masks for run in runs])
        parameter = nn.Parameter(stack.flat)
        parameter.grad = stack.gradient
        optimizer = recipe.build([parameter], fused=True)
        orders = tuple(run.order for run in runs)
        return cls(stack, optimizer, recipe, images, labels, orders)

    def advance(self, first: int, last: int) -> None:
        """Take the steps first, ..., last - 1."""
        size, batch_size = len(self.labels), self.recipe.batch_size
        orders = [batches(size, batch_size, u, first=first) for u in self.orders]
        for step in range(first, last):
            chosen = torch.cat([next(order) for order in orders])
            self.stack.slope(self.images[chosen], self.labels[chosen])
            self.optimizer.param_groups[0]["lr"] = self.recipe.rate(step, 1)
            self.optimizer.step()
        if broken := self.stack.broken():
            raise FloatingPointError(
                f"NaN or infinite weights in runs {broken} (from 0) between the steps "
                f"{first} and {last}: lower the learning rate or look for NaN in the "
                "images"
            )

    def state(self) -> dict[str, Any]:
        return {"flat": self.stack.flat, "optimizer": self.optimizer.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        self.stack.flat.copy_(state["flat"])
        self.optimizer.load_state_dict(state["optimizer"])


def _check(
    runs: Sequence[Run],
    images: Tensor,
    labels: Tensor,
    recipe: Recipe,
    first: int,
    last: int,
) -> None:
    classes = _check_layers(runs, prod(images.shape[1:]))
    if len(images) != len(labels) or not 0 <= first <= last <= recipe.epochs:
        raise ValueError(
            "expected one label for each image and 0 <= first <= last <= "
            f"{recipe.epochs} steps; got {len(labels)} labels, {len(images)} images, "
            f"first {first}, last {last}"
        )
    if not len(labels) or not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(
            f"expected images with labels from 0 to {classes - 1}, the units of the "
            f"last layer; got the labels {sorted(set(labels.tolist()))}"
        )
    if recipe.crop or recipe.flip:
        raise ValueError(f"stacked runs see the images as they are; got {recipe}")


def _check_layers(runs: Sequence[Run], inputs: int) -> int:
    """Check that all runs are the same linear layers; return the last one's outputs."""
    if not runs:
        raise ValueError("expected at least one run, got none")
    shapes = {name: tuple(p.shape) for name, p in runs[0].weights.items()}
    for number, run in enumerate(runs):
        own = {name: tuple(p.shape) for name, p in run.weights.items()}
        masks = {name: tuple(mask.shape) for name, mask in run.masks.items()}
        if own != shapes or not masks.items() <= own.items():
            raise ValueError(
                f"run {number} has weights {own} and masks {masks}; expected the "
                f"weights {shapes}, those of run 0, and masks that fit them"
            )
    widths = [inputs, *(prod(shape) for shape in list(shapes.values())[1::2])]
    expected = [
        shape
        for before, outputs in pairwise(widths)
        for shape in ((outputs, before), (outputs,))
    ]
    if not shapes or list(shapes.values()) != expected:
        raise ValueError(
            "expected weight and bias of linear layers in turn, which for these images "
            f"and biases have the shapes {expected}; got {shapes}"
        )
    return widths[-1]


def _identity(
    runs: Sequence[Run],
    images: Tensor,
    labels: Tensor,
    recipe: Recipe,
    first: int,
    last: int,
) -> checkpoints.Identity:
    def numbered(parts: list[Named]) -> dict[str, Tensor]:
        return {f"{i} {n}": t for i, p in enumerate(parts) for n, t in p.items()}

    return checkpoints.identity(
        recipe=repr(recipe),
        steps=f"{first} to {last}",
        orders=repr([run.order for run in runs]),
        weights=numbered([run.weights for run in runs]),
        masks=numbered([run.masks for run in runs]),
        data={"images": images, "labels": labels},
    )
