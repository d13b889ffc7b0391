"""Rates agree with torch's own schedulers; a recipe out of range is refused."""

import math
from typing import Any

import pytest
import torch
from tolerance import tolerance
from torch import nn
from torch.optim import lr_scheduler

from experiments.recipes import PAPER_A_FIGURE_1, PAPER_A_FIGURE_5A, Recipe

STEPS = 4
"""Of an epoch."""


def recipe(**changes: Any) -> Recipe:
    settings = {"epochs": 10, "batch_size": 8, "learning_rate": 0.3}
    return Recipe(**{**settings, **changes})


def rates(recipe: Recipe) -> list[float]:
    return [recipe.rate(step, STEPS) for step in range(recipe.epochs * STEPS)]


def torchs(scheduler: Any, steps: int, **settings: Any) -> list[float]:
    """The rate of each step under a scheduler of torch that moves every step."""
    parameter = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = torch.optim.SGD([parameter], 0.3)
    moving, seen = scheduler(optimizer, **settings), []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        moving.step()
    return seen


def assert_close(ours: list[float], theirs: list[float]) -> None:
    for left, right in zip(ours, theirs, strict=True):
        assert abs(left - right) <= tolerance(len(ours), 0.3)


def test_constant_by_default() -> None:
    assert rates(recipe()) == [0.3] * 40


def test_drops_are_those_of_multistep() -> None:
    ours = rates(recipe(drops=(2, 7), drop=0.2))
    multistep = lr_scheduler.MultiStepLR
    assert_close(ours, torchs(multistep, 40, milestones=[8, 28], gamma=0.2))
    assert ours[7] == 0.3 and ours[8] == 0.3 * 0.2  # after the end of epoch 2


def test_cosine_is_that_of_torch() -> None:
    ours = rates(recipe(cosine=True))
    assert_close(ours, torchs(lr_scheduler.CosineAnnealingLR, 40, T_max=40))
    assert ours[20] == 0.3 * (1 + math.cos(math.pi / 2)) / 2


def test_warmup_is_linear_and_full_in_its_last_step() -> None:
    ours = rates(recipe(warmup=6))
    linear = {"start_factor": 1 / 6, "total_iters": 5}
    assert_close(ours, torchs(lr_scheduler.LinearLR, 40, **linear))
    assert ours[0] == 0.3 / 6 and ours[4] < ours[5] == ours[39] == 0.3


def test_warmup_drops_and_cosine_multiply() -> None:
    parts = [{"warmup": 6}, {"drops": (3,), "drop": 0.5}, {"cosine": True}]
    together = rates(recipe(**parts[0], **parts[1], **parts[2]))
    factors = [[rate / 0.3 for rate in rates(recipe(**part))] for part in parts]
    products = [0.3 * a * b * c for a, b, c in zip(*factors, strict=True)]
    assert_close(together, products)


def test_the_optimizers_are_torchs() -> None:
    layer = nn.Linear(2, 3)
    layer.bias.requires_grad_(False)
    common = {"momentum": 0.8, "weight_decay": 0.1}
    for name, kind in {"sgd": torch.optim.SGD, "nesterov": torch.optim.SGD}.items():
        built = recipe(optimizer=name, **common).build(layer.parameters())
        assert type(built) is kind
        (group,) = built.param_groups
        assert [id(p) for p in group["params"]] == [id(layer.weight)]
        assert (group["lr"], group["momentum"], group["weight_decay"]) == (
            0.3,
            0.8,
            0.1,
        )
        assert group["nesterov"] == (name == "nesterov") and group["dampening"] == 0
    adam = recipe(optimizer="adam", **common).build(layer.parameters())
    assert type(adam) is torch.optim.Adam
    (group,) = adam.param_groups
    assert [id(p) for p in group["params"]] == [id(layer.weight)]
    assert (group["lr"], group["betas"]) == (0.3, (0.8, 0.999))
    assert group["weight_decay"] == 0.1 and not group["decoupled_weight_decay"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": "rms"}, "'sgd', 'nesterov', 'adam'.*got 'rms'"),
        ({"epochs": -1}, "epochs >= 0.*got -1, 8, 0, 0"),
        ({"batch_size": 0}, "batch_size >= 1.*got 10, 0, 0, 0"),
        ({"warmup": -1}, "warmup >= 0.*got 10, 8, -1, 0"),
        ({"crop": -1}, "crop >= 0.*got 10, 8, 0, -1"),
        ({"drops": (3, 0)}, r"epochs >= 1.*got \(3, 0\) and 0.1"),
        ({"drop": 0.0}, r"factor > 0.*got \(\) and 0.0"),
        ({"drop": math.nan}, "and nan"),
    ],
)
def test_a_recipe_out_of_range_is_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        recipe(**changes)


def test_the_smallest_recipe_is_allowed() -> None:
    smallest = recipe(epochs=0, batch_size=1, drops=(1,))
    assert (smallest.warmup, smallest.crop, smallest.flip) == (0, 0, False)


def test_the_published_recipes_fall_where_the_authors_let_them() -> None:
    assert [PAPER_A_FIGURE_1.rate(391 * e - 1, 391) for e in (60, 120, 160)] == [
        0.1,
        0.1 * 0.1,
        0.1 * 0.1**2,
    ]
    assert PAPER_A_FIGURE_5A.rate(391 * 50 - 1, 391) == 0.01
