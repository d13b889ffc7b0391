"""Figure a3 (paper A, figure 3): score into against score out of each hidden unit.

Claim `neuron-conservation`. VGG-19 at ImageNet size at initialisation, beside the
published points, and a small VGG with biases on digits, before and after training.

Deviations from the paper: by default 4 Gaussian images in place of ImageNet's for SNIP,
GraSP and saliency; profile "published" needs ImageNet, takes 16 images of it (the paper
10,000, in batches) and 8 GB; GraSP has the sign of its paper (the published data very
probably the other).
"""

from dataclasses import dataclass

import numpy as np
import torch

from experiments import scoring
from theory.graph import Graph
from theory.units import Units

STORED = 400
"""At most so many hidden units of a network are written, evenly spaced."""


@dataclass(frozen=True)
class Config:
    """One network with one score."""

    architecture: scoring.Architecture
    score: scoring.Score
    images: scoring.Images = "generated"
    """Where the batch comes from: "digits" for the small VGG."""
    double: bool = True
    """float64; float32 where the published size leaves no choice, or to show it."""
    epochs: int = 0
    """Of training before scoring; 0 = at initialisation."""
    samples: int = 4
    """Images of the batch that the loss sees."""
    seed: int = 0
    """Of the initialisation, the batch and the training."""


SCORES: tuple[scoring.Score, ...] = (
    "magnitude",
    "snip",
    "grasp",
    "saliency",
    "synflow",
)
GRID = {
    "default": (
        *(Config("vgg19-imagenet", score, double=score != "grasp") for score in SCORES),
        Config("vgg19-imagenet", "synflow", double=False),
        *(
            Config("small-vgg-digits", score, "digits", True, epochs, 250, seed)
            for score in SCORES
            for epochs in (0, 20)
            for seed in range(3)
        ),
    ),
    "published": tuple(
        Config("vgg19-imagenet", score, "imagenet", double=False, samples=16)
        for score in SCORES
    ),
}


def run(config: Config) -> list[dict[str, str | int | float]]:
    """Return S_in and S_out of the stored units, and the defect over all of them.

    `defect` is |in - out| / (sum of absolute terms), its worst and median value taken
    over all hidden units (`units` of them), stored or not; likewise the correlation.
    """
    subject = scoring.subject(
        config.architecture,
        config.images,
        bias=True,
        epochs=config.epochs,
        samples=config.samples,
        double=config.double,
        seed=config.seed,
    )
    score = scoring.score(subject, config.score, seed=config.seed)
    units = Units.of(Graph.of(subject.network, subject.images[:1]))
    sums = units.sums(score)
    hidden = units.hidden()
    into, out = sums.into[hidden].double(), sums.out_of[hidden].double()
    scale = sums.scale[hidden].double()
    defect = torch.where(scale > 0, (into - out).abs() / scale, 0.0)
    owners = [o for o, inside in zip(units.owners, hidden, strict=True) if inside]
    stored = np.linspace(0, len(into) - 1, min(STORED, len(into))).round().astype(int)
    summary: dict[str, str | int | float] = {
        "units": len(into),
        "worst_defect": float(defect.max()),
        "median_defect": float(defect.median()),
        "correlation": float(torch.corrcoef(torch.stack([into, out]))[0, 1]),
        "total": float(into.sum()),
        "test_accuracy": subject.test_accuracy,
    }
    return [
        {
            "layer": owners[i],
            "unit": int(i),
            "score_in": float(into[i]),
            "score_out": float(out[i]),
            **summary,
        }
        for i in stored
    ]
