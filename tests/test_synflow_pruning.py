"""The fast loop takes the very steps of the plain one."""

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from random import Random
from typing import cast

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from purity import unchanged
from torch import nn

from theory import random_networks
from theory.networks import Network
from theory.pruning import prune
from theory.pruning_steps import masks_after, schedule
from theory.synflow import absolute, synflow
from theory.synflow_pruning import prune_synflow


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@given(
    rng=st.randoms(use_true_random=False), steps=st.integers(1, 6), safe=st.booleans()
)
def test_the_same_steps_as_the_plain_loop(
    dtype: torch.dtype, rng: Random, steps: int, safe: bool
) -> None:
    model = random_networks.convnet(rng)
    network, shape = Network.of(model, dtype=dtype), (1, 9, 9)
    densities = schedule(0.02, steps)
    plain = prune(
        absolute(network), partial(synflow, shape=shape), densities, safe=safe
    )
    with unchanged(model):
        fast = list(prune_synflow(network, shape, densities, safe=safe))
    for ours, theirs in zip(fast, plain, strict=True):
        assert ours.counts == theirs.counts and ours.totals == theirs.totals
        assert ours.removed == theirs.removed and ours.number == theirs.number
        assert all(torch.equal(ours.gone[k], theirs.gone[k]) for k in ours.gone)
        assert (ours.lowest, ours.highest_removed, ours.lowest_kept) == (
            theirs.lowest,
            theirs.highest_removed,
            theirs.lowest_kept,
        )
    assert list(masks_after(network, fast)) == list(network.prunable)


def test_the_network_stays_as_it_was() -> None:
    network = Network.of(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)))
    before = {name: p.clone() for name, p in network.parameters.items()}
    (step,) = prune_synflow(network, (3,), [0.25])
    assert step.remaining == 5
    assert all(torch.equal(before[k], p) for k, p in network.parameters.items())


def test_permuted_weights_in_memory_are_pruned_too() -> None:
    """A weight whose memory is not in the order of its entries (channels last)."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2))
    last = copy.deepcopy(model).to(memory_format=torch.channels_last)
    runs = [
        list(prune_synflow(Network.of(m), (3, 3, 3), schedule(0.05, 4)))
        for m in (model, last)
    ]
    for a, b in zip(*runs, strict=True):
        assert all(torch.equal(a.gone[k], b.gone[k]) for k in a.gone)
    plain = prune(Network.of(last), partial(synflow, shape=(3, 3, 3)), [0.5, 0.05])
    assert [step.remaining for step in plain] == [58, 6]


def deep(scale: float) -> Network:
    model = nn.Sequential(*(nn.Linear(2, 2, bias=False) for _ in range(3))).double()
    for parameter in model.parameters():
        parameter.data.fill_(scale)
    return Network.of(model)


@pytest.mark.parametrize("scale", [1e-120, 1e120])
def test_leaving_the_range_of_the_precision_is_an_error(scale: float) -> None:
    with pytest.raises(OverflowError, match=r"R = .*the range of torch.float64"):
        list(prune_synflow(deep(scale), (2,), [0.5]))


def test_a_single_output_underflows_too() -> None:
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 1, bias=False))
    for parameter in model.double().parameters():
        parameter.data.fill_(1e-200)
    with pytest.raises(OverflowError, match=r"R = 0.0: .* rank by log_synflow$"):
        list(prune_synflow(Network.of(model), (2,), [0.5]))


def test_a_collapsed_network_is_no_underflow() -> None:
    *_, last = prune_synflow(deep(1.0), (2,), [0.5, 0.0, 0.0])
    assert last.remaining == 0 and last.cut_size == 0.0
    assert last.lowest == float("inf")


class Unused(nn.Module):
    """A network with a layer that no path uses."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.unused = nn.Linear(3, 3), nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return cast(torch.Tensor, self.used(x))


def test_a_layer_that_no_path_uses_has_scores_of_zero() -> None:
    network = Network.of(Unused())
    steps = list(prune_synflow(network, (3,), [0.9, 0.6, 0.2]))
    assert [step.totals["unused.weight"] for step in steps] == [0.0] * 3
    assert steps[1].counts == {"used.weight": 9, "unused.weight": 0}
    assert steps[-1].counts == {"used.weight": 3, "unused.weight": 0}


def chain(*values: float) -> nn.Module:
    layers = [nn.Linear(1, 1, bias=False) for _ in values]
    for layer, value in zip(layers, values, strict=True):
        layer.weight.data.fill_(value)
    return nn.Sequential(*layers)


@pytest.mark.parametrize("safe", [False, True])
def test_a_slope_that_overflows_is_an_error(safe: bool) -> None:
    """R = 1e20 fits float32, the slope of the first weight, 1e50, does not."""
    network = Network.of(chain(1e-30, 1e25, 1e25), dtype=torch.float32)
    with pytest.raises(OverflowError, match=r"totals .*0\.weight.* of torch\.float32;"):
        list(prune_synflow(network, (1,), [0.5], safe=safe))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_gradients_that_the_caller_has_turned_off(
    mode: Callable[[], AbstractContextManager[None]],
) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    expected = list(prune_synflow(Network.of(model), (3,), [0.5, 0.25]))
    with mode():
        found = list(prune_synflow(Network.of(model), (3,), [0.5, 0.25]))
    for a, b in zip(found, expected, strict=True):
        assert a.totals == b.totals and a.counts == b.counts


def test_a_network_made_by_hand_of_parameters_keeps_its_gradients() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    network = Network(model, dict(model.named_parameters()), {})
    (step,) = prune_synflow(network, (3,), [0.25])
    assert step.remaining == 5
    (step,) = prune(network, partial(synflow, shape=(3,)), [0.25])
    assert step.remaining == 5
    for parameter in model.parameters():
        assert parameter.grad is None and not list(parameter._backward_hooks or ())


def test_half_precision_is_refused() -> None:
    network = Network.of(nn.Linear(2, 2), dtype=torch.bfloat16)
    with pytest.raises(ValueError, match=r"float32 or float64, got torch\.bfloat16"):
        list(prune_synflow(network, (2,), [0.5]))


def test_a_flow_that_is_not_conserved_is_told_once() -> None:
    network = Network.of(nn.Sequential(nn.Linear(3, 4), nn.Softmax(-1)))
    with pytest.warns(RuntimeWarning, match="not conserved: R = 1") as told:
        list(prune_synflow(network, (3,), [0.5, 0.25]))
    assert len(told) == 1
