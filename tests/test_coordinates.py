"""Vectors of named, masked parameters: order, restriction, round trips, errors."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from theory.coordinates import Coordinates

PARAMETERS = {
    "a": torch.arange(6.0).view(2, 3),
    "b": torch.tensor([10.0, 11.0]),
    "c": torch.tensor(20.0),
}
MASKS = {"a": torch.tensor([[True, False, True], [False, True, False]])}


def test_the_order_is_that_of_the_parameters_row_by_row() -> None:
    coordinates = Coordinates.of(PARAMETERS)
    assert coordinates.size == 9 and coordinates.whole
    assert coordinates.pack(PARAMETERS).tolist() == [0, 1, 2, 3, 4, 5, 10, 11, 20]


def test_the_order_is_that_of_the_names() -> None:
    coordinates = Coordinates.of(PARAMETERS, ("b", "a"))
    assert coordinates.pack(PARAMETERS).tolist() == [10, 11, 0, 1, 2, 3, 4, 5]
    assert list(coordinates.shapes) == ["b", "a"]


def test_masked_coordinates_are_absent() -> None:
    coordinates = Coordinates.of(PARAMETERS, ["b", "a"], MASKS)
    assert coordinates.size == 5 and not coordinates.whole
    assert coordinates.positions.tolist() == [0, 1, 2, 4, 6]
    assert coordinates.pack(PARAMETERS).tolist() == [10, 11, 0, 2, 4]
    tensors = coordinates.unpack(torch.arange(1.0, 6.0))
    assert tensors["b"].tolist() == [1, 2]
    assert tensors["a"].tolist() == [[3, 0, 4], [0, 5, 0]]
    assert list(tensors) == ["b", "a"]


@given(st.lists(st.booleans(), min_size=6, max_size=6), st.booleans())
def test_unpack_and_pack_are_inverse(kept: list[bool], masked: bool) -> None:
    masks = {"a": torch.tensor(kept).view(2, 3)} if masked else None
    coordinates = Coordinates.of(PARAMETERS, masks=masks)
    vector = torch.arange(1.0, coordinates.size + 1)
    assert torch.equal(coordinates.pack(coordinates.unpack(vector)), vector)


def test_rows_have_zeros_for_what_is_not_given() -> None:
    coordinates = Coordinates.of(PARAMETERS, ["c", "b", "a"], MASKS)
    given = {name: PARAMETERS[name].double() for name in ("b", "c")}
    row = coordinates.row(given)
    assert row.tolist() == [20, 10, 11, *[0] * 6] and row.dtype == torch.float64
    assert coordinates.row(PARAMETERS).tolist() == [20, 10, 11, *range(6)]
    with pytest.raises(KeyError):
        coordinates.pack(given)


def test_views_share_their_memory() -> None:
    coordinates = Coordinates.of(PARAMETERS, ["a", "c"], MASKS)
    entries = torch.zeros(7)
    views = coordinates.views(entries)
    views["a"][1, 1] = 4.0
    views["c"].fill_(2.0)
    assert entries.tolist() == [0, 0, 0, 0, 4, 0, 2]
    assert coordinates.select(entries).tolist() == [0, 0, 4, 2]


def test_a_vector_that_is_whole_is_not_copied() -> None:
    vector = torch.arange(9.0)
    coordinates = Coordinates.of(PARAMETERS)
    assert coordinates.select(vector) is vector
    assert coordinates.unpack(vector)["a"].data_ptr() == vector.data_ptr()


def test_restricted_to_some_of_the_vector() -> None:
    coordinates = Coordinates.of(PARAMETERS, ["b", "a"], MASKS)
    part = coordinates.restricted(torch.tensor([False, True, True, False, True]))
    assert part.pack(PARAMETERS).tolist() == [11, 0, 4] and part.size == 3
    assert part.restricted(torch.tensor([True, False, False])).positions.tolist() == [1]
    assert coordinates.size == 5


def test_bad_names() -> None:
    for names in (["a", "x"], ["a", "a"]):
        with pytest.raises(
            ValueError, match=r"different names among .'a', 'b', 'c'., "
        ):
            Coordinates.of(PARAMETERS, names)


def test_bad_masks() -> None:
    wrong = torch.ones(3, dtype=torch.bool)
    message = r"expected masks of .*, got \(3,\) for {}; name the parameter, or leave"
    with pytest.raises(ValueError, match=message.format("b")):
        Coordinates.of(PARAMETERS, masks={"b": wrong})
    with pytest.raises(ValueError, match=message.format("x")):
        Coordinates.of(PARAMETERS, masks={"x": wrong})
    with pytest.raises(ValueError, match="expected masks"):
        Coordinates.of(PARAMETERS, ["b"], MASKS)


def test_no_coordinates() -> None:
    nothing = {"b": torch.zeros(2, dtype=torch.bool)}
    with pytest.raises(
        ValueError, match=r"^expected at least one coordinate, got none"
    ):
        Coordinates.of(PARAMETERS, ["b"], nothing)
    with pytest.raises(
        ValueError, match=r"^expected at least one coordinate, got none"
    ):
        Coordinates.of(PARAMETERS, [])


@pytest.mark.parametrize("live", [[True] * 3, [False] * 2])
def test_bad_restrictions(live: list[bool]) -> None:
    coordinates = Coordinates.of(PARAMETERS, ["b"])
    with pytest.raises(ValueError, match="expected a mask of 2 coordinates that keeps"):
        coordinates.restricted(torch.tensor(live))
