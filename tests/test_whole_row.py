"""b11 to b14: LeNet's row with another recipe, end to end, and their figures."""

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import pandas as pd
import pytest
from test_figures import drawn, latex_faults, missing_in_legends, unlabelled
from test_stability_figures import made, points, rows

from experiments import b11_keras_adam as b11
from experiments import b12_fewer_steps as b12
from experiments import b13_global_pruning as b13
from experiments import b14_whole_output as b14
from experiments import lottery_training
from experiments.b10_recipe_changes import AdamRecipe
from experiments.lottery_cases import CASES, RATE, Case
from experiments.lottery_training import stability_rows
from experiments.stability import Row
from figures import (
    b11_keras_adam,
    b12_fewer_steps,
    b13_global_pruning,
    b14_whole_output,
    common,
)
from theory.masks import Masks

TINY = {"rounds": 1, "initialisations": (0, 1), "orders": 2}


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[Row]]:
    """b3's rows on digits after so many steps, which are then those of the case."""

    def trained(steps: int) -> list[Row]:
        case = CASES["lenet-digits"]
        short = replace(case, recipe=replace(case.recipe, epochs=steps))
        monkeypatch.setitem(CASES, "lenet-digits", short)
        return stability_rows(short, **TINY)

    return trained


def test_the_configurations_are_what_the_docstrings_say() -> None:
    adam = [config for profile in b11.GRID.values() for config in profile]
    assert {(c.rate, c.epsilon) for c in adam} == {(1e-3, 1e-7)}
    steps = [config for profile in b12.GRID.values() for config in profile]
    assert {(c.case, c.steps) for c in steps} == {
        ("lenet-digits", 800),
        ("lenet-mnist", 40_000),
    }
    assert CASES["lenet-mnist"].recipe.epochs == 50_000
    assert CASES["lenet-digits"].recipe.epochs == 1_000
    for config in (*adam, *steps, *b13.GRID["default"], *b14.GRID["default"]):
        assert (config.rounds, config.initialisations) == (10, (0, 1, 2))
    for apart in (b13.GRID["published"], b14.GRID["published"]):  # a cell each
        assert [config.initialisations for config in apart] == [(0,), (1,), (2,)]
        assert {(c.case, c.rounds, c.orders) for c in apart} == {("lenet-mnist", 10, 2)}


def test_only_rate_and_epsilon_differ_from_b3(
    theirs: Callable[[int], list[Row]],
) -> None:
    expected = theirs(8)
    rate = CASES["lenet-digits"].recipe.learning_rate
    same = b11.Config("lenet-digits", rate, 1e-8, **TINY)
    assert b11.run(same) == expected
    keras = b11.run(b11.Config("lenet-digits", **TINY))
    assert keras != expected and len(keras) == len(expected)
    for change in ({"rate": 1e-3}, {"epsilon": 1e-3}):
        assert b11.run(replace(same, **change)) != expected


def test_only_the_steps_differ_from_b3(theirs: Callable[[int], list[Row]]) -> None:
    expected = theirs(8)
    assert b12.run(b12.Config("lenet-digits", 8, **TINY)) == expected
    fewer = b12.run(b12.Config("lenet-digits", 6, **TINY))
    assert fewer != expected and fewer == theirs(6)


def test_only_the_ranking_differs_from_b3(
    theirs: Callable[[int], list[Row]], monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = pd.DataFrame(theirs(8))
    found = pd.DataFrame(b13.run(b13.Config("lenet-digits", **TINY)))
    # a fifth of all weights, and not of each layer and half of it of the last
    total = 64 * 300 + 300 * 100 + 100 * 10
    left = found.loc[found["round"] == 1, "density"].unique()
    assert left == pytest.approx([round(0.8 * total) / total], abs=1e-15)
    assert (apart.loc[apart["round"] == 1, "density"] > left[0] + 1e-3).all()
    # without a mask both are the same training
    whole = (apart["round"] == 0) & (apart["quantity"] == "round accuracy")
    assert found[whole].equals(apart[whole]) and whole.any()
    monkeypatch.setattr(lottery_training, "rates", lambda case, masks: RATE)
    case = CASES["lenet-digits"]
    assert found.equals(pd.DataFrame(stability_rows(case, **TINY)))


def test_only_the_output_layers_rate_differs_from_b3(
    theirs: Callable[[int], list[Row]], monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = pd.DataFrame(theirs(8))
    found = pd.DataFrame(b14.run(b14.Config("lenet-digits", **TINY)))
    # a fifth of both hidden layers, and nothing of the last
    hidden, last = 64 * 300 + 300 * 100, 100 * 10
    left = found.loc[found["round"] == 1, "density"].unique()
    assert left == pytest.approx([(0.8 * hidden + last) / (hidden + last)], abs=1e-15)
    # without a mask both are the same training
    whole = (apart["round"] == 0) & (apart["quantity"] == "round accuracy")
    assert found[whole].equals(apart[whole]) and whole.any()

    def kept(case: Case, masks: Masks) -> dict[str, float]:
        *inner, output = masks
        return {**dict.fromkeys(inner, RATE), output: 0.0}

    monkeypatch.setattr(lottery_training, "rates", kept)
    case = CASES["lenet-digits"]
    assert found.equals(pd.DataFrame(stability_rows(case, **TINY)))


def test_the_recipe_is_adams() -> None:
    recipe = AdamRecipe(8, 60, 1e-3, optimizer="adam", epsilon=1e-7)
    plain = CASES["lenet-mnist"].recipe
    assert (recipe.momentum, recipe.weight_decay) == (plain.momentum, 0)
    assert (recipe.batch_size, recipe.rate(5, 1)) == (plain.batch_size, 1e-3)


def tables(name: str, scale: float | None) -> common.Tables:
    """b3's known means, and in another table a multiple of them."""
    own = [] if scale is None else list(rows("lenet-mnist", orders=3, scale=scale))
    digits = list(rows("lenet-digits", orders=3))
    return made(mnist=True) | {name: pd.DataFrame([*digits, *own])}


EACH = pytest.mark.parametrize(
    ("module", "first", "second"),
    [
        (b11_keras_adam, "rate 1.2e-3", "Keras's Adam"),
        (b12_fewer_steps, "50,000 steps", "40,000 steps"),
        (b13_global_pruning, "layers ranked apart", "layers ranked together"),
        (b14_whole_output, "the output layer pruned", "the output layer whole"),
    ],
)


@EACH
@pytest.mark.parametrize("scale", [None, 0.5])
def test_the_figure_has_what_there_is(
    module: ModuleType, first: str, second: str, scale: float | None
) -> None:
    name = module.__name__.removeprefix("figures.")
    drawing = common.Drawing(name, module.draw, module.caption)
    with drawn(drawing, tables(name, scale)) as figure:
        assert not unlabelled(figure) and not missing_in_legends(figure)
        distance, angle = figure.axes
        assert points(distance, "authors") == [
            (20.7, 4.22),
            (48.1, 2.22),
            (58.6, 3.22),
            (75.7, 1.22),
        ]
        expected = [(20.0, 4.0), (50.0, 2.0), (60.0, 3.0), (75.0, 1.0)]
        assert points(angle, f"ours, {first}") == expected
        own = points(distance, f"ours, {second}")
        assert own == (
            [] if scale is None else [(x / 2, y - 0.22) for x, y in expected]
        )
    assert not latex_faults(module.caption(tables(name, scale)))


@EACH
def test_the_caption_counts_the_intervals_that_meet(
    module: ModuleType, first: str, second: str
) -> None:
    name = module.__name__.removeprefix("figures.")
    none = module.caption(tables(name, None))
    assert f"The rows of {second} are not in the table yet" in none
    single = tables(name, 1.0)
    one = single[name]["initialisation"] == single[name]["initialisation"].iloc[0]
    single[name] = single[name][one]
    assert module.caption(single) == none  # an interval needs two
    drawing = common.Drawing(name, module.draw, module.caption)
    with drawn(drawing, single) as figure:
        assert points(figure.axes[0], f"ours, {second}") == []
    text = module.caption(tables(name, 1.0))
    orders = "3 initialisations, 3 data orders each"
    assert f"With {second} ({orders}), ours against theirs" in text
    # intervals are 24.8 % wide to either side, and the authors' values nearer
    before = f"with {first} (4 data orders each) 8"
    assert "Of these 8 intervals 8 meet" in text and before in text
    assert r"data order, IMP 20.0 [15.0, 25.0] against $20.7 \pm 0.6$ ($-3$" in text
    half = module.caption(tables(name, 0.5))
    assert "Of these 8 intervals 0 meet" in half and before in half
    assert "97.0 / 96.0 against 98.3 / 97.5" in text
