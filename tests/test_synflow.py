"""Equation 5, in the order: identity, oracle, symmetry, edge cases, controls."""

from contextlib import nullcontext
from itertools import pairwise, product
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import Case, cases, sources
from tolerance import tolerance
from torch import Tensor, nn

from theory import random_networks
from theory.claim import Sides
from theory.ledger import COUNTER_EXAMPLE
from theory.log_synflow import log_synflow
from theory.networks import Network, describe
from theory.synflow import (
    CLAIM,
    absolute,
    chain_factors,
    connected,
    ones,
    random_chain,
    synflow,
)
from theory.synflow_pruning import prune_synflow

WAY_OUT = (
    "^SynFlow scores overflow the network's precision; rank by log_synflow, "
    "which has no such range$"
)
BOUND = max(check.bound for check in CLAIM.checks)


def shape_of(case: Case) -> tuple[int, ...]:
    return tuple(case.x.shape[1:])


def matrices(widths: list[int]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(2)
    return [
        torch.randn(m, n, generator=generator).double() for n, m in pairwise(widths)
    ]


# identity ---------------------------------------------------------------------------


@pytest.mark.parametrize("check", CLAIM.checks, ids=lambda check: check.family)
@given(rng=sources())
def test_every_check_holds(check: Any, rng: Random) -> None:
    assert check.draw(rng).defect() <= check.bound


# oracle -----------------------------------------------------------------------------


def test_chain_factors_are_sums_over_all_paths() -> None:
    widths = [3, 2, 4, 2]
    weights = matrices(widths)
    expected = [torch.zeros_like(w) for w in weights]
    for path in product(*(range(n) for n in widths)):
        value = 1.0
        for layer, weight in enumerate(weights):
            value *= abs(float(weight[path[layer + 1], path[layer]]))
        for layer in range(len(weights)):
            expected[layer][path[layer + 1], path[layer]] += value
    for ours, theirs in zip(chain_factors(weights), expected, strict=True):
        bound = tolerance(1000, float(theirs.max()))
        assert bool(((ours - theirs).abs() <= bound).all())


def test_by_hand() -> None:
    model = nn.Sequential(nn.Linear(2, 1), nn.ReLU(), nn.Linear(1, 2))
    model.get_parameter("0.weight").data = torch.tensor([[2.0, -3.0]])
    model.get_parameter("2.weight").data = torch.tensor([[-5.0], [7.0]])
    scores = synflow(Network.of(model), (2,))
    assert scores["0.weight"].tolist() == [[24.0, 36.0]]
    assert scores["2.weight"].tolist() == [[25.0], [35.0]]
    assert scores["0.bias"].tolist() == [0.0] and scores["2.bias"].tolist() == [0.0] * 2


def test_convolution_by_hand() -> None:
    """Padded edges see fewer uses of the outer taps: 2 of 3 positions."""
    model = nn.Conv1d(1, 1, 3, padding=1, bias=False)
    model.weight.data = torch.tensor([[[1.0, -1.0, 1.0]]])
    assert synflow(Network.of(model), (1, 3))["0.weight"].tolist() == [
        [[2.0, 3.0, 2.0]]
    ]


@given(cases(random_networks.mlp, random_networks.dag))
def test_scores_are_slopes_of_the_multilinear_objective(case: Case) -> None:
    """R_SF is linear in each layer (not with max pooling, where it is only convex)."""
    positive = absolute(case.network)
    scores = synflow(case.network, shape_of(case))
    x = ones(case.network, shape_of(case))

    def objective(name: str, factor: float) -> float:
        theta = dict(positive.parameters)
        theta[name] = factor * theta[name]
        return float(positive(theta, x).sum())

    for name in case.network.prunable:
        change = (objective(name, 1.5) - objective(name, 0.5)) / (1.5 - 0.5)
        bound = tolerance(10**4, objective(name, 1.5))
        assert abs(change - float(scores[name].sum())) <= bound


# symmetry ---------------------------------------------------------------------------


@given(cases())
def test_signs_and_biases_do_not_matter_and_scores_are_not_negative(case: Case) -> None:
    flipped = {
        k: 5.0 - p if k.endswith("bias") else -p
        for k, p in case.network.parameters.items()
    }
    other = Network(case.network.module, flipped, case.network.buffers)
    one, two = synflow(case.network, shape_of(case)), synflow(other, shape_of(case))
    for name, score in one.items():
        assert torch.equal(score, two[name])
        assert bool((score >= 0).all())
        assert not name.endswith("bias") or not bool(score.any())


@given(cases(random_networks.mlp), st.sampled_from([2.0**-27, 2.0**27]))
def test_scaling_one_layer_scales_every_score(case: Case, factor: float) -> None:
    first = case.network.prunable[0]
    theta = dict(case.network.parameters)
    theta[first] = factor * theta[first]
    other = Network(case.network.module, theta, case.network.buffers)
    one, two = synflow(case.network, shape_of(case)), synflow(other, shape_of(case))
    for name in case.network.prunable:
        assert torch.equal(two[name], factor * one[name])


@given(cases(random_networks.mlp))
def test_all_layers_of_a_chain_have_one_sum(case: Case) -> None:
    scores = synflow(case.network, shape_of(case))
    sums = [float(scores[name].sum()) for name in case.network.prunable]
    assert max(sums) - min(sums) <= tolerance(10**4, max(sums))


def test_permuting_hidden_units_permutes_the_factors() -> None:
    first, second = matrices([3, 4, 2])
    order = torch.tensor([2, 0, 3, 1])
    a, b = chain_factors([first, second])
    c, d = chain_factors([first[order], second[:, order]])
    assert torch.allclose(a[order], c, rtol=tolerance(100), atol=0)
    assert torch.allclose(b[:, order], d, rtol=tolerance(100), atol=0)


# edge cases -------------------------------------------------------------------------


def test_absolute_drops_biases_and_nothing_else() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bias_like = nn.Parameter(torch.tensor([-2.0]))
            self.bias = nn.Parameter(torch.tensor([-3.0]))
            self.layer = nn.Linear(1, 1)

        def forward(self, x: Tensor) -> Tensor:
            return x

    model = Named()
    positive = absolute(Network.of(model)).parameters
    assert positive["bias_like"].tolist() == [2.0] and positive["bias"].tolist() == [
        0.0
    ]
    assert positive["layer.bias"].tolist() == [0.0]
    assert positive["layer.weight"].item() == abs(model.layer.weight.item())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ones_is_one_sample_in_the_networks_precision(dtype: torch.dtype) -> None:
    x = ones(Network.of(nn.Linear(3, 1), dtype=dtype), (2, 3))
    assert x.shape == (1, 2, 3) and x.dtype == dtype and bool((x == 1).all())


def test_one_layer_and_width_one() -> None:
    (alone,) = chain_factors([torch.tensor([[-2.0, 3.0]])])
    assert alone.tolist() == [[2.0, 3.0]]
    factors = chain_factors([torch.tensor([[w]]) for w in (2.0, -3.0, 4.0)])
    assert [f.item() for f in factors] == [24.0] * 3


def test_a_layer_masked_away_leaves_no_score_anywhere() -> None:
    network = Network.of(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)))
    theta = network.parameters | {"0.weight": torch.zeros(2, 2, dtype=torch.float64)}
    scores = synflow(Network(network.module, theta, network.buffers), (2,))
    assert not any(bool(score.any()) for score in scores.values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_overflow_is_an_error_that_names_the_way_out(dtype: torch.dtype) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    for parameter in model.parameters():
        parameter.data.fill_(torch.finfo(torch.float32).max)
    network = Network.of(model, dtype=dtype)
    if dtype == torch.float64:
        assert bool(torch.isfinite(synflow(network, (2,))["0.weight"]).all())
        return
    with pytest.raises(OverflowError, match=WAY_OUT):
        synflow(network, (2,))


# controls ---------------------------------------------------------------------------


@pytest.mark.parametrize("control", CLAIM.controls, ids=lambda c: c.dropped)
def test_every_control_fails(control: Any) -> None:
    worst = max(control.draw(Random(seed)).defect() for seed in range(40))
    assert worst > COUNTER_EXAMPLE


def test_the_control_is_a_residual_net_of_any_small_width() -> None:
    (control,) = [c for c in CLAIM.controls if "shortcut" in c.dropped]
    found = [control.draw(Random(seed)) for seed in range(60)]
    sizes = {s.case: s.left.numel() for s in found if isinstance(s, Sides)}
    assert sizes == {
        f"Linear {n}x2, Linear {n}x{n}, ReLU, Linear 2x{n}": 2 * n + n * n + 2 * n
        for n in range(1, 5)
    }


def test_the_case_of_a_chain_names_its_shapes() -> None:
    rng, same = Random(0), Random(0)
    model = random_networks.mlp(same)
    assert random_chain(rng).case == describe(Network.of(model))


NOT_CONSERVED = r"^SynFlow is not conserved: R = .*audit name what else is not homog"


@pytest.mark.parametrize(
    "last",
    [nn.Softmax(1), nn.LogSoftmax(1), nn.Tanh(), nn.GELU(), nn.LayerNorm(3)],
    ids=lambda module: type(module).__name__,
)
def test_scores_that_are_not_conserved_are_never_passed_silently(
    last: nn.Module,
) -> None:
    # The outputs of LayerNorm add up to 0: weights after it make R another number.
    model = nn.Sequential(nn.Linear(2, 3), last, nn.Linear(3, 2))
    model = random_networks.fill(model, Random(1)).double()
    with pytest.warns(RuntimeWarning, match=NOT_CONSERVED):
        synflow(Network.of(model), (2,))


def single_path(width: int, depth: int, dtype: torch.dtype) -> Network:
    """Return layers of one weight each, 0.01, all on one path."""
    layers = [nn.Linear(width, width, bias=False) for _ in range(depth)]
    for number, layer in enumerate(layers):
        layer.weight.data.zero_()
        layer.weight.data[(number + 1) % width, number % width] = 1e-2
    return Network.of(nn.Sequential(*layers), dtype=dtype)


@pytest.mark.parametrize(
    ("width", "depth", "dtype"), [(64, 30, torch.float32), (64, 200, torch.float64)]
)
def test_a_single_path_is_seen_however_deep_and_wide(
    width: int, depth: int, dtype: torch.dtype
) -> None:
    """1 / width a layer would underflow as the path itself does."""
    network = single_path(width, depth, dtype)
    theta, x = network.parameters, ones(network, (width,))
    assert width**-depth < torch.finfo(dtype).smallest_normal
    assert connected(network, theta, x)
    with pytest.raises(OverflowError, match="underflow"):
        synflow(network, (width,))
    with pytest.raises(OverflowError, match="the products leave the range"):
        list(prune_synflow(network, (width,), [0.5]))
    for name in theta:
        broken = theta | {name: torch.zeros_like(theta[name])}
        assert not connected(network, broken, x)


def test_scores_that_lose_digits_are_an_error() -> None:
    """R is positive, parts of it are subnormal or 0."""
    layers = [nn.Linear(4, 4, bias=False) for _ in range(5)]
    for layer in layers:
        layer.weight.data.fill_(10**-9.2)
    for dtype, fails in ((torch.float32, True), (torch.float64, False)):
        network = Network.of(nn.Sequential(*layers), dtype=dtype)
        assert (
            float(absolute(network)(network.parameters, ones(network, (4,))).sum()) > 0
        )
        for scored in (
            lambda n: synflow(n, (4,)),
            lambda n: list(prune_synflow(n, (4,), [0.5])),
        ):
            with pytest.raises(OverflowError) if fails else nullcontext():
                scored(network)


def test_biases_have_their_names() -> None:
    rnn = nn.RNN(2, 3, nonlinearity="relu", batch_first=True)
    kept = {name for name, p in absolute(Network.of(rnn)).parameters.items() if p.any()}
    assert kept == {"weight_ih_l0", "weight_hh_l0"}


def test_underflow_is_an_error_and_a_broken_path_is_not() -> None:
    layers = [nn.Linear(4, 4, bias=False) for _ in range(60)]
    for layer in layers:
        layer.weight.data.fill_(1e-6)
    network = Network.of(nn.Sequential(*layers))
    with pytest.raises(OverflowError, match=r"^SynFlow scores underflow the network"):
        synflow(network, (4,))
    assert all(torch.isfinite(s).all() for s in log_synflow(network, (4,)).values())
    layers[30].weight.data.zero_()
    dead = synflow(Network.of(nn.Sequential(*layers)), (4,))
    assert not any(score.any() for score in dead.values())


def test_keeping_the_biases_would_break_the_factorisation() -> None:
    """The public code keeps |bias|; with an input of 0 they are the only flow left."""
    weights = matrices([2, 3, 1])
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1)).double()
    for name, value in zip(("0.weight", "1.weight"), weights, strict=True):
        model.get_parameter(name).data = value
    kept = {k: p.abs() for k, p in Network.of(model).parameters.items()}
    network = Network(Network.of(model).module, kept, {})
    slopes = network.gradient(torch.ones(1, 2), torch.sum)
    with_bias = slopes["1.weight"] * kept["1.weight"]
    factors = chain_factors(weights)
    assert float((with_bias - factors[1]).abs().max()) > COUNTER_EXAMPLE
    assert torch.allclose(slopes["0.weight"] * kept["0.weight"], factors[0], rtol=BOUND)
