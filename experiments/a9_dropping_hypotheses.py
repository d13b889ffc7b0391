"""Figure a9 (new): how far from N / L pruning ends without a hypothesis of theorem 3.

Claim `maximal-critical-compression`. The critical compression is N / n, n the last
count of parameters before the first one at which a layer is empty ("collapse") or no
input-output path is left ("no path"), on the way down from N. Runs that remove one
parameter at a time, or safe steps, are walked once; a run of k steps is made anew for
every target count on chains, and by bisection over the target counts on convnets, where
a run may collapse again below the boundary that is found.

All fully connected linear chains with at most 12 weights, 1032 of them, with random
weights of random sign, R the sum of the outputs, in exact integer arithmetic; and a
convnet of 516 weights without biases at initialisation, R its loss on generated data.

There is no published counterpart: "published" is a larger sample.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal, get_args

import numpy as np
import torch
from torch import nn

from experiments.first_failures import boundaries, first_failures
from experiments.initialisation import build
from theory import exact_pruning, pruning, scores
from theory.exact_pruning import Score, critical_count
from theory.networks import Network, Parameters, cross_entropy
from theory.positive_paths import Kept, Units, chain, chain_layers, chain_widths
from theory.pruning import prune
from theory.pruning_steps import one_at_a_time
from theory.synflow import absolute, synflow
from theory.synflow_pruning import prune_synflow

Run = Literal[
    "one at a time",
    "safe steps",
    "100 steps",
    "3 steps",
    "one-shot",
    "signed",
    "snip",
    "magnitude",
    "local",
]
STEPS = {"100 steps": 100, "3 steps": 3, "one-shot": 1}
SHAPE = (1, 8, 8)


@dataclass(frozen=True)
class Config:
    """One way of pruning, on all chains or on one convnet."""

    networks: Literal["chains", "convnet"]
    pruning: Run
    """SynFlow re-scored one at a time, in safe steps, in 100, 3 steps or 1; or another
    score, one at a time: signed saliency, SNIP, magnitude, magnitude layer by layer."""
    seed: int = 0
    """Of the weights, and of the convnet's images and labels."""


RUNS: tuple[Run, ...] = get_args(Run)
DEFAULT = (
    *(Config("chains", pruning, seed) for pruning in RUNS for seed in range(3)),
    *(Config("convnet", pruning, seed) for pruning in RUNS for seed in range(5)),
)
GRID = {
    "default": DEFAULT,
    "published": tuple(
        Config(config.networks, config.pruning, seed)
        for config in DEFAULT
        if config.seed == 0
        for seed in range(20)
    ),
}


def run(config: Config) -> list[dict[str, str | int | float]]:
    """Return how many networks fail after which count, with L and N / n over N / L.

    `revived` of them do not fail at some smaller target count; -1 where this was not
    looked for.
    """
    found = _chains(config) if config.networks == "chains" else _convnet(config)
    return [
        {
            "failure": failure,
            "layers": layers,
            "critical_count": count,
            "ratio": layers / count,
            "cases": cases,
            "revived": revived,
        }
        for (failure, layers, count, revived), cases in sorted(found.items())
    ]


def _chains(config: Config) -> Counter[tuple[str, int, int, int]]:
    rng, found = Random(config.seed), Counter[tuple[str, int, int, int]]()
    for widths in chain_widths(12):
        drawn = [rng.choice((-1, 1)) * rng.randint(1, 99) for _ in chain_layers(widths)]
        units = chain(widths, drawn)
        ends = list(_states(units, config.pruning))
        for failure, fails in (
            ("collapse", exact_pruning.collapsed),
            ("no path", exact_pruning.disconnected),
        ):
            count = critical_count(units, ends, fails)
            sound = [len(kept) for kept in ends if not fails(units, kept)]
            revived = int(min(sound, default=count) < count)
            found[failure, len(widths) - 1, count, revived] += 1
    return found


def _states(units: Units, how: Run) -> Iterator[Kept]:
    """Yield what is left along a run, or at the ends of runs to falling targets."""
    if how in STEPS:
        yield from exact_pruning.to_every_target(
            units, exact_pruning.synflow, STEPS[how]
        )
    elif how == "safe steps":
        yield from exact_pruning.safely(units)
    else:
        score: dict[str, Score] = {
            "one at a time": exact_pruning.synflow,
            "signed": exact_pruning.saliency,
            "snip": exact_pruning.snip,
            "magnitude": exact_pruning.magnitude,
            "local": _local,
        }
        yield from exact_pruning.one_at_a_time(units, score[how])


def _local(units: Units, kept: Kept) -> dict[int, int]:
    """Return minus the rank of |w| in its layer over the layer's size, as integers.

    Ranked by it all layers shrink at the same rate: local masking.
    """
    sizes = units.counts(units.everything)
    best = sorted(units.everything, key=lambda p: -abs(units.weights[p]))
    ranks: dict[int, int] = {}
    for layer, size in enumerate(sizes):
        own = [p for p in best if units.layers[p] == layer]
        ranks |= {p: -rank * math.lcm(*sizes) // size for rank, p in enumerate(own)}
    return {p: ranks[p] for p in sorted(kept)}


def _convnet(config: Config) -> Counter[tuple[str, int, int, int]]:
    network, score = _subject(config)
    layers = len(network.prunable)
    if config.pruning in STEPS:
        counts = boundaries(network, SHAPE, STEPS[config.pruning])
    elif config.pruning == "safe steps":
        run = prune_synflow(network, SHAPE, [0.0], safe=True)
        counts = first_failures(network, SHAPE, run)
    else:
        run = prune(network, score, one_at_a_time(network, layers - 1))
        counts = first_failures(network, SHAPE, run)
    return Counter((failure, layers, count, -1) for failure, count in counts.items())


def _subject(config: Config) -> tuple[Network, pruning.Score]:
    """Return a convnet of 36, 288, 32 and 160 weights, and what it is scored by."""
    weights, inputs = (
        torch.Generator().manual_seed(int(child.generate_state(1, np.uint64)[0]) >> 1)
        for child in np.random.SeedSequence(config.seed).spawn(2)
    )
    network = Network.of(build(_layers, "kaiming", weights))
    x = torch.randn(32, *SHAPE, generator=inputs).double()
    loss = cross_entropy(torch.randint(10, (32,), generator=inputs))

    match config.pruning:
        case "signed":
            return network, lambda left: scores.saliency(left, x, loss)
        case "snip":
            return network, lambda left: scores.snip(left, x, loss)
        case "magnitude":
            return network, scores.magnitude
        case "local":
            return network, _local_ranks
        case _:
            return absolute(network), lambda left: synflow(left, SHAPE)


def _local_ranks(network: Network) -> Parameters:
    """Return `_local` of a network of layers: minus the rank over the layer's size."""
    result = {}
    for name in network.prunable:
        size = network.parameters[name].abs()
        best = size.flatten().argsort(descending=True, stable=True)
        result[name] = -best.argsort().double().view(size.shape) / len(best)
    return result


def _layers() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 4, 3, stride=2, padding=1, bias=False), nn.ReLU()),
        *(nn.Conv2d(4, 8, 3, padding=1, bias=False), nn.ReLU()),
        *(nn.Conv2d(8, 4, 1, bias=False), nn.ReLU()),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(16, 10, bias=False),
    )
