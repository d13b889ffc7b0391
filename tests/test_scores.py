"""Scores against independent oracles: Hessians, masks as tensors, differences."""

import copy
import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import Case, cases
from tolerance import tolerance
from torch import Tensor, nn
from torch.func import functional_call, grad, jacrev

from theory import random_networks, scores
from theory.networks import Network, Parameters, Readout, cross_entropy

LABELS = torch.tensor([0, 1, 1])


def tiny(activation: nn.Module | None = None) -> tuple[Network, Tensor]:
    generator = torch.Generator().manual_seed(4)
    model = nn.Sequential(nn.Linear(3, 4), activation or nn.Tanh(), nn.Linear(4, 2))
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    return Network.of(model), torch.randn(3, 3, generator=generator).double()


def flat(tensors: Parameters) -> Tensor:
    return torch.cat([t.flatten() for t in tensors.values()])


def on_vector(
    network: Network, x: Tensor, readout: Readout
) -> Callable[[Tensor], Tensor]:
    shapes = {name: p.shape for name, p in network.parameters.items()}

    def objective(vector: Tensor) -> Tensor:
        parts = torch.split(vector, [shape.numel() for shape in shapes.values()])
        theta = {k: p.view(s) for (k, s), p in zip(shapes.items(), parts, strict=True)}
        return readout(functional_call(network.module, theta, (x,)))

    return objective


def close(ours: Tensor, theirs: Tensor, operations: int = 10**4) -> bool:
    bound = tolerance(operations, float(theirs.abs().max()))
    return bool(((ours - theirs).abs() <= bound).all())


@pytest.mark.parametrize("temperature", [1.0, 200.0])
@pytest.mark.parametrize("activation", [nn.Tanh(), nn.ReLU()])
def test_grasp_is_theta_times_the_full_hessian_times_the_gradient(
    temperature: float, activation: nn.Module
) -> None:
    network, x = tiny(activation)
    readout = cross_entropy(LABELS, temperature=temperature)
    objective, theta = on_vector(network, x, readout), flat(network.parameters)
    expected = theta * (jacrev(jacrev(objective))(theta) @ jacrev(objective)(theta))
    ours = flat(scores.grasp(network, x, readout))
    assert float(expected.abs().max()) > 0
    assert close(ours, expected)


def test_grasp_is_half_the_derivative_of_the_squared_gradient_norm() -> None:
    """The change of ||g||^2 / 2 when a weight is scaled, by central differences."""
    network, x = tiny()
    readout = cross_entropy(LABELS)
    objective, theta = on_vector(network, x, readout), flat(network.parameters)

    def half_square(vector: Tensor) -> float:
        return 0.5 * float((jacrev(objective)(vector) ** 2).sum())

    ours, h = flat(scores.grasp(network, x, readout)), 2.0**-17
    for i in range(len(theta)):
        step = torch.zeros_like(theta)
        step[i] = h * theta[i]
        slope = (half_square(theta + step) - half_square(theta - step)) / (2 * h)
        # rounding of a difference over h, and its error of third order
        bound = tolerance(100, half_square(theta) / h)
        assert abs(slope - float(ours[i])) <= bound


@given(cases())
def test_saliency_is_the_gradient_of_a_mask_at_one(case: Case) -> None:
    network = case.network
    masks = {
        k: torch.ones_like(p, requires_grad=True) for k, p in network.parameters.items()
    }
    theta = {k: masks[k] * p for k, p in network.parameters.items()}
    output = functional_call(network.module, theta | network.buffers, (case.x,))
    slopes = torch.autograd.grad(
        case.readout(output), list(masks.values()), allow_unused=True
    )
    expected = torch.cat(
        [
            torch.zeros_like(m).flatten() if s is None else s.flatten()
            for m, s in zip(masks.values(), slopes, strict=True)
        ]
    )
    ours = flat(scores.saliency(network, case.x, case.readout))
    assert close(ours, expected.detach())


@given(cases())
def test_snip_is_the_normalised_absolute_slope_of_the_mask(case: Case) -> None:
    network = case.network
    signed = scores.saliency(network, case.x, case.readout)
    snip = scores.snip(network, case.x, case.readout)
    total = sum(float(snip[name].sum()) for name in network.prunable)
    size = sum(float(signed[name].abs().sum()) for name in network.prunable)
    assert size == 0 or abs(total - 1) <= tolerance(1000)
    for name, score in snip.items():
        assert close(score * (size or 1.0), signed[name].abs())


def test_snip_normalises_over_the_prunable_weights_only() -> None:
    network, x = tiny()
    snip = scores.snip(network, x, cross_entropy(LABELS))
    assert float(snip["0.bias"].sum()) > 0
    weights = float(snip["0.weight"].sum() + snip["2.weight"].sum())
    assert abs(weights - 1) <= tolerance(100)


def test_snip_of_a_dead_network_is_zero() -> None:
    network, x = tiny()
    zeros = {k: torch.zeros_like(p) for k, p in network.parameters.items()}
    dead = Network(network.module, zeros, network.buffers)
    assert not bool(flat(scores.snip(dead, x, cross_entropy(LABELS))).any())


def test_snip_without_any_weight_flow_leaves_the_biases_as_they_are() -> None:
    model = nn.Linear(1, 1)
    model.weight.data.zero_()
    model.bias.data.fill_(-3.0)
    snip = scores.snip(Network.of(model), torch.ones(1, 1), torch.sum)
    assert (snip["0.weight"].item(), snip["0.bias"].item()) == (0.0, 3.0)


def test_snip_does_not_score_by_magnitude() -> None:
    """A large weight on an input that is always 0 has no saliency."""
    model = nn.Linear(2, 1, bias=False)
    model.weight.data = torch.tensor([[9.0, 1.0]])
    x = torch.tensor([[0.0, 1.0]])
    assert scores.snip(Network.of(model), x, torch.sum)["0.weight"].tolist() == [[0, 1]]


def test_taylor_is_the_squared_saliency() -> None:
    network, x = tiny()
    signed = flat(scores.saliency(network, x, cross_entropy(LABELS)))
    taylor = flat(scores.taylor_fo(network, x, cross_entropy(LABELS)))
    assert close(taylor, signed * signed, 10)


def test_magnitude_is_the_absolute_value() -> None:
    network, _ = tiny()
    ours = scores.magnitude(network)
    for name, parameter in network.parameters.items():
        assert (
            ours[name].tolist() == [abs(v) for v in parameter.tolist()]
            if (parameter.dim() == 1)
            else [[abs(v) for v in row] for row in parameter.tolist()]
        )
    assert ours["0.weight"].data_ptr() != network.parameters["0.weight"].data_ptr()


def test_random_is_uniform_and_belongs_to_the_generator() -> None:
    network = Network.of(nn.Linear(100, 200))
    draw = scores.random(network, generator=torch.Generator().manual_seed(1))
    again = scores.random(network, generator=torch.Generator().manual_seed(1))
    other = scores.random(network, generator=torch.Generator().manual_seed(2))
    values = flat(draw)
    assert torch.equal(values, flat(again)) and not torch.equal(values, flat(other))
    assert values.dtype == torch.float64 and draw["0.weight"].shape == (200, 100)
    assert 0 <= float(values.min()) and float(values.max()) < 1
    # Kolmogorov distance: P(sqrt(n) D > 2.3) < 1e-4; one comparison
    ranks = torch.arange(1, len(values) + 1) / len(values)
    distance = float((values.sort().values - ranks).abs().max())
    assert distance < 2.3 / math.sqrt(len(values))


@given(cases(), st.sampled_from([2.0**-27, 2.0**27]))
def test_scores_are_covariant_under_scaling_of_the_loss(
    case: Case, factor: float
) -> None:
    """A power of two scales without rounding; 2^27 is about 1e8."""

    def scaled(y: Tensor) -> Tensor:
        return factor * case.readout(y)

    degrees = {scores.saliency: 1, scores.snip: 0, scores.taylor_fo: 2, scores.grasp: 2}
    for score, degree in degrees.items():
        ours = score(case.network, case.x, scaled)
        expected = score(case.network, case.x, case.readout)
        for name in case.network.prunable:
            assert close(ours[name], factor**degree * expected[name], 10)


def test_saliency_is_linear_in_the_readout_and_adds_over_batches() -> None:
    network, x = tiny()
    whole = flat(scores.saliency(network, x, torch.sum))
    parts = sum(flat(scores.saliency(network, row[None], torch.sum)) for row in x)
    assert close(torch.as_tensor(parts), whole, 100)


def test_saliency_of_a_convolution_sums_over_all_uses() -> None:
    model = nn.Conv1d(1, 1, 1, bias=False)
    model.weight.data.fill_(2.0)
    x = torch.tensor([[[1.0, 2.0, 3.0]]])
    assert scores.saliency(Network.of(model), x, torch.sum)["0.weight"].item() == 12.0


def test_saliency_keeps_its_sign() -> None:
    model = nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(-2.0)
    assert (
        scores.saliency(Network.of(model), torch.ones(1, 1), torch.sum)[
            "0.weight"
        ].item()
        == -2
    )


@given(cases(random_networks.mlp))
def test_saliency_is_the_slope_of_the_readout_when_a_weight_is_scaled(
    case: Case,
) -> None:
    """Differences of the readout itself; no gradient with respect to a weight.

    To first order, outputs of size |y| whose terms have sizes Y err by eps Y, R by
    eps sum |dR/dy| Y, and by its own terms: those of a cross-entropy are y and 1, even
    where their difference is 1e-8. Activations have |phi(z)| <= |z|, so that Y is what
    the network gives for |x| and |theta|.
    """
    theta, h = flat(case.network.parameters), 2.0**-20
    objective = on_vector(case.network, case.x, case.readout)
    y = case.network(case.network.parameters, case.x)
    sizes = {name: p.abs() for name, p in case.network.parameters.items()}
    terms = case.network(sizes, case.x.abs())
    size = 1 + float(y.abs().max() + (grad(case.readout)(y).abs() * terms).sum())
    ours = flat(scores.saliency(case.network, case.x, case.readout))
    for i in range(0, len(theta), 5):
        step = torch.zeros_like(theta)
        step[i] = h * theta[i]
        middle = float(objective(theta))
        up, down = float(objective(theta + step)), float(objective(theta - step))
        right, left = (up - middle) / h, (middle - down) / h
        scale = abs(middle) + abs(up) + abs(down) + float(ours.abs().max())
        if abs(right - left) > 100 * h * (scale + scale**2):
            continue  # a kink of ReLU lies between
        bound = tolerance(100, size / h) + 100 * h * (scale + scale**2)
        assert abs((right + left) / 2 - float(ours[i])) <= bound


def test_scores_leave_the_networks_own_parameters() -> None:
    network, x = tiny()
    before = copy.deepcopy(network.parameters)
    for score in (scores.saliency, scores.snip, scores.taylor_fo, scores.grasp):
        for tensor in score(network, x, torch.sum).values():
            tensor.add_(1)
    for tensor in scores.magnitude(network).values():
        tensor.add_(1)
    assert all(torch.equal(network.parameters[k], before[k]) for k in before)
