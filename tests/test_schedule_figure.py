"""Figure a7: what its caption says of curves whose roughness is known."""

import numpy as np
import pandas as pd
import pytest
from test_figures import latex_faults

from figures import a7_schedule, common

STEPS = (10, *range(50, 101, 10))


def tables(error: float, lift: float) -> common.Tables:
    """A straight line of ours; the authors' is `lift` above, alternating by `error`."""
    found = common.read_tables()
    ours = found["a7_schedule"]
    ours = ours[
        (ours["architecture"] != "vgg19-imagenet") | (ours["schedule"] == "exponential")
    ]
    line = [
        {
            "architecture": "vgg19-imagenet",
            "schedule": "linear",
            "iterations": steps,
            "compression_log10": 3.0,
            "seed": seed,
            "ratio": 16 - 0.01 * steps + 0.02 * (seed - 0.5),
            "first_unsafe": 1,
            "emptied": 0,
        }
        for steps in STEPS
        for seed in range(2)
    ]
    theirs = found["published/fig7_prune_size_ratio"].copy()
    for place, steps in enumerate(STEPS):
        row = (
            (theirs["schedule"] == "linear")
            & (theirs["compression_log10"] == 3)
            & (theirs["pruning_iterations"] == steps)
        )
        value = 16 - 0.01 * steps + lift + error * (-1) ** place
        theirs.loc[row, "max_prune_size_over_cut_size"] = value
    return found | {
        "a7_schedule": pd.concat([ours, pd.DataFrame(line)], ignore_index=True),
        "published/fig7_prune_size_ratio": theirs,
    }


@pytest.mark.parametrize(
    ("error", "lift", "sides"),
    [(0.05, 0.0, "on both sides of zero"), (0.05, 0.2, "of one sign")],
)
def test_scatter_of_single_runs_is_told_from_a_steady_difference(
    error: float, lift: float, sides: str
) -> None:
    text = a7_schedule.caption(tables(error, lift))
    # an alternating error e has second differences of 4 e, as errors of 4 e / sqrt 6
    alike = 4 * error / np.sqrt(6)
    gap = lift + error
    assert f"{4 * error:.3f} (root mean square), of ours 0.000" in text
    assert f"errors of {alike:.3f}: the difference at 100 is {gap / alike:.1f}" in text
    assert f"${gap:+.4f}$, {sides}." in text
    assert "ours $15.000$ (standard deviation 0.014, 2 initialisations)" in text
    assert not latex_faults(text)


def test_a_smooth_published_curve_has_no_errors_to_compare_with() -> None:
    text = a7_schedule.caption(tables(0.0, 0.2))
    assert "(root mean square), of ours 0.000" in text
    assert "as if single published runs" not in text


def test_without_a_linear_curve_nothing_is_said_of_it() -> None:
    found = tables(0.05, 0.0)
    ours = found["a7_schedule"]
    few = ours[(ours["schedule"] != "linear") | (ours["iterations"] == 100)]
    assert "second differences" not in a7_schedule.caption(found | {"a7_schedule": few})
