"""Products with a Hessian against one gradient: `make bench` (ratios of one run).

1,000 samples a batch for the network of 266,610 parameters (784-300-100-10), 100 for
the convnet: one batch, and four. `gradient` is one plain backward pass over the same
batches of the same network, float32 as the peers are used, or float64 as ours is by
default. All kinds are timed in seconds of the processor, so that other processes on the
machine count as little as possible. pyhessian keeps one graph for a single batch, and
makes it anew for several. A Lanczos step is the mean of 40 with re-orthogonalisation:
on the large network the basis alone is 85 MB, which is read four times in each.
"""

import copy
import time
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor, nn
from torch.nn import functional

from theory.curvature import Hessian
from theory.lanczos import lanczos
from theory.networks import Network

Batches = list[tuple[Tensor, Tensor]]
ROUNDS = 10
STEPS = 40
COLUMNS = 8
KINDS = ("gradient", "ours", "columns", "lanczos", "curvlinops", "eigenthings")
GOALS = {"mlp ours": 1.2, "convnet ours": 1.35, "convnet lanczos": 1.5}

SECONDS: dict[tuple[str, str], float] = {}
"""The fastest round of each case and kind, for one product, step or gradient."""


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def mlp() -> nn.Module:
    layers = (nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU())
    return nn.Sequential(*layers, nn.Linear(100, 10))


def convnet() -> nn.Module:
    """58,346 parameters on images of 28 by 28."""
    layers: list[nn.Module] = []
    for before, after in ((1, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    head = (nn.Flatten(), nn.Linear(576, 60), nn.ReLU(), nn.Linear(60, 10))
    return nn.Sequential(*layers, *head)


def problem(name: str, count: int, dtype: torch.dtype) -> tuple[nn.Module, Batches]:
    make, samples, shape = {
        "mlp": (mlp, 1000, (784,)),
        "convnet": (convnet, 100, (1, 28, 28)),
    }[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = make().to(dtype)
    x = torch.randn(count * samples, *shape, generator=seeded(1), dtype=dtype)
    y = torch.randint(10, (count * samples,), generator=seeded(2))
    return model, list(zip(x.split(samples), y.split(samples), strict=True))


def gradient(model: nn.Module, batches: Batches) -> Callable[[], object]:
    parameters = list(model.parameters())

    def run() -> None:
        totals = [torch.zeros_like(p) for p in parameters]
        for x, y in batches:
            value = functional.cross_entropy(model(x), y)
            slopes = torch.autograd.grad(value, parameters)
            for total, slope in zip(totals, slopes, strict=True):
                total.add_(slope, alpha=1 / len(batches))

    return run


def curvlinops(model: nn.Module, batches: Batches, v: Tensor) -> Callable[[], object]:
    peer = pytest.importorskip("curvlinops")
    parameters = list(model.parameters())
    hessian = peer.HessianLinearOperator(
        model, nn.CrossEntropyLoss(), parameters, batches, check_deterministic=False
    )
    return lambda: hessian @ v


def eigenthings(model: nn.Module, batches: Batches, v: Tensor) -> Callable[[], object]:
    peer = pytest.importorskip("hessian_eigenthings")
    loss = peer.supervised_loss(functional.cross_entropy)
    hessian = peer.HessianOperator(model, batches, loss)
    return lambda: hessian.matvec(v)


def pyhessian(model: nn.Module, batches: Batches, v: Tensor) -> Callable[[], object]:
    peer = pytest.importorskip("pyhessian")
    shapes = [p.shape for p in model.parameters()]
    parts = v.split([shape.numel() for shape in shapes])
    vectors = [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]
    loss = nn.CrossEntropyLoss()
    if len(batches) > 1:
        hessian = peer.hessian(model, loss, dataloader=batches, cuda=False)
        return lambda: hessian.dataloader_hv_product(vectors)
    hessian = peer.hessian(model, loss, data=batches[0], cuda=False)
    product = peer.utils.hessian_vector_product
    return lambda: product(hessian.gradsH, hessian.params, vectors)


def prepared(kind: str, model: nn.Module, batches: Batches) -> Callable[[], object]:
    size = sum(p.numel() for p in model.parameters())
    dtype = batches[0][0].dtype
    v = torch.randn(size, generator=seeded(3), dtype=torch.float64)
    peers: dict[str, Any] = {
        "curvlinops": curvlinops,
        "eigenthings": eigenthings,
        "pyhessian": pyhessian,
    }
    if kind in peers:
        run: Callable[[], object] = peers[kind](
            copy.deepcopy(model), batches, v.to(dtype)
        )
        return run
    hessian = Hessian(Network.of(model, dtype=dtype), functional.cross_entropy, batches)
    vectors = torch.randn(size, COLUMNS, generator=seeded(3), dtype=torch.float64)
    return {
        "gradient": gradient(model, batches),
        "ours": lambda: hessian.product(v),
        "columns": lambda: hessian.product(vectors),
        "lanczos": lambda: lanczos(hessian.product, v, STEPS),
    }[kind]


@pytest.mark.parametrize("kind", [*KINDS, "pyhessian"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("name", ["mlp", "convnet"])
def test_products(
    benchmark: BenchmarkFixture, name: str, count: int, dtype: torch.dtype, kind: str
) -> None:
    torch.set_num_threads(1)
    case = f"{name}, {count} batches, {str(dtype).removeprefix('torch.')}"
    benchmark.group, benchmark._timer = case, time.process_time
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyhessian's graphs
        run = prepared(kind, *problem(name, count, dtype))
        rounds = 2 if kind == "lanczos" else ROUNDS
        benchmark.pedantic(run, rounds=rounds, warmup_rounds=1)
    each = {"columns": COLUMNS, "lanczos": STEPS}.get(kind, 1)
    SECONDS[case, kind] = benchmark.stats.stats.min / each


def test_ratios() -> None:
    """Goals: at most 1.2 gradients (MLP), 1.35 (convnet), a Lanczos step 1.5."""
    for (case, kind), seconds in SECONDS.items():
        if kind == "gradient":
            print(f"{case}: a gradient takes {1e3 * seconds:.1f} ms")
            continue
        goal = GOALS.get(f"{case.split(',')[0]} {kind}")
        aim = f" (goal {goal})" if goal else ""
        print(f"  {kind:>11}: {seconds / SECONDS[case, 'gradient']:.2f} gradients{aim}")
