"""Products of one batch against Hessians by reverse mode alone."""

from functools import partial

import pytest
import torch
from hypothesis import given
from strategies import Case, cases
from tolerance import tolerance
from torch import Tensor, nn
from torch.func import grad, jacrev
from torch.nn import functional

from theory import random_networks
from theory.batch_curvature import Loss, gauss_newton_along, hessian_along, targets
from theory.coordinates import Coordinates
from theory.networks import Network, Parameters


def smooth() -> Network:
    layers = (nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3))
    torch.manual_seed(0)
    return Network.of(nn.Sequential(*layers))


def draw(*shape: int, seed: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def by_reverse_mode(
    network: Network, loss: Loss, x: Tensor, y: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the Hessian and the Gauss-Newton matrix over all parameters."""
    coordinates = Coordinates.of(network.parameters)
    theta = coordinates.pack(network.parameters)

    def outputs(vector: Tensor) -> Tensor:
        return network(coordinates.unpack(vector), x)

    hessian = jacrev(grad(lambda vector: loss(outputs(vector), y)))(theta)
    jacobian, out = jacrev(outputs)(theta).flatten(0, -2), outputs(theta)
    curved = jacrev(grad(lambda o: loss(o.view(out.shape), y)))(out.flatten())
    return hessian, jacobian.T @ curved @ jacobian


LOSSES = {
    "mse": (functional.mse_loss, draw(5, 3)),
    "cross entropy": (functional.cross_entropy, torch.tensor([0, 1, 2, 2, 0])),
    "cubes": (lambda out, y: ((out - y) ** 3).sum(), draw(5, 3)),
    "logistic": (
        functional.binary_cross_entropy_with_logits,
        (draw(5, 3) > 0).double(),
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_both_against_reverse_mode(name: str) -> None:
    network, x, (loss, y) = smooth(), draw(5, 3), LOSSES[name]
    coordinates = Coordinates.of(network.parameters)
    v = draw(coordinates.size, seed=4)
    matrices = by_reverse_mode(network, loss, x, y)
    for along, matrix in zip(
        (hessian_along, gauss_newton_along), matrices, strict=True
    ):
        tensors = coordinates.unpack(v)
        found = along(network, loss, network.parameters, tensors, x, y)
        assert list(found) == list(network.parameters)
        bound = tolerance(100, float((matrix.abs() @ v.abs()).max()))
        assert float((coordinates.pack(found) - matrix @ v).abs().max()) <= bound


def test_the_two_differ_where_the_network_is_not_linear() -> None:
    network, x, (loss, y) = smooth(), draw(5, 3), LOSSES["mse"]
    hessian, newton = by_reverse_mode(network, loss, x, y)
    assert float((hessian - newton).abs().max()) > 1e-3


ACTIVATIONS = (nn.ReLU(), nn.LeakyReLU(0.2), nn.Tanh(), nn.GELU(), nn.Softplus())


@given(
    cases(*(partial(random_networks.mlp, activation=kind) for kind in ACTIVATIONS)),
)
def test_random_networks(case: Case) -> None:
    """Kinks are met exactly, as weights may be 0: both modes take the same side."""
    network, x = case.network, case.x
    coordinates = Coordinates.of(network.parameters)
    targets = torch.zeros_like(network(network.parameters, x))

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return case.readout(out - y)

    v = draw(coordinates.size, seed=4)
    matrix, _ = by_reverse_mode(network, loss, x, targets)
    tensors = coordinates.unpack(v)
    found = hessian_along(network, loss, network.parameters, tensors, x, targets)
    scale = float((matrix.abs() @ v.abs()).max()) + float(matrix.abs().max())
    gap = coordinates.pack(found) - matrix @ v
    assert float(gap.abs().max()) <= tolerance(10**5, scale)


@pytest.mark.parametrize("along", [hessian_along, gauss_newton_along])
def test_parameters_that_v_does_not_name_are_constants(along: object) -> None:
    network, x, (loss, y) = smooth(), draw(5, 3), LOSSES["mse"]
    theta = network.parameters
    zero: Parameters = {name: torch.zeros_like(p) for name, p in theta.items()}
    v = {"2.weight": draw(3, 4), "0.bias": draw(4)}
    part = along(network, loss, theta, v, x, y)  # type: ignore[operator]
    whole = along(network, loss, theta, {**zero, **v}, x, y)  # type: ignore[operator]
    assert list(part) == ["2.weight", "0.bias"]
    for name in v:
        assert float((part[name] - whole[name]).abs().max()) <= tolerance(100)


@pytest.mark.parametrize("along", [hessian_along, gauss_newton_along])
def test_a_loss_that_is_not_one_number(along: object) -> None:
    network, x = smooth(), draw(5, 3)
    theta = network.parameters
    with pytest.raises(ValueError, match=r"must return one number, got shape \(5, 3\)"):
        along(network, lambda out, y: out - y, theta, theta, x, x)  # type: ignore[operator]


def test_targets_are_copies_and_labels_int64() -> None:
    x, y = draw(4, 2), torch.tensor([[0, 1], [2, 3], [4, 5], [6, 7]])
    for kind in (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64):
        found = targets(x, y.to(kind)[:, 1])
        assert found.dtype == torch.int64 and found.tolist() == [1, 3, 5, 7]
        assert found.is_contiguous()
    for kind in (torch.bool, torch.float32, torch.float64, torch.complex64):
        assert targets(x, y.to(kind)).dtype == kind
    same = targets(x, y)
    assert same.data_ptr() != y.data_ptr() and torch.equal(same, y)
    slope = draw(4).requires_grad_()
    assert not targets(x, slope).requires_grad


@pytest.mark.parametrize("shape", [(3,), (5, 4), ()])
def test_another_number_of_targets(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^expected one target for each of 4 inputs"):
        targets(draw(4, 2), torch.zeros(shape))
