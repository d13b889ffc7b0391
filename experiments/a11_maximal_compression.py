"""Figure a11 (new): SynFlow pruned to the maximal compression, N / L.

Claim `maximal-critical-compression` on VGG-16 at CIFAR size with L = 14 layers, down to
14 weights: plain Algorithm 1 with an exponential schedule, and the safe one, which
takes smaller steps wherever the prune size would reach the cut size. Every run is
followed by the proof checker (`theory.proof_checker`), which keeps masks of its own and
makes forward passes of its own in float64: whether a path is left at the end is found
without any score. Max-pooling keeps all lines of the proof but one equality.

"precision" prunes the same weights in float32 and in float64 side by side to 10^2, and
counts the kept weights that differ. The paper has no such figure: its figure 1 goes to
10^6, where one of three runs kept no weight.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch

from experiments.architectures import vgg_cifar
from experiments.seeds import generators
from theory.networks import Network
from theory.proof_checker import follow
from theory.pruning_steps import Step, layer_sizes, schedule
from theory.synflow_pruning import prune_synflow

Row = dict[str, str | int | float]


@dataclass(frozen=True)
class Config:
    """One run, or the two runs of "precision"."""

    kind: Literal["plain", "safe", "precision"]
    iterations: int = 100
    """Of the exponential schedule; 0 for the safe run, which takes what it needs."""
    double: bool = False
    """float64 instead of float32; "precision" has both."""
    seed: int = 0
    """Of the initialisation."""


GRID = {
    "default": (
        *(Config("plain", seed=seed) for seed in range(10)),
        *(Config("safe", 0, seed=seed) for seed in range(10)),
        Config("plain", 300),
        Config("plain", double=True),
        *(Config("precision", seed=seed) for seed in range(2)),
    ),
    "published": (
        *(Config("plain", 300, seed=seed) for seed in range(10)),
        *(Config("plain", double=True, seed=seed) for seed in range(10)),
        *(Config("safe", 0, True, seed) for seed in range(3)),
        *(Config("precision", seed=seed) for seed in range(5)),
    ),
}
SHAPE = (3, 32, 32)
COMPRESSION = 100.0
"""Where "precision" ends."""
SLACK = {False: 1e-4, True: 1e-9}
"""Of the proof checker, for scores in float32 and in float64."""


def run(config: Config) -> list[Row]:
    """Return one row for each iteration.

    `left` weights, of them in plain and safe runs `emptied` layers without any, and the
    `ratio` of prune size to cut size (NaN once the cut size is 0). The same in all rows
    of a run: the first line of the proof that fails (`failed_line`, empty if none does)
    at `failed_step` (0), whether a conclusion fails under its premises (`refuted`), and
    `end_flow`, the sum of the outputs that the weights left at the end give for an
    input of ones. "precision": `differing` weights of those left are kept in float32
    and not in float64; as many are kept in float64 only.
    """
    return _precision(config) if config.kind == "precision" else _followed(config)


def _network(seed: int, *, double: bool) -> Network:
    (initial,) = generators(seed, 1)
    dtype = torch.float64 if double else torch.float32
    return Network.of(vgg_cifar(16, 10, generator=initial), dtype=dtype)


def _followed(config: Config) -> list[Row]:
    network = _network(config.seed, double=config.double)
    last = len(network.prunable) / sum(layer_sizes(network).values())
    safe = config.kind == "safe"
    densities = [last] if safe else schedule(last, config.iterations)
    rows: list[Row] = []

    def noted() -> Iterator[Step]:
        for step in prune_synflow(network, SHAPE, densities, safe=safe):
            rows.append(
                {
                    "iteration": step.number,
                    "left": step.remaining,
                    "emptied": len(step.collapsed),
                    "ratio": step.prune_size / step.cut_size
                    if step.cut_size > 0
                    else math.nan,
                }
            )
            yield step

    record = follow(
        network, SHAPE, noted(), kind="max-pool chain", slack=SLACK[config.double]
    )
    failure = record.failure
    same: Row = {
        "failed_line": failure.line if failure else "",
        "failed_step": failure.step if failure else 0,
        "refuted": int(record.refuted is not None),
        "end_flow": record.flow,
    }
    return [row | same for row in rows]


def _precision(config: Config) -> list[Row]:
    single, double = (_network(config.seed, double=kind) for kind in (False, True))
    densities = schedule(1 / COMPRESSION, config.iterations)
    runs = (prune_synflow(network, SHAPE, densities) for network in (single, double))
    # 0: kept by both, 1: by float64 only, 2: by float32 only, 3: by none
    state = {
        name: torch.zeros(single.parameters[name].numel(), dtype=torch.uint8)
        for name in single.prunable
    }
    rows: list[Row] = []
    for pair in zip(*runs, strict=True):
        for bit, step in zip((1, 2), pair, strict=True):
            for name, positions in step.gone.items():
                state[name][positions] += bit
        differing = sum(int((layer == 2).sum()) for layer in state.values())
        rows.append(
            {
                "iteration": pair[0].number,
                "left": pair[0].remaining,
                "differing": differing,
            }
        )
    return rows
