"""How a network is trained: optimiser, learning rate of each step, augmentation."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import nn

Optimizer = Literal["sgd", "nesterov", "adam"]


@dataclass(frozen=True)
class Recipe:
    """All that training depends on besides network, masks, images and generator."""

    epochs: int
    """Passes over the training images, each in a new order; 0 trains nothing. Paper B
    counts steps instead: its recipes are used with one step an epoch."""
    batch_size: int
    """Images a step; the last step of an epoch may have fewer."""
    learning_rate: float
    """Before warm-up, drops and cosine, which multiply it."""
    momentum: float = 0.9
    """Of the gradient: SGD's momentum, Adam's β₁ (its β₂ is 0.999)."""
    weight_decay: float = 0.0
    """λ: adds λ θ to every gradient, in Adam too (not AdamW)."""
    optimizer: Optimizer = "sgd"
    warmup: int = 0
    """Steps over which the rate rises linearly: step s = 1, 2, ... has s / warmup."""
    drops: tuple[int, ...] = ()
    """Epochs after whose end the rate is multiplied by `drop`."""
    drop: float = 0.1
    cosine: bool = False
    """Let the rate fall as (1 + cos πt) / 2, t the share of all steps done."""
    crop: int = 0
    """Pixels around each image before a crop of the old size is drawn from it."""
    flip: bool = False
    """Mirror each image with probability 1/2: never right for digits."""

    def __post_init__(self) -> None:
        if self.optimizer not in get_args(Optimizer):
            raise ValueError(
                f"expected an optimizer from {get_args(Optimizer)}, got "
                f"{self.optimizer!r}"
            )
        if min(self.epochs, self.batch_size - 1, self.warmup, self.crop) < 0:
            raise ValueError(
                f"expected epochs >= 0, batch_size >= 1, warmup >= 0, crop >= 0; got "
                f"{self.epochs}, {self.batch_size}, {self.warmup}, {self.crop}"
            )
        if min(self.drops, default=1) < 1 or not self.drop > 0:
            raise ValueError(
                f"expected drops after epochs >= 1 by a factor > 0, got {self.drops} "
                f"and {self.drop}"
            )

    def rate(self, step: int, epoch_steps: int) -> float:
        """Return the learning rate of a step, counted from 0 over all epochs.

        Closed form, unlike torch's schedulers, whose recursions round differently and
        have a state of their own: a resumed run needs nothing but the step.
        """
        rise = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        share = step / (self.epochs * epoch_steps) if self.cosine else 0.0
        past = sum(step >= epoch * epoch_steps for epoch in self.drops)
        fall = (1 + math.cos(math.pi * share)) / 2
        return self.learning_rate * rise * fall * self.drop**past

    def build(
        self, parameters: Iterable[nn.Parameter], *, fused: bool = False
    ) -> torch.optim.Optimizer:
        """Return torch's optimizer of the parameters that require a gradient.

        Args:
            parameters: of the network.
            fused: update in one pass over each tensor: faster, rounded differently.

        Raises:
            ValueError: learning_rate, momentum or weight_decay out of torch's range.
        """
        trainable = [p for p in parameters if p.requires_grad]
        if self.optimizer == "adam":
            betas = (self.momentum, 0.999)
            return torch.optim.Adam(
                trainable,
                self.learning_rate,
                betas,
                weight_decay=self.weight_decay,
                fused=fused,
            )
        return torch.optim.SGD(
            trainable,
            self.learning_rate,
            self.momentum,
            weight_decay=self.weight_decay,
            nesterov=self.optimizer == "nesterov",
            fused=fused,
        )


PAPER_A_FIGURE_1 = Recipe(
    epochs=160,
    batch_size=128,
    learning_rate=0.1,
    weight_decay=1e-4,
    optimizer="nesterov",
    drops=(60, 120),
    crop=4,
    flip=True,
)
"""VGG-16 on CIFAR-100: args.json of the stored runs, and Utils/load.py for Nesterov's
momentum 0.9 and the augmentation. The authors trained on all 50,000 images."""

PAPER_A_FIGURE_5A = Recipe(
    epochs=50,
    batch_size=128,
    learning_rate=0.01,
    weight_decay=1e-4,
    optimizer="nesterov",
    crop=4,
    flip=True,
)
"""VGG-11 on CIFAR-10 between two prunings (same sources)."""
