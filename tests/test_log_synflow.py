"""The log domain agrees with SynFlow where that exists and ranks where it does not."""

import math
from random import Random

import pytest
import torch
from hypothesis import given
from strategies import Case, cases
from tolerance import tolerance
from torch import Tensor, nn

from theory import random_networks
from theory.log_synflow import log_synflow
from theory.masks import keep_largest
from theory.networks import Network, Parameters
from theory.random_networks import Concat, Residual
from theory.synflow import synflow

WIDTH, DEPTH = 512, 200


def agree(network: Network, shape: tuple[int, ...]) -> bool:
    logs, scores = log_synflow(network, shape), synflow(network, shape)
    assert set(logs) == set(scores)
    for name, score in scores.items():
        assert logs[name].shape == score.shape and logs[name].dtype == score.dtype
        zero = score == 0
        assert bool((logs[name][zero] == -math.inf).all())
        gap = (logs[name][~zero] - score[~zero].log()).abs()
        assert bool((gap <= tolerance(10**4, 10.0)).all())
    return True


@given(cases())
def test_equals_the_logarithm_of_synflow(case: Case) -> None:
    assert agree(case.network, tuple(case.x.shape[1:]))


def seeded(*layers: nn.Module) -> Network:
    return Network.of(random_networks.fill(nn.Sequential(*layers), Random(7)))


class Shifted(nn.Module):
    """Adds a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.shift


@pytest.mark.filterwarnings("ignore:SynFlow is not conserved")  # a bare shift
def test_residuals_concatenations_and_bare_parameters() -> None:
    body = nn.Sequential(nn.Linear(3, 3), nn.ReLU(inplace=True))
    joins = (Residual(body), Concat(nn.Linear(3, 1), nn.Identity()))
    assert agree(seeded(nn.Linear(2, 3), Shifted(), *joins, nn.Linear(4, 2)), (2,))
    norm = (nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.PReLU(), nn.AvgPool2d(2))
    assert agree(seeded(*norm, nn.Flatten(), nn.Linear(2, 1)), (1, 2, 2))


def test_branches_of_very_different_size_are_added_in_order() -> None:
    for factor in (1e-200, 1e200):
        network = seeded(nn.Linear(2, 3), Residual(nn.Linear(3, 3)), nn.Linear(3, 1))
        theta = dict(network.parameters)
        theta["1.body.weight"] = factor * theta["1.body.weight"]
        assert agree(Network(network.module, theta, network.buffers), (2,))


def test_sizes_and_default_arguments() -> None:
    class Sized(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(2, 4), nn.Linear(4, 1)

        def forward(self, x: Tensor, axis: int = -1) -> Tensor:
            y: Tensor = self.last(self.first(x).view(x.size(0), axis))
            return y

    assert agree(Network.of(random_networks.fill(Sized(), Random(1))), (2,))


def test_dead_networks_have_no_finite_score() -> None:
    network = seeded(
        nn.Linear(2, 3), nn.ReLU(), Residual(nn.Linear(3, 3)), nn.Linear(3, 1)
    )
    for layer in ("0.weight", "3.weight"):
        theta = network.parameters | {
            layer: torch.zeros_like(network.parameters[layer])
        }
        logs = log_synflow(Network(network.module, theta, network.buffers), (2,))
        assert all(bool((log == -math.inf).all()) for log in logs.values())


def test_a_dead_branch_leaves_the_other() -> None:
    for body in (nn.Linear(3, 3), nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))):
        network = seeded(nn.Linear(2, 3), Residual(body), nn.Linear(3, 1))
        name = next(k for k in network.parameters if "body" in k and "weight" in k)
        theta = network.parameters | {name: torch.zeros_like(network.parameters[name])}
        assert agree(Network(network.module, theta, network.buffers), (2,))


NAMED = (
    r"^3 is not homogeneous of degree 1 \(in .*, out .*\): SynFlow is not conserved "
    "through it and has no log form; replace it by ReLU, pooling or a linear layer, "
    "or use synflow$"
)


@pytest.mark.parametrize("kind", [nn.Tanh, nn.Sigmoid, nn.Softplus, nn.GELU])
def test_operations_that_are_not_homogeneous_are_named(kind: type[nn.Module]) -> None:
    network = seeded(
        nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 3), kind(), nn.Linear(3, 1)
    )
    with pytest.raises(ValueError, match=NAMED):
        log_synflow(network, (2,))


def test_functions_that_are_not_homogeneous_are_named_by_their_node() -> None:
    class Squared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 1)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.layer(x)
            return y * y

    with pytest.raises(ValueError, match="mul is not homogeneous"):
        log_synflow(Network.of(Squared()), (2,))


def test_constants_that_are_no_parameter_are_named() -> None:
    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 1)
            self.shift: Tensor
            self.register_buffer("shift", torch.ones(1))

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.layer(x) + self.shift
            return y

    with pytest.raises(ValueError, match="shift is not homogeneous"):
        log_synflow(Network.of(Constant()), (2,))


def deep(width: int, depth: int) -> Network:
    """Absolute He weights times 10: float64 overflows before depth 200, not 400."""
    layers = [nn.Linear(1, 1, bias=False) for _ in range(depth)]
    generator = torch.Generator().manual_seed(11)
    theta: Parameters = {}
    for i in range(depth):
        weight = torch.randn(width, width, generator=generator, dtype=torch.float64)
        theta[f"{i}.weight"] = weight.abs_().mul_(10 * math.sqrt(2 / width))
    return Network(nn.Sequential(*layers), theta, {})


def log_closed_form(theta: Parameters) -> Parameters:
    """Equation 5 with every vector normalised and its logarithm carried along."""
    weights = list(theta.values())
    rows, carried = [torch.ones(weights[0].shape[1], dtype=torch.float64)], [0.0]
    for weight in weights[:-1]:
        row = weight @ rows[-1]
        rows.append(row / row.sum())
        carried.append(carried[-1] + math.log(float(row.sum())))
    column, behind = torch.ones(weights[-1].shape[0], dtype=torch.float64), 0.0
    result: Parameters = {}
    for name, weight, row, log in reversed(
        list(zip(theta, weights, rows, carried, strict=True))
    ):
        scores = (weight * row).log_().add_(column.log()[:, None])
        result[name] = scores.add_(log + behind)
        column = weight.T @ column
        behind += math.log(float(column.sum()))
        column = column / column.sum()
    return result


def test_narrow_chains_beyond_the_range_of_float64() -> None:
    """Pruned rows make inf * 0 in the plain forward pass, which must not matter."""
    network = deep(3, 300)
    huge = {k: 100 * p for k, p in network.parameters.items()}
    pruned = dict(huge)
    pruned["100.weight"] = huge["100.weight"].clone()
    pruned["100.weight"][0] = 0.0
    for theta in (huge, pruned, {k: p / 10**6 for k, p in huge.items()}):
        logs = log_synflow(Network(network.module, theta, {}), (3,))
        oracle = log_closed_form(theta)
        for name, log in logs.items():
            finite = oracle[name] > -math.inf
            assert torch.equal(finite, log > -math.inf)
            gap = (log - oracle[name])[finite].abs().max()
            assert float(gap) <= tolerance(
                10**4, float(oracle[name][finite].abs().max())
            )


def test_200_layers_of_width_512() -> None:
    network = deep(WIDTH, DEPTH)
    with pytest.raises(OverflowError, match="log_synflow"):
        synflow(network, (WIDTH,))
    logs, oracle = log_synflow(network, (WIDTH,)), log_closed_form(network.parameters)
    sums = []
    for name, log in logs.items():
        theirs = oracle.pop(name)
        bound = tolerance(DEPTH * 10, float(theirs.abs().max()))
        assert bool(torch.isfinite(log).all())
        assert float((log - theirs).abs().max()) <= bound
        # ranks within the layer: no pair further apart than rounding is exchanged
        order = theirs.flatten().argsort()
        assert float(-log.flatten()[order].diff().min()) <= bound
        sums.append(float(log.flatten().logsumexp(0)))
    assert max(sums) - min(sums) <= tolerance(DEPTH * 10, max(sums))


def test_ranks_as_synflow_does_across_layers() -> None:
    """Both at a size where both exist: the masks differ in no parameter but ties."""
    network = seeded(
        nn.Linear(5, 9), nn.ReLU(), nn.Linear(9, 7), nn.ReLU(), nn.Linear(7, 2)
    )
    logs, scores = log_synflow(network, (5,)), synflow(network, (5,))
    for density in (0.1, 0.3, 0.6):
        ours, theirs = (
            keep_largest({k: s[k] for k in network.prunable}, density)
            for s in (logs, scores)
        )
        assert all(torch.equal(ours[k], theirs[k]) for k in ours)


def test_tuples_of_tensors_are_refused_by_name() -> None:
    class Halves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 4)

        def forward(self, x: Tensor) -> Tensor:
            first, second = self.layer(x).chunk(2, dim=1)
            return torch.cat([second, first], dim=1)

    network = Network.of(Halves())
    with pytest.raises(
        ValueError, match=r"^chunk returns several tensors.* use synflow$"
    ):
        log_synflow(network, (2,))
