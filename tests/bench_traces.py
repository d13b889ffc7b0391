"""Errors of traces at equal numbers of products: `make bench` (a table, no clock).

The Hessian of a network of 760 parameters that was trained on scikit-learn's digits, as
a matrix: the truth is known, and no estimator spends more than it says. Each number is
the median relative error over 10 seeds, in percent.

    tr H               ours Hutch++; curvlinops Hutch++, XTrace; pyhessian Hutchinson (a
                       fixed number of samples, and with its own stopping rule)
    tr c / (c + H)     at c = 1e-3 of the largest eigenvalue, negative ones as 0: ours,
                       two probes of half the products, and one run that deflates before
                       two probes of a third; eigenthings, ten probes of a tenth (its
                       default), on its nodes and on its density (pyhessian's calls
                       torch.eig, which is gone)
    density            the same: Wasserstein-1 distance to the eigenvalues, over their
                       mean absolute value
    limit              the same: paper C's number of weights that can go
"""

import warnings
from collections.abc import Callable
from functools import cache
from statistics import median
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

from theory.curvature import Hessian
from theory.deflation import deflation
from theory.measure import Measure
from theory.operators import dense
from theory.pruning_limit import paper_limit
from theory.spectrum import spectrum
from theory.trace import hutch_plus_plus

PRODUCTS = (60, 120, 300)
SEEDS = range(10)
EPSILON = 0.01
"""Rise of the loss that the limit allows."""


def trained() -> tuple[nn.Module, list[tuple[Tensor, Tensor]]]:
    images, labels = load_digits(return_X_y=True)
    x, y = torch.from_numpy(images / 16), torch.from_numpy(labels).long()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(64, 10), nn.ReLU(), nn.Linear(10, 10)).double()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(300):
        optimizer.zero_grad()
        functional.cross_entropy(model(x), y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return model, [(x, y)]


@pytest.fixture(scope="module")
def network() -> tuple[nn.Module, list[tuple[Tensor, Tensor]]]:
    return trained()


@pytest.fixture(scope="module")
def matrix(network: tuple[nn.Module, list[tuple[Tensor, Tensor]]]) -> Tensor:
    found = dense(Hessian(network[0], functional.cross_entropy, network[1]))
    return (found + found.T) / 2


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def report(
    title: str, truth: float, methods: dict[str, Callable[[int, int], float]]
) -> None:
    print(f"\n{title}: median error in percent, by products {PRODUCTS}")
    for name, method in methods.items():
        errors = [
            median(abs(method(products, seed) / truth - 1) for seed in SEEDS)
            for products in PRODUCTS
        ]
        print(f"  {name:>32}: " + "  ".join(f"{100 * e:8.3f}" for e in errors))


def test_traces(
    network: tuple[nn.Module, list[tuple[Tensor, Tensor]]], matrix: Tensor
) -> None:
    torch.set_num_threads(1)
    curvlinops = pytest.importorskip("curvlinops")
    pyhessian = pytest.importorskip("pyhessian")
    size = len(matrix)

    def ours(products: int, seed: int) -> float:
        return hutch_plus_plus(
            lambda v: matrix @ v, size, products, generator=seeded(seed)
        ).value

    def theirs(function: Callable[..., Tensor]) -> Callable[[int, int], float]:
        def run(products: int, seed: int) -> float:
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                return float(function(matrix, products))

        return run

    def samples(products: int, seed: int, stop: float = -1.0) -> float:
        with torch.random.fork_rng(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its graph refers to itself
            torch.manual_seed(seed)
            model, (data,) = network
            peer = pyhessian.hessian(
                model, nn.CrossEntropyLoss(), data=data, cuda=False
            )
            found = peer.trace(maxIter=products, tol=stop)
            model.zero_grad()
            return float(np.mean(found))

    methods = {
        "ours, Hutch++": ours,
        "curvlinops, Hutch++": theirs(curvlinops.hutchpp_trace),
        "curvlinops, XTrace": theirs(curvlinops.xtrace),
        "pyhessian, all samples": samples,
        "pyhessian, stops at 1e-3": lambda n, seed: samples(n, seed, 1e-3),
    }
    report("tr H", float(torch.trace(matrix)), methods)


def test_spectra(
    network: tuple[nn.Module, list[tuple[Tensor, Tensor]]], matrix: Tensor
) -> None:
    torch.set_num_threads(1)
    peer = pytest.importorskip("hessian_eigenthings")
    size, eigenvalues = len(matrix), torch.linalg.eigvalsh(matrix).numpy()

    def product(v: Tensor) -> Tensor:
        return matrix @ v

    def ours(products: int, seed: int) -> Measure:
        return spectrum(
            product, size, probes=2, steps=products // 2, generator=seeded(seed)
        ).measure()

    def deflated(products: int, seed: int) -> Measure:
        generator: torch.Generator = seeded(seed)
        start = torch.randn(size, generator=generator, dtype=torch.float64)
        pairs = deflation(product, start, products // 3)
        return spectrum(
            product,
            size,
            probes=2,
            steps=products // 3,
            generator=generator,
            deflated=pairs,
        ).measure()

    @cache
    def density(products: int, seed: int) -> Any:
        operator = peer.LambdaOperator(product, size, dtype=torch.float64)
        return peer.spectral_density(
            operator, num_runs=10, lanczos_steps=products // 10, seed=100 * seed
        )

    def smeared(products: int, seed: int) -> Measure:
        found = density(products, seed)
        grid = found.grid.numpy()
        return Measure(grid, found.density.numpy() * np.gradient(grid))

    def quadrature(products: int, seed: int) -> Measure:
        found = density(products, seed)
        nodes, weights = found.raw_eigenvalues.numpy(), found.raw_weights.numpy()
        return Measure(nodes.flatten(), weights.flatten() / 10)

    methods = {
        "ours, 2 probes": ours,
        "ours, deflated and 2 probes": deflated,
        "eigenthings, nodes": quadrature,
        "eigenthings, density": smeared,
    }
    c = 1e-3 * eigenvalues.max()

    def f(nodes: np.ndarray) -> np.ndarray:
        values: np.ndarray = c / (c + np.maximum(nodes, 0.0))
        return values

    def distance(measure: Measure) -> float:
        """1 and the Wasserstein-1 distance over the mean |eigenvalue|."""
        gap = wasserstein_distance(eigenvalues, measure.nodes, None, measure.weights)
        return 1 + float(gap / np.abs(eigenvalues).mean())

    weights = nn.utils.parameters_to_vector(network[0].parameters()).detach()

    def limit(measure: Measure) -> float:
        scaled = measure.scaled(1 / measure.mass).treated("positive")
        return paper_limit(weights.numpy(), scaled, size, EPSILON)

    whole = Measure(eigenvalues, np.full(size, 1 / size))
    readings: dict[str, Callable[[Measure], float]] = {
        "tr c / (c + H)": lambda measure: measure.integral(f),
        "density": distance,
        "limit": limit,
    }
    for title, reading in readings.items():

        def read(
            method: Callable[[int, int], Measure],
            reading: Callable[[Measure], float] = reading,
        ) -> Callable[[int, int], float]:
            return lambda products, seed: reading(method(products, seed))

        report(
            title,
            reading(whole),
            {name: read(method) for name, method in methods.items()},
        )
