"""The lowest scores: an exact count, the tie rule, and where the line was drawn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from theory import selection
from theory.selection import lowest, threshold

TIED = st.sampled_from([0.0, -0.0, 1.0, 2.0, -1.0, float("inf"), -float("inf")])
VALUES = arrays.arrays(
    np.float64, st.integers(0, 30), elements=TIED | st.floats(allow_nan=False)
)


def stable(values: np.ndarray, count: int) -> list[int]:
    """Positions of the lowest by a stable sort from the back: last of equals first."""
    backwards = sorted(reversed(range(values.size)), key=lambda i: values[i])
    return sorted(backwards[:count])


@given(VALUES, st.data())
def test_the_choice_is_a_stable_sort_from_the_back(
    values: np.ndarray, data: st.DataObject
) -> None:
    count = data.draw(st.integers(0, values.size))
    line = lowest(values, count)
    assert line.positions.tolist() == stable(values, count)
    rest = np.delete(values, line.positions)
    assert line.highest == values[line.positions].max(initial=-np.inf)
    assert line.following == rest.min(initial=np.inf)


@pytest.mark.parametrize("kind", ["continuous", "ties", "ascending", "descending"])
@pytest.mark.parametrize("count", [0, 1, 17, 1000, 60_000, 99_999, 100_000])
def test_a_sample_only_makes_it_faster(kind: str, count: int) -> None:
    rng = np.random.default_rng(3)
    values = rng.random(100_000).astype(np.float32)
    if kind == "ties":
        values = np.floor(values * 5)
    elif kind != "continuous":
        values = np.sort(values)[:: 1 if kind == "ascending" else -1].copy()
    line = lowest(values, count)
    order = np.lexsort((-np.arange(values.size), values))[:count]
    assert np.array_equal(line.positions, np.sort(order))
    assert line.highest == values[line.positions].max(initial=-np.inf)
    rest = np.delete(values, line.positions)
    assert line.following == rest.min(initial=np.inf)


def test_the_line_is_drawn_at_the_count_itself() -> None:
    """A partition one place off is wrong once in 400 arrays of this size."""
    rng = np.random.default_rng(0)
    for _ in range(3000):
        values, count = rng.random(1000), int(rng.integers(2, 1000))
        assert lowest(values, count).highest == np.sort(values)[count - 1]


def test_a_sample_that_misleads_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every sampled value is low, all others high: too few lie below the pivot."""
    monkeypatch.setattr(selection, "SAMPLE", 10)
    values = np.full(1000, 9.0)
    values[::100] = 1.0
    line = lowest(values, 50)
    assert line.positions.size == 50 and line.highest == 9.0 and line.following == 9.0
    assert set(range(0, 1000, 100)) < set(line.positions.tolist())


def test_as_many_candidates_as_are_taken_are_too_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 15 samples below the pivot 14 are taken: the next must still be found."""
    monkeypatch.setattr(selection, "SAMPLE", 60)
    values = np.full(300, 99.0)
    values[::5] = np.arange(60)
    for count in range(30):
        line = lowest(values, count)
        assert line.positions.tolist() == list(range(0, 5 * count, 5))
        assert line.following == count


def test_the_candidates_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random(1_000_000)
    found = selection._candidates(values, 40_000)
    assert 40_000 < found.size < 60_000
    assert np.array_equal(found, np.sort(found))
    assert selection._candidates(values, 1_000_000).size == 1_000_000


@given(VALUES, st.floats(-3, 30), st.data())
def test_a_limit_takes_as_many_as_sum_to_less(
    values: np.ndarray, limit: float, data: st.DataObject
) -> None:
    values = np.abs(np.nan_to_num(values, posinf=7.0, neginf=7.0)) % 10
    count = data.draw(st.integers(0, values.size))
    line = lowest(values, count, limit=limit)
    taken = line.positions.size
    assert taken <= count and line.positions.tolist() == stable(values, taken)
    # Ascending, as the rule adds them: another order rounds otherwise.
    sums = np.cumsum(np.sort(values))
    assert taken == 0 or sums[taken - 1] < limit
    if taken < count:
        assert sums[taken] >= limit
        assert line.following == np.sort(values)[taken]


def test_equal_to_the_limit_is_too_much() -> None:
    values = np.array([1.0, 1.0, 2.0, 4.0])
    assert lowest(values, 4, limit=4.0).positions.tolist() == [0, 1]
    assert lowest(values, 4, limit=4.1).positions.tolist() == [0, 1, 2]
    assert lowest(values, 4, limit=1.0).positions.tolist() == []
    assert lowest(values, 4, limit=1.5).positions.tolist() == [1]  # the last of equals
    assert lowest(values, 1, limit=1.5).positions.tolist() == [1]


def test_float32_sums_are_added_in_float64() -> None:
    values = np.full(300, 1 / 3, dtype=np.float32)
    total = 300 * float(np.float32(1 / 3))
    assert lowest(values, 300, limit=total * (1 + 1e-12)).positions.size == 300
    assert lowest(values, 300, limit=total * (1 - 1e-12)).positions.size == 299


@pytest.mark.parametrize("count", [-1, 4])
def test_an_impossible_count_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=rf"a count from 0 to 3, got {count}$"):
        lowest(np.zeros(3), count)


def test_a_threshold_has_a_margin_of_four_standard_deviations() -> None:
    sample = np.arange(1000.0)
    rank = 100 + 4 * 100**0.5 + 4  # 999 + 1 of 10 000 are 100 of 1000
    assert threshold(sample, 999, 10_000) == int(rank)
    assert threshold(sample[::-1], 999, 10_000) == int(rank)


def test_a_sample_too_small_to_tell_gives_no_threshold() -> None:
    sample = np.arange(10.0)
    assert threshold(sample, 0, 10) == np.inf  # rank 1 + 4 + 4: the last but none
    assert threshold(np.arange(11.0), 0, 11) == 9.0
    assert threshold(np.empty(0), 0, 0) == np.inf
