"""The critical count: bisection and ranks agree, boundaries are exact."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import scores
from torch import Tensor

from theory.critical_count import (
    Scores,
    conserved_count,
    critical_count,
    measured_count,
    ranks,
)
from theory.masks import Masks, collapsed, keep_largest


def layers(*values: list[float]) -> Scores:
    return {
        str(number): torch.tensor(layer, dtype=torch.float64)
        for number, layer in enumerate(values)
    }


def alive_from(first: int, seen: list[int] | None = None) -> Callable[[int], Masks]:
    """Masks of one layer that is empty below `first`; adds each count to `seen`."""

    def masks_at(count: int) -> Masks:
        if seen is not None:
            seen.append(count)
        return {"layer": torch.tensor([count >= first])}

    return masks_at


@given(scores())
def test_a_layer_is_empty_if_and_only_if_fewer_than_its_rank_are_kept(
    score: dict[str, Tensor],
) -> None:
    size = sum(s.numel() for s in score.values())
    places = ranks(score)
    assert list(places) == list(score)
    for count in range(size + 1):
        empty = collapsed(keep_largest(score, count / size))
        assert empty == tuple(name for name in score if count < places[name])
    assert measured_count(score) == max(places.values())


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_bisection_finds_every_boundary_and_has_tried_both_sides(size: int) -> None:
    for first in range(1, size + 1):
        seen: list[int] = []
        assert critical_count(alive_from(first, seen), size) == first
        assert first in seen and (first - 1 in seen or first == 1)
        assert min(seen) >= 1 and max(seen) == size
        assert len(seen) <= 2 + math.log2(size)


@given(st.sets(st.integers(1, 40)))
def test_without_monotony_the_result_is_a_boundary_still(bad: set[int]) -> None:
    def masks_at(count: int) -> Masks:
        return {"layer": torch.tensor([count == 41 or count not in bad])}

    count = critical_count(masks_at, 41)
    assert count not in bad
    assert count == 1 or count - 1 in bad


def test_a_network_that_is_collapsed_when_whole_is_refused() -> None:
    with pytest.raises(
        ValueError,
        match=r"^layers \['layer'\] are empty even with all 3 parameters kept; "
        "leave layers without parameters out$",
    ):
        critical_count(alive_from(4), 3)


def test_ranks_by_hand() -> None:
    #     scores of three layers       best   ahead of it
    score = layers([1, 5, 5], [5, 0], [2, -1])
    # layer 0: none; layer 1: both fives of layer 0; layer 2: all fives
    assert ranks(score) == {"0": 1, "1": 3, "2": 4}
    assert ranks(layers([2, 2], [3, 2, 2])) == {"0": 2, "1": 1}
    assert ranks(layers([0, -0.0], [-0.0])) == {"0": 1, "1": 3}
    assert ranks(layers([-math.inf], [math.inf], [0])) == {"0": 3, "1": 1, "2": 2}


def test_ranks_do_not_depend_on_shape_or_unit() -> None:
    score = {"a": torch.rand(2, 3, 2), "b": torch.rand(5, 1)}
    flat = {name: s.flatten() for name, s in score.items()}
    for factor in (1.0, 2.0**-26, 2.0**26):
        assert ranks({n: factor * s for n, s in score.items()}) == ranks(flat)


@pytest.mark.parametrize("bad", [[], [1.0, math.nan]])
def test_scores_without_a_rank_are_refused(bad: list[float]) -> None:
    with pytest.raises(
        ValueError,
        match=r"^the scores of 1 are empty or have NaN entries, which have no rank; "
        r"leave empty layers out, score in float64 or in the log domain$",
    ):
        ranks(layers([1.0], bad))


def test_the_conserved_count_is_all_but_the_largest_layer_and_one() -> None:
    assert conserved_count([7]) == 1
    assert conserved_count([3, 5, 4]) == 8
    assert conserved_count([5, 5, 1]) == 7
    with pytest.raises(ValueError, match="at least one layer, got none"):
        conserved_count([])


def test_measured_count_in_both_scopes() -> None:
    # globally: 9, 8, 7, then 1; in each layer alone 1/8 rounds down to 0, 1/2 to 1
    score = layers([9, 8, 7], [1])
    assert measured_count(score) == 4
    assert measured_count(score, "layer") == 2
