"""The records of a claim: one defect, which nothing can hide from."""

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tolerance import tolerance

from theory.claim import ExactSides, Sides, total

INF, NAN = math.inf, math.nan


def sides(left: list[float], right: list[float], scale: list[float]) -> Sides:
    kind = torch.float64
    a, b, c = (torch.tensor(values, dtype=kind) for values in (left, right, scale))
    return Sides(a, b, c, "")


@pytest.mark.parametrize(
    ("left", "right", "scale", "defect"),
    [
        ([1.0, 3.0], [1.0, 1.0], [2.0, 8.0], 0.25),
        ([1.0, 1.0], [3.0, 1.0], [8.0, 2.0], 0.25),
        ([-1.0], [1.0], [2.0], 1.0),
        ([0.0], [0.0], [0.0], 0.0),  # a dead unit
        ([], [], [], 0.0),
        ([1e-3], [0.0], [0.0], 1e-3),  # terms were forgotten in the scale: still seen
        ([NAN, 0.0], [0.0, 0.0], [1.0, 1.0], INF),
        ([0.0], [NAN], [1.0], INF),
        ([0.0], [NAN], [0.0], INF),
        ([INF], [INF], [INF], INF),
        ([INF], [0.0], [1.0], INF),
        ([5e-324], [0.0], [5e-324], 1.0),
    ],
)
def test_defect(
    left: list[float], right: list[float], scale: list[float], defect: float
) -> None:
    assert sides(left, right, scale).defect() == defect


def test_defects_are_one_per_entry() -> None:
    found = sides([1.0, 0.0, 4.0], [0.0, 0.0, 2.0], [4.0, 0.0, 1.0]).defects()
    assert found.tolist() == [0.25, 0.0, 2.0]


@given(
    st.lists(st.floats(-1e100, 1e100), min_size=1, max_size=9),
    st.integers(-300, 300),
)
def test_defect_does_not_depend_on_the_unit(left: list[float], power: int) -> None:
    factor = 2.0**power
    terms = torch.tensor(left, dtype=torch.float64)
    first = Sides(terms, -terms, terms.abs() + 1e-100, "")
    scaled = Sides(factor * terms, -factor * terms, factor * first.scale, "")
    assert scaled.defect() == pytest.approx(first.defect(), rel=tolerance(10))


@pytest.mark.parametrize(
    ("left", "right", "defect"),
    [
        ([], [], 0.0),
        ([Fraction(1, 3)], [Fraction(2, 6)], 0.0),
        ([Fraction(1), Fraction(2)], [Fraction(1), Fraction(5, 2)], 0.5),
        ([Fraction(0)], [Fraction(1, 10**400)], 5e-324),  # below every float
    ],
)
def test_exact_defect(
    left: list[Fraction], right: list[Fraction], defect: float
) -> None:
    assert ExactSides(tuple(left), tuple(right), "").defect() == defect


def test_exact_sides_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"longer|shorter"):
        ExactSides((Fraction(1),), (), "").defect()


def test_total_adds_all_entries_and_all_absolutes() -> None:
    terms = [torch.tensor([[1.0, -2.0]]), torch.tensor(4.0), torch.tensor([])]
    added, size = total(terms)
    assert (added.item(), size.item()) == (3.0, 7.0)
    assert added.dtype == size.dtype == torch.float64


def test_total_of_nothing_is_zero() -> None:
    added, size = total([])
    assert (added.item(), size.item()) == (0.0, 0.0)


def test_total_of_float32_terms_is_summed_in_float64() -> None:
    terms = [torch.tensor([2.0**30]), torch.tensor([2.0**-20])]
    assert total(terms)[0].item() == 2.0**30 + 2.0**-20
