"""a12: the largest prune size over cut size, from the authors' weights (new).

Claim `maximal-critical-compression`. The script of paper A's figure 7 (in the history
of Synaptic-Flow, `Experiments/synaptic-flow-ratio.py`) has one initialisation for all
its cells. It seeds torch with 1, permutes ImageNet's 1,281,167 training images, then
builds VGG-19: every layer draws torch's default weights first, and torchvision's after
that. The CPU's generator gives the same numbers today, so that the published cells are
run here from the weights that they were run from. With one iteration, where rounding
hardly matters, the ratio tells whether they are.

All else is as in a7: theirs are float32 on a GPU, ours on a CPU in either precision.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from experiments.vision import torchvision
from theory.masks import exponential, linear
from theory.networks import Network
from theory.pruning_steps import layer_sizes, schedule
from theory.synflow_pruning import prune_synflow

SEED = 1
"""Of torch's own generator, in their script."""
IMAGES = 1_281_167
"""Of ImageNet's training set; permuted before the network is built."""


@dataclass(frozen=True)
class Config:
    """One run of Algorithm 1."""

    schedule: Literal["exponential", "linear"]
    iterations: int
    compression_log10: float
    """log10 of all prunable weights over those left at the end."""
    double: bool = False
    """Run in float64; the weights are drawn in float32."""


GRID = {
    "default": (Config("linear", 1, 0.5),),
    "published": (
        *(Config("linear", 1, exponent) for exponent in (1.0, 1.5, 2.0, 2.5, 3.0)),
        *(Config("linear", iterations, 3.0) for iterations in range(10, 101, 10)),
        Config("linear", 100, 3.0, double=True),
        Config("exponential", 100, 2.0),
        Config("exponential", 100, 3.0),
        Config("exponential", 100, 3.0, double=True),
    ),
}


def run(config: Config) -> list[dict[str, int | float]]:
    """Return one row: the largest ratio, the iteration `at` which it is, what is left.

    Iterations after the last path is gone, where the cut size is 0, have no ratio.
    """
    dtype = torch.float64 if config.double else torch.float32
    network = Network.of(weights(), dtype=dtype)
    rule = {"exponential": exponential, "linear": linear}[config.schedule]
    densities = schedule(10**-config.compression_log10, config.iterations, rule)
    ratio, at, left = 0.0, 0, 0
    for step in prune_synflow(network, (3, 224, 224), densities):
        left = step.remaining
        if step.cut_size > 0 and step.prune_size / step.cut_size > ratio:
            ratio, at = step.prune_size / step.cut_size, step.number
    sizes = layer_sizes(network)
    return [{"weights": sum(sizes.values()), "ratio": ratio, "at": at, "left": left}]


def weights() -> nn.Module:
    """Return VGG-19 as their script draws it; torch's random state stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        torch.randperm(IMAGES)
        model: nn.Module = torchvision.models.vgg19()
    return model.eval()
