"""Discrete measures: integrals, mixtures, treatments of negative nodes."""

import numpy as np
import pytest

from theory.measure import ROUNDING, Measure, mixture, treated

MEASURE = Measure(np.array([-1.0, 0.0, 3.0]), np.array([0.25, 0.5, 0.25]))


def test_integrals() -> None:
    assert MEASURE.mass == 1.0
    assert MEASURE.integral(lambda x: x**2) == 2.5
    assert MEASURE.scaled(4.0).integral(lambda x: x) == 2.0
    assert MEASURE.scaled(4.0).nodes is MEASURE.nodes


def test_mixtures_are_sorted() -> None:
    both = mixture([MEASURE, Measure(np.array([1.0, -2.0]), np.array([5.0, 7.0]))])
    assert both.nodes.tolist() == [-2, -1, 0, 1, 3]
    assert both.weights.tolist() == [7, 0.25, 0.5, 5, 0.25]


def test_treatments() -> None:
    assert MEASURE.treated("absolute").nodes.tolist() == [1, 0, 3]
    assert MEASURE.treated("positive").nodes.tolist() == [0, 0, 3]
    assert MEASURE.treated("positive").weights is MEASURE.weights
    with pytest.raises(
        ValueError, match=r"reaches down to -1 \(largest .node. 3\); ch"
    ):
        MEASURE.treated("refuse")
    largest_only = np.array([-3.0, 1.0])
    with pytest.raises(ValueError, match=r"down to -3 \(largest .node. 3\)"):
        treated(largest_only, "refuse")


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_what_counts_as_rounding_is_relative(scale: float) -> None:
    inside = scale * np.array([-ROUNDING, 0.0, 1.0])
    assert treated(inside, "refuse").tolist() == [0.0, 0.0, scale]
    with pytest.raises(ValueError, match="choose the treatment 'absolute' or 'positiv"):
        treated(scale * np.array([-1.01 * ROUNDING, 1.0]), "refuse")


def test_nothing_and_zeros_are_not_negative() -> None:
    assert treated(np.zeros(0), "refuse").size == 0
    assert treated(np.zeros(2), "refuse").tolist() == [0.0, 0.0]


@pytest.mark.usefixtures("unchecked_types")
def test_unknown_treatment() -> None:
    with pytest.raises(ValueError, match="'absolute', 'positive' or 'refuse', got 'x'"):
        treated(np.ones(1), "x")  # type: ignore[arg-type]
