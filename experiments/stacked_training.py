"""Training many networks of the same linear layers and ReLUs in one program.

Paper B compares thousands of runs of one small network that differ in mask, data order
and first weights. Here K of them are stacked: their weights lie in one buffer, layer by
layer as K x outputs x inputs; one batched matrix product a layer goes forward, two go
back; the optimiser sees a single flat tensor. No run reads a number of another one, so
the results are those of K single runs up to the order in which sums are rounded.

A run is the function A(m * W_k, u) of paper B (section 2): weights, mask and data order
are all that it depends on. The optimiser starts anew at step k, its learning rate is
that of step k, and the batches are those of u from step k on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from experiments import checkpoints, steps
from experiments.data_order import batches
from experiments.recipes import Recipe

Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Run:
    """All that one of the runs depends on besides images and recipe."""

    weights: Weights
    """Of the linear layers in order: weight (outputs x inputs), bias, weight, ..."""
    masks: Mapping[str, Tensor]
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
    stack = _Stack.of(runs, images, labels, recipe)
    identity = partial(_identity, runs, images, labels, recipe, first, last)
    steps.take(stack, first, last, checkpoint, identity)
    return stack.split()


@dataclass(frozen=True)
class _Stack:
    """K networks in one buffer, layer by layer, and the gradient of the sum of losses.

    The gradient of the sum with respect to the weights of a run is that of its loss.
    """

    shapes: dict[str, torch.Size]
    flat: Tensor
    gradient: Tensor
    kept: Tensor
    """1 where it is kept, 0 where it is pruned."""
    weights: tuple[Tensor, ...]
    """Views of `flat`: K x outputs x inputs, K x 1 x outputs, alternately."""
    slopes: tuple[Tensor, ...]
    """The same views of `gradient`."""
    optimizer: torch.optim.Optimizer
    """Of `flat` as its only parameter."""
    recipe: Recipe
    images: Tensor
    labels: Tensor
    orders: tuple[int, ...]

    @classmethod
    def of(
        cls, runs: Sequence[Run], images: Tensor, labels: Tensor, recipe: Recipe
    ) -> "_Stack":
        flat = _stacked([run.weights for run in runs]).detach()
        whole = {name: torch.ones_like(p) for name, p in runs[0].weights.items()}
        masks = [{n: (m != 0).to(flat) for n, m in run.masks.items()} for run in runs]
        kept = _stacked([whole | mask for mask in masks])
        flat[kept == 0] = 0
        gradient = torch.zeros_like(flat)
        shapes = {name: p.shape for name, p in runs[0].weights.items()}
        parts = [len(runs) * prod(shape) for shape in shapes.values()]
        weights, slopes = (
            tuple(
                part.view(len(runs), -1, shape[-1])
                for part, shape in zip(
                    torch.split(buffer, parts), shapes.values(), strict=True
                )
            )
            for buffer in (flat, gradient)
        )
        parameter = nn.Parameter(flat)
        parameter.grad = gradient
        return cls(
            shapes,
            flat,
            gradient,
            kept,
            weights,
            slopes,
            recipe.build([parameter], fused=True),
            recipe,
            images,
            labels,
            tuple(run.order for run in runs),
        )

    def advance(self, first: int, last: int) -> None:
        """Take the steps first, ..., last - 1."""
        size, batch_size = len(self.labels), self.recipe.batch_size
        orders = [batches(size, batch_size, u, first=first) for u in self.orders]
        for step in range(first, last):
            chosen = torch.cat([next(order) for order in orders])
            self.slope(self.images[chosen], self.labels[chosen])
            self.optimizer.param_groups[0]["lr"] = self.recipe.rate(step, 1)
            self.optimizer.step()
        self.check(first, last)

    def state(self) -> dict[str, Any]:
        return {"flat": self.flat, "optimizer": self.optimizer.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        self.flat.copy_(state["flat"])
        self.optimizer.load_state_dict(state["optimizer"])

    @torch.no_grad()
    def slope(self, images: Tensor, labels: Tensor) -> None:
        """Set the gradient of the mean cross-entropy of each run on its own batch.

        With z the logits of one image, d loss / d z = softmax(z) - onehot(label).
        """
        runs = len(self.weights[0])
        inputs = [images.view(runs, -1, images.shape[1])]
        layers = list(zip(self.weights[::2], self.weights[1::2], strict=True))
        for number, (weight, bias) in enumerate(layers, 1):
            z = torch.baddbmm(bias, inputs[-1], weight.mT)
            if number < len(layers):
                inputs.append(z.relu_())
        target = labels.view(runs, -1, 1)
        slope = torch.softmax(z, 2)
        slope.scatter_add_(2, target, torch.full_like(target, -1, dtype=z.dtype))
        slope /= target.shape[1]
        for layer in reversed(range(len(layers))):
            torch.bmm(slope.mT, inputs[layer], out=self.slopes[2 * layer])
            torch.sum(slope, 1, keepdim=True, out=self.slopes[2 * layer + 1])
            if layer:
                slope = torch.bmm(slope, layers[layer][0])
                slope *= inputs[layer] > 0
        self.gradient.mul_(self.kept)

    def check(self, first: int, last: int) -> None:
        """Raise FloatingPointError if any run has left the range of its precision."""
        finite = [w.isfinite().flatten(1).all(1) for w in self.weights]
        broken = (~torch.stack(finite).all(0)).nonzero().flatten().tolist()
        if broken:
            raise FloatingPointError(
                f"NaN or infinite weights in runs {broken} (from 0) between the steps "
                f"{first} and {last}: lower the learning rate or look for NaN in the "
                "images"
            )

    def split(self) -> list[dict[str, Tensor]]:
        """Return the weights of each run, in memory of their own."""
        return [
            {
                name: weight[run].reshape(shape).clone()
                for (name, shape), weight in zip(
                    self.shapes.items(), self.weights, strict=True
                )
            }
            for run in range(len(self.weights[0]))
        ]


def _stacked(networks: Sequence[Weights]) -> Tensor:
    """Return all numbers, layer by layer, in each layer network by network."""
    return torch.cat([net[name].flatten() for name in networks[0] for net in networks])


def _check(
    runs: Sequence[Run],
    images: Tensor,
    labels: Tensor,
    recipe: Recipe,
    first: int,
    last: int,
) -> None:
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
    sizes = list(shapes.values())
    inputs = [images[0].numel(), *(size[0] for size in sizes[1::2])]
    expected = [
        pair
        for (outputs,), before in zip(sizes[1::2], inputs, strict=False)
        for pair in ((outputs, before), (outputs,))
    ]
    if sizes != expected:
        raise ValueError(
            f"expected weight and bias of linear layers in turn, {expected} for these "
            f"images and biases; got {shapes}"
        )
    if len(images) != len(labels) or not 0 <= first <= last <= recipe.epochs:
        raise ValueError(
            "expected one label for each image and 0 <= first <= last <= "
            f"{recipe.epochs} steps; got {len(labels)} labels, {len(images)} images, "
            f"first {first}, last {last}"
        )
    if recipe.crop or recipe.flip:
        raise ValueError(f"stacked runs see the images as they are; got {recipe}")


def _identity(
    runs: Sequence[Run],
    images: Tensor,
    labels: Tensor,
    recipe: Recipe,
    first: int,
    last: int,
) -> checkpoints.Identity:
    def numbered(parts: list[Mapping[str, Tensor]]) -> dict[str, Tensor]:
        return {f"{i} {n}": t for i, p in enumerate(parts) for n, t in p.items()}

    return checkpoints.identity(
        recipe=repr(recipe),
        steps=f"{first} to {last}",
        orders=repr([run.order for run in runs]),
        weights=numbered([run.weights for run in runs]),
        masks=numbered([run.masks for run in runs]),
        data={"images": images, "labels": labels},
    )
