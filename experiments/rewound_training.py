"""Training a network of any kind from step k on: A(m * W_k, u), by autograd.

What `stacked_training` does for linear layers, with the same meaning of steps, masks
and data orders. BatchNorm's buffers belong to the weights: they are rewound with them.
"""

import copy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from experiments import checkpoints, steps
from experiments.augmentation import augmented
from experiments.data import Split
from experiments.data_order import batches
from experiments.evaluation import check
from experiments.recipes import Recipe
from experiments.stacked_training import Run
from experiments.training import prune_in_place, take_step


def train_from(
    model: nn.Module,
    run: Run,
    split: Split,
    recipe: Recipe,
    *,
    first: int = 0,
    last: int | None = None,
    checkpoint: Path | None = None,
) -> dict[str, Tensor]:
    """Return parameters and buffers after the steps first, ..., last - 1.

    Arguments and errors are those of `stacked_training.train_stacked`, for one run,
    whose weights are a state_dict of ``model``; that stays as it is. Precision is that
    of the weights. The recipe may augment and the network drop out: what is drawn in a
    step depends on the order and the step only.
    """
    last = recipe.epochs if last is None else last
    _check(model, run, split, recipe, first, last)
    dtype = next(p.dtype for p in run.weights.values() if p.is_floating_point())
    images = split.images.to(dtype)
    model = copy.deepcopy(model).to(images.device, dtype).train()
    model.load_state_dict(dict(run.weights))
    masked = prune_in_place(model, run.masks)
    optimizer = recipe.build(model.parameters())
    single = _Single(model, optimizer, masked, images, split.labels, recipe, run.order)
    identity = partial(_identity, model, run, split, recipe, f"{first} to {last}")
    # dropout draws from the global random state: give that back
    with torch.random.fork_rng([images.device] if images.is_cuda else []):
        steps.take(single, first, last, checkpoint, identity)
    return {name: p.detach().cpu() for name, p in model.state_dict().items()}


@dataclass(frozen=True)
class _Single:
    """A network in training."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    masked: list[tuple[nn.Parameter, Tensor]]
    images: Tensor
    labels: Tensor
    recipe: Recipe
    order: int

    def advance(self, first: int, last: int) -> None:
        """Take the steps first, ..., last - 1."""
        recipe, labels = self.recipe, self.labels
        order = batches(len(labels), recipe.batch_size, self.order, first=first)
        for number in range(first, last):
            chosen = next(order).to(labels.device)
            drawn = torch.Generator().manual_seed(_seed(self.order, number, 1))
            images = augmented(
                self.images[chosen],
                crop=recipe.crop,
                flip=recipe.flip,
                generator=drawn,
            )
            torch.manual_seed(_seed(self.order, number, 2))
            rate = recipe.rate(number, 1)
            take_step(
                self.model, self.optimizer, self.masked, images, labels[chosen], rate
            )
        if not all(bool(p.isfinite().all()) for p in self.model.parameters()):
            raise FloatingPointError(
                f"NaN or infinite weights between the steps {first} and {last}: lower "
                "the learning rate or look for NaN in the images"
            )

    def state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])


def _check(
    model: nn.Module, run: Run, split: Split, recipe: Recipe, first: int, last: int
) -> None:
    check(split, "training")
    if not 0 <= first <= last <= recipe.epochs:
        raise ValueError(
            f"expected 0 <= first <= last <= {recipe.epochs} steps, got {first}, {last}"
        )
    theirs = {name: tuple(p.shape) for name, p in model.state_dict().items()}
    own = {name: tuple(p.shape) for name, p in run.weights.items()}
    if own != theirs:
        wrong = sorted(dict(own.items() ^ theirs.items()))
        raise ValueError(
            "expected weights and buffers of the names and shapes of the model's "
            f"state_dict; they differ in {wrong}"
        )


def _identity(
    model: nn.Module, run: Run, split: Split, recipe: Recipe, span: str
) -> checkpoints.Identity:
    return checkpoints.identity(
        recipe=repr(recipe),
        steps=span,
        order=str(run.order),
        architecture=str(model),
        device=split.images.device.type,
        weights=run.weights,
        masks=run.masks,
        data={"images": split.images, "labels": split.labels},
    )


def _seed(order: int, step: int, purpose: int) -> int:
    """Return the seed of a step's augmentation (1) or dropout (2).

    The data order's own seeds have the shorter key (order, epoch).
    """
    child = np.random.SeedSequence((order, step, purpose)).generate_state(1, np.uint64)
    return int(child[0]) >> 1
