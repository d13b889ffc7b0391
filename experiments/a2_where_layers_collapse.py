"""Figure a2 (paper A, figure 2): what is left of each layer, and which empties first.

Claim `one-shot-collapse`. VGG-19 at its full ImageNet size, 143,652,544 weights, at
initialisation. Four scores prune in one shot: one ranking gives the counts at every
compression, and the exact compression at which each layer empties. SynFlow takes 100
iterations of the exponential schedule to each compression.

Deviations from the paper: SNIP and GraSP see a few generated Gaussian images instead
of 10 ImageNet images a class; weights are drawn by generators of our own; counts are
exact, where the public code removes every score <= a threshold. GraSP is ranked both
ways, since the data behind the paper very probably keep the smallest theta * Hg (see
figures/published). Single precision throughout, as in the paper.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from experiments import scoring
from experiments.architectures import vgg_imagenet
from theory.collapse_odds import (
    empty_probability,
    independent_count,
    normal,
    random_count,
)
from theory.critical_count import ranks
from theory.masks import keep_largest, kept
from theory.networks import Network
from theory.pruning_steps import layer_sizes, schedule
from theory.synflow_pruning import prune_synflow

Row = dict[str, str | int | float]
Score = Literal["random", "magnitude", "snip", "grasp", "synflow"]


@dataclass(frozen=True)
class Config:
    """One score of one initialisation."""

    score: Score
    exponents: tuple[int, ...] = tuple(range(23))
    """Compressions 2^k to prune to, ascending."""
    iterations: int = 1
    """Of SynFlow, to each compression."""
    samples: int = 4
    """Generated images that the loss of SNIP and GraSP sees."""
    seed: int = 0
    """Of the initialisation, the images and the random scores."""


ONE_SHOT: tuple[Score, ...] = ("random", "magnitude", "snip", "grasp")
GRID = {
    "default": (
        *(Config(score) for score in ONE_SHOT),
        Config("synflow", (10,), iterations=100),
        Config("synflow", (22,), iterations=100),
    ),
    "published": (
        *(Config(score, seed=seed) for score in ONE_SHOT for seed in range(5)),
        *(
            Config("synflow", (exponent,), iterations=100, seed=seed)
            for exponent in range(0, 23, 2)
            for seed in range(3)
        ),
    ),
}

LEVELS = {"expected_low": 0.05, "expected": 0.5, "expected_high": 0.95}
"""Probabilities that the critical count stays within the predicted ones."""


def run(config: Config) -> list[Row]:
    """Return a row for every compression 2^exponent and layer: the weights left.

    One-shot scores have also the exact `rank` of the layer's best weight (the layer is
    empty if and only if fewer are kept) and, where theory predicts it, the `expected`
    critical count, which the largest rank of the run is. `empty_odds` is the
    probability that random pruning leaves the layer empty at that compression. GraSP
    has rows for `sign` 1, the largest scores kept, and -1, the smallest.
    """
    subject = scoring.subject(
        "vgg19-imagenet",
        "generated",
        bias=True,
        epochs=0,
        samples=config.samples,
        double=False,
        seed=config.seed,
    )
    network = subject.network
    if config.score == "synflow":
        return _rows(network, config, _iterated(network, config), {})
    every = scoring.score(subject, config.score, seed=config.seed)
    scores = {name: every.pop(name).flatten() for name in network.prunable}
    rows: list[Row] = []
    for sign in (1, -1) if config.score == "grasp" else (1,):
        for score in scores.values():
            score.mul_(sign)
        counts = _one_shot(scores, config.exponents)
        rows += _rows(network, config, counts, ranks(scores), sign)
    return rows


def _rows(
    network: Network,
    config: Config,
    remaining: Iterable[dict[str, int]],
    places: dict[str, int],
    sign: int = 1,
) -> list[Row]:
    sizes = layer_sizes(network)
    total, expected = sum(sizes.values()), _expected(config.score, [*sizes.values()])
    rows: list[Row] = []
    for exponent, counts in zip(config.exponents, remaining, strict=True):
        left = sum(counts.values())
        for number, (name, size) in enumerate(sizes.items(), start=1):
            row: Row = {
                "sign": sign,
                "exponent": exponent,
                "layer": number,
                "name": name.removesuffix(".weight"),
                "size": size,
                "remaining": counts[name],
                "empty_odds": empty_probability(size, total, left),
            }
            exact: Row = {"rank": places[name], **expected} if places else {}
            rows.append(row | exact)
    return rows


def _one_shot(
    scores: dict[str, Tensor], exponents: Sequence[int]
) -> Iterator[dict[str, int]]:
    """Yield the layers' counts at each compression; masks of one ranking are nested."""
    total = sum(score.numel() for score in scores.values())
    live = scores
    for exponent in exponents:
        left = sum(score.numel() for score in live.values())
        masks = keep_largest(live, kept(total, 2.0**-exponent) / left)
        live = {name: score[masks[name]] for name, score in live.items()}
        yield {name: score.numel() for name, score in live.items()}


def _iterated(network: Network, config: Config) -> Iterator[dict[str, int]]:
    for exponent in config.exponents:
        densities = schedule(2.0**-exponent, config.iterations)
        for step in prune_synflow(network, (3, 224, 224), densities):
            counts = step.counts
        yield counts


def _expected(score: str, sizes: list[int]) -> dict[str, float]:
    """Return the predicted critical counts of random and magnitude pruning.

    Weights as `experiments.initialisation` draws torchvision's VGG: convolutions
    N(0, 2 / fan_out), linear layers N(0, 0.01^2).
    """
    if score == "random":
        return {name: random_count(sizes, level) for name, level in LEVELS.items()}
    if score != "magnitude":
        return {}
    tails = []
    for layer in vgg_imagenet(19, generator=None).modules():
        if isinstance(layer, nn.Conv2d):
            tails.append(normal(math.sqrt(2 / layer.weight[:, 0].numel())))
        elif isinstance(layer, nn.Linear):
            tails.append(normal(0.01))
    return {n: independent_count(sizes, tails, level) for n, level in LEVELS.items()}
