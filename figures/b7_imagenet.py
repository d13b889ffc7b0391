"""Figure b7 (paper B, figures 7, 8, 12): rewinding with the schedules for ImageNet."""

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures._imagenet_rows import (
    NETWORKS,
    chosen,
    claim,
    first_epoch,
    gaps,
    over_rewinding,
    paper,
    ratios,
    unpruned,
)
from figures.common import PAGE, Tables

KINDS = {
    "imp": {"label": "IMP, rewound", "color": "C0", "marker": "o"},
    "random": {"label": "random, rewound", "color": "C1", "marker": "s"},
    "reinitialised": {
        "label": "IMP, reinitialised",
        "color": "C7",
        "marker": "v",
        "ls": ":",
    },
}
ROUNDS = {"label": "IMP, rewound, in rounds", "color": "C2", "marker": "P"}
LABELS = (
    "accuracy less\nunpruned (points)",
    "accuracy less\nunpruned (points)",
    "distance ($L_2$)",
    "angle (degrees)",
)


def draw(tables: Tables) -> Figure:
    """Return accuracy over density, then accuracy and stability over rewinding."""
    figure, axes = plt.subplots(4, len(NETWORKS), figsize=(PAGE, 6.0), sharey="row")
    for column, name in zip(axes.T, NETWORKS, strict=True):
        rows = chosen(tables, name)
        for axis in column[1:3]:
            axis.sharex(column[3])
            axis.tick_params(labelbottom=False)
        column[0].set_title(_title(rows, tables, name), fontsize=6.5)
        _density(column[0], gaps(rows))
        _rewinding(column[1:], rows)
        _statements(column[0], column[1], tables, name)
    for axis, label in zip(axes[:, 0], LABELS, strict=True):
        axis.set_ylabel(label)
    for axis in axes[0]:
        axis.set(xlabel="weights left (%)", xlim=(85, 0))
    for axis in axes[3]:
        axis.set_xlabel("rewinding point (% of training)")
    axes[2, 0].set_yscale("log")
    shown: dict[str, Any] = {}
    for axis in axes.flat:
        handles, labels = axis.get_legend_handles_labels()
        shown |= dict(zip(labels, handles, strict=True))
    figure.legend(shown.values(), shown.keys(), loc="outside upper center", ncols=4)
    return figure


def caption(tables: Tables) -> str:
    """Return the caption: what was computed, and what the paper states."""
    ours = tables["b7_imagenet"]
    seeds = ours.groupby("schedule")["seed"].nunique().min()
    epochs = ", ".join(
        f"{claim(tables, name, 'epoch of'):.0f} of {paper(tables, name)['epochs']} "
        f"({title})"
        for name, (title, _) in NETWORKS.items()
    )
    left = ", ".join(
        f"{100 - paper(tables, name)['weights_removed_percent']}" for name in NETWORKS
    )
    return (
        "Rewinding with the schedules of the networks that paper B trains on ImageNet, "
        "as it prints them (a column each). Top: accuracy of subnetworks less that of "
        "the unpruned network trained from the same weights, against the weights left, "
        "pruned in one shot or in rounds. The reinitialised network has IMP's "
        "mask and is trained from epoch 0. Below: accuracy, distance and angle at the "
        "paper's share of weights, against the rewinding point; stability to data "
        "order (solid) and to pruning (dashed), larger is less stable. Lines are "
        f"means, bands the smallest and largest value over at least {seeds} seeds and "
        f"their data orders. {_computed(tables)}Open markers are what the paper "
        "states, its figures 7, 8 and 12 being pictures only: pruned in one shot to "
        f"{left}\\,\\% of the weights and rewound to epoch {epochs}, subnetworks are "
        "as accurate as unpruned; ResNet-50 pruned in rounds and rewound to epoch 6 "
        f"with {100 - claim(tables, 'resnet50', 'percent'):.0f}\\,\\%. "
        f"{''.join(_deviation(tables, name) for name in NETWORKS)}"
        "Distances of random over IMP's subnetworks at the first and the last "
        "rewinding point: "
        + "; ".join(
            f"{title}'s schedule {ratios(chosen(tables, name))}"
            for name, (title, _) in NETWORKS.items()
        )
        + "."
    )


def _title(rows: pd.DataFrame, tables: Tables, name: str) -> str:
    row, real = paper(tables, name), rows["images"].iloc[0] == "ImageNet"
    published = f"{row['top1_accuracy_percent']} ± {row['top1_accuracy_pm']} %"
    return (
        f"{NETWORKS[name][0]}{'' if real else chr(39) + 's schedule'}\n"
        f"unpruned: {published} published,\n"
        f"{unpruned(rows).mean():.1f} % ours "
        f"({'ImageNet' if real else 'generated images'})"
    )


def _density(axis: Axes, rows: pd.DataFrame) -> None:
    rewound = rows[rows["rewind"] == rows.loc[rows["orders"] == 1, "rewind"].max()]
    shot = rewound[(rewound["rounds"] == 1) & (rewound["quantity"] == "accuracy")]
    for kind, style in KINDS.items():
        _line(axis, shot[shot["subnetwork"] == kind], "left", "gap", style)
    rounds = rewound[(rewound["rounds"] > 1) & (rewound["round"] > 0)]
    _line(axis, rounds[rounds["quantity"] == "round accuracy"], "left", "gap", ROUNDS)


def _rewinding(axes: Any, rows: pd.DataFrame) -> None:
    own = over_rewinding(gaps(rows))
    own = own[own["quantity"] == "accuracy"]
    for kind in ("imp", "random"):
        _line(axes[0], own[own["subnetwork"] == kind], "point", "gap", KINDS[kind])
    distances = over_rewinding(rows).groupby(["unit", "quantity", "subnetwork"])
    for axis, unit in zip(axes[1:], ("L2", "degrees"), strict=True):
        for quantity, line in (("data order", "-"), ("pruning", "--")):
            for kind in ("imp", "random"):
                label = f"{'IMP' if kind == 'imp' else kind}, {quantity}"
                style = KINDS[kind] | {"label": label, "ls": line}
                own = distances.get_group((unit, quantity, kind))
                _line(axis, own, "point", "value", style)


def _line(
    axis: Axes, rows: pd.DataFrame, x: str, y: str, style: dict[str, str]
) -> None:
    """Draw the mean at each x and the range; nothing without rows."""
    if rows.empty:
        return
    values = rows.groupby(x)[y]
    at = values.mean().index.to_numpy(float)
    options: dict[str, Any] = dict(style)
    axis.plot(at, values.mean().to_numpy(), **options)
    band = values.min().to_numpy(), values.max().to_numpy()
    axis.fill_between(at, *band, color=style["color"], alpha=0.15, lw=0)


def _statements(top: Axes, below: Axes, tables: Tables, name: str) -> None:
    """Draw where the paper says that accuracy is that of the unpruned network."""
    hollow: dict[str, Any] = {"mfc": "none", "mec": "0.2", "ls": "", "ms": 5}
    for axis in (top, below):
        axis.axhline(0, color="0.5", lw=0.6, zorder=0)
    left = 100 - paper(tables, name)["weights_removed_percent"]
    share = claim(tables, name, "epoch of") / paper(tables, name)["epochs"]
    label = "published: as accurate as unpruned"
    top.plot(left, 0, marker="D", label=label, zorder=3, **hollow)
    below.plot(100 * share, 0, marker="D", label=label, zorder=3, **hollow)
    if name == "resnet50":
        rounds = 100 - claim(tables, name, "percent")
        top.plot(rounds, 0, marker="P", label=f"{label}, in rounds", **hollow)


def _computed(tables: Tables) -> str:
    """Return what was not computed, what is drawn in its place, what that shows."""
    columns = {title: chosen(tables, name) for name, (title, _) in NETWORKS.items()}
    small = {t: c for t, c in columns.items() if c["images"].iloc[0] == "generated"}
    if not small:
        return ""
    rows = next(iter(small.values())).iloc[0]
    return (
        f"Not yet computed on ImageNet, which takes a cluster of GPUs: "
        f"{', '.join(small)}. Drawn in their place is a ResNet of {rows['prunable']} "
        f"weights with their schedules squeezed into {rows['epochs']} epochs on "
        "generated images of 4 classes: it shows that the code runs, and says nothing "
        "about ImageNet. "
    )


def _deviation(tables: Tables, name: str) -> str:
    """Return how a network differs from the paper; nothing if not on ImageNet."""
    rows = chosen(tables, name)
    if rows["images"].iloc[0] != "ImageNet":
        return ""
    reached, printed = unpruned(rows).mean(), paper(tables, name)
    apart = reached - printed["top1_accuracy_percent"]
    return (
        f"Unpruned, our {NETWORKS[name][0]} reaches {reached:.1f}\\,\\% ({apart:+.1f} "
        f"points from the paper); IMP is as accurate from {first_epoch(rows)} on "
        f"(paper: {claim(tables, name, 'epoch of'):.0f}). "
    )
