"""Figure a6 (paper A, figure 6): accuracy to compression 10^3, five scores.

Deviations from the paper: by default four small networks on digits for 5 epochs in
place of VGG-11, VGG-16, ResNet-18 and WideResNet-18 on CIFAR-10, CIFAR-100 and Tiny
ImageNet (profile "published"). Otherwise as in figure a1. There WideResNet-18 is really
twice as wide (paper A's code ignores the width); VGGs have one linear layer on Tiny
ImageNet too; SNIP and GraSP see 1 image of each of its 200 classes.
"""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from experiments.pruned_training import RECIPES, Method, Row, curve
from experiments.sources import Name
from experiments.subjects import Architecture, subject


@dataclass(frozen=True)
class Config:
    """One network pruned by one method at evenly spaced log10 of the compression."""

    architecture: Architecture
    method: Method
    seed: int = 0
    """Of weights, scoring images, random scores and training."""
    dataset: Name = "digits"
    recipe: str = "digits"
    """Of `pruned_training.RECIPES`."""
    epochs: int = 5
    per_class: int = 10
    """Training images of each class that SNIP and GraSP see."""
    start: float = 0.0
    """log10 of the smallest compression."""
    stop: float = 3.0
    """log10 of the largest."""
    points: int = 13
    device: str = "cpu"


METHODS: tuple[Method, ...] = ("random", "magnitude", "snip", "grasp", "synflow")
SMALL: tuple[Architecture, ...] = ("lenet", "vgg5-narrow", "resnet6", "resnet6-wide")
LARGE: tuple[Architecture, ...] = ("vgg11", "vgg16", "resnet18", "resnet18-wide")
IMAGES: tuple[Name, ...] = ("cifar10", "cifar100", "tiny-imagenet")


def _small_recipe(architecture: Architecture) -> str:
    """The best of three rates on validation images: see `pruned_training.RECIPES`."""
    family = architecture.partition("-")[0]
    return {"vgg5": "digits-vgg5", "resnet6": "digits-resnet"}.get(family, "digits")


def _published(
    dataset: Name, architecture: Architecture, method: Method, seed: int, log: float
) -> Config:
    recipe = "vgg-cifar" if architecture.startswith("vgg") else "resnet-cifar"
    tiny = dataset == "tiny-imagenet"
    return Config(
        *(architecture, method, seed, dataset, "tiny-imagenet" if tiny else recipe),
        epochs=100 if tiny else 160,
        per_class=1 if tiny else 10,
        start=log,
        stop=log,
        points=1,
        device="cuda",
    )


GRID = {
    "default": tuple(
        Config(architecture, method, seed, recipe=_small_recipe(architecture))
        for architecture, method, seed in product(SMALL, METHODS, range(3))
    ),
    "published": tuple(
        _published(*point)
        for point in product(
            IMAGES, LARGE, METHODS, range(3), np.linspace(0, 3, 13).tolist()
        )
    ),
}


def run(config: Config) -> list[Row]:
    """Return a row for each compression, as figure a1 but without the critical one."""
    chosen = subject(
        config.architecture,
        config.dataset,
        per_class=config.per_class,
        seed=config.seed,
        device=config.device,
    )
    recipe = replace(RECIPES[config.recipe], epochs=config.epochs)
    grid = np.linspace(config.start, config.stop, config.points).tolist()
    return curve(chosen, config.method, recipe, grid)
