"""Random networks are homogeneous, reproducible, and touched by no global state."""

from collections.abc import Callable
from random import Random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import Case, cases, sources
from tolerance import tolerance
from torch import Tensor, nn

from theory import random_networks
from theory.networks import Network, Readout

BUILDERS: list[Callable[[Random], nn.Module]] = [
    random_networks.mlp,
    random_networks.convnet,
    random_networks.dag,
]


def numbers(model: nn.Module) -> list[list[float]]:
    return [
        tensor.double().flatten().tolist() for tensor in model.state_dict().values()
    ]


@pytest.mark.parametrize("build", BUILDERS)
def test_the_source_decides_everything(build: Callable[[Random], nn.Module]) -> None:
    for seed in range(20):
        torch.manual_seed(seed)
        one = build(Random(seed))
        torch.manual_seed(seed + 1)
        same = build(Random(seed))
        assert str(one) == str(same) and numbers(one) == numbers(same)
        assert not one.training
    assert len({str(build(Random(seed))) for seed in range(20)}) > 10


@given(sources())
def test_activations_satisfy_eulers_identity(rng: Random) -> None:
    activation = random_networks.homogeneous(rng).double()
    z = torch.randn(50, generator=torch.Generator().manual_seed(0)).double()
    slope = z * torch.func.grad(lambda z: activation(z.clone()).sum())(z)
    bound = tolerance(10, float(z.abs().max()))
    assert bool(((slope - activation(z.clone())).abs() <= bound).all())


@given(cases(), st.sampled_from([0.25, 4.0]))
def test_without_biases_networks_are_homogeneous_in_the_input(
    case: Case, factor: float
) -> None:
    theta = {
        name: torch.zeros_like(p) if name.endswith("bias") else p
        for name, p in case.network.parameters.items()
    }
    once, scaled = case.network(theta, case.x), case.network(theta, factor * case.x)
    bound = tolerance(10**4, float(scaled.abs().max()))
    assert bool(((scaled - factor * once).abs() <= bound).all())


@given(sources())
def test_bias_false_means_no_bias(rng: Random) -> None:
    models = [
        random_networks.mlp(rng, bias=False),
        random_networks.convnet(rng, norm=False, joins=False, bias=False),
        random_networks.dag(rng, bias=False),
    ]
    for model in models:
        assert not any("bias" in name for name, _ in model.named_parameters())


@given(sources())
def test_bias_true_means_every_layer_has_one(rng: Random) -> None:
    for model in (
        random_networks.mlp(rng, bias=True),
        random_networks.dag(rng, bias=True),
    ):
        for module in model.modules():
            assert not isinstance(module, nn.Linear) or module.bias is not None


@given(sources())
def test_plain_convnets_have_neither_joins_nor_norms(rng: Random) -> None:
    model = random_networks.convnet(rng, norm=False, joins=False)
    banned = (nn.BatchNorm2d, random_networks.Residual, random_networks.Concat)
    assert not any(isinstance(module, banned) for module in model.modules())


@given(sources())
def test_an_activation_can_be_chosen(rng: Random) -> None:
    model = random_networks.mlp(rng, activation=nn.Tanh())
    kinds = {type(m) for m in model.children()}
    assert kinds <= {nn.Linear, nn.Tanh, nn.Dropout} and nn.Tanh in kinds
    assert isinstance(list(model.children())[-1], nn.Linear)


@given(sources())
def test_inputs_fit_and_readouts_give_one_fixed_number(rng: Random) -> None:
    for build in BUILDERS:
        model = build(rng)
        network, x = Network.of(model), random_networks.inputs(model, rng)
        assert 1 <= len(x) <= 3 and x.dtype == torch.float64
        readout = random_networks.readout(rng)
        y = network(network.parameters, x)
        first, second = readout(y), readout(y)
        assert first.dim() == 0 and torch.equal(first, second)


def test_readouts_are_of_four_kinds() -> None:
    y = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    found: list[Readout] = [random_networks.readout(Random(seed)) for seed in range(60)]
    names = {getattr(r, "__name__", "") for r in found if r is not torch.sum}
    assert names == {
        "linear",
        "squares",
        "softmax",
    }
    assert torch.sum in found
    values: dict[str, Tensor] = {}
    for one in found:
        values[getattr(one, "__name__", "")] = one(y)
    assert values["squares"].item() == 0.25
    assert values["softmax"].item() == pytest.approx(
        float(torch.log(1 + torch.exp(torch.tensor(1.0).double()))), rel=tolerance(10)
    )


def test_residual_and_concat_by_hand() -> None:
    x = torch.tensor([[1.0, -2.0]])
    assert random_networks.Residual(nn.ReLU())(x).tolist() == [[2.0, -2.0]]
    both = random_networks.Concat(nn.ReLU(), nn.Identity())(x)
    assert both.tolist() == [[1.0, 0.0, 1.0, -2.0]]


def test_dag_by_hand() -> None:
    model = random_networks.Dag(
        [1, 1, 1], [(0, 1), (1, 2)], [(0, 2)], [nn.ReLU(), nn.Identity()], [False] * 3
    )
    for name, value in (("maps.0_1.weight", 2.0), ("maps.1_2.weight", 5.0)):
        model.get_parameter(name).data.fill_(value)
    assert model(torch.tensor([[3.0]])).item() == 5 * 2 * 3 + 3
    assert model(torch.tensor([[-3.0]])).item() == -3


def test_fill_gives_some_exact_zeros_and_positive_variances() -> None:
    model = nn.Sequential(nn.Linear(50, 50), nn.BatchNorm2d(50), nn.PReLU(init=0.2))
    random_networks.fill(model, Random(0))
    state = model.state_dict()
    share = float((state["0.weight"] == 0).double().mean())
    assert abs(share - 0.1) < 4.5 * (0.1 * 0.9 / 2500) ** 0.5  # one comparison
    assert float(state["1.running_var"].min()) >= 0.1
    assert float(state["1.running_mean"].abs().max()) > 0
    assert state["2.weight"].tolist() == torch.tensor([0.2]).tolist()
