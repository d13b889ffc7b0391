"""Figure a7: what its caption says of linear runs whose mean and spread are known."""

import pandas as pd
from test_figures import TABLES, latex_faults

from figures import a7_schedule, common


def tables(ratios: tuple[float, ...]) -> common.Tables:
    """The linear schedule to 10^3 in 100 iterations, a ratio an initialisation."""
    ours = TABLES["a7_schedule"]
    ours = ours[
        (ours["architecture"] != "vgg19-imagenet") | (ours["schedule"] == "exponential")
    ]
    cells = [
        {
            "architecture": "vgg19-imagenet",
            "schedule": "linear",
            "iterations": iterations,
            "compression_log10": 3.0,
            "seed": seed,
            "ratio": ratio if iterations == 100 else 15.0,
            "first_unsafe": 1,
            "emptied": 0,
        }
        for seed, ratio in enumerate(ratios)
        for iterations in (50, 100)
    ]
    return TABLES | {
        "a7_schedule": pd.concat([ours, pd.DataFrame(cells)], ignore_index=True)
    }


def test_the_linear_cell_is_compared_by_the_spread_over_initialisations() -> None:
    text = a7_schedule.caption(tables((14.1, 14.2, 14.3)))
    assert "ours $14.200$ (standard deviation 0.100, 3 initialisations, from" in text
    assert "from $14.100$ to $14.300$), published $14.406$, 2.1 standard" in text
    assert not latex_faults(text)


def test_of_one_initialisation_nothing_is_said() -> None:
    assert "standard deviations away" not in a7_schedule.caption(tables((14.1,)))
