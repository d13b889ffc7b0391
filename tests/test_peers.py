"""Cross-checks with public libraries: the same products, top eigenvalue and trace.

curvlinops, hessian-eigenthings and pyhessian are no dependencies: a test is skipped
where its library is missing. Where one differs from us the test says why.
"""

from collections.abc import Iterator
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from tolerance import tolerance
from torch import Tensor, nn
from torch.func import jacrev
from torch.nn import functional

from theory import random_networks
from theory.coordinates import Coordinates
from theory.curvature import Hessian
from theory.estimates import estimate
from theory.lanczos import lanczos
from theory.networks import Network
from theory.operators import dense
from theory.trace import hutch_plus_plus

LABELS = torch.tensor([0, 1, 2, 1, 0, 2, 2, 1])
CYCLES = "ignore:Using backward.. with create_graph=True will create a reference cycle"


def draw(*shape: int, seed: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def convnet() -> nn.Module:
    layers = (nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2))
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(12, 3))
    return random_networks.fill(model, Random(1)).double().eval()


def mlp() -> nn.Module:
    layers = (nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    return random_networks.fill(nn.Sequential(*layers), Random(2)).double()


def batches(x: Tensor, size: int) -> list[tuple[Tensor, Tensor]]:
    return list(zip(x.split(size), LABELS[: len(x)].split(size), strict=True))


def gap(left: Tensor, right: Tensor) -> float:
    return float((left - right).abs().max() / right.abs().max())


@pytest.fixture
def seeded() -> Iterator[None]:
    """Run on torch's global generator, from a seed, and give it back."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


# the same products ------------------------------------------------------------------


@pytest.mark.parametrize("size", [8, 3])
@pytest.mark.parametrize("newton", [False, True])
def test_curvlinops(newton: bool, size: int) -> None:
    curvlinops = pytest.importorskip("curvlinops")
    model, data = mlp(), batches(draw(8, 4), size)
    kind = "GGNLinearOperator" if newton else "HessianLinearOperator"
    loss, parameters = nn.CrossEntropyLoss(), list(model.parameters())
    theirs = getattr(curvlinops, kind)(model, loss, parameters, data)
    ours = Hessian(model, functional.cross_entropy, data, gauss_newton=newton)
    matrix = theirs @ torch.eye(ours.size, dtype=torch.float64)
    assert gap(dense(ours), matrix) <= tolerance(1000)


def test_curvlinops_convolutions_of_a_part() -> None:
    """BatchNorm in eval mode: ours is frozen, so its layer takes no part."""
    curvlinops = pytest.importorskip("curvlinops")
    model, data = convnet(), batches(draw(8, 1, 6, 6), 4)
    names = ["0.weight", "0.bias", "5.weight"]
    parameters = [dict(model.named_parameters())[name] for name in names]
    loss = nn.CrossEntropyLoss()
    theirs = curvlinops.HessianLinearOperator(model, loss, parameters, data)
    ours = Hessian(model, functional.cross_entropy, data, names=names)
    matrix = theirs @ torch.eye(ours.size, dtype=torch.float64)
    assert gap(dense(ours), matrix) <= tolerance(1000)


def eigenthings(model: nn.Module, data: list[tuple[Tensor, Tensor]]) -> Any:
    peer = pytest.importorskip("hessian_eigenthings")
    loss = peer.supervised_loss(functional.cross_entropy)
    return peer.HessianOperator(model, data, loss)


def test_eigenthings() -> None:
    model, data = mlp(), batches(draw(8, 4), 4)
    theirs, ours = (
        eigenthings(model, data),
        Hessian(model, functional.cross_entropy, data),
    )
    v = draw(ours.size, seed=4)
    assert gap(ours.product(v), theirs.matvec(v)) <= tolerance(1000)


def test_eigenthings_is_a_mean_over_batches_not_over_samples() -> None:
    """Batches of 3, 3 and 2 samples weigh 1/3 each."""
    model, data = mlp(), batches(draw(8, 4), 3)
    theirs = eigenthings(model, data)
    hessians = [Hessian(model, functional.cross_entropy, [batch]) for batch in data]
    ours = Hessian(model, functional.cross_entropy, data)
    v = draw(ours.size, seed=4)
    mean = sum(h.product(v) for h in hessians) / 3
    assert isinstance(mean, Tensor)
    assert gap(theirs.matvec(v), mean) <= tolerance(1000)
    assert gap(theirs.matvec(v), ours.product(v)) > 1e-3


# top eigenvalue and trace -----------------------------------------------------------


def pyhessian(model: nn.Module, data: list[tuple[Tensor, Tensor]]) -> Any:
    """Only for top eigenvalue and trace."""
    peer = pytest.importorskip("pyhessian")
    return peer.hessian(model, nn.CrossEntropyLoss(), dataloader=data, cuda=False)


@pytest.mark.filterwarnings(CYCLES)
@pytest.mark.usefixtures("seeded")
def test_pyhessian_top_eigenvalue() -> None:
    """Power iteration from below, to 1e-4 of the top eigenvalue."""
    model, data = mlp(), batches(draw(8, 4), 3)
    ours = Hessian(model, functional.cross_entropy, data)
    top = lanczos(ours.product, draw(ours.size), 43).nodes[-1]
    peer = pyhessian(model, data)
    torch.set_default_dtype(torch.float64)  # of the vectors that it draws
    try:
        found, _ = peer.eigenvalues(maxIter=1000, tol=1e-7)
    finally:
        torch.set_default_dtype(torch.float32)
    assert top * (1 - 1e-4) < found[0] <= top * (1 + tolerance(1000))


@pytest.mark.filterwarnings(CYCLES)
@pytest.mark.usefixtures("seeded")
def test_pyhessian_trace() -> None:
    """All its samples (a tolerance that is never met), as we would use them."""
    data = batches(draw(8, 4), 3)
    ours = Hessian(mlp(), functional.cross_entropy, data)
    samples = pyhessian(mlp(), data).trace(maxIter=200, tol=-1.0)
    theirs = estimate([float(sample) for sample in samples])
    truth = float(torch.trace(dense(ours)))
    assert theirs.samples == 200
    assert abs(theirs.value - truth) < 4.5 * theirs.standard_error
    generator = torch.Generator().manual_seed(0)
    found = hutch_plus_plus(ours.product, ours.size, 60, generator=generator)
    assert abs(found.value - truth) < 4.5 * found.standard_error
    assert found.standard_error < theirs.standard_error


@pytest.mark.filterwarnings(CYCLES)
@pytest.mark.usefixtures("seeded")
def test_pyhessian_trace_stops_by_luck() -> None:
    """With its own tolerance: the numbers of samples differ much between runs."""
    peer = pyhessian(mlp(), batches(draw(8, 4), 8))
    counts = [len(peer.trace(maxIter=300, tol=1e-3)) for _ in range(10)]
    assert max(counts) > 2 * min(counts)


@pytest.mark.filterwarnings(CYCLES)
@pytest.mark.usefixtures("seeded")
def test_pyhessian_has_no_density() -> None:
    """The release on PyPI, 0.1, calls torch.eig, which torch has removed."""
    peer = pyhessian(mlp(), batches(draw(8, 4), 8))
    with pytest.raises(RuntimeError, match=r"(?s)deprecated.*torch\.linalg\.eig"):
        peer.density(iter=5, n_v=1)


# torch itself -----------------------------------------------------------------------


def test_torch_func_is_wrong_about_layer_norm() -> None:
    """Its vmapped second derivative (torch 2.13) is not even symmetric; ours is right.

    The judge is a central difference of gradients.
    """
    layers = (nn.Linear(4, 5), nn.LayerNorm(5), nn.Tanh(), nn.Linear(5, 3))
    model = random_networks.fill(nn.Sequential(*layers), Random(2))
    network, x = Network.of(model), draw(8, 4)
    coordinates = Coordinates.of(network.parameters)
    at = coordinates.pack(network.parameters)

    def slope(theta: Tensor) -> Tensor:
        theta = theta.detach().requires_grad_()
        out = network(coordinates.unpack(theta), x)
        return torch.autograd.grad(functional.cross_entropy(out, LABELS), theta)[0]

    def value(theta: Tensor) -> Tensor:
        out = network(coordinates.unpack(theta), x)
        return functional.cross_entropy(out, LABELS)

    step, identity = 1e-5, torch.eye(len(at), dtype=torch.float64)
    columns = [slope(at + step * e) - slope(at - step * e) for e in identity]
    judge = torch.stack(columns, 1) / (2 * step)
    ours = dense(Hessian(network, functional.cross_entropy, [(x, LABELS)]))
    assert gap(ours, judge) < 1e-7  # step^2 and eps / step
    for theirs in (torch.func.hessian(value)(at), jacrev(jacrev(value))(at)):
        assert np.abs((theirs - theirs.T).numpy()).max() > 1e-3
