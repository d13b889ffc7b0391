"""b10: every change does what its name says, and nothing else differs from b3."""

import math
from dataclasses import replace

import pandas as pd
import pytest
import torch
from matplotlib.axes import Axes
from test_figures import drawn, latex_faults, missing_in_legends, unlabelled
from test_stability_figures import made, points
from tolerance import tolerance
from torch import Tensor, nn

from experiments import b10_recipe_changes as b10
from experiments.b10_recipe_changes import (
    CHANGES,
    AdamRecipe,
    Config,
    TensorFlowAdam,
    left_by_imp,
)
from experiments.lottery_cases import CASES, Case, dense, images, network, rates
from experiments.recipes import Recipe
from experiments.rewound_training import train_from
from experiments.stacked_training import Run
from experiments.study import Initialisation
from figures import b10_recipe_changes, common
from figures._stability import QUANTITIES
from theory.lottery_tickets import lower, random_masks
from theory.masked_distance import angle, distance
from theory.masks import counts

LENET = CASES["lenet-digits"]
TINY = Config("lenet-digits", "none", 12, 2, (0, 1))


def weights(case: Case = LENET, seed: int = 0) -> dict[str, Tensor]:
    return dict(network(case, images(case), seed).state_dict())


def test_the_unchanged_recipe_is_that_of_b3() -> None:
    """Each run by autograd, one after the other, from the samples that b3 draws."""
    rows, found = b10.run(TINY), images(LENET)
    recipe = replace(LENET.recipe, epochs=TINY.steps)
    model = network(LENET, found, 0)
    for seed in TINY.initialisations:
        sample = Initialisation.of(seed, 2, lambda own: weights(seed=own))
        whole = dense(sample.weights)
        like = left_by_imp(whole, rates(LENET, whole), TINY.rounds)
        masks = random_masks(like, sample.ranking)
        runs = [
            train_from(model, Run(sample.weights, m, u), found.train, recipe)
            for m, u in ((whole, 0), (masks, 0), (masks, 1))
            for u in [sample.orders[u]]
        ]
        expected = {
            ("pruning", "L2"): distance(runs[0], runs[1], masks),
            ("pruning", "degrees"): angle(runs[0], runs[1], masks),
            ("data order", "L2"): distance(runs[1], runs[2], masks),
            ("data order", "degrees"): angle(runs[1], runs[2], masks),
        }
        own = {
            (row["quantity"], row["unit"]): row["value"]
            for row in rows
            if row["initialisation"] == seed and row["unit"] != "share"
        }
        # float32: 12 steps, each with sums over 64 and 300 units forward and back
        rounding = tolerance(12 * 100, dtype=torch.float32)
        assert own == pytest.approx(expected, rel=rounding)


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_changes_the_distances(change: str) -> None:
    plain, changed = (b10.run(replace(TINY, change=name)) for name in ("none", change))
    heads = [{k: v for k, v in row.items() if k != "value"} for row in plain]
    assert heads == [{k: v for k, v in row.items() if k != "value"} for row in changed]
    assert (plain == changed) == (change == "none")


def test_an_unknown_change_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected a change from .* got 'nothing'"):
        b10.run(replace(TINY, change="nothing"))


@pytest.mark.parametrize("change", ["none", "output layer at the full rate"])
def test_masks_have_the_counts_that_imp_leaves(change: str) -> None:
    first = weights()
    masks = whole = dense(first)
    chosen = b10._rates(change, LENET, whole)
    for _ in range(10):
        masks = lower(first, masks, chosen)
    assert counts(left_by_imp(whole, chosen, 10)) == counts(masks)
    full = list(chosen.values()) == [0.2] * 3
    assert full == (change != "none")
    assert change != "none" or chosen == rates(LENET, whole)


@pytest.mark.parametrize(
    ("change", "numbers"),
    [
        ("pixels of mean 0", {"mean": 0.0}),
        ("pixels of mean 0 and variance 1", {"mean": 0.0, "std": 1.0}),
        ("pixels from -1/2 to 1/2", {"min": -0.5, "max": 0.5}),
        ("none", {"min": 0.0, "max": 1.0}),
    ],
)
def test_pixels_are_scaled_by_the_training_images(
    change: str, numbers: dict[str, float]
) -> None:
    found, plain = b10._images(change, LENET), images(LENET)
    for name, value in numbers.items():
        own = float(getattr(found.train.images, name)())
        assert own == pytest.approx(value, abs=1e-5)
    # one affine map for all parts, whose labels stay
    gap = (plain.train.images - found.train.images).mean()
    scale = plain.train.images.std() / found.train.images.std()
    torch.testing.assert_close(
        found.test.images * scale
        + plain.train.images.mean()
        - found.train.images.mean() * scale,
        plain.test.images,
        atol=1e-5,
        rtol=1e-5,
    )
    assert change != "pixels from -1/2 to 1/2" or float(gap) == pytest.approx(0.5)
    assert found.train.labels.equal(plain.train.labels)


def test_images_of_length_one() -> None:
    found = b10._images("images of length 1", LENET)
    for part in (found.train, found.validation, found.test):
        lengths = part.images.flatten(1).norm(dim=1)
        torch.testing.assert_close(lengths, torch.ones_like(lengths))


def test_images_of_validation_are_trained_on_and_those_of_the_test_are_not() -> None:
    found, plain = b10._images("images of validation too", LENET), images(LENET)
    used = set(found.train.indices.tolist())
    parts = (plain.train, plain.validation)
    assert used == {i for part in parts for i in part.indices.tolist()}
    assert len(found.train.images) == len(found.train.labels) == len(used)
    assert not used & set(found.test.indices.tolist())


def test_biases_count_whole_and_masked_weights_as_before() -> None:
    own = weights()
    masks = {name: mask & False for name, mask in dense(own).items()}
    moved = {name: p + 1 for name, p in own.items()}
    assert b10._counted("none", own, masks) == masks
    counted = b10._counted("biases in the distance", own, masks)
    biases = sum(p.numel() for p in own.values() if p.ndim == 1)
    assert distance(own, moved, counted) == pytest.approx(math.sqrt(biases), rel=1e-6)


def test_hes_weights_have_his_variance_and_glorots_directions() -> None:
    first = weights()
    drawn_ = b10._first_weights("He's first weights", first, 0)
    for name, p in first.items():
        if p.ndim == 1:
            assert drawn_[name].equal(p)
            continue
        units, inputs = p.shape
        glorot, he = math.sqrt(2 / (units + inputs)), math.sqrt(2 / inputs)
        torch.testing.assert_close(drawn_[name] / he, p / glorot)


def test_truncated_weights_have_glorots_variance_and_no_tails() -> None:
    first = weights()
    drawn_ = b10._first_weights("truncated first weights", first, 3)
    for name, p in drawn_.items():
        if p.ndim == 1:
            assert p.equal(first[name])
            continue
        variance = 2 / sum(p.shape)
        assert float(p.abs().max()) <= 2 * math.sqrt(1.3 * variance) * (1 + 1e-6)
        # a truncated normal has 0.774 of its variance; the fourth moment is below that
        # of a normal, whose error is sqrt(2 / N)
        error = 5 * math.sqrt(2 / p.numel())
        assert float(p.var()) == pytest.approx(1.3 * 0.7737 * variance, rel=error)
        assert float(first[name].abs().max()) > float(p.abs().max())


def recursion(eps: float, slopes: list[float], tensorflow: bool) -> list[float]:
    """Adam in one dimension, from its paper."""
    x, m, v, path = 1.0, 0.0, 0.0, []
    for t, g in enumerate(slopes, 1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        if tensorflow:
            x -= (
                0.01 * math.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (math.sqrt(v) + eps)
            )
        else:
            x -= 0.01 * (m / (1 - 0.9**t)) / (math.sqrt(v / (1 - 0.999**t)) + eps)
        path.append(x)
    return path


@pytest.mark.parametrize("tensorflow", [False, True])
def test_adam_is_that_of_its_paper(tensorflow: bool) -> None:
    slopes = [1e-3, -2e-4, 5e-4, 0.0, 1e-5]
    p = nn.Parameter(torch.ones(1, dtype=torch.float64))
    recipe = AdamRecipe(
        1, 1, 0.01, optimizer="adam", epsilon=1e-4, tensorflow=tensorflow
    )
    optimizer, path = recipe.build([p], fused=True), []
    for slope in slopes:
        p.grad = torch.full_like(p, slope)
        optimizer.step()
        path.append(p.item())
    rounding = tolerance(10 * len(slopes))
    assert path == pytest.approx(recursion(1e-4, slopes, tensorflow), abs=rounding)
    other = recursion(1e-4, slopes, not tensorflow)
    assert path != pytest.approx(other, abs=1e6 * rounding)


def test_a_resumed_optimizer_knows_its_step() -> None:
    slopes = [1e-3, -2e-4, 5e-4, 1e-5]
    p = nn.Parameter(torch.ones(1, dtype=torch.float64))
    optimizer = TensorFlowAdam([p], 0.01, eps=1e-4)
    for number, slope in enumerate(slopes):
        if number == 2:
            state = optimizer.state_dict()
            optimizer = TensorFlowAdam([p], 0.01, eps=1e-4)
            optimizer.load_state_dict(state)
        p.grad = torch.full_like(p, slope)
        optimizer.step()
    expected = recursion(1e-4, slopes, True)[-1]
    assert p.item() == pytest.approx(expected, abs=tolerance(10 * len(slopes)))


def test_epsilon_alone_differs_from_the_recipes_adam() -> None:
    def trained(recipe: Recipe) -> Tensor:
        p = nn.Parameter(torch.ones(3))
        optimizer = recipe.build([p])
        p.grad = torch.tensor([1e-7, 1e-3, -1.0])
        optimizer.step()
        return p.detach()

    plain = trained(LENET.recipe)
    changed = {
        name: trained(b10._recipe(name, LENET.recipe, 1000))
        for name in ("none", "epsilon as in TensorFlow", "Adam's epsilon 1e-7")
    }
    assert changed["none"].equal(plain)
    for name in ("epsilon as in TensorFlow", "Adam's epsilon 1e-7"):
        moved = (1 - changed[name]) / (1 - plain)
        assert moved[0] < 0.9 and moved[1:].allclose(torch.ones(2), rtol=1e-3)


LINES = (
    ("lenet-mnist", "none", 50_000, 1.0),
    ("lenet-mnist", "none", 25_000, 0.5),
    ("lenet-mnist", "rate 1e-3", 50_000, 0.75),
    ("lenet-mnist", "none", 10_000, 0.25),
    ("lenet-mnist", "images of length 1", 10_000, 0.5),
    ("lenet-mnist", "images of length 1", 20_000, 0.5),  # nothing to compare with
    ("lenet-digits", "none", 1000, 1.0),
    ("lenet-digits", "rate 1e-3", 1000, 2.0),
)


def tables() -> common.Tables:
    """Three networks whose distances are 9, 10 and 11 (pruning) and ten times that."""
    rows = [
        {
            "case": case,
            "change": change,
            "steps": steps,
            "orders": 2,
            "initialisation": seed,
            "subnetwork": "random",
            "quantity": quantity,
            "unit": unit,
            "value": factor * scale * (9 + seed),
        }
        for case, change, steps, factor in LINES
        for seed in range(3)
        for quantity, scale in (("pruning", 1), ("data order", 10))
        for unit in ("L2", "degrees")
    ]
    return made(mnist=True) | {"b10_recipe_changes": pd.DataFrame(rows)}


def test_the_figure_has_ratios_and_differences_to_the_right_baseline() -> None:
    drawing = common.Drawing(
        "b10_recipe_changes", b10_recipe_changes.draw, b10_recipe_changes.caption
    )
    with drawn(drawing, tables()) as figure:
        assert not unlabelled(figure) and not missing_in_legends(figure)
        ratio, degrees, below, _ = figure.axes
        labels = [text.get_text() for text in ratio.get_yticklabels()]
        assert labels == [
            "rate 1e-3, 50,000",
            "stopped earlier, 25,000",
            "stopped earlier, 10,000",
            "images of length 1, 10,000",
        ]
        expected = [(0.25, 1.86), (0.5, 2.86), (0.75, 3.86), (2, 0.86)]
        assert points(ratio, "pruning, ours") == expected
        assert points(below, "pruning, ours") == [(2, 0.86)]
        assert points(degrees, "data order, ours") == [
            (-75.0, 2.14),
            (-50.0, 3.14),
            (-25.0, 4.14),
            (25.0, 1.14),
        ]
    text = b10_recipe_changes.caption(tables())
    assert "rate 1e-3, 50,000 steps, 0.750 [0.750, 0.750]" in text
    assert "stopped earlier, 25,000 steps, 0.500 [0.500, 0.500]" in text
    assert not latex_faults(text) and "length 1, " not in text


def bands(ax: Axes, quantity: str) -> list[float]:
    """Return the ends of the authors' bands of a stability."""
    handles, labels = ax.get_legend_handles_labels()
    own = [
        h for h, x in zip(handles, labels, strict=True) if x == f"{quantity}, authors"
    ]
    return [
        x
        for band in own
        for x in band.get_extents().transformed(ax.transData.inverted()).intervalx
    ]


def test_the_bands_are_over_the_unchanged_recipe_of_the_same_table() -> None:
    """Whose means are 100 and 10; in b3 they are 60 and 75."""
    drawing = common.Drawing(
        "b10_recipe_changes", b10_recipe_changes.draw, b10_recipe_changes.caption
    )
    every = tables()
    with drawn(drawing, every) as figure:
        ratio, degrees, *below = figure.axes
        assert bands(ratio, "data order") == pytest.approx([0.546, 0.626])
        assert bands(ratio, "pruning") == pytest.approx([7.52, 7.62])
        assert bands(degrees, "pruning") == pytest.approx([72.5, 74.7])
        assert not any(bands(ax, quantity) for ax in below for quantity in QUANTITIES)
    text = b10_recipe_changes.caption(every)
    assert "authors 0.586 and 7.570 (angles 49.2 and 83.6 degrees)" in text
    assert "our mean after 50,000 steps of the unchanged recipe in the table of" in text
    assert "(2 data orders an initialisation), not that of Figure" in text
    assert "fewer steps they only show how large the gap is" in text
    table = every["b10_recipe_changes"]
    short = {**every, "b10_recipe_changes": table[table["steps"] != 50_000]}
    with drawn(drawing, short) as figure:
        assert not any(bands(ax, q) for ax in figure.axes for q in QUANTITIES)
    assert "authors" not in b10_recipe_changes.caption(short)
