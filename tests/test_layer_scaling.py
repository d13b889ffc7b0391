"""The 1 / N_l law, in the order: identity, oracle, symmetry, edge cases, controls."""

import math
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import linregress
from strategies import sources
from tolerance import tolerance
from torch import Tensor, nn

from theory import layer_scaling, random_networks, scores
from theory.layer_scaling import (
    CLAIM,
    absolute_saliency,
    layer_means,
    power_law,
    saliency_sides,
    scaling_sides,
    synflow_sides,
)
from theory.ledger import COUNTER_EXAMPLE
from theory.networks import Network, describe
from theory.synflow import synflow

BOUND = max(check.bound for check in CLAIM.checks)


def chain(*, bias: bool = False) -> Network:
    """Layers of 36, 144 and 48 weights with padding, stride and pooling between."""
    layers = (
        nn.Conv2d(1, 4, 3, padding=1, stride=2, bias=bias),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, padding=1, bias=bias),
        nn.LeakyReLU(0.2),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16, 3, bias=bias),
    )
    return Network.of(random_networks.fill(nn.Sequential(*layers), Random(5)))


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3)).double()


def squares(y: Tensor) -> Tensor:
    return (y**2).sum()


# identity ---------------------------------------------------------------------------


@pytest.mark.parametrize("check", CLAIM.checks, ids=lambda check: check.family)
@given(rng=sources())
def test_every_check_holds(check: Any, rng: Random) -> None:
    assert check.draw(rng).defect() <= check.bound


def test_the_line_has_slope_one_for_signed_saliency_and_synflow() -> None:
    network, rng = chain(), np.random.default_rng(0)
    signed = scores.saliency(network, draw(4, 1, 8, 8), squares)
    for score in (signed, synflow(network, (1, 8, 8))):
        sizes, means = layer_means(network, score)
        assert sizes == [36, 144, 48] and min(means) > 0
        law = power_law(sizes, means, rng=rng)
        close = tolerance(10**4)
        assert abs(law.slope - 1) <= close and abs(law.r_squared - 1) <= close
        assert abs(law.low - 1) <= close and abs(law.high - 1) <= close
        constant = math.exp(law.intercept)
        assert constant == pytest.approx(means[0] * sizes[0], rel=close)


# oracle -----------------------------------------------------------------------------


def test_the_constant_is_the_readout_times_its_degree() -> None:
    """R = ||y||^2 is of degree 2 in the output: C = <dR/dy, y> = 2 R."""
    network, x = chain(), draw(4, 1, 8, 8)
    value = float(squares(network(network.parameters, x)))
    sides = saliency_sides(network, x, squares)
    bound = tolerance(10**4, float(sides.scale.max()))
    assert bool(((sides.left - 2 * value).abs() <= bound).all())
    assert bool(((sides.right - 2 * value).abs() <= bound).all())
    assert sides.left.shape == (3,)


def test_synflow_of_a_linear_layer_by_hand() -> None:
    model = nn.Sequential(nn.Linear(2, 1), nn.Linear(1, 3))
    for name, values in (
        ("0.weight", [[1.0, -2.0]]),
        ("1.weight", [[1.0], [0.0], [-4.0]]),
    ):
        model.get_parameter(name).data = torch.tensor(values)
    sides = synflow_sides(Network.of(model), (2,))
    assert sides.left.tolist() == [15.0, 15.0] and sides.right.tolist() == [15.0] * 2
    assert sides.scale.tolist() == [30.0, 30.0]


@given(
    st.lists(st.integers(1, 10**6), min_size=3, max_size=9).filter(
        lambda s: len(set(s)) > 1
    ),
    st.lists(st.floats(1e-6, 1e6), min_size=9, max_size=9),
)
def test_power_law_is_the_least_squares_line(
    sizes: list[int], means: list[float]
) -> None:
    law = power_law(
        sizes, means[: len(sizes)], rng=np.random.default_rng(0), samples=10
    )
    x, y = -np.log(sizes), np.log(means[: len(sizes)])
    table = np.stack([x, np.ones(len(x))], axis=1)
    slope, intercept = np.linalg.lstsq(table, y, rcond=None)[0]
    condition = float(np.abs(x).max() ** 2 / ((x - x.mean()) ** 2).sum()) + 1
    bound = tolerance(10**3, condition * (1 + float(np.abs(y).max())))
    assert abs(law.slope - slope) <= bound * (1 + abs(slope))
    assert abs(law.intercept - intercept) <= bound * (1 + abs(slope)) * 20
    residual = y - slope * x - intercept
    spread = float(((y - y.mean()) ** 2).sum())
    if spread > 0.01:
        expected = 1 - float((residual**2).sum()) / spread
        assert abs(law.r_squared - expected) <= bound * 10**3


def test_the_interval_is_a_percentile_bootstrap_by_loops() -> None:
    sizes, means = [10, 100, 1000, 10000], [3.0, 0.2, 0.05, 0.001]
    law = power_law(sizes, means, rng=np.random.default_rng(1), samples=300, level=0.6)
    drawn = np.random.default_rng(1).integers(4, size=(300, 4))
    slopes = [
        linregress(-np.log(np.take(sizes, row)), np.log(np.take(means, row))).slope
        for row in drawn
        if len(set(row)) > 1
    ]
    low, high = np.quantile(slopes, [0.2, 0.8])
    assert law.low == pytest.approx(low, rel=tolerance(1000))
    assert law.high == pytest.approx(high, rel=tolerance(1000))
    assert law.low < law.slope < law.high


def test_sizes_close_to_one_another_still_have_a_slope() -> None:
    sizes, means = [100, 110, 120], [1.0, 0.5, 0.2]
    law = power_law(sizes, means, rng=np.random.default_rng(0))
    assert law.low < law.slope < law.high


def test_the_default_interval_is_of_95_percent_from_2000_samples() -> None:
    sizes, means = [10, 100, 1000, 10000], [3.0, 0.2, 0.05, 0.001]
    default = power_law(sizes, means, rng=np.random.default_rng(1))
    said = power_law(
        sizes, means, rng=np.random.default_rng(1), samples=2000, level=0.95
    )
    assert default == said
    assert all(isinstance(v, float) for v in (default.low, default.high, default.slope))


# symmetry ---------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1e-8, 1e8])
def test_scaling_the_loss_moves_the_constant_only(factor: float) -> None:
    network, x = chain(), draw(4, 1, 8, 8)
    one = saliency_sides(network, x, squares)
    scaled = saliency_sides(network, x, lambda y: factor * squares(y))
    assert scaled.defect() <= BOUND
    bound = tolerance(10**4) * factor * one.scale
    assert bool(((scaled.left - factor * one.left).abs() <= bound).all())


def test_the_line_does_not_depend_on_the_unit_of_the_scores() -> None:
    sizes, means = [10, 100, 1000], [3.0, 0.2, 0.05]
    one, other = (
        power_law(sizes, [f * m for m in means], rng=np.random.default_rng(2))
        for f in (1.0, 1e8)
    )
    assert one.slope == pytest.approx(other.slope, rel=tolerance(100))
    assert other.intercept - one.intercept == pytest.approx(
        math.log(1e8), rel=tolerance(100)
    )


# edge cases -------------------------------------------------------------------------


def test_a_network_masked_away_has_no_flow_and_no_defect() -> None:
    network = chain()
    zeros = {k: torch.zeros_like(p) for k, p in network.parameters.items()}
    dead = Network(network.module, zeros, network.buffers)
    assert saliency_sides(dead, draw(1, 1, 8, 8), squares).defect() == 0.0
    assert synflow_sides(dead, (1, 8, 8)).defect() == 0.0


REFUSED: dict[str, tuple[list[int], list[float]]] = {
    "one size": ([5, 5], [1.0, 2.0]),
    "one layer": ([5], [1.0]),
    "no layer": ([], []),
    "zero mean": ([5, 6], [0.0, 1.0]),
    "negative mean": ([5, 6], [-1.0, 1.0]),
    "NaN mean": ([5, 6], [math.nan, 1.0]),
    "more sizes than means": ([5, 6, 7], [1.0, 2.0]),
}


@pytest.mark.parametrize("what", REFUSED)
def test_means_without_a_line_are_refused(what: str) -> None:
    sizes, means = REFUSED[what]
    with pytest.raises(
        ValueError,
        match=r"one positive mean score.*; pass absolute values of signed means$",
    ):
        power_law(sizes, means, rng=np.random.default_rng(0))


def test_resamples_of_equal_sizes_whose_logarithms_round_are_left_out() -> None:
    sizes = [36, 144, 48]  # the mean of three equal logarithms is not exactly theirs
    for seed in range(5):
        rng = np.random.default_rng(seed)
        law = power_law(sizes, [1 / size for size in sizes], rng=rng)
        assert (law.low, law.high) == pytest.approx((1.0, 1.0), rel=tolerance(1000))


def test_resamples_of_one_size_only_are_left_out() -> None:
    law = power_law([1, 10], [1.0, 0.1], rng=np.random.default_rng(0), samples=50)
    assert (law.slope, law.low, law.high) == pytest.approx(
        (1.0,) * 3, rel=tolerance(100)
    )


# controls ---------------------------------------------------------------------------


@pytest.mark.parametrize("control", CLAIM.controls, ids=lambda c: c.dropped)
def test_every_control_fails(control: Any) -> None:
    worst = max(control.draw(Random(seed)).defect() for seed in range(40))
    assert worst > COUNTER_EXAMPLE


def spied(monkeypatch: pytest.MonkeyPatch, name: str) -> list[Network]:
    """Return the list to which every network that reaches the function is added."""
    seen: list[Network] = []
    original = getattr(layer_scaling, name)

    def spy(network: Network, *arguments: object) -> object:
        seen.append(network)
        return original(network, *arguments)

    monkeypatch.setattr(layer_scaling, name, spy)
    return seen


def drawn_by(monkeypatch: pytest.MonkeyPatch, what: str) -> list[Network]:
    found: Any
    (found,) = [
        c
        for c in (*CLAIM.checks, *CLAIM.controls)
        if what in (getattr(c, "family", ""), getattr(c, "dropped", ""))
    ]
    seen = spied(monkeypatch, "scaling_sides")
    for seed in range(30):
        sides = found.draw(Random(seed))
        assert sides.case == describe(seen[-1])
    return seen


def biases(network: Network) -> list[str]:
    return [name for name in network.parameters if name.endswith("bias")]


@pytest.mark.parametrize(
    ("what", "cases"),
    [
        ("a shortcut", {"Linear 3x2, Linear 3x3, Linear 2x3"}),
        (
            "shift of a frozen BatchNorm",
            {"Conv2d 2x1x3x3, Affine 2, ReLU, AdaptiveAvgPool2d, Flatten, Linear 3x8"},
        ),
    ],
)
def test_the_families_of_the_controls(
    what: str, cases: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = drawn_by(monkeypatch, what)
    assert {describe(network) for network in seen} == cases
    for network in seen:
        assert biases(network) == (["1.bias"] if "Batch" in what else [])
        first = network.module.get_submodule("0")
        assert not isinstance(first, nn.Conv2d) or first.stride == (2, 2)


def test_absolute_saliency_is_compared_on_networks_without_bias(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = drawn_by(monkeypatch, "absolute saliency (SNIP)")
    assert not any(biases(network) for network in seen)


def test_absolute_saliency_is_compared_with_its_last_layer() -> None:
    for seed in range(10):
        sides = absolute_saliency(Random(seed))
        assert float(sides.left[-1]) == pytest.approx(
            float(sides.right[0]), rel=tolerance(100)
        )


def test_biased_networks_have_a_bias_in_every_layer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for network in drawn_by(monkeypatch, "biases"):
        assert len(biases(network)) == len(network.prunable)


@pytest.mark.parametrize(
    "what", ["saliency of random convnets", "SynFlow of random convnets"]
)
def test_convnets_are_chains(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for network in drawn_by(monkeypatch, what):
        kinds = {type(m).__name__ for m in network.module.modules()}
        assert kinds.isdisjoint({"Residual", "Concat", "Affine", "BatchNorm2d"})


def test_biases_break_the_line_and_synflow_drops_them() -> None:
    network, x = chain(bias=True), draw(4, 1, 8, 8)
    assert saliency_sides(network, x, squares).defect() > COUNTER_EXAMPLE
    assert synflow_sides(network, (1, 8, 8)).defect() <= BOUND


def test_magnitude_and_random_scores_do_not_scale_so() -> None:
    network = chain()
    for score in (
        scores.magnitude(network),
        scores.random(network, generator=torch.Generator().manual_seed(0)),
    ):
        flow = score[network.prunable[-1]].sum()
        assert scaling_sides(network, score, flow).defect() > COUNTER_EXAMPLE
