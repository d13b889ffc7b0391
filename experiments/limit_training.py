"""Training with l1, as paper C does: the gradient of L plus lambda * sign(w).

The subgradient takes sign(0) = 0 and leaves weights that should vanish within about
lambda times the learning rate of 0; where the rate falls to 0, so do they. The minimum
it looks for is not one of L: there, dL/dw = -lambda sign(w). L, without the l1 term, is
what the limit is about.
"""

import copy
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from experiments import cells, checkpoints
from experiments.augmentation import augmented
from experiments.data import Split
from experiments.recipes import Recipe

Weights = dict[str, Tensor]
"""Parameters and buffers."""

EARLY = 0.1
"""Share of the epochs after which a checkpoint is to predict the final threshold."""


@dataclass(frozen=True)
class Trained:
    """A network at the end of training, and its weights before and on the way."""

    model: nn.Module
    """In eval mode, with the final weights."""
    stages: dict[str, Weights]
    """At "start", "early" and "final"."""

    def at(self, stage: str) -> nn.Module:
        """Return a copy of the network with the weights of a stage."""
        model = copy.deepcopy(self.model)
        model.load_state_dict(self.stages[stage])
        return model


def train(
    model: nn.Module,
    split: Split,
    recipe: Recipe,
    *,
    strength: float,
    generator: torch.Generator,
    checkpoint: Path | None = None,
) -> Trained:
    """Train a copy of the model on cross-entropy + strength * sum |w|.

    Args:
        model: network of logits, without dropout.
        split: training images, on the model's device.
        recipe: optimiser, schedule and augmentation.
        strength: lambda; all parameters count, biases and BatchNorm's too.
        generator: draws the order and augmentation of the images; on the CPU.
        checkpoint: file to write after each epoch and to continue from.

    Raises:
        ValueError: the strength is negative, there are no epochs, or the checkpoint is
            that of another run.
        FloatingPointError: the loss became NaN or infinite; names the epoch.
        experiments.cells.OutOfTimeError: the sweep's time budget is spent.
    """
    if not strength >= 0 or recipe.epochs < 1:
        raise ValueError(
            f"expected an l1 strength >= 0 and epochs >= 1, got {strength} and "
            f"{recipe.epochs}"
        )
    own = checkpoints.identity(
        recipe=f"{recipe} {strength}",
        network=f"{model}",
        data={"images": split.images, "labels": split.labels},
        weights=model.state_dict(),
        generator={"state": generator.get_state()},
    )
    model = copy.deepcopy(model).train()
    optimizer = recipe.build(model.parameters())
    stages, first = {"start": _weights(model)}, 1
    if checkpoint is not None and (saved := checkpoints.load(checkpoint, own)):
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        generator.set_state(saved["generator"])
        stages, first = saved["stages"], saved["epoch"] + 1
    for epoch in range(first, recipe.epochs + 1):
        _epoch(model, optimizer, split, recipe, strength, epoch, generator)
        if epoch == math.ceil(EARLY * recipe.epochs):
            stages["early"] = _weights(model)
        if checkpoint is not None:
            state: dict[str, Any] = {"model": model.state_dict(), "epoch": epoch}
            state |= {"optimizer": optimizer.state_dict(), "stages": stages}
            state |= {"generator": generator.get_state()}
            checkpoints.save(checkpoint, own, state)
            cells.pause()
    return Trained(model.eval(), stages | {"final": _weights(model)})


def _epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    split: Split,
    recipe: Recipe,
    strength: float,
    epoch: int,
    generator: torch.Generator,
) -> None:
    """Train on every image once; epochs count from 1."""
    order = torch.randperm(len(split.labels), generator=generator)
    batches = torch.split(order.to(split.labels.device), recipe.batch_size)
    parameters = [p for p in model.parameters() if p.requires_grad]
    losses = []
    for step, chosen in enumerate(batches, (epoch - 1) * len(batches)):
        images = augmented(
            split.images[chosen],
            crop=recipe.crop,
            flip=recipe.flip,
            generator=generator,
        )
        loss = nn.functional.cross_entropy(model(images), split.labels[chosen])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        for parameter in parameters if strength else ():
            if parameter.grad is not None:
                parameter.grad.add_(parameter.detach().sign(), alpha=strength)
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate(step, len(batches))
        optimizer.step()
        losses.append(loss.detach())
    if not math.isfinite(float(torch.stack(losses).sum())):
        raise FloatingPointError(
            f"the loss is not finite in epoch {epoch}: lower the learning rate or look "
            "for NaN in images and weights"
        )


def _weights(model: nn.Module) -> Weights:
    return {name: value.clone() for name, value in model.state_dict().items()}
