"""The networks to prune: sizes, images that fit them, and independent seeds."""

from pathlib import Path
from typing import get_args

import pandas as pd
import pytest
import torch

from experiments.architectures import prunable_weights
from experiments.subjects import Architecture, network, subject

PUBLISHED = Path(__file__).parents[1] / "figures/published/fig1_fig6_accuracy.csv"
SMALL: dict[Architecture, tuple[int, int]] = {
    "lenet": (50_200, 3),
    "vgg5": (62_608, 5),
    "vgg5-narrow": (16_328, 5),
    "resnet6": (4_968, 7),
    "resnet6-wide": (19_408, 7),
}
"""Weights and layers that can be pruned; ResNet6 has a shortcut besides."""


@pytest.mark.parametrize("architecture", SMALL)
def test_small_networks_fit_digits(architecture: Architecture) -> None:
    found = subject(architecture, "digits", per_class=3, seed=0)
    weights = prunable_weights(found.model)
    assert (sum(weights.values()), len(weights)) == SMALL[architecture]
    assert found.model(found.images).shape == (30, 10)
    assert found.labels.bincount().tolist() == [3] * 10


def test_vgg16_has_the_published_weights() -> None:
    rows = pd.read_csv(PUBLISHED).query("figure == 'fig1'")
    model = network("vgg16", (3, 32, 32), 100, None)
    weights = prunable_weights(model)
    assert {sum(weights.values())} == set(rows["prunable_weights"])
    assert {len(weights)} == set(rows["prunable_layers"])


def test_every_name_builds() -> None:
    sizes = {}
    for name in get_args(Architecture):
        shape = (1, 8, 8) if name in SMALL else (3, 32, 32)
        sizes[name] = sum(prunable_weights(network(name, shape, 10, None)).values())
    assert sizes["vgg11"] == 9_222_848
    assert sizes["resnet18"] == 11_164_352
    assert 3.9 < sizes["resnet18-wide"] / sizes["resnet18"] < 4
    assert len(set(sizes.values())) == len(sizes)


def test_seeds_are_repeatable_independent_and_leave_the_global_state() -> None:
    before = torch.get_rng_state()
    first, same, other = (
        subject("vgg5-narrow", "digits", per_class=2, seed=seed) for seed in (0, 0, 1)
    )
    assert torch.equal(torch.get_rng_state(), before)
    for name, weight in first.model.state_dict().items():
        assert torch.equal(weight, same.model.state_dict()[name])
    assert torch.equal(first.images, same.images)
    assert not torch.equal(first.images, other.images)
    assert not torch.equal(
        next(first.model.parameters()), next(other.model.parameters())
    )
    seeds = {first.ranking, first.order, other.ranking, other.order}
    assert len(seeds) == 4 and (same.ranking, same.order) == (
        first.ranking,
        first.order,
    )


def test_everything_is_on_the_device() -> None:
    found = subject("lenet", "digits", per_class=1, seed=0, device="meta")
    whole = found.dataset
    tensors = [found.images, found.labels, *found.model.parameters()]
    for part in (whole.train, whole.validation, whole.test):
        tensors += [part.images, part.labels]
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    sizes = [len(s.labels) for s in (whole.train, whole.validation, whole.test)]
    assert sizes == [1260, 179, 358]
