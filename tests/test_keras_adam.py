"""b11: LeNet with another Adam, from end to end, and its figure on a known table."""

from dataclasses import replace

import pandas as pd
import pytest
from test_figures import drawn, latex_faults, missing_in_legends, unlabelled
from test_stability_figures import made, points, rows

from experiments import b11_keras_adam as b11
from experiments.b10_recipe_changes import AdamRecipe
from experiments.lottery_cases import CASES
from experiments.lottery_training import stability_rows
from figures import b11_keras_adam, common

TINY = {"rounds": 1, "initialisations": (0, 1), "orders": 2}


def test_the_adam_is_what_keras_has_where_nothing_is_given() -> None:
    configs = [config for profile in b11.GRID.values() for config in profile]
    assert {(c.rate, c.epsilon) for c in configs} == {(1e-3, 1e-7)}
    assert {c.case for c in configs} == {"lenet-digits", "lenet-mnist"}


def test_only_rate_and_epsilon_differ_from_b3(monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES["lenet-digits"]
    short = replace(case, recipe=replace(case.recipe, epochs=8))
    monkeypatch.setitem(CASES, "lenet-digits", short)
    theirs = stability_rows(
        short, rewind=0, dense_orders=1, double=False, floor=False, **TINY
    )
    same = b11.Config("lenet-digits", short.recipe.learning_rate, 1e-8, **TINY)
    assert b11.run(same) == theirs
    keras = b11.run(b11.Config("lenet-digits", **TINY))
    assert keras != theirs and len(keras) == len(theirs)
    for change in ({"rate": 1e-3}, {"epsilon": 1e-3}):
        assert b11.run(replace(same, **change)) != theirs


def test_the_recipe_is_adams() -> None:
    recipe = AdamRecipe(8, 60, 1e-3, optimizer="adam", epsilon=1e-7)
    plain = CASES["lenet-mnist"].recipe
    assert (recipe.momentum, recipe.weight_decay) == (plain.momentum, 0)
    assert (recipe.batch_size, recipe.rate(5, 1)) == (plain.batch_size, 1e-3)


def tables(scale: float | None) -> common.Tables:
    """b3's known means, and in b11 a multiple of them."""
    own = [] if scale is None else list(rows("lenet-mnist", orders=3, scale=scale))
    digits = list(rows("lenet-digits", orders=3))
    return made(mnist=True) | {"b11_keras_adam": pd.DataFrame([*digits, *own])}


DRAWING = common.Drawing("b11_keras_adam", b11_keras_adam.draw, b11_keras_adam.caption)


@pytest.mark.parametrize("scale", [None, 0.5])
def test_the_figure_has_what_there_is(scale: float | None) -> None:
    with drawn(DRAWING, tables(scale)) as figure:
        assert not unlabelled(figure) and not missing_in_legends(figure)
        distance, angle = figure.axes
        assert points(distance, "authors") == [
            (20.7, 4.22),
            (48.1, 2.22),
            (58.6, 3.22),
            (75.7, 1.22),
        ]
        expected = [(20.0, 4.0), (50.0, 2.0), (60.0, 3.0), (75.0, 1.0)]
        assert points(angle, "ours, rate 1.2e-3") == expected
        own = points(distance, "ours, Keras's Adam")
        assert own == (
            [] if scale is None else [(x / 2, y - 0.22) for x, y in expected]
        )
    assert not latex_faults(b11_keras_adam.caption(tables(scale)))


def test_the_caption_counts_the_intervals_that_meet() -> None:
    assert "not in the table yet" in b11_keras_adam.caption(tables(None))
    text = b11_keras_adam.caption(tables(1.0))
    # intervals are 24.8 % wide to either side, and the authors' values nearer
    assert "Of these 8 intervals 8 meet" in text and "printed rate 8." in text
    assert r"data order, IMP 20.0 [15.0, 25.0] against $20.7 \pm 0.6$ ($-3$" in text
    half = b11_keras_adam.caption(tables(0.5))
    assert "Of these 8 intervals 0 meet" in half and "printed rate 8." in half
    assert "97.0 / 96.0 against 98.3 / 97.5" in text
