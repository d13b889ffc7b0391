"""Every figure: drawn twice to the same bytes, labelled, complete, legible."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from figures import common

matplotlib.use("Agg")
DRAWINGS = common.discover()
TABLES = common.read_tables()
every_figure = pytest.mark.parametrize("drawing", DRAWINGS, ids=lambda d: d.name)


@contextmanager
def drawn(drawing: common.Drawing, tables: common.Tables = TABLES) -> Iterator[Figure]:
    common.check_table(drawing.name, tables)
    with plt.style.context(common.STYLE, after_reset=True):
        figure = drawing.draw(tables)
        figure.draw_without_rendering()
        try:
            yield figure
        finally:
            plt.close(figure)


def label_of(axes: Axes, which: str) -> str:
    """The axis label, or the one of an axes that shares the axis, or the figure's."""
    grouper = getattr(axes, f"get_shared_{which}_axes")()
    labels = [
        getattr(a, f"get_{which}label")() for a in [axes, *grouper.get_siblings(axes)]
    ]
    figure = axes.get_figure(root=True)
    assert figure is not None
    labels.append(getattr(figure, f"get_sup{which}label")())
    return next(filter(None, labels), "")


def unlabelled(figure: Figure) -> list[str]:
    """Axis labels that are missing, or that name no unit in parentheses at the end."""
    return [
        f"axes {i}, {which}: {label_of(axes, which)!r}"
        for i, axes in enumerate(figure.axes)
        for which in "xy"
        if axes.axison and not re.search(r"\w.*\(.+\)$", label_of(axes, which))
    ]


def missing_in_legends(figure: Figure) -> set[str]:
    shown = {
        text.get_text()
        for legend in [*figure.legends, *(a.get_legend() for a in figure.axes)]
        if legend is not None
        for text in legend.get_texts()
    }
    named = {t for a in figure.axes for t in a.get_legend_handles_labels()[1]}
    return named - shown


def points(figure: Figure) -> NDArray[np.float64]:
    """All data drawn as lines and scatters, as one array of (x, y)."""
    kinds = [
        *(
            np.asarray(line.get_xydata(), float)
            for a in figure.axes
            for line in a.lines
        ),
        *(
            np.ma.filled(np.ma.asarray(c.get_offsets(), float), np.nan)
            for a in figure.axes
            for c in a.collections
            if isinstance(c, PathCollection)
        ),
    ]
    return np.concatenate([np.empty((0, 2)), *kinds])


def latex_faults(text: str) -> list[str]:
    """What would stop LaTeX, or turn text into a comment: in prose and in captions."""
    faults = re.findall(r"(?<!\\)[%&#]", text)
    if len(re.findall(r"(?<!\\)\$", text)) % 2:
        faults.append("odd number of $")
    outside_math = re.sub(r"(?<!\\)\$.*?(?<!\\)\$", "", text, flags=re.DOTALL)
    faults += re.findall(r"(?<!\\)[_^]", outside_math)
    if len(re.findall(r"(?<!\\){", text)) != len(re.findall(r"(?<!\\)}", text)):
        faults.append("unbalanced braces")
    return faults


def test_foundation_figures_are_found() -> None:
    found = {drawing.name for drawing in DRAWINGS}
    assert {"a3_neuron_conservation", "a4_layer_size"} <= found
    files = {path.stem for path in common.FIGURES.glob("[a-z]*.py")}
    files -= {"common", "evidence", "gallery", "limit_tables"}
    assert found == files, "a figure file without draw or without caption"


@every_figure
def test_same_bytes_twice(drawing: common.Drawing) -> None:
    first = common.render(drawing, TABLES)
    assert set(first) == {"pdf", "png"}
    assert common.render(drawing, TABLES) == first
    assert b"/Type3" not in first["pdf"], "fonts must be embedded as Type 42"


@every_figure
def test_axes_and_legends(drawing: common.Drawing) -> None:
    with drawn(drawing) as figure:
        assert figure.axes
        assert not unlabelled(figure)
        assert not missing_in_legends(figure)
        assert figure.get_figwidth() in (common.COLUMN, common.PAGE)


@every_figure
def test_data_is_finite_and_large_scatters_are_rasterised(
    drawing: common.Drawing,
) -> None:
    with drawn(drawing) as figure:
        assert len(points(figure)) and np.isfinite(points(figure)).all()
        for axes in figure.axes:
            for artist in axes.get_children():
                large = isinstance(artist, PathCollection) and (
                    len(np.asarray(artist.get_offsets())) > 2000
                )
                assert not large or artist.get_rasterized()


@every_figure
def test_draw_and_caption_leave_the_tables_alone(drawing: common.Drawing) -> None:
    copies = {name: table.copy() for name, table in TABLES.items()}
    with drawn(drawing, copies):
        drawing.caption(copies)
    for name, table in copies.items():
        pd.testing.assert_frame_equal(table, TABLES[name], check_exact=True)


@every_figure
def test_caption(drawing: common.Drawing) -> None:
    caption = drawing.caption(TABLES)
    assert len(caption.split()) > 5
    assert not re.search(r"\bnan\b|\binf\b", caption, re.IGNORECASE)
    assert not latex_faults(caption)


def test_committed_pictures_are_up_to_date_in_name() -> None:
    pictures = {path.stem for path in common.OUTPUT.glob("*.png")}
    assert pictures <= {drawing.name for drawing in DRAWINGS}


def test_checks_see_faults() -> None:
    def draw(tables: common.Tables) -> Figure:
        figure, axes = plt.subplots()
        axes.scatter([1, 2], [1, 2], label="kept")
        axes.set(xlabel="size (weights)", ylabel="score (a.u.)")
        axes.legend()
        return figure

    small = common.Drawing("small", draw, lambda _: "")
    with drawn(small, {"small": pd.DataFrame({"x": [1]})}) as figure:
        assert not unlabelled(figure) and not missing_in_legends(figure)
        assert np.isfinite(points(figure)).all() and len(points(figure)) == 2
        figure.axes[0].set_xlabel("size")
        figure.axes[0].plot([1, 2], [1, np.nan], label="forgotten")
        assert len(unlabelled(figure)) == 1
        assert missing_in_legends(figure) == {"forgotten"}
        assert not np.isfinite(points(figure)).all()
    for text in ("5 % of", "a_b", "$x", "{x", "a & b"):
        assert latex_faults(text), text
    assert not latex_faults(r"5\,\% of $\sum_i x_i$, a\_b")
