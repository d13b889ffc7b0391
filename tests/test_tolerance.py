"""The tolerance covers real rounding errors and is not so wide that all passes."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tolerance import tolerance


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200))
def test_sums_stay_within(terms: list[float]) -> None:
    naive = 0.0
    for term in terms:
        naive += term
    scale = math.fsum(abs(term) for term in terms)
    assert abs(naive - math.fsum(terms)) <= tolerance(len(terms), scale)


def test_grows_with_each_argument() -> None:
    assert tolerance(10) == 10 * tolerance(1)
    assert tolerance(1, 3.0) == 3 * tolerance(1)
    assert tolerance(1, dtype=torch.float32) == 2**29 * tolerance(1)


def test_sees_an_error_in_the_eighth_digit_of_a_large_network() -> None:
    assert tolerance(10**6) < 1e-8


@pytest.mark.parametrize("arguments", [(0,), (1, -1.0), (1, math.nan)])
def test_refuses_what_would_pass_everything_or_nothing(
    arguments: tuple[int, float],
) -> None:
    with pytest.raises(ValueError, match="expected operations >= 1"):
        tolerance(*arguments)
