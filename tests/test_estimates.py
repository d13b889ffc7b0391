"""Intervals over probes: Student's, and those of bracketed values."""

import math

import pytest
from scipy.stats import t
from tolerance import tolerance

from theory.estimates import Estimate, bracketed, estimate


def test_by_hand() -> None:
    found = estimate([1.0, 2.0, 4.0, 5.0])
    spread = math.sqrt(10 / 3) / 2
    assert found.value == 3.0 and found.samples == 4 and found.bracket == 0.0
    assert found.standard_error == pytest.approx(spread, rel=tolerance(10))
    assert found.high - 3 == pytest.approx(3.182446305284263 * spread, rel=1e-12)
    assert 3 - found.low == pytest.approx(found.half_width, rel=tolerance(10))


def test_levels() -> None:
    narrow, wide = (estimate([0.0, 1.0, 2.0], level=p) for p in (0.5, 0.9))
    root = math.sqrt(1 / 3)
    assert narrow.high == pytest.approx(1 + t.ppf(0.75, 2) * root, rel=tolerance(10))
    assert wide.high == pytest.approx(1 + t.ppf(0.95, 2) * root, rel=tolerance(10))
    assert estimate([0.0, 1.0]) == estimate([0.0, 1.0], level=0.95)


def test_brackets_widen_the_interval() -> None:
    values, lower, upper = [1.0, 2.0, 3.0], [0.5, 1.5, 2.5], [2.0, 4.0, 3.0]
    found = bracketed(values, lower, upper)
    assert found.low == pytest.approx(estimate(lower).low, rel=tolerance(10))
    assert found.high == pytest.approx(estimate(upper).high, rel=tolerance(10))
    assert found.value == 2.0 and found.bracket == 1.5
    assert found.standard_error == estimate(values).standard_error
    assert bracketed(values, lower, upper, level=0.5).high < found.high


def test_shifted() -> None:
    found = Estimate(1.0, 0.5, 2.0, 0.25, 0.125, 7)
    assert found.shifted(10.0, 2.0) == Estimate(12.0, 11.0, 14.0, 0.5, 0.25, 7)
    assert found.shifted(1.0) == Estimate(2.0, 1.5, 3.0, 0.25, 0.125, 7)
    assert found.half_width == 0.75


@pytest.mark.parametrize(
    ("values", "level"), [([1.0], 0.9), ([], 0.9), ([1.0, 2.0], 0.0), ([1.0, 2.0], 1.0)]
)
def test_no_interval(values: list[float], level: float) -> None:
    with pytest.raises(ValueError, match="expected at least two probes and a level in"):
        estimate(values, level=level)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_values_that_are_none(bad: float) -> None:
    with pytest.raises(ValueError, match=r"^expected finite values, got .1.0, "):
        estimate([1.0, bad])
    with pytest.raises(ValueError, match=r"^expected finite values"):
        bracketed([1.0, 2.0], [1.0, -bad], [2.0, 3.0])
