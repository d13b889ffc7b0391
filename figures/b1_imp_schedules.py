"""Figure b1 (paper B, figure 1): winning tickets at three learning rates."""

from collections.abc import Callable

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from experiments.lottery_cases import CASES
from figures._ticket_authors import authors, published
from figures._ticket_curves import (
    IMAGE,
    KINDS,
    curve,
    gain,
    interval,
    legend,
    level,
    losses,
    rows_of,
    scale,
    stretch,
    whole,
    winning,
)
from figures.common import PAGE, Tables

SCHEDULES = {"standard": "standard rate", "low": "low rate", "warmup": "warm-up"}
LARGE = {
    "resnet20-cifar10": ("Resnet-18", "C0", "o"),
    "vgg19-cifar10": ("VGG-19", "C3", "D"),
    "resnet20-cifar10-jpeg": ("Resnet-18 (cifar10-jpeg)", "C4", "s"),
}
"""Name, colour and marker of the networks of the published profile."""


def draw(tables: Tables) -> Figure:
    """Return our small ResNet above, the paper's networks below, by learning rate."""
    ours = rows_of(tables, "b1_imp_schedules")
    figure, axes = plt.subplots(
        2, len(SCHEDULES), figsize=(PAGE, 3.8), sharex="row", sharey="row"
    )
    for (above, below), (schedule, title) in zip(
        axes.T, SCHEDULES.items(), strict=True
    ):
        rows = ours[ours["schedule"] == schedule]
        small = rows[rows["network"] == "resnet6-digits"]
        level(above, small)
        for kind in ("imp", "reinitialised"):
            curve(above, small, kind, f"{KINDS[kind][0]}, ours", KINDS[kind][1])
        above.set_title(f"ResNet6, digits, {title}")
        below.set_title(f"CIFAR-10, {title}")
        for case, (name, colour, marker) in LARGE.items():
            own = rows[rows["network"] == case]
            for kind in own["kind"].unique():
                curve(below, own, kind, f"{name}, {KINDS[kind][0]}, ours", colour)
            authors(below, published(tables, case, schedule), name, colour, marker)
    stretch(axes[0, 0])
    scale(axes[0, 0], ours[ours["network"] == "resnet6-digits"]["left"].min())
    scale(axes[1, 0], min(2.0, ours["left"].min()))
    figure.supxlabel("weights remaining (%)", fontsize=7)
    figure.supylabel("test accuracy (%)", fontsize=7)
    legend(figure, 4)
    return figure


def caption(tables: Tables) -> str:
    """Return the caption: at which rates there are winning tickets."""
    rows = rows_of(tables, "b1_imp_schedules")
    ours = rows[rows["network"] == "resnet6-digits"]
    parts = {name: ours[ours["schedule"] == name] for name in SCHEDULES}
    gains = {name: gain(*_kinds(own)) for name, own in parts.items()}
    better = [name for name in SCHEDULES if gains[name].min() > 0]
    found = [name for name, own in parts.items() if losses(own, "imp").min() <= 0]
    standard = losses(parts["standard"], "imp")
    return (
        "Test accuracy of the subnetworks that iterative magnitude pruning (IMP) finds "
        "and resets to step 0, and of the same masks with other first weights "
        "(reinitialised). Above: ResNet6 on digits, the vertical scale logarithmic in "
        "the error plus 1\\,\\%; lines are means over "
        f"{ours['initialisation'].nunique()} initialisations, bands their smallest and "
        f"largest values; a test image is {IMAGE:.2f} points. Below: open markers, the "
        "authors' Resnet-18 and VGG-19 on CIFAR-10, whole and pruned, crosses their "
        "random masks with IMP's count in each layer, bars their smallest and largest "
        "values; their curves are not known as numbers. At the three rates "
        f"({_each(parts, _rate)}), ours with all weights reach "
        f"{_each(parts, _level)}. On average at least as accurate as these "
        "(in parentheses: within one test image): IMP "
        f"{_each(parts, lambda own: winning(own, 'imp'))}; reinitialised "
        f"{_each(parts, lambda own: winning(own, 'reinitialised'))}. IMP minus "
        "reinitialised, in points, mean over the rounds that have both and [range] "
        "over initialisations: "
        + ", ".join(
            f"{interval(gains[name])} ({title})" for name, title in SCHEDULES.items()
        )
        + ". All initialisations gain at "
        + (", ".join(SCHEDULES[name] for name in better) or "none of the rates")
        + ". The authors' IMP finds winning tickets of Resnet-18, subnetworks at least "
        "as accurate as all weights, at the low rate and with warm-up but not at the "
        "standard rate; so does ours at "
        + (", ".join(SCHEDULES[name] for name in found) or "none of the rates")
        + ". At the standard rate it loses "
        + f"{standard.max():.2f} points at most (with {standard.idxmax():.1f}\\,\\% of "
        f"the weights), {standard.mean():.2f} in the mean of the rounds. "
        + _random_masks(tables)
    )


def _kinds(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return rows[rows["kind"] == "imp"], rows[rows["kind"] == "reinitialised"]


def _each(
    parts: dict[str, pd.DataFrame], describe: Callable[[pd.DataFrame], str]
) -> str:
    return " / ".join(describe(own) for own in parts.values())


def _rate(rows: pd.DataFrame) -> str:
    """Return the learning rate of a schedule, and the steps that it rises for."""
    recipe = CASES[str(rows["case"].iloc[0])].recipe
    rise = f", warm-up of {recipe.warmup} of" if recipe.warmup else " in"
    return f"{recipe.learning_rate:g}{rise} {recipe.epochs} steps"


def _level(rows: pd.DataFrame) -> str:
    return f"{whole(rows).mean():.1f}\\,\\%"


def _random_masks(tables: Tables) -> str:
    """Return what the authors' IMP gains over random masks, at each rate."""
    parts = []
    for case, (name, _, _) in LARGE.items():
        gains = []
        for schedule in SCHEDULES:
            rows = published(tables, case, schedule)
            means = rows[rows["left"] < 100].set_index("kind")["accuracy"]
            if len(means):
                gains.append(f"${means['imp'] - means['random']:+.1f}$")
        if gains:
            parts.append(f"{name} {' / '.join(gains)}")
    return (
        "Their IMP minus random masks, in points, at the three rates: "
        + ", ".join(parts)
        + "."
    )
