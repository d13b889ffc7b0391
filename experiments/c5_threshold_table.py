"""Figure c5 (paper C, main table): the predicted pruning limits against measured ones.

Claims `pruning-lower-bound`, `exact-statistical-dimension`. Every network is trained
with and without l1; then its limit is predicted in three forms and measured in four
readings, at exact counts (`limit_rows`). Small networks have the whole Hessian; of the
others Lanczos runs give intervals, and limits to a 400th of N.

Profile "published": LeNet-300-100 and FC5 on MNIST, a small VGG, FC5 and FC12 on
``cifar10-jpeg`` (a lossy copy of CIFAR-10) on a CPU; paper C's other networks on a GPU.

Deviations from the paper: see `limit_cases` and `limit_training`; R is not rounded,
no density is smeared on a grid, zero directions are not counted twice, and the Hessian
is that of fixed batches. The paper's one reading is the last of "one-shot accuracy",
with "not worse" in the place of "better" and every number of weights in the place of
1,000 levels. Where `images` of a case are fewer than all, L is the loss of these.
"""

import math
from dataclasses import dataclass

from experiments.limit_cases import CASES
from experiments.limit_dense import DenseModel
from experiments.limit_rows import Row, dense_rows, lanczos_rows, readings
from experiments.limit_study import study


@dataclass(frozen=True)
class Config:
    """One network, trained once."""

    case: str
    """Name in `limit_cases.CASES`."""
    strength: float
    """lambda: of l1."""
    seed: int
    """Of weights, data order, probes, survivors' data order."""
    device: str = "cpu"


SEEDS = (0, 1, 2)
SMALL = ("mlp-digits", "fc5-digits", "convnet-digits")
CPU = (
    "lenet-mnist",
    "fc5-mnist",
    "small-vgg-cifar10",
    "fc5-cifar10",
    "fc12-cifar10",
)
GPU = tuple(name for name in CASES if name not in {*SMALL, *CPU})


def _configs(names: tuple[str, ...], device: str) -> tuple[Config, ...]:
    return tuple(
        Config(name, strength, seed, device)
        for name in names
        for strength in CASES[name].strengths
        for seed in SEEDS
    )


GRID = {
    "default": _configs(SMALL, "cpu"),
    "published": (*_configs(CPU, "cpu"), *_configs(GPU, "cuda")),
}


def run(config: Config) -> list[Row]:
    """Return the rows of `limit_rows`, with the network's own numbers in each.

    parameters D, prunable N, epsilon, loss L(w*), test_accuracy, gradient |dL/dw|;
    descent: what a Newton step along eigenvalues above `limit_dense.STIFF` would gain
    at w*, over epsilon (0 at a minimum; of networks with the whole Hessian only);
    retraining: largest number of epochs that the survivors train.
    """
    found = study(config.case, config.strength, config.seed, config.device)
    rows = dense_rows if found.case.dense else lanczos_rows
    problem = found.problem("final")
    head: Row = {
        "architecture": found.case.architecture,
        "dataset": found.case.dataset,
        "parameters": len(problem.weights),
        "prunable": len(problem.order),
        "epsilon": problem.epsilon,
        "loss": problem.loss,
        "test_accuracy": problem.test_accuracy,
        "retraining": found.case.retraining,
        "gradient": float(problem.hessian().gradient().norm()),
        "descent": DenseModel.of(problem).descent if found.case.dense else math.nan,
    }
    tables = (rows(found, "early"), rows(found, "final"), readings(found))
    return [head | row for table in tables for row in table]
