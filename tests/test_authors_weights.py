"""Figure 7's cells from the authors' own weights: experiment and figure a12."""

import pandas as pd
import pytest
import torch
from test_figures import TABLES, drawn, latex_faults
from torch import nn

from experiments import a12_authors_weights as a12
from experiments.vision import torchvision
from figures import a12_authors_weights, common
from theory.networks import Network
from theory.pruning import prune
from theory.synflow import absolute, synflow


def tiny() -> nn.Module:
    """Stands for torchvision's VGG-19: drawn from torch's own random state."""
    ends = (nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(10, 1))
    return nn.Sequential(nn.Conv2d(3, 10, 3, stride=32), nn.Dropout(), *ends)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchvision.models, "vgg19", tiny)
    monkeypatch.setattr(a12, "IMAGES", 5)


@pytest.mark.usefixtures("small")
def test_weights_follow_a_permutation_and_leave_the_random_state() -> None:
    before = torch.get_rng_state()
    found = a12.weights()
    assert torch.equal(before, torch.get_rng_state()) and not found.training
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        at_once = tiny()
        torch.manual_seed(1)
        torch.randperm(5)
        after = tiny()
    for (name, p), q in zip(found.named_parameters(), after.parameters(), strict=True):
        assert torch.equal(p, q), name
    first, other = next(found.parameters()), next(at_once.parameters())
    assert not torch.equal(first, other)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("rule", ["exponential", "linear"])
def test_the_largest_ratio_and_where(rule: str, double: bool) -> None:
    config = a12.Config(rule, 5, 1.5, double)  # type: ignore[arg-type]
    (row,) = a12.run(config)
    dtype = torch.float64 if double else torch.float32
    network = Network.of(a12.weights(), dtype=dtype)
    densities = [
        10 ** (-1.5 * k / 5) if rule == "exponential" else 1 - (1 - 10**-1.5) * k / 5
        for k in range(1, 6)
    ]
    shape = (3, 224, 224)
    steps = list(prune(absolute(network), lambda n: synflow(n, shape), densities))
    ratios = [step.prune_size / step.cut_size for step in steps if step.cut_size > 0]
    tolerance = 1e-12 if double else 1e-5
    assert row["ratio"] == pytest.approx(max(ratios), rel=tolerance)
    assert row["at"] == ratios.index(max(ratios)) + 1
    assert (row["weights"], row["left"]) == (280, steps[-1].remaining)


def test_with_one_iteration_seven_digits_come_out() -> None:
    """Eight are printed; after ten iterations other weights agree in five at most."""
    printed = TABLES["published/fig7_prune_size_ratio"].rename(
        columns={"pruning_iterations": "iterations"}
    )
    cells = ["schedule", "iterations", "compression_log10"]
    both = TABLES["a12_authors_weights"].merge(printed, on=cells)
    error = (both["ratio"] / both["max_prune_size_over_cut_size"] - 1).abs()
    once = error[both["iterations"] == 1]
    assert len(once) and (once < 5e-7).all()
    others = TABLES["a7_schedule"].query("architecture == 'vgg19-imagenet'")
    rest = others.query("iterations == 10").merge(printed, on=cells)
    apart = (rest["ratio"] / rest["max_prune_size_over_cut_size"] - 1).abs()
    assert len(apart) and (apart > 5e-6).all()


THEIRS = 14.405737
CELL = {"schedule": "linear", "compression_log10": 3.0, "double": False}
ONCE = {**CELL, "iterations": 1, "ratio": 15.350648 * (1 + 2e-8)}
DOUBLE = {**CELL, "iterations": 100, "ratio": 14.5, "double": True}


def tables(rows: list[dict[str, object]], others: tuple[float, ...]) -> common.Tables:
    """Our rows, and the ratios after 100 iterations from other initialisations."""
    apart = [
        {**CELL, "architecture": "vgg19-imagenet", "iterations": 100, "ratio": ratio}
        for ratio in others
    ]
    columns = ["architecture", *CELL, "iterations", "ratio"]
    return TABLES | {
        "a12_authors_weights": pd.DataFrame(rows),
        "a7_schedule": pd.DataFrame(apart, columns=columns),
    }


def last(ratio: float) -> dict[str, object]:
    """Our ratio after 100 linear iterations in float32."""
    return {**CELL, "iterations": 100, "ratio": ratio}


OTHERS = (14.1, 14.2, 14.3)


@pytest.mark.parametrize(
    ("ratio", "error", "left"), [(THEIRS * 1.002, 2e-3, 14), (14.2, 1e-2, 100)]
)
def test_caption_says_how_much_of_the_distance_is_left(
    ratio: float, error: float, left: int
) -> None:
    text = a12_authors_weights.caption(tables([ONCE, last(ratio), DOUBLE], OTHERS))
    assert not latex_faults(text)
    assert "in 2 of the authors' cells" in text
    assert "$2 \\cdot 10^{-8}$ of the ratio at most (1 compressions)" in text
    gap = f"{error:.0e}".split("e-0")
    assert f"100: ${gap[0]} \\cdot 10^{{-{gap[1]}}}$ (others $7 \\cdot 10^" in text
    assert f"theirs is {THEIRS:.4f}, ours from the same weights {ratio:.4f}" in text
    assert "in float32 and 14.5000 in float64; from 3 other initialisations" in text
    assert "14.2000 on average (standard deviation 0.1000, from 14.1000" in text
    assert f"and that average {left}\\,\\% is left" in text


def test_caption_has_the_nearest_of_other_initialisations() -> None:
    cell = {"schedule": "exponential", "iterations": 100, "compression_log10": 3.0}
    found = tables([{**cell, "double": False, "ratio": 0.66}], OTHERS)
    apart = [
        {**cell, "architecture": "vgg19-imagenet", "ratio": ratio}
        for ratio in (0.6, 0.67, 0.7)  # printed: 0.6695
    ]
    more = pd.concat([found["a7_schedule"], pd.DataFrame(apart)])
    text = a12_authors_weights.caption({**found, "a7_schedule": more})
    end = "0.6600, theirs 0.6695"
    assert f"{end} (the nearest of other initialisations, 3: 0.6700). " in text
    assert f"{end}. " in a12_authors_weights.caption(found)


@pytest.mark.parametrize(
    ("rows", "others", "says"),
    [
        ([ONCE], OTHERS, False),
        ([ONCE, DOUBLE], OTHERS, False),
        ([last(14.4)], (), False),
        ([last(14.4)], (14.3,), False),
        ([ONCE, last(14.4)], OTHERS, True),
    ],
)
def test_of_what_is_not_computed_nothing_is_said(
    rows: list[dict[str, object]], others: tuple[float, ...], says: bool
) -> None:
    text = a12_authors_weights.caption(tables(rows, others))
    assert not latex_faults(text) and "nan" not in text
    assert ("other initialisations 14.2000" in text) == says
    assert "float64;" not in text


def test_exponential_cells_are_named() -> None:
    cell = {**CELL, "schedule": "exponential", "iterations": 100, "ratio": 0.68}
    text = a12_authors_weights.caption(tables([ONCE, cell], OTHERS))
    assert "$10^{3}$ in 100, float32: ours 0.6800, theirs 0.6695. " in text


def test_points_are_relative_errors() -> None:
    found = tables([ONCE, last(THEIRS * 1.002), DOUBLE], OTHERS)
    drawing = common.Drawing(
        "a12_authors_weights", a12_authors_weights.draw, a12_authors_weights.caption
    )
    with drawn(drawing, found) as figure:
        linear, _ = figure.axes
        points = {
            line.get_label(): list(line.get_ydata())  # type: ignore[arg-type]
            for line in linear.get_lines()
        }
    assert points["linear, float32"] == pytest.approx([2e-6, 0.2], rel=1e-3)
    assert points["other initialisations"] == pytest.approx(
        [100 * (r / THEIRS - 1) for r in OTHERS]
    )
