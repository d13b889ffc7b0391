"""Theorem 1, in the order: identity, oracle, symmetry, edge cases, controls."""

from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from strategies import Case, cases, sources
from tolerance import tolerance
from torch import Tensor, nn

from experiments.vision import torchvision
from theory import neuron_conservation as claim
from theory import random_networks
from theory.claim import Sides
from theory.graph import Graph
from theory.ledger import COUNTER_EXAMPLE
from theory.networks import Network, cross_entropy
from theory.neuron_conservation import CLAIM, audit, neuron_sides, normalised_sides
from theory.units import Units

BOUND = max(check.bound for check in CLAIM.checks)


def seeded(*layers: nn.Module) -> nn.Module:
    return random_networks.fill(nn.Sequential(*layers), Random(7))


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3)).double()


# identity ---------------------------------------------------------------------------


@pytest.mark.parametrize("check", CLAIM.checks, ids=lambda check: check.family)
@given(rng=sources())
def test_every_check_holds(check: Any, rng: Random) -> None:
    assert check.draw(rng).defect() <= check.bound


@given(cases())
def test_every_operation_balances(case: Case) -> None:
    balances = audit(case.network, case.x, case.readout)
    assert [b for b in balances if b.defect > BOUND] == []
    calls = [n for n in Graph.of(case.network, case.x).nodes if n.op.startswith("call")]
    assert len(balances) == len(calls)


def digits() -> tuple[Tensor, Tensor]:
    images, labels = load_digits(return_X_y=True)
    x = torch.from_numpy(images[:64]).reshape(-1, 1, 8, 8) / 16
    return x, torch.from_numpy(labels[:64]).long()


def test_holds_at_initialisation_and_during_training() -> None:
    x, labels = digits()
    model = seeded(
        nn.Conv2d(1, 8, 3, padding=1, stride=2),
        nn.BatchNorm2d(8),
        nn.LeakyReLU(0.1),
        random_networks.Residual(nn.Conv2d(8, 8, 3, padding=1, groups=4)),
        nn.Dropout2d(0.2),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32, 10),
    ).double()
    loss, losses = cross_entropy(labels), []
    for parameter in model.parameters():
        parameter.data *= 0.3
    optimiser = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(6):
        sides = neuron_sides(Network.of(model), x, loss)
        assert sides.defect() <= BOUND
        assert float(sides.scale.max()) > 0
        value = loss(model.train()(x))
        optimiser.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(value.detach()))
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "mobilenet_v2"])
def test_real_networks(name: str) -> None:
    """ReLU6 of MobileNet saturates nowhere at these small activations."""
    model = getattr(torchvision.models, name)(num_classes=4).eval()
    x = 0.1 * draw(1, 3, 33, 33)
    balances = audit(Network.of(model), x, cross_entropy(torch.tensor([2])))
    assert [b for b in balances if b.defect > BOUND] == []
    assert len(balances) > 60


# oracle -----------------------------------------------------------------------------


def by_hand(
    weights: list[np.ndarray], biases: list[np.ndarray], x: np.ndarray, slope: float
) -> tuple[list[float], list[float]]:
    """Backpropagation in numpy for R = ||y||^2 / 2: S into and out of every unit."""
    activations, preactivations = [x], []
    for weight, bias in zip(weights, biases, strict=True):
        preactivations.append(activations[-1] @ weight.T + bias)
        z = preactivations[-1]
        activations.append(np.where(z > 0, z, slope * z))
    activations[-1] = preactivations[-1]  # no activation after the last layer
    delta, saliencies, shifts = activations[-1], [], []
    for layer in reversed(range(len(weights))):
        saliencies.append(weights[layer] * (delta.T @ activations[layer]))
        shifts.append(biases[layer] * delta.sum(0))
        if layer:
            z = preactivations[layer - 1]
            delta = (delta @ weights[layer]) * np.where(z > 0, 1.0, slope)
    saliencies, shifts = saliencies[::-1], shifts[::-1]
    into = [s.sum(1) + b for s, b in zip(saliencies, shifts, strict=True)]
    out = [s.sum(0) for s in saliencies[1:]]
    return np.concatenate(into).tolist(), np.concatenate(out).tolist()


def test_sums_agree_with_backpropagation_written_by_hand() -> None:
    rng = np.random.default_rng(5)
    widths = [3, 5, 4, 2]
    layers: list[nn.Module] = []
    weights, biases = [], []
    for fan_in, fan_out in pairwise(widths):
        weights.append(rng.standard_normal((fan_out, fan_in)))
        biases.append(rng.standard_normal(fan_out))
        linear = nn.Linear(fan_in, fan_out).double()
        linear.weight.data = torch.from_numpy(weights[-1])
        linear.bias.data = torch.from_numpy(biases[-1])
        layers += [linear, nn.LeakyReLU(0.2)]
    x = rng.standard_normal((6, 3))
    network = Network.of(nn.Sequential(*layers[:-1]))
    sides = neuron_sides(network, torch.from_numpy(x), lambda y: 0.5 * (y**2).sum())
    into, out = by_hand(weights, biases, x, 0.2)
    bound = tolerance(1000, float(sides.scale.max()))
    assert np.abs(sides.left.numpy() - into).max() <= bound
    assert np.abs(sides.right.numpy()[: len(out)] - out).max() <= bound
    assert max(map(abs, out)) > 1e-2


def test_saliency_is_the_response_to_rescaling_a_unit() -> None:
    """S_in is dR/dlog of scaling the unit's row and bias, S_out of its column."""
    network, x = (
        Network.of(seeded(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2))),
        draw(4, 3),
    )
    theta = network.parameters

    def scaled(which: str, unit: int, factor: float) -> float:
        moved = {k: p.clone() for k, p in theta.items()}
        if which == "in":
            moved["0.weight"][unit] *= factor
            moved["0.bias"][unit] *= factor
        else:
            moved["2.weight"][:, unit] *= factor
        return float((network(moved, x) ** 2).sum())

    sides = neuron_sides(network, x, lambda y: (y**2).sum())
    h = 2.0**-20  # R is quadratic in the factor: the central difference is exact
    for unit in range(2):
        for which, side in (("in", sides.left), ("out", sides.right)):
            slope = (scaled(which, unit, 1 + h) - scaled(which, unit, 1 - h)) / (2 * h)
            bound = tolerance(100, scaled(which, unit, 1.0) / h)
            assert abs(slope - float(side[unit])) <= bound


# symmetry ---------------------------------------------------------------------------


@given(cases(), st.sampled_from([1e-8, 1e8]))
def test_the_defect_does_not_depend_on_the_scale_of_the_loss(
    case: Case, factor: float
) -> None:
    one = neuron_sides(case.network, case.x, case.readout)
    scaled = neuron_sides(case.network, case.x, lambda y: factor * case.readout(y))
    assert scaled.defect() <= BOUND
    bound = tolerance(10**4, 1.0) * (factor * one.scale)
    assert bool(((scaled.left - factor * one.left).abs() <= bound).all())


def test_permuting_hidden_units_permutes_the_sums() -> None:
    model = seeded(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    network, x, order = Network.of(model), draw(5, 3), torch.tensor([2, 0, 3, 1])
    moved = dict(network.parameters)
    moved["0.weight"], moved["0.bias"] = (
        moved["0.weight"][order],
        moved["0.bias"][order],
    )
    moved["2.weight"] = moved["2.weight"][:, order]
    permuted = Network(network.module, moved, network.buffers)
    one, other = (neuron_sides(n, x, torch.sum) for n in (network, permuted))
    for a, b in ((one.left, other.left), (one.right, other.right)):
        bound = tolerance(100, float(one.scale.max()))
        assert bool(((a[:4][order] - b[:4]).abs() <= bound).all())


@pytest.mark.parametrize("factor", [2.0**-20, 2.0**20])
def test_rescaling_adjacent_layers_changes_no_sum(factor: float) -> None:
    """W_l a and W_(l+1) / a give the same function; saliency is invariant under it."""
    model = seeded(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    network, x = Network.of(model), draw(5, 3)
    powers = {
        "0.weight": factor,
        "0.bias": factor,
        "2.weight": 1 / factor,
        "2.bias": 1.0,
    }
    moved = {k: powers[k] * p for k, p in network.parameters.items()}
    one = neuron_sides(network, x, torch.sum)
    other = neuron_sides(Network(network.module, moved, network.buffers), x, torch.sum)
    assert torch.equal(one.left, other.left) and torch.equal(one.right, other.right)


# edge cases -------------------------------------------------------------------------


def everything() -> nn.Module:
    return seeded(
        nn.Conv2d(1, 2, 3, padding=1),
        nn.ReLU(),
        random_networks.Residual(nn.Conv2d(2, 2, 1)),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(8, 1),
        nn.ReLU(),
        nn.Linear(1, 2),
    )


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0])
def test_constant_inputs_tie_every_maximum(value: float) -> None:
    x = torch.full((1, 1, 4, 4), value)
    assert neuron_sides(Network.of(everything()), x, torch.sum).defect() <= BOUND


@pytest.mark.parametrize("layer", ["0", "2.body", "5", "7", ""])
def test_layers_masked_away(layer: str) -> None:
    network, x = Network.of(everything()), draw(2, 1, 4, 4)
    theta = {
        k: torch.zeros_like(p) if k.startswith(layer) else p
        for k, p in network.parameters.items()
    }
    sides = neuron_sides(Network(network.module, theta, network.buffers), x, torch.sum)
    assert sides.defect() <= BOUND
    if not layer:
        assert not bool(sides.scale.any()) and sides.defect() == 0.0


def test_a_dead_unit_has_no_flow_and_no_defect() -> None:
    model = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1))
    model.get_parameter("0.bias").data = torch.tensor([-100.0, 100.0])
    sides = neuron_sides(Network.of(model), torch.ones(1, 1), torch.sum)
    assert sides.left[0].item() == sides.right[0].item() == 0.0
    assert sides.scale[0].item() == 0.0 and sides.defect() <= BOUND


def test_readout_that_ignores_the_output() -> None:
    network = Network.of(everything())
    assert (
        neuron_sides(network, draw(1, 1, 4, 4), lambda y: 0 * y.sum()).defect() == 0.0
    )


def test_sequences_and_volumes() -> None:
    chain = seeded(
        nn.Conv1d(2, 3, 3, padding=1, padding_mode="circular", dilation=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(2),
        nn.Flatten(),
        nn.Linear(6, 2),
    )
    assert neuron_sides(Network.of(chain), draw(2, 2, 9), torch.sum).defect() <= BOUND
    volume = seeded(nn.Conv3d(1, 2, 2), nn.PReLU(), nn.MaxPool3d(2), nn.Conv3d(2, 1, 1))
    assert (
        neuron_sides(Network.of(volume), draw(2, 1, 5, 5, 5), torch.sum).defect()
        <= BOUND
    )
    up = seeded(
        nn.Conv2d(1, 2, 1), nn.ReLU(), nn.ConvTranspose2d(2, 1, 2), nn.Conv2d(1, 1, 1)
    )
    assert neuron_sides(Network.of(up), draw(2, 1, 3, 3), torch.sum).defect() <= BOUND


# controls ---------------------------------------------------------------------------


@pytest.mark.parametrize("control", CLAIM.controls, ids=lambda c: c.dropped)
def test_every_control_fails(control: Any) -> None:
    assert max(control.draw(Random(seed)).defect() for seed in range(40)) > (
        COUNTER_EXAMPLE
    )


GUILTY: dict[str, Callable[[], nn.Module]] = {
    "Tanh": nn.Tanh,
    "Sigmoid": nn.Sigmoid,
    "GELU": nn.GELU,
    "SiLU": nn.SiLU,
    "Softplus": nn.Softplus,
    "ELU": nn.ELU,
    "Hardswish": nn.Hardswish,
    "Softmax": lambda: nn.Softmax(dim=1),
    "LayerNorm": lambda: nn.LayerNorm(4),
}


@pytest.mark.parametrize("kind", GUILTY)
def test_the_audit_names_the_layer_that_breaks_the_law_and_no_other(kind: str) -> None:
    stem = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    model = seeded(stem, nn.Linear(4, 4), GUILTY[kind](), nn.Linear(4, 4), nn.PReLU())
    balances = audit(Network.of(model), draw(20, 3), lambda y: (y * y).sum())
    found = [b for b in balances if b.defect > BOUND]
    assert [(b.name, b.operation) for b in found] == [("2", kind)]
    (guilty,) = found
    assert abs(guilty.into - guilty.out_of) > BOUND
    assert [b.name for b in balances] == ["0.0", "0.1", "1", "2", "3", "4"]


FAMILIES: dict[str, set[str]] = {
    "identity branch left out": {
        f"Linear {w}x3, Linear {w}x{w}, ReLU, Linear 2x{w}" for w in range(1, 5)
    },
    "LayerNorm": {"Linear 4x3, LayerNorm 4, ReLU, Linear 2x4"},
    "softmax attention": {
        "Linear 4x2, NonDynamicallyQuantizableLinear 4x4, Linear 1x4"
    },
    "BatchNorm by the batch": {
        "Conv2d 3x1x3x3, BatchNorm2d 3, ReLU, Flatten, Linear 2x147"
    },
    "the lemma with eps = 1": {
        f"Conv2d {c}x2x3x3, BatchNorm2d {c}, ReLU, Flatten, Linear 3x{9 * c}"
        for c in range(1, 5)
    },
}


@pytest.mark.parametrize("dropped", FAMILIES)
def test_the_families_of_the_controls(dropped: str) -> None:
    (control,) = [c for c in CLAIM.controls if c.dropped == dropped]
    found = {control.draw(Random(seed)).case for seed in range(60)}
    assert found == FAMILIES[dropped]


@pytest.mark.parametrize(
    "draws", [*CLAIM.checks, *CLAIM.controls], ids=lambda draws: str(vars(draws))[:40]
)
def test_sources_decide_everything_and_the_scale_bounds_both_sides(draws: Any) -> None:
    for seed in range(3):
        torch.manual_seed(1)
        one = draws.draw(Random(seed))
        torch.manual_seed(2)
        same = draws.draw(Random(seed))
        assert one.case == same.case and len(one.case) > 3
        if isinstance(one, Sides):
            assert torch.equal(one.left, same.left) and torch.equal(
                one.right, same.right
            )
            slack = 1 + tolerance(100)
            assert bool((one.left.abs() <= one.scale * slack).all())
            assert bool((one.right.abs() <= one.scale * slack).all())


def test_another_activation_is_all_that_its_control_changes() -> None:
    for seed in range(10):
        rng = Random(seed)
        model = random_networks.mlp(rng, activation=nn.Tanh())
        x, readout = random_networks.inputs(model, rng), random_networks.readout(rng)
        expected = neuron_sides(Network.of(model), 10 * x, readout)
        sides = claim.with_activation(nn.Tanh)(Random(seed))
        assert sides.case == expected.case
        assert torch.equal(sides.left, expected.left)
    good = claim.with_activation(nn.ReLU)
    assert max(good(Random(seed)).defect() for seed in range(10)) <= BOUND


def test_the_bias_is_all_that_its_control_leaves_out() -> None:
    for seed in range(10):
        rng = Random(seed)
        model = random_networks.mlp(rng, bias=True)
        x, readout = random_networks.inputs(model, rng), random_networks.readout(rng)
        whole = neuron_sides(Network.of(model), x, readout)
        sides = claim.without_bias(Random(seed))
        saliency = Graph.of(Network.of(model), x).flows(x, readout).saliency
        biases = torch.cat([s for name, s in saliency.items() if name.endswith("bias")])
        assert sides.case == whole.case and torch.equal(sides.right, whole.right)
        gap = (sides.left + biases - whole.left).abs()
        assert bool((gap <= tolerance(100) * whole.scale).all())


def test_the_branch_is_all_that_its_control_leaves_out() -> None:
    """The units of the first layer only: what they lack is the shortcut's flow."""
    for seed in range(10):
        sides = claim.without_branch(Random(seed))
        width = int(sides.case.split("x")[0].removeprefix("Linear "))
        assert sides.left.shape == sides.right.shape == (width,)


def test_attention_is_over_the_tokens_of_each_sample() -> None:
    """A change of one sample leaves the others: the batch comes first."""
    layer = random_networks.fill(claim.Attention(), Random(0))
    x = draw(2, 3, 4).float()
    other = x.clone()
    other[0] += 1
    with torch.no_grad():
        first, second = layer(x), layer(other)
    assert first.shape == (2, 3, 4) and torch.equal(first[1], second[1])
    assert not torch.equal(first[0, 0], second[0, 0])


def test_the_audit_names_functions_and_attention() -> None:
    class Function(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 4)

        def forward(self, x: Tensor) -> Tensor:
            return torch.tanh(self.layer(x))

    balances = audit(
        Network.of(random_networks.fill(Function(), Random(1))), draw(2, 3), torch.sum
    )
    assert [(b.name, b.operation, b.defect > BOUND) for b in balances] == [
        ("layer", "Linear", False),
        ("tanh", "call_function", True),
    ]
    model = seeded(nn.Linear(2, 4), claim.Attention(), nn.Linear(4, 1))
    found = audit(Network.of(model), draw(2, 3, 2), torch.sum)
    guilty = [(b.name, b.operation) for b in found if b.defect > BOUND]
    assert guilty == [("1.attend", "MultiheadAttention")]


def test_relu6_breaks_the_law_only_where_it_saturates() -> None:
    model = seeded(nn.Linear(3, 4), nn.ReLU6(), nn.Linear(4, 2))
    network = Network.of(model)
    assert neuron_sides(network, draw(3, 3), torch.sum).defect() <= BOUND
    assert neuron_sides(network, 100 * draw(3, 3), torch.sum).defect() > COUNTER_EXAMPLE


def test_the_balance_of_a_biased_layer_by_hand() -> None:
    model = nn.Sequential(nn.Linear(1, 1), nn.Tanh())
    model.get_parameter("0.weight").data.fill_(2.0)
    model.get_parameter("0.bias").data.fill_(-1.0)
    linear, tanh = audit(Network.of(model), torch.ones(1, 1), torch.sum)
    slope = 1 - np.tanh(1.0) ** 2
    assert linear.into == pytest.approx(slope, rel=tolerance(10))  # 2 - 1, times slope
    assert linear.out_of == pytest.approx(slope, rel=tolerance(10))
    assert tanh.into == pytest.approx(slope, rel=tolerance(10))
    assert tanh.out_of == pytest.approx(np.tanh(1.0), rel=tolerance(10))
    defect = abs(slope - np.tanh(1.0)) / (slope + np.tanh(1.0))
    assert tanh.defect == pytest.approx(defect, rel=tolerance(100))


def test_units_of_a_mixing_operation_are_seen_by_the_sums_as_well() -> None:
    sides: Sides = claim.layer_norm(Random(2))
    bad = sides.defects() > BOUND
    network = Network.of(
        seeded(nn.Linear(3, 4), nn.LayerNorm(4), nn.ReLU(), nn.Linear(4, 2))
    )
    owners = Units.of(Graph.of(network, draw(1, 3))).owners
    assert {owner for owner, wrong in zip(owners, bad, strict=True) if wrong} == {"_1"}


# lemma ------------------------------------------------------------------------------


def test_train_mode_lemma_by_hand_and_its_rate_in_eps() -> None:
    """With eps > 0 the weights into a channel keep a part of order eps / variance."""
    defects = [
        max(claim.train_mode(Random(s), eps=eps).defect() for s in range(10))
        for eps in (1e-6, 1e-4, 1e-2)
    ]
    assert defects[0] > BOUND
    for small, large in pairwise(defects):
        assert 50 < large / small < 200


def cubes(y: Tensor) -> Tensor:
    return (y**3).sum()


def test_normalised_sides_are_the_weights_of_the_named_layer() -> None:
    model = seeded(nn.Linear(3, 2), nn.BatchNorm1d(2, eps=1e-300), nn.Linear(2, 1))
    network = Network.of(model, batch_statistics=True)
    sides = normalised_sides(network, draw(5, 3), cubes, "0")
    assert sides.left.shape == (2,) and sides.defect() <= BOUND
    slopes = network.gradient(draw(5, 3), cubes)["0.weight"]
    terms = (slopes * network.parameters["0.weight"]).abs()
    assert torch.allclose(sides.scale, terms.sum(1), rtol=tolerance(100))
    # the layer after BatchNorm is not scale-invariant
    last = normalised_sides(network, draw(5, 3), cubes, "2")
    assert last.defect() > COUNTER_EXAMPLE and last.right.tolist() == [0.0]


class ViewBySize(nn.Module):
    """Flattens with the batch size read from the tensor, a common idiom."""

    def forward(self, x):  # type: ignore[no-untyped-def]  # torch.fx: a Proxy
        """Return one row for each sample."""
        return x.view(x.size(0), -1)


def test_audit_names_no_operation_that_only_reads_a_size() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 2), nn.ReLU(), ViewBySize(), nn.Linear(8, 2))
    balances = audit(Network.of(model), torch.ones(2, 1, 3, 3), torch.sum)
    assert [b.operation for b in balances] == [
        "Conv2d",
        "ReLU",
        "call_method",
        "Linear",
    ]
    assert all(b.defect < BOUND for b in balances)
