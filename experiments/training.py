"""Training by stochastic gradients, pruned weights held at exactly zero.

A pruned weight is zero before the first step and its gradient is set to zero in each:
the optimiser, its momentum and weight decay included, then never sees anything but
zeros there. A run that was killed continues from its checkpoint bit for bit, on the
same device and number of threads (on CUDA: with deterministic algorithms).
"""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from experiments import checkpoints
from experiments.augmentation import augmented
from experiments.data import Split
from experiments.evaluation import Row, accuracy, check
from experiments.recipes import Recipe


def train(
    model: nn.Module,
    split: Split,
    recipe: Recipe,
    *,
    masks: Mapping[str, Tensor] | None = None,
    evaluate: Mapping[str, Split] | None = None,
    checkpoint: Path | None = None,
    generator: torch.Generator,
) -> tuple[nn.Module, list[Row]]:
    """Return a trained copy of ``model`` in eval mode, and one row for each epoch.

    Rows: epoch from 1, learning_rate of its last step, means over its images, as they
    were visited, of loss (cross-entropy) and accuracy, and <name>_accuracy after the
    epoch for each split to evaluate. ``model`` and the global random state stay as they
    were; ``generator`` ends at the same state whether the run was resumed or not.

    Args:
        model: network of logits.
        split: training images, on the model's device.
        recipe: optimiser, schedule and augmentation.
        masks: for parameters by name, what is kept (True or 1); the rest stays 0.
        evaluate: splits by name, such as "validation" and "test".
        checkpoint: file to write after each epoch, and to continue from if it is there;
            it stays until the caller deletes it.
        generator: draws the order and augmentation of the images and seeds dropout; on
            the CPU.

    Raises:
        ValueError: an argument is out of range or does not fit the others, or the
            checkpoint is that of another run.
        FloatingPointError: if the loss is NaN or infinite; names epoch and step.
    """
    masks, evaluate = masks or {}, evaluate or {}
    splits = {"training": split, **evaluate}
    for name, part in splits.items():
        check(part, name)
    identity: checkpoints.Identity = {}
    if checkpoint is not None:
        identity = _identity(model, splits, recipe, masks, generator)
    model = copy.deepcopy(model).train()
    optimizer = recipe.build(model.parameters())
    run = _Run(model, optimizer, prune_in_place(model, masks), split, recipe, generator)
    rows: list[Row] = []
    # Dropout draws from the global random state: seed that, and give it back.
    with torch.random.fork_rng(run.cuda):
        torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        if checkpoint is not None and (state := checkpoints.load(checkpoint, identity)):
            rows = run.restored(state)
        for number in range(len(rows) + 1, recipe.epochs + 1):
            row = run.epoch(number)
            for name, part in evaluate.items():
                row[f"{name}_accuracy"] = accuracy(model, part)
            rows.append(row)
            if checkpoint is not None:
                checkpoints.save(checkpoint, identity, run.state(rows))
    return model.eval(), rows


@dataclass(frozen=True)
class _Run:
    """All that changes while training, and what it is made of."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    masked: list[tuple[nn.Parameter, Tensor]]
    """With 1 where it is kept, 0 where it is pruned."""
    split: Split
    recipe: Recipe
    generator: torch.Generator

    @property
    def cuda(self) -> list[torch.device]:
        device = self.split.images.device
        return [device] if device.type == "cuda" else []

    def epoch(self, number: int) -> Row:
        """Train on every image once and return the row of that epoch.

        Its numbers are read at the end only: a GPU would wait for each of them.
        """
        images, labels = self.split.images, self.split.labels
        order = torch.randperm(len(labels), generator=self.generator)
        batches = torch.split(order.to(labels.device), self.recipe.batch_size)
        first = (number - 1) * len(batches)
        losses, hits, rate = [], torch.zeros((), device=labels.device).long(), 0.0
        for step, chosen in enumerate(batches, first):
            rate = self.recipe.rate(step, len(batches))
            loss, logits = self.step_on(images[chosen], labels[chosen], rate)
            losses.append(loss)
            hits += (logits.argmax(1) == labels[chosen]).sum()
        values = torch.stack(losses).tolist()
        broken = [i for i, value in enumerate(values) if not math.isfinite(value)]
        if broken:
            raise FloatingPointError(
                f"loss is {values[broken[0]]} in epoch {number}, step "
                f"{first + broken[0]} (from 0): lower the learning rate or look for "
                "NaN in images and weights"
            )
        total = sum(v * len(b) for v, b in zip(values, batches, strict=True))
        means = {"loss": total / len(labels), "accuracy": int(hits) / len(labels)}
        return {"epoch": number, "learning_rate": rate, **means}

    def step_on(
        self, images: Tensor, labels: Tensor, rate: float
    ) -> tuple[Tensor, Tensor]:
        """Move the weights that are kept; return loss and logits from before."""
        crop, flip = self.recipe.crop, self.recipe.flip
        images = augmented(images, crop=crop, flip=flip, generator=self.generator)
        return take_step(self.model, self.optimizer, self.masked, images, labels, rate)

    def state(self, rows: list[Row]) -> dict[str, Any]:
        """Return all that the next epoch depends on, and the rows so far."""
        return {
            "rows": rows,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "global": torch.get_rng_state(),
            "cuda": [torch.cuda.get_rng_state(device) for device in self.cuda],
        }

    def restored(self, state: dict[str, Any]) -> list[Row]:
        """Go to a saved state, on this run's device, and return its rows."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["global"])
        for device, cuda in zip(self.cuda, state["cuda"], strict=True):
            torch.cuda.set_rng_state(cuda, device)
        return list(state["rows"])


def take_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    masked: list[tuple[nn.Parameter, Tensor]],
    images: Tensor,
    labels: Tensor,
    rate: float,
) -> tuple[Tensor, Tensor]:
    """Take one step by the mean cross-entropy; return loss and logits from before.

    Args:
        model: in the mode that it trains in.
        optimizer: of its parameters.
        masked: as `prune_in_place` returns it.
        images: of this step.
        labels: of this step.
        rate: learning rate of this step.
    """
    logits = model(images)
    loss = nn.functional.cross_entropy(logits, labels)
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    for parameter, kept in masked:
        if parameter.grad is not None:
            parameter.grad.mul_(kept)  # on a CPU 20 times faster than masked_fill_
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    return loss.detach(), logits.detach()


def _identity(
    model: nn.Module,
    splits: Mapping[str, Split],
    recipe: Recipe,
    masks: Mapping[str, Tensor],
    generator: torch.Generator,
) -> checkpoints.Identity:
    trainable = [name for name, p in model.named_parameters() if p.requires_grad]
    data = {f"{name} images": part.images for name, part in splits.items()}
    data |= {f"{name} labels": part.labels for name, part in splits.items()}
    return checkpoints.identity(
        recipe=repr(recipe),
        device=splits["training"].images.device.type,
        architecture=f"{model} trains {trainable}",
        weights=model.state_dict(),
        data=data,
        masks={name: masks[name] != 0 for name in sorted(masks)},
        generator={"state": generator.get_state()},
    )


@torch.no_grad()
def prune_in_place(
    model: nn.Module, masks: Mapping[str, Tensor]
) -> list[tuple[nn.Parameter, Tensor]]:
    """Zero what the masks remove; return each masked parameter with 1 where kept."""
    parameters = dict(model.named_parameters())
    masked = []
    for name, mask in masks.items():
        if name not in parameters or parameters[name].shape != mask.shape:
            raise ValueError(
                f"mask {name!r} of shape {tuple(mask.shape)} fits no parameter; there "
                f"are {[(key, tuple(p.shape)) for key, p in parameters.items()]}"
            )
        kept = (mask != 0).to(parameters[name])
        parameters[name].masked_fill_(kept == 0, 0)
        masked.append((parameters[name], kept))
    return masked
