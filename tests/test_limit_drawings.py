"""Figures c4 to c6: bars, markers and sentences, recomputed from the tables' rows."""

from collections import defaultdict
from statistics import mean

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import same_color
from test_evidence import ours

from figures import (
    c4_predicted_threshold,
    c5_threshold_table,
    c6_magnitude_sharpness,
    common,
)
from figures._limits import PREDICTED, Intervals

TABLES = common.read_tables()
LIMITS = TABLES["c5_threshold_table"]
Ends = tuple[float, float]


def bars(ax: Axes, colour: str, axis: int) -> set[Ends]:
    """Ends of the error bars of a colour along x or y, in percent."""
    return {
        (round(float(low), 6), round(float(high), 6))
        for lines in ax.collections
        if isinstance(lines, LineCollection) and same_color(lines.get_color(), colour)
        for low, high in (segment[:, axis] for segment in lines.get_segments())
    }


def intervals(
    reading: str, stage: str, noise: str, key: tuple[str, ...] = ("case", "strength")
) -> dict[tuple[str, ...], Ends]:
    """Ends of a prediction's intervals, the lowest and highest of those of one key."""
    found = defaultdict(list)
    for row in ours("c5_threshold_table"):
        if (
            (row["reading"], row["stage"], row["noise"]) == (reading, stage, noise)
            and (row["matrix"], row["treatment"]) == ("hessian", "positive")
            and float(row["factor"]) == 1
        ):
            ends = [
                100 * int(row[end]) / int(row["prunable"]) for end in ("low", "high")
            ]
            found[tuple(row[column] for column in key)] += ends
    return {key: (round(min(v), 6), round(max(v), 6)) for key, v in found.items()}


def test_bars_of_predictions_reach_the_ends_of_their_intervals() -> None:
    with plt.style.context(common.STYLE, after_reset=True):
        figure = c5_threshold_table.draw(TABLES)
        figure.draw_without_rendering()
        axes = {ax.get_xlabel().split()[0]: ax for ax in figure.axes}
        for name, (_, colour, _) in PREDICTED.items():
            expected = set(intervals(name, "final", "final").values())
            assert expected <= bars(axes["weights"], colour, 0), name
        training, key = ("lenet-mnist", "0.0", "0"), ("case", "strength", "seed")
        for name in ("paper", "orthogonal"):
            colour = PREDICTED[name][1]
            last = intervals(name, "final", "final", key)[training]
            assert last[1] - last[0] > 10
            assert last in bars(axes["limit"], colour, 0), name
            for noise in ("early", "final"):
                then = intervals(name, "early", noise, key)[training]
                assert then in bars(axes["limit"], colour, 1), (name, noise)
        plt.close(figure)


def test_the_widths_of_the_intervals_are_in_the_caption() -> None:
    keys = ["architecture", "dataset", "strength", "seed"]
    rows = LIMITS[(LIMITS["factor"] == 1) & (LIMITS["treatment"] == "positive")]
    rows = rows[(rows["stage"] == "final") & (rows["matrix"] == "hessian")]
    rows = rows[rows["high"] > rows["low"]]
    width = 100 * (rows["high"] - rows["low"]) / rows["prunable"]
    paper, exact, survivors = (
        width[rows["reading"] == name].mean() for name in PREDICTED
    )
    text = c5_threshold_table.caption(TABLES)
    runs, whole = (len(r.drop_duplicates(keys)) for r in (rows, LIMITS))
    assert f"products only ({runs} of {whole} trainings)" in text
    # as its case says
    assert "LeNet on MNIST 5000" in text and "multiples of $N / 400$" in text
    assert f"paper {paper:.1f}, exact {exact:.1f}, survivors {survivors:.1f} (" in text


def test_intervals_over_networks() -> None:
    found = Intervals.of(LIMITS)
    runs = found.value.index[:3]
    value, low, high = (frame.loc[runs, "paper"] for frame in found)
    assert found.spread("paper", runs) == (value.mean(), low.min(), high.max())
    below, above = found.reach("paper")
    uncertain = found.value.index.get_level_values("dataset") != "digits"
    assert ((below + above > 0) == uncertain).all()


@pytest.mark.parametrize("figure", [c4_predicted_threshold, c5_threshold_table])
def test_printed_tables_are_not_called_pictures(figure: object) -> None:
    text = figure.caption(TABLES)  # type: ignore[attr-defined]
    assert "not available to us as numbers" in text and "picture" not in text


def test_markers_of_cycles_are_beside_their_lambda() -> None:
    with plt.style.context(common.STYLE, after_reset=True):
        figure = c6_magnitude_sharpness.draw(TABLES)
        places = [
            float(np.asarray(line.get_xdata(), float)[0])
            for line in figure.axes[3].lines
        ]
        plt.close(figure)
    shifts = [place - round(place) for place in places]
    assert len(set(np.round(shifts, 6))) == 4
    assert max(map(abs, shifts)) < 0.2


def test_cycles_go_past_the_limit_and_the_caption_says_so() -> None:
    found: dict[tuple[str, str, str], list[tuple[float, int]]] = defaultdict(list)
    for row in ours("c6_magnitude_sharpness"):
        if float(row["scale"]) == 1:
            share = 100 * int(row["removed"]) / int(row["prunable"])
            key = row["strength"], row["reading"], row["share"]
            found[key].append((share, int(row["cycles"])))
    text = c6_magnitude_sharpness.caption(TABLES)
    strengths = {strength for strength, *_ in found}
    for strength in strengths:
        slow, fast = (found[strength, "gradual", share] for share in ("0.05", "0.2"))
        limit = mean(share for share, _ in found[strength, "orthogonal", "0.0"])
        once = mean(share for share, _ in found[strength, "retrained", "0.0"])
        past = mean(share for share, _ in slow)
        assert past > limit > once
        counts = [cycles for _, cycles in slow]
        assert f"{past:.1f} in {min(counts)} to {max(counts)} cycles of 5\\,\\%" in text
        (count,) = {cycles for _, cycles in fast}
        removed = mean(share for share, _ in fast)
        assert (
            f"{removed:.1f} in {count} cycles of 20\\,\\%, {once:.1f} at once" in text
        )
        assert f"exact limit (survivors) is {limit:.1f}" in text
    seeds = len(found[strengths.pop(), "retrained", "0.0"])
    assert "Cycles are not bound by it" in text and f"of {seeds} trainings" in text
