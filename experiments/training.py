"""Training with stochastic gradient descent, pruned weights held at exactly zero."""

import copy
import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn


def train(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    momentum: float,
    weight_decay: float,
    cosine: bool = False,
    masks: Mapping[str, Tensor] | None = None,
    generator: torch.Generator,
) -> tuple[nn.Module, list[dict[str, int | float]]]:
    """Return a trained copy of ``model`` in eval mode, and one row for each epoch.

    Rows: epoch from 1, learning_rate of its last step, and means over its images, as
    they were visited: loss (cross-entropy) and accuracy. ``model`` and the global
    random state stay as they were.

    Args:
        model: network of logits.
        images: all training images, on the model's device.
        labels: class of each image.
        epochs: passes over the images, each in a new order; 0 only applies the masks.
        batch_size: images a step; the last step of an epoch may have fewer.
        learning_rate: of the first step.
        momentum: as in torch.optim.SGD.
        weight_decay: as in torch.optim.SGD.
        cosine: let the rate fall as (1 + cos πt) / 2, t the share of the steps done.
        masks: for parameters by name, what is kept (True or 1); the rest stays 0.
        generator: draws the order of the images and seeds dropout; on the CPU.

    Raises:
        ValueError: if an argument is out of range or does not fit the others.
        FloatingPointError: if the loss is NaN or infinite; names epoch and step.
    """
    if len(images) != len(labels) or not len(images) or epochs < 0 or batch_size < 1:
        raise ValueError(
            "expected as many labels as images, at least one, epochs >= 0, batch_size "
            f">= 1; got {len(labels)}, {len(images)}, {epochs}, {batch_size}"
        )
    model = copy.deepcopy(model).train()
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(
        trainable, learning_rate, momentum, weight_decay=weight_decay
    )
    _prune(model, masks or {})
    rows: list[dict[str, int | float]] = []
    step, steps = 0, epochs * math.ceil(len(images) / batch_size)
    # Dropout draws from the global random state: seed that, and give it back.
    with torch.random.fork_rng([images.device] if images.is_cuda else []):
        torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        for epoch in range(1, epochs + 1):
            loss_sum, hits, rate = 0.0, 0, learning_rate
            order = torch.randperm(len(images), generator=generator).to(images.device)
            for chosen in torch.split(order, batch_size):
                if cosine:
                    rate = learning_rate * (1 + math.cos(math.pi * step / steps)) / 2
                    optimizer.param_groups[0]["lr"] = rate
                logits = model(images[chosen])
                loss = nn.functional.cross_entropy(logits, labels[chosen])
                if not math.isfinite(loss.item()):
                    raise FloatingPointError(
                        f"loss is {loss.item()} in epoch {epoch}, step {step}: lower "
                        "the learning rate or look for NaN in images and weights"
                    )
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                # Momentum and decay move pruned weights too: zero before the next use.
                _prune(model, masks or {})
                step += 1
                loss_sum += loss.item() * len(chosen)
                hits += int((logits.argmax(1) == labels[chosen]).sum())
            means = {"loss": loss_sum / len(images), "accuracy": hits / len(images)}
            rows.append({"epoch": epoch, "learning_rate": rate, **means})
    return model.eval(), rows


@torch.no_grad()
def _prune(model: nn.Module, masks: Mapping[str, Tensor]) -> None:
    parameters = dict(model.named_parameters())
    for name, mask in masks.items():
        if name not in parameters or parameters[name].shape != mask.shape:
            raise ValueError(
                f"mask {name!r} of shape {tuple(mask.shape)} fits no parameter; there "
                f"are {[(key, tuple(p.shape)) for key, p in parameters.items()]}"
            )
        parameters[name].masked_fill_(mask.to(parameters[name].device) == 0, 0)
