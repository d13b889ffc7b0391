"""Figure a4 (paper A, figure 4): a layer's mean score against the inverse of its size.

Claim `layer-size-scaling`. VGG-19 at ImageNet size at initialisation, beside the
published points, and a small VGG on digits, with and without biases, before and after
training.

Deviations from the paper: as in figure a3; random scores are uniform on [0, 1), the
published ones |N(0, 1)|. As there, biases count (they are 0 in VGG-19 at the start).
"""

from dataclasses import dataclass

import numpy as np

from experiments import scoring
from theory.layer_scaling import power_law


@dataclass(frozen=True)
class Config:
    """One network with one score."""

    architecture: scoring.Architecture
    score: scoring.Score
    images: scoring.Images = "generated"
    """Where the batch comes from: "digits" for the small VGG."""
    double: bool = True
    """float64; float32 where the published size leaves no choice, or to show it."""
    bias: bool = True
    """Whether the small VGG has biases; VGG-19 has them, all 0 at initialisation."""
    epochs: int = 0
    """Of training before scoring; 0 = at initialisation."""
    samples: int = 4
    """Images of the batch that the loss sees."""
    seed: int = 0
    """Of the initialisation, the batch, the training, random scores, the bootstrap."""


SCORES: tuple[scoring.Score, ...] = (
    "random",
    "magnitude",
    "snip",
    "grasp",
    "saliency",
    "synflow",
)
GRID = {
    "default": (
        *(
            Config("vgg19-imagenet", score, double=score != "grasp", seed=seed)
            for score in SCORES
            for seed in range(3)
        ),
        *(
            Config("vgg19-imagenet", "synflow", double=False, seed=seed)
            for seed in range(3)
        ),
        *(
            Config("small-vgg-digits", score, "digits", True, bias, epochs, 250, seed)
            for score in SCORES
            for bias, epochs in ((False, 0), (False, 20), (True, 20))
            for seed in range(3)
        ),
    ),
    "published": tuple(
        Config("vgg19-imagenet", score, "imagenet", double=False, samples=16)
        for score in SCORES
    ),
}


def run(config: Config) -> list[dict[str, str | int | float]]:
    """Return each layer's size (weights and biases), total and mean score.

    `spread` is (largest - smallest) / |mean| of the layers' totals: 0 for conserved
    scores. The fit of log |mean| against log(1 / size) has a 95 % bootstrap interval.
    """
    subject = scoring.subject(
        config.architecture,
        config.images,
        bias=config.bias,
        epochs=config.epochs,
        samples=config.samples,
        double=config.double,
        seed=config.seed,
    )
    score = scoring.score(subject, config.score, seed=config.seed)
    layers = [name.removesuffix(".weight") for name in subject.network.prunable]
    parts = [
        [
            score[f"{layer}.{kind}"]
            for kind in ("weight", "bias")
            if f"{layer}.{kind}" in score
        ]
        for layer in layers
    ]
    sizes = [sum(part.numel() for part in layer) for layer in parts]
    totals = [float(sum(part.double().sum() for part in layer)) for layer in parts]
    means = [total / size for total, size in zip(totals, sizes, strict=True)]
    fit = power_law(
        sizes, [abs(m) for m in means], rng=np.random.default_rng(config.seed)
    )
    spread = (max(totals) - min(totals)) / abs(sum(totals) / len(totals))
    return [
        {
            "layer": number,
            "name": name,
            "size": size,
            "total": total,
            "mean": mean,
            "spread": spread,
            "slope": fit.slope,
            "slope_low": fit.low,
            "slope_high": fit.high,
            "r_squared": fit.r_squared,
            "test_accuracy": subject.test_accuracy,
        }
        for number, (name, size, total, mean) in enumerate(
            zip(layers, sizes, totals, means, strict=True), start=1
        )
    ]
