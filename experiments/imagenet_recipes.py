"""How paper B trains its networks for ImageNet: rate, optimiser, loss.

Epochs, batch, rates and the kind of optimiser are those of its figure 6 (arXiv
1903.01611v3). What that leaves out is taken from the code that it names (Google's TPU
models: github.com/tensorflow/tpu, models/official/resnet, .../squeezenet and
models/experimental/inception): momentum 0.9, Nesterov's for ResNet-50; RMSProp's decay
0.9, momentum 0.9 and epsilon 1; weight decay of ResNet-50, and by tf.contrib.slim's
default of Inception-v3; label smoothing 0.1 and an auxiliary loss of weight 0.4 for
Inception-v3.

That code runs the schedules of Inception-v3 and SqueezeNet the other way round: its
Inception-v3 has RMSProp and a rate from 0.165 * 1024 / 256 = 0.66 down to 1e-4 of it,
6.6e-5; its SqueezeNet momentum and a rate from 0.03 linearly to 0.005. So figure 6
probably has the two exchanged. Both readings are here.
"""

from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import nn

Decay = Literal["drops", "linear", "exponential"]
Optimizer = Literal["momentum", "nesterov", "rmsprop"]


@dataclass(frozen=True)
class EpochRecipe:
    """All that training depends on besides network, masks, images and data order."""

    epochs: int
    batch_size: int
    """Images a step, always so many."""
    learning_rate: float
    """The largest: before drops or decay."""
    decay: Decay
    """drops: times 0.1 at each of `drops`; linear, exponential: from `learning_rate` to
    `last_rate`, which the end of the last epoch would have."""
    last_rate: float = 0.0
    drops: tuple[float, ...] = ()
    """Epochs, counted from 0, at which the rate falls."""
    warmup: float = 0.0
    """Epochs over which the rate rises linearly, from one step's share of it."""
    optimizer: Optimizer = "momentum"
    weight_decay: float = 0.0
    """λ: adds λ W to the gradient of weights W; not of biases or normalisation."""
    smoothing: float = 0.0
    """Share of each label that is spread evenly over all classes."""

    def __post_init__(self) -> None:
        for choices, value in ((Decay, self.decay), (Optimizer, self.optimizer)):
            if value not in get_args(choices):
                raise ValueError(f"expected one of {get_args(choices)}, got {value!r}")
        if min(self.epochs, self.batch_size) < 1 or self.warmup < 0:
            raise ValueError(
                "expected epochs >= 1, batch_size >= 1, warmup >= 0; got "
                f"{self.epochs}, {self.batch_size}, {self.warmup}"
            )
        if self.learning_rate <= 0 or (self.last_rate > 0) == (self.decay == "drops"):
            raise ValueError(
                "expected a learning_rate > 0, and a last_rate > 0 if and only if the "
                f"decay is linear or exponential; got {self.learning_rate}, "
                f"{self.last_rate}, {self.decay}"
            )

    def rate(self, step: int, epoch_steps: int) -> float:
        """Return the learning rate of a step, counted from 0 over all epochs.

        Closed form: a resumed or rewound run needs nothing but the step.
        """
        rising = self.warmup * epoch_steps
        rise = min(1.0, (step + 1) / rising) if rising else 1.0
        share = step / (self.epochs * epoch_steps)
        match self.decay:
            case "drops":
                past = sum(step >= epoch * epoch_steps for epoch in self.drops)
                return self.learning_rate * rise * 0.1**past
            case "linear":
                fallen = share * (self.learning_rate - self.last_rate)
                return rise * (self.learning_rate - fallen)
            case "exponential":
                ratio = self.last_rate / self.learning_rate
                return self.learning_rate * rise * float(ratio**share)

    def shortened(self, epochs: int, batch_size: int) -> "EpochRecipe":
        """Return the recipe run in fewer epochs: the same rate at the same share."""
        scale = epochs / self.epochs
        return replace(
            self,
            epochs=epochs,
            batch_size=batch_size,
            drops=tuple(scale * epoch for epoch in self.drops),
            warmup=scale * self.warmup,
        )

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return torch's optimiser of all parameters.

        Its RMSProp divides by sqrt(v) + 1 with v = 0 at first, TensorFlow's by
        sqrt(v + 1) with v = 1 at first: factors of at most sqrt(2) apart.
        """
        weights = [p for p in model.parameters() if p.ndim > 1]
        others = [p for p in model.parameters() if p.ndim <= 1]
        groups = [
            {"params": weights, "weight_decay": self.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        if self.optimizer == "rmsprop":
            return torch.optim.RMSprop(
                groups, self.learning_rate, alpha=0.9, eps=1.0, momentum=0.9
            )
        nesterov = self.optimizer == "nesterov"
        return torch.optim.SGD(groups, self.learning_rate, 0.9, nesterov=nesterov)


RESNET50 = EpochRecipe(
    epochs=90,
    batch_size=1024,
    learning_rate=0.4,
    decay="drops",
    drops=(30, 60, 80),
    warmup=5,
    optimizer="nesterov",
    weight_decay=1e-4,
)
INCEPTION_V3 = EpochRecipe(
    epochs=171,
    batch_size=1024,
    learning_rate=0.03,
    decay="linear",
    last_rate=0.005,
    weight_decay=4e-5,
    smoothing=0.1,
)
SQUEEZENET = EpochRecipe(
    epochs=150,
    batch_size=1024,
    learning_rate=0.66,
    decay="exponential",
    last_rate=6.6e-5,
    optimizer="rmsprop",
)
"""As figure 6 prints them."""

INCEPTION_V3_EXCHANGED = replace(
    INCEPTION_V3,
    learning_rate=SQUEEZENET.learning_rate,
    decay=SQUEEZENET.decay,
    last_rate=SQUEEZENET.last_rate,
    optimizer=SQUEEZENET.optimizer,
)
SQUEEZENET_EXCHANGED = replace(
    SQUEEZENET,
    learning_rate=INCEPTION_V3.learning_rate,
    decay=INCEPTION_V3.decay,
    last_rate=INCEPTION_V3.last_rate,
    optimizer="nesterov",
)
"""As Google's code has them (its own decay is a staircase every 3 epochs)."""
