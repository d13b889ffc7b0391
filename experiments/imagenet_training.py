"""Training on images from folders, from epoch k on: A(m * W_k, u), resumed exactly.

What `rewound_training` does for images in memory, in epochs in place of steps. A
checkpoint follows each epoch: weights, BatchNorm's buffers and the optimiser's state.
Data order, crops and dropout are drawn by seeds that depend on u and the step, so that
nothing else has to be saved. A checkpoint knows its images by the names of the files.
All in float32: no automatic mixed precision, and TF32 is off; on CUDA some backward
passes of pooling add up in no fixed order all the same.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from experiments import cells, checkpoints
from experiments.image_trees import child, stream, visits
from experiments.imagenet_task import Task
from experiments.stacked_training import Run
from experiments.training import prune_in_place

AUXILIARY = 0.4
"""Weight of the loss of Inception-v3's auxiliary classifier, as in Google's code."""

CHUNK = 256
"""Test images at once (ours): bounds the memory."""


def train_epochs(
    task: Task, run: Run, first: int, last: int, *, checkpoint: Path | None = None
) -> dict[str, Tensor]:
    """Return parameters and buffers after the epochs first, ..., last - 1.

    The optimiser starts from rest; weights that the masks remove are 0 before the first
    step and exactly 0 after each.

    Args:
        task: network, images, recipe and device.
        run: a state_dict of the network, masks by name of weight, seed of u.
        first: epoch that the weights belong to: k for weights rewound to epoch k.
        last: epoch to stop before, at most the recipe's number.
        checkpoint: file to write after each epoch, and to continue from.

    Raises:
        ValueError: epochs out of range, masks that do not fit, an image that cannot be
            read, the checkpoint of another run, no batch in an epoch.
        FloatingPointError: the loss became NaN or infinite; names epoch and step.
        experiments.cells.OutOfTimeError: the sweep's time budget is spent.
    """
    epochs = task.recipe.epochs
    if not 0 <= first <= last <= epochs:
        raise ValueError(
            f"expected 0 <= first <= last <= {epochs} epochs, got {first}, {last}"
        )
    model = task.loaded(dict(run.weights)).train()
    masked = prune_in_place(model, run.masks)
    single = _Single(task, model, task.recipe.build(model), masked, run.order)
    epoch = first
    if checkpoint is not None:
        own = _identity(task, run, f"{first} to {last}")
        if saved := checkpoints.load(checkpoint, own):
            single.restore(saved["run"])
            epoch = saved["epoch"]
    while epoch < last:
        single.epoch(epoch)
        epoch += 1
        if checkpoint is not None:
            state = {"run": single.state(), "epoch": epoch}
            checkpoints.save(checkpoint, own, state)
            cells.pause()
    return {name: p.detach().cpu() for name, p in model.state_dict().items()}


@torch.no_grad()
def top1(task: Task, weights: dict[str, Tensor]) -> float:
    """Return the share of test images whose largest logit is that of their label."""
    model = task.loaded(weights).eval()
    number = len(task.test)
    plan = (
        [(position, 0) for position in range(start, min(start + CHUNK, number))]
        for start in range(0, number, CHUNK)
    )
    batches = stream(task.test, plan, workers=task.workers, device=task.device)
    hits = sum((model(images).argmax(1) == labels).sum() for images, labels in batches)
    return int(hits) / number


def loss_of(outputs: Any, labels: Tensor, smoothing: float) -> Tensor:
    """Return the mean cross-entropy, of an auxiliary classifier's logits too.

    Args:
        outputs: logits, or a pair of logits and auxiliary logits.
        labels: classes.
        smoothing: share of each label that is spread over all classes.
    """
    if isinstance(outputs, tuple):
        main, auxiliary = (loss_of(part, labels, smoothing) for part in outputs)
        return main + AUXILIARY * auxiliary
    return nn.functional.cross_entropy(outputs, labels, label_smoothing=smoothing)


@dataclass(frozen=True)
class _Single:
    """A network in training."""

    task: Task
    model: nn.Module
    optimizer: torch.optim.Optimizer
    masked: list[tuple[nn.Parameter, Tensor]]
    """With 1 where it is kept, 0 where it is pruned."""
    order: int

    def epoch(self, number: int) -> None:
        """Take the steps of an epoch, counted from 0."""
        task, steps = self.task, self.task.epoch_steps
        first, last = number * steps, (number + 1) * steps
        plan = visits(len(task.train), task.recipe.batch_size, self.order, first, last)
        batches = stream(task.train, plan, workers=task.workers, device=task.device)
        exact: Any = torch.backends.cudnn.flags  # its arguments have no annotations
        # Dropout draws from the global random state: seed that, and give it back.
        with (
            torch.random.fork_rng([task.device] if task.device.type == "cuda" else []),
            exact(enabled=True, deterministic=True, allow_tf32=False),
            tqdm(batches, f"epoch {number}", steps, disable=None, leave=False) as bar,
        ):
            losses = [self.step(step, *batch) for step, batch in enumerate(bar, first)]
        # read at the end only: a GPU would wait for each of them
        values = torch.stack(losses).tolist()
        broken = [i for i, value in enumerate(values) if not math.isfinite(value)]
        if broken:
            raise FloatingPointError(
                f"loss is {values[broken[0]]} in epoch {number}, step "
                f"{first + broken[0]} (from 0): lower the learning rate"
            )

    def step(self, number: int, images: Tensor, labels: Tensor) -> Tensor:
        """Move the weights that are kept; return the loss from before."""
        recipe = self.task.recipe
        torch.manual_seed(child(self.order, number, 3))
        loss = loss_of(self.model(images), labels, recipe.smoothing)
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        for parameter, kept in self.masked:
            if parameter.grad is not None:
                parameter.grad.mul_(kept)
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.rate(number, self.task.epoch_steps)
        self.optimizer.step()
        return loss.detach()

    def state(self) -> dict[str, Any]:
        """Return all that the next epoch depends on."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go to a saved state."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])


def _identity(task: Task, run: Run, span: str) -> checkpoints.Identity:
    return checkpoints.identity(
        recipe=repr(task.recipe),
        epochs=span,
        order=str(run.order),
        network=task.network,
        device=task.device.type,
        weights=run.weights,
        masks=run.masks,
        files=task.train.listing,
        size=str(task.train.size),
    )
