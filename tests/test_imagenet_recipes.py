"""The schedules of paper B's ImageNet networks, against numbers worked out by hand."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from tolerance import tolerance
from torch import nn

from experiments import imagenet_recipes as recipes
from experiments.imagenet_recipes import EpochRecipe

STEPS = 1251
"""1,281,167 // 1,024."""
PRINTED = pd.read_csv(
    Path(__file__).parents[1] / "figures" / "published" / "imagenet_networks.csv"
)
ROWS = {
    "Resnet-50": recipes.RESNET50,
    "Inception-v3": recipes.INCEPTION_V3,
    "Squeezenet": recipes.SQUEEZENET,
}


def equal(found: float, expected: float) -> bool:
    return abs(found - expected) <= tolerance(8, expected)


@pytest.mark.parametrize("name", ROWS)
def test_published_table(name: str) -> None:
    printed, recipe = PRINTED.set_index("network").loc[name], ROWS[name]
    assert (recipe.epochs, recipe.batch_size) == (printed["epochs"], printed["batch"])
    words = printed["learning_schedule"].replace(";", "").replace(",", "").split()
    numbers = [float(word) for word in words if word[0].isdigit() and word[-1] != "x"]
    expected = [recipe.learning_rate]
    expected += [recipe.warmup, *recipe.drops] if recipe.drops else [recipe.last_rate]
    assert numbers == expected
    kind = "rmsprop" if recipe.optimizer == "rmsprop" else "momentum"
    assert words[-1] == kind


@pytest.mark.parametrize(
    ("step", "rate"),
    [
        (0, 0.4 / 6255),
        (3127, 0.4 * 3128 / 6255),
        (6254, 0.4),
        (30 * STEPS - 1, 0.4),
        (30 * STEPS, 0.04),
        (60 * STEPS - 1, 0.04),
        (60 * STEPS, 0.004),
        (80 * STEPS, 0.0004),
        (90 * STEPS - 1, 0.0004),
    ],
)
def test_resnet50(step: int, rate: float) -> None:
    assert equal(recipes.RESNET50.rate(step, STEPS), rate)


@pytest.mark.parametrize(
    ("share", "rate"), [(0, 0.03), (1 / 4, 0.02375), (1 / 2, 0.0175), (1, 0.005)]
)
def test_linear(share: float, rate: float) -> None:
    assert equal(recipes.INCEPTION_V3.rate(round(share * 171 * 4), 4), rate)
    assert equal(recipes.SQUEEZENET_EXCHANGED.rate(round(share * 150 * 4), 4), rate)


@pytest.mark.parametrize(
    ("share", "rate"), [(0, 0.66), (1 / 4, 0.066), (1 / 2, 0.0066), (1, 6.6e-5)]
)
def test_exponential(share: float, rate: float) -> None:
    assert equal(recipes.SQUEEZENET.rate(round(share * 150 * 4), 4), rate)
    exchanged = recipes.INCEPTION_V3_EXCHANGED.rate(round(share * 171 * 4), 4)
    assert equal(exchanged, rate)


def test_exchanged_recipes_keep_what_belongs_to_the_network() -> None:
    inception, squeezenet = recipes.INCEPTION_V3_EXCHANGED, recipes.SQUEEZENET_EXCHANGED
    assert (inception.epochs, inception.smoothing, inception.weight_decay) == (
        *(171, 0.1, 4e-5),
    )
    assert (squeezenet.epochs, squeezenet.smoothing) == (150, 0.0)
    assert inception.optimizer == "rmsprop" and squeezenet.optimizer == "nesterov"


def test_warmup_multiplies_every_decay() -> None:
    for recipe in (recipes.INCEPTION_V3, recipes.SQUEEZENET):
        warm = replace(recipe, warmup=2)
        for step in range(12):
            rise = min(1.0, (step + 1) / 8)
            assert equal(warm.rate(step, 4), rise * recipe.rate(step, 4))


@pytest.mark.parametrize("recipe", ROWS.values(), ids=ROWS)
def test_shortened_is_the_same_function_of_the_share(recipe: EpochRecipe) -> None:
    short = recipe.shortened(recipe.epochs // 3, 16)
    assert (short.epochs, short.batch_size) == (recipe.epochs // 3, 16)
    assert (
        replace(
            *(short,),
            epochs=recipe.epochs,
            batch_size=recipe.batch_size,
            drops=recipe.drops,
            warmup=recipe.warmup,
        )
        == recipe
    )
    for epoch in range(recipe.epochs):  # 30 steps an epoch against 90: the same shares
        step = 30 * epoch + 29
        assert equal(short.rate(step, 90), recipe.rate(step, 30))


@pytest.mark.parametrize("name", ROWS)
def test_only_weights_decay(name: str) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    weights, others = ROWS[name].build(model).param_groups
    assert [p is model[0].weight for p in weights["params"]] == [True]
    assert len(others["params"]) == 3
    decays = {"Resnet-50": 1e-4, "Inception-v3": 4e-5, "Squeezenet": 0.0}
    assert (weights["weight_decay"], others["weight_decay"]) == (decays[name], 0.0)


@pytest.mark.parametrize("name", ["momentum", "nesterov", "rmsprop"])
def test_two_steps_by_hand(name: Any) -> None:
    """Gradients 2 and -1 at rates 0.5 and 0.25."""
    recipe = replace(recipes.INCEPTION_V3, optimizer=name, weight_decay=0.0)
    model = nn.Linear(1, 1, bias=False, dtype=torch.float64)
    start = float(model.weight.detach())
    optimizer = recipe.build(model)
    for gradient, rate in ((2.0, 0.5), (-1.0, 0.25)):
        for group in optimizer.param_groups:
            group["lr"] = rate
        model.weight.grad = torch.full_like(model.weight, gradient)
        optimizer.step()
    match name:
        case "momentum":
            moved = 0.5 * 2 + 0.25 * (0.9 * 2 - 1)
        case "nesterov":
            moved = 0.5 * (2 + 0.9 * 2) + 0.25 * (-1 + 0.9 * (0.9 * 2 - 1))
        case _:
            first = 2 / (math.sqrt(0.1 * 4) + 1)
            second = -1 / (math.sqrt(0.9 * 0.4 + 0.1) + 1)
            moved = 0.5 * first + 0.25 * (0.9 * first + second)
    found = start - float(model.weight.detach())
    assert abs(found - moved) <= tolerance(16, abs(start) + 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "got 0, 1024, 5"),
        ({"batch_size": 0}, "epochs >= 1, batch_size >= 1"),
        ({"warmup": -1}, "warmup >= 0"),
        ({"decay": "cosine"}, r"expected one of \('drops', .* got 'cosine'"),
        ({"optimizer": "adam"}, r"expected one of \('momentum', .* got 'adam'"),
        ({"learning_rate": 0.0}, "learning_rate > 0.* got 0.0, 0.0, drops"),
        ({"last_rate": 0.1}, "if and only if"),
        ({"decay": "linear"}, "if and only if"),
    ],
)
def test_bad_recipes(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(recipes.RESNET50, **changes)
