"""Densities after each step, the number of weights, and the masks of a run."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import Case, cases
from torch import nn

from theory import random_networks, scores
from theory.masks import exponential, kept, linear
from theory.networks import Network
from theory.pruning import prune
from theory.pruning_steps import layer_sizes, masks_after, one_at_a_time, schedule


def test_the_size_of_a_layer_is_that_of_its_weight() -> None:
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Linear(5, 7))
    assert layer_sizes(Network.of(model)) == {"0.weight": 54, "2.weight": 35}


@pytest.mark.parametrize("rule", [exponential, linear])
@given(density=st.floats(1e-3, 1), steps=st.integers(1, 30), size=st.integers(1, 10**9))
def test_the_schedule_in_closed_form_at_every_step(
    rule: type[exponential], density: float, steps: int, size: int
) -> None:
    found = schedule(density, steps, rule)
    assert len(found) == steps and found[-1] == density
    for k, value in enumerate(found, start=1):
        closed = density ** (k / steps)
        if rule is linear:
            closed = 1 - (1 - density) * k / steps
        assert value == pytest.approx(closed, abs=1e-15)
    # Sums of the linear rule can rise by the last bit where it falls by less than one;
    # what is kept never does: all such densities are within 1e-14 of 1.
    assert all(a >= b - 2.0**-52 for a, b in pairwise([1.0, *found]))
    assert all(kept(size, a) >= kept(size, b) for a, b in pairwise([1.0, *found]))


def test_counts_follow_the_schedule() -> None:
    network = Network.of(nn.Sequential(nn.Linear(9, 30), nn.ReLU(), nn.Linear(30, 7)))
    for rule in (exponential, linear):
        densities = schedule(0.01, 10, rule)
        steps = list(prune(network, scores.magnitude, densities))
        expected = [kept(9 * 30 + 30 * 7, density) for density in densities]
        assert [step.remaining for step in steps] == expected
    assert schedule(0.25, 2) == [0.5, 0.25]  # exponential by default


@given(cases(random_networks.mlp), st.integers(0, 3))
def test_one_parameter_at_a_time(case: Case, last: int) -> None:
    network = case.network
    last = min(last, sum(layer_sizes(network).values()))
    densities = one_at_a_time(network, last)
    found = [s.remaining for s in prune(network, scores.magnitude, densities)]
    assert found == list(range(sum(layer_sizes(network).values()) - 1, last - 1, -1))


def test_a_schedule_needs_a_step() -> None:
    assert schedule(0.1, 3, linear)[-1] == 0.1
    with pytest.raises(ValueError, match="at least one step, got 0"):
        schedule(0.1, 0)


def test_one_at_a_time_down_to_nothing_by_default() -> None:
    network = Network.of(nn.Linear(2, 2))
    assert one_at_a_time(network) == [0.75, 0.5, 0.25, 0.0]
    assert one_at_a_time(network, 4) == []
    for last in (-1, 5):
        with pytest.raises(ValueError, match=f"to keep 0 to 4 parameters, got {last}"):
            one_at_a_time(network, last)


@pytest.mark.parametrize(
    "other", [nn.Sequential(nn.Linear(2, 2)), nn.Sequential(nn.ReLU(), nn.Linear(9, 9))]
)
def test_steps_of_another_network_are_refused(other: nn.Module) -> None:
    network = Network.of(nn.Sequential(nn.Linear(3, 4)))
    steps = list(prune(network, lambda n: scores.magnitude(n), [0.1]))
    with pytest.raises(ValueError, match=r"remove weights of 0.weight, which are not"):
        masks_after(Network.of(other), steps)


def test_masks_before_the_first_step_keep_everything() -> None:
    network = Network.of(nn.Linear(2, 3))
    masks = masks_after(network, [])
    assert list(masks) == ["0.weight"] and masks["0.weight"].shape == (3, 2)
    assert bool(masks["0.weight"].all()) and masks["0.weight"].dtype == torch.bool
