"""Iterated SynFlow against its floor: `make bench` (ratios of one run, never a test).

The floor of an iteration is one forward and backward pass of the plain network on the
same input. `plain` is Algorithm 1 for any score; `fast` takes the same steps.
"""

import resource
import subprocess
import sys
from functools import partial

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import nn

from experiments.architectures import vgg_cifar
from theory.networks import Network
from theory.pruning import prune
from theory.pruning_steps import schedule
from theory.synflow import absolute, synflow
from theory.synflow_pruning import prune_synflow

SHAPE = (3, 32, 32)
STEPS = 100
DENSITY = 0.01

LARGEST = """
import torch
from experiments.architectures import vgg_imagenet
from theory.networks import Network
from theory.pruning_steps import schedule
from theory.synflow_pruning import prune_synflow

torch.set_num_threads(1)
model = vgg_imagenet(19, generator=torch.Generator().manual_seed(0))
network = Network.of(model, dtype=torch.float32)
del model  # the network has a copy of its own
*_, last = prune_synflow(network, (3, 224, 224), schedule(1e-3, 100))
print(last.remaining)
"""


def floor(model: nn.Module, x: torch.Tensor) -> None:
    for _ in range(STEPS):
        model.zero_grad()
        torch.autograd.backward(model(x).sum())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("kind", ["floor", "fast", "plain"])
def test_iterations(benchmark: BenchmarkFixture, kind: str, dtype: torch.dtype) -> None:
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    model = vgg_cifar(16, 10, generator=generator).eval().to(dtype)
    network = Network.of(model, dtype=dtype)
    densities = schedule(DENSITY, STEPS)
    score = partial(synflow, shape=SHAPE)
    run = {
        "floor": lambda: floor(model, torch.ones(1, *SHAPE, dtype=dtype)),
        "fast": lambda: list(prune_synflow(network, SHAPE, densities)),
        "plain": lambda: list(prune(absolute(network), score, densities)),
    }[kind]
    benchmark.group = f"{STEPS} iterations of CIFAR VGG-16 to 10^2, {dtype}"
    benchmark.pedantic(run, rounds=3, warmup_rounds=1 if kind == "floor" else 0)


def test_peak_memory_of_the_largest_network() -> None:
    """VGG-19 at ImageNet size, float32, 100 iterations: at most 8 times its weights."""
    output = subprocess.check_output([sys.executable, "-c", LARGEST], text=True)
    peak = 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    weights = 4 * 143_652_544
    print(f"peak memory {peak / weights:.2f} times the weights, {output.strip()} left")
    assert peak <= 8 * weights
