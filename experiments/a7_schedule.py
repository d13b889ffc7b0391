"""Figure a7 (paper A, figure 7): the largest prune size over cut size of a run.

Claim `maximal-critical-compression`: theorem 3 asks for a ratio below 1 at every
iteration. Exponential and linear schedules of SynFlow with exact global masking, over
iterations and compression; every cell is a run of its own. The prune size is the score
that an iteration removes, the cut size the score of a layer: R, that of all paths.

VGG-16 at CIFAR size, and at the paper's own size VGG-19 for ImageNet, in float32 as in
the paper. SynFlow sees no data: the input is all ones.

Deviations from the paper: the default grid has VGG-16 instead of VGG-19; of the
published cells VGG-19 has those with 100 iterations to 10^3, one to 10^2, and the
linear schedule to 10^3 at every published number of iterations. Nothing
is pruned at compression 1, where the paper has a ratio of 0. Ties are broken by
position (the public code removes all of a tie), and biases are dropped (the public code
keeps their absolute value; they are 0 at initialisation).
"""

from dataclasses import dataclass
from typing import Literal

import torch

from experiments.architectures import vgg_cifar, vgg_imagenet
from experiments.seeds import generators
from theory.masks import exponential, linear
from theory.networks import Network
from theory.pruning_steps import layer_sizes, schedule
from theory.synflow_pruning import prune_synflow


@dataclass(frozen=True)
class Config:
    """One run of Algorithm 1."""

    architecture: Literal["vgg16-cifar", "vgg19-imagenet"]
    schedule: Literal["exponential", "linear"]
    iterations: int
    compression_log10: float
    """log10 of all prunable weights over those left at the end."""
    seed: int = 0
    """Of the initialisation."""


SCHEDULES: tuple[Literal["exponential", "linear"], ...] = ("exponential", "linear")
GRID = {
    "default": tuple(
        Config("vgg16-cifar", name, iterations, exponent, seed)
        for exponent in (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
        for name in SCHEDULES
        for iterations in (1, 10, 20, 50, 100)
        for seed in range(3 if exponent == 3 else 1)
    ),
    "published": (
        *(Config("vgg19-imagenet", "exponential", 100, 3.0, seed) for seed in range(5)),
        *(Config("vgg19-imagenet", "linear", 100, 3.0, seed) for seed in range(10)),
        Config("vgg19-imagenet", "exponential", 100, 2.0),
        *(
            Config("vgg19-imagenet", "linear", iterations, 3.0, seed)
            for iterations in range(10, 100, 10)
            for seed in range(2)
        ),
    ),
}


def run(config: Config) -> list[dict[str, str | int | float]]:
    """Return one row: the largest ratio, and the iteration `at` which it occurs.

    `first_unsafe` is the first iteration with a ratio of 1 or more (0: there is none);
    `emptied` counts the layers without a weight at the end. Iterations after the last
    path is gone, where the cut size is 0, have no ratio.
    """
    (initial,) = generators(config.seed, 1)
    if config.architecture == "vgg16-cifar":
        model, shape = vgg_cifar(16, 10, generator=initial), (3, 32, 32)
    else:
        model, shape = vgg_imagenet(19, generator=initial), (3, 224, 224)
    network = Network.of(model, dtype=torch.float32)
    del model
    rule = {"exponential": exponential, "linear": linear}[config.schedule]
    densities = schedule(10**-config.compression_log10, config.iterations, rule)
    ratio, at, first_unsafe, left, emptied = 0.0, 0, 0, 0, 0
    for step in prune_synflow(network, shape, densities):
        left, emptied = step.remaining, len(step.collapsed)
        if step.cut_size > 0 and step.prune_size / step.cut_size > ratio:
            ratio, at = step.prune_size / step.cut_size, step.number
        if not first_unsafe and step.prune_size >= step.cut_size:
            first_unsafe = step.number
    return [
        {
            "weights": sum(layer_sizes(network).values()),
            "ratio": ratio,
            "at": at,
            "first_unsafe": first_unsafe,
            "left": left,
            "emptied": emptied,
        }
    ]
