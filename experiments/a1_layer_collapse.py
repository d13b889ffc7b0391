"""Figure a1 (paper A, figure 1): accuracy against compression, and who collapses when.

Five scores, and GraSP with its sign reversed, prune at initialisation; what is left is
trained. Claims `one-shot-collapse` and `maximal-critical-compression`.

Deviations from the paper: by default VGG5 on digits for 5 epochs in place of VGG-16 on
CIFAR-100 for 160 (profile "published"; without a path from input to output neither is
trained). Critical compressions are exact counts, not read off the grid. GraSP ranks by
+theta * Hg with temperature 200 over one batch, SNIP by the same batch: 10 training
images a class, in "published" without augmentation. 10 % of the training images are
held out, so that an epoch can be chosen without the test images.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from experiments.pruned_training import RECIPES, Method, Row, critical, curve
from experiments.sources import Name
from experiments.subjects import Architecture, subject


@dataclass(frozen=True)
class Config:
    """One method at evenly spaced log10 of the compression."""

    method: Method
    seed: int = 0
    """Of weights, scoring images, random scores and training."""
    architecture: Architecture = "vgg5"
    dataset: Name = "digits"
    recipe: str = "digits-vgg5"
    """Of `pruned_training.RECIPES`."""
    epochs: int = 5
    per_class: int = 10
    """Training images of each class that SNIP and GraSP see."""
    start: float = 0.0
    """log10 of the smallest compression."""
    stop: float = 4.0
    """log10 of the largest."""
    points: int = 17
    device: str = "cpu"


METHODS: tuple[Method, ...] = (
    "random",
    "magnitude",
    "snip",
    "grasp",
    "grasp-reversed",
    "synflow",
)
GRID = {
    "default": tuple(Config(method, seed) for method in METHODS for seed in range(3)),
    "published": tuple(
        Config(
            *(method, seed, "vgg16", "cifar100", "vgg-cifar", 160),
            start=compression,
            stop=compression,
            points=1,
            device="cuda",
        )
        for method in METHODS
        for compression in np.linspace(0, 6, 25).tolist()
        for seed in range(3)
    ),
}


def run(config: Config) -> list[Row]:
    """Return a row for each compression; accuracies are shares of 1.

    `critical_log10`: log10 of the largest compression with a weight in every layer.
    `final_accuracy`, `validated_accuracy`, `best_test_accuracy`: test accuracy at the
    last epoch, at the best on validation images, at the best on the test images.
    """
    chosen = subject(
        config.architecture,
        config.dataset,
        per_class=config.per_class,
        seed=config.seed,
        device=config.device,
    )
    recipe = replace(RECIPES[config.recipe], epochs=config.epochs)
    grid = np.linspace(config.start, config.stop, config.points).tolist()
    rows = curve(chosen, config.method, recipe, grid)
    kept = critical(chosen, config.method)
    return [
        {
            **row,
            "critical_weights": kept,
            "critical_log10": math.log10(int(row["prunable_weights"]) / kept),
        }
        for row in rows
    ]
