"""Stacked training against plain PyTorch: `make bench` (ratios of one run, no test).

LeNet-300-100, Adam, batches of 60 out of 55,000 generated images, a random mask of
10.7 % of the weights, one thread. All kinds take the same number of network-iterations
(steps times networks), timed in seconds of the processor, so that other processes on
the machine count as little as possible. `plain` is the loop of PyTorch's tutorials with
all images in one tensor; `tensors` the same loop over a DataLoader of that tensor;
`pictures` over a DataLoader that makes a picture of 8-bit numbers, and of it a scaled
tensor, for each image: so do torchvision.datasets.MNIST and the public code of paper B.
"""

import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
import torch
from PIL import Image
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from experiments.recipes import Recipe
from experiments.stacked_training import Run, train_stacked
from experiments.vision import torchvision

IMAGES = 55_000
BATCH = 60
RATE = 1.2e-3
DENSITY = 0.8**10
ITERATIONS = 480
"""Network-iterations of one round; a multiple of each number of networks."""
STACKS = (1, 4, 8, 12)
ROUNDS = 5

SECONDS: dict[str, float] = {}
"""The fastest round of each kind."""


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def data() -> tuple[Tensor, Tensor]:
    images = torch.rand(IMAGES, 784, generator=seeded(0))
    return images, torch.randint(10, (IMAGES,), generator=seeded(1))


def network(seed: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise((784, 300, 100, 10)):
        layer = nn.Linear(before, after)
        nn.init.xavier_normal_(layer.weight, generator=seeded(seed))
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def masked(model: nn.Module, seed: int) -> dict[str, Tensor]:
    generator = seeded(seed)
    return {
        name: torch.rand(p.shape, generator=generator) < DENSITY
        for name, p in model.named_parameters()
        if p.ndim == 2
    }


def stack(data: tuple[Tensor, Tensor], count: int) -> Callable[[], object]:
    recipe = Recipe(ITERATIONS // count, BATCH, RATE, optimizer="adam")
    models = [network(seed) for seed in range(count)]
    runs = [Run(m.state_dict(), masked(m, s), s) for s, m in enumerate(models)]
    return lambda: train_stacked(runs, *data, recipe)


def resident(data: tuple[Tensor, Tensor]) -> Iterator[list[Tensor]]:
    images, labels = data
    generator = seeded(2)
    while True:
        chosen = torch.randint(IMAGES, (BATCH,), generator=generator)
        yield [images[chosen], labels[chosen]]


class Pictures(Dataset[tuple[Tensor, int]]):
    """As torchvision.datasets.MNIST has its images, with the usual transform."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images = (255 * images).byte().view(-1, 28, 28)
        self.labels = labels
        self.transform = torchvision.transforms.Compose(
            [
                torchvision.transforms.ToTensor(),
                torchvision.transforms.Normalize((0.1307,), (0.3081,)),
                torch.flatten,
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(self.images[index].numpy(), mode="L")
        return self.transform(picture), int(self.labels[index])


def loaded(dataset: Dataset[Any]) -> Iterator[list[Tensor]]:
    loader = DataLoader(dataset, BATCH, shuffle=True, generator=seeded(2))
    while True:
        yield from loader


def plain(batches: Iterator[list[Tensor]]) -> Callable[[], object]:
    model = network(0)
    optimizer = torch.optim.Adam(model.parameters(), RATE)
    masks = masked(model, 0)
    kept = [(p, masks[n].to(p)) for n, p in model.named_parameters() if n in masks]

    def run() -> None:
        for _ in range(ITERATIONS):
            images, labels = next(batches)
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()
            for parameter, mask in kept:
                parameter.grad *= mask
            optimizer.step()

    return run


@pytest.mark.benchmark(
    group=f"{ITERATIONS} network-iterations of LeNet-300-100", timer=time.process_time
)
@pytest.mark.parametrize("kind", ["pictures", "tensors", "plain", *map(str, STACKS)])
def test_network_iterations(
    benchmark: BenchmarkFixture, data: tuple[Tensor, Tensor], kind: str
) -> None:
    torch.set_num_threads(1)
    if kind.isdigit():
        run = stack(data, int(kind))
    else:
        images, labels = data
        batches = {
            "pictures": lambda: loaded(Pictures(images, labels)),
            "tensors": lambda: loaded(TensorDataset(images, labels)),
            "plain": lambda: resident(data),
        }[kind]()
        run = plain(batches)
    benchmark.pedantic(run, rounds=ROUNDS, warmup_rounds=1)
    SECONDS[kind] = benchmark.stats.stats.min


def test_ratios() -> None:
    """Goals: 1.8 times the plain loop, 6 times the one that loads pictures."""
    others = ("plain", "tensors", "pictures")
    for kind, seconds in SECONDS.items():
        ratios = [f"{SECONDS[name] / seconds:.2f} times {name}" for name in others]
        print(
            f"{kind:>8}: {ITERATIONS / seconds:5.0f} network-iterations per second, "
            + ", ".join(ratios)
        )
