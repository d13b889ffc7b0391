"""The networks of paper B's section 5, each with its images and schedule.

The published ones, on ImageNet; "exchanged" is the other reading of the paper's table
(see `imagenet_recipes`). The generated ones run the same code in a second: a ResNet of
19,756 parameters with each network's schedule and optimiser, squeezed into 6 epochs.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from experiments import imagenet_recipes as recipes
from experiments.generated_images import write_tree
from experiments.image_trees import imagenet, trees
from experiments.imagenet_networks import Network
from experiments.imagenet_recipes import EpochRecipe
from experiments.imagenet_task import Task


@dataclass(frozen=True)
class Case:
    """A network with its training and the size of its images."""

    schedule: Network
    """The network of the paper whose schedule this is."""
    network: Network
    recipe: EpochRecipe
    pixels: int
    """Height and width of what the network sees."""
    generated: bool = False
    """Pictures written for the purpose, in place of ImageNet."""


def _small(schedule: Network, recipe: EpochRecipe) -> Case:
    short = recipe.shortened(epochs=6, batch_size=16)
    return Case(schedule, "resnet8", short, pixels=16, generated=True)


CASES = {
    "resnet50": Case("resnet50", "resnet50", recipes.RESNET50, 224),
    "inception_v3": Case("inception_v3", "inception_v3", recipes.INCEPTION_V3, 299),
    "squeezenet": Case("squeezenet", "squeezenet", recipes.SQUEEZENET, 224),
    "inception_v3-exchanged": Case(
        "inception_v3", "inception_v3", recipes.INCEPTION_V3_EXCHANGED, 299
    ),
    "squeezenet-exchanged": Case(
        "squeezenet", "squeezenet", recipes.SQUEEZENET_EXCHANGED, 224
    ),
    "resnet8-as-resnet50": _small("resnet50", recipes.RESNET50),
    "resnet8-as-inception_v3": _small("inception_v3", recipes.INCEPTION_V3),
    "resnet8-as-squeezenet": _small("squeezenet", recipes.SQUEEZENET),
}
"""By name."""

WORKERS = 12
"""Processes that decode ImageNet for one GPU (ours); results do not depend on it."""


@contextlib.contextmanager
def task(case: Case, device: str) -> Iterator[Task]:
    """Yield all that trains a case; generated pictures are deleted afterwards.

    Raises:
        FileNotFoundError: ImageNet is not in the data root; says how to get it.
        ValueError: it is not complete.
        RuntimeError: torch has no such device.
    """
    where = torch.device(device)
    if not case.generated:
        train, test = imagenet(case.pixels)
        yield Task(case.network, case.recipe, train, test, where, WORKERS)
        return
    with tempfile.TemporaryDirectory() as name:
        write_tree(Path(name), train=16, test=32, seed=0)
        train, test = trees(Path(name), case.pixels)
        yield Task(case.network, case.recipe, train, test, where)
