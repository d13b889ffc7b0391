"""The data order u: every step's batch is a function of seed and step alone."""

from itertools import islice

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from experiments.data_order import batches, permutation

sizes = st.integers(1, 40)


def taken(steps: int, size: int, batch_size: int, order: int, first: int = 0) -> Tensor:
    """Return the batches of so many steps, one below the other."""
    found = islice(batches(size, batch_size, order, first=first), steps)
    return torch.stack(list(found))


@given(size=sizes, order=st.integers(0, 2**63 - 1), epoch=st.integers(0, 10**6))
def test_an_epoch_visits_every_image_once(size: int, order: int, epoch: int) -> None:
    visited = permutation(size, order, epoch)
    assert visited.dtype == torch.int64
    assert visited.sort().values.tolist() == list(range(size))
    assert torch.equal(visited, permutation(size, order, epoch))


def test_epochs_and_orders_are_unlike() -> None:
    """Of 1,000 images one stays where it was, on average, from one to the other."""
    drawn = [permutation(1000, u, epoch) for u in (0, 1, 2**62) for epoch in range(20)]
    pairs = [(a, b) for i, a in enumerate(drawn) for b in drawn[:i]]
    fixed = torch.tensor([float((a == b).sum()) for a, b in pairs])
    # Poisson of mean 1 each; 1,770 pairs: the mean within 5 standard deviations
    assert (fixed.mean() - 1).abs() < 5 / len(pairs) ** 0.5
    assert fixed.max() < 12  # P(one pair has 12 or more) < 1e-9


@given(size=sizes, batch_size=sizes, order=st.integers(0, 99))
def test_batches_are_the_permutations_cut_up(
    size: int, batch_size: int, order: int
) -> None:
    steps = 12
    epochs = steps * batch_size // size + 1
    images = torch.cat([permutation(size, order, epoch) for epoch in range(epochs)])
    expected = images[: steps * batch_size].view(steps, batch_size)
    assert torch.equal(taken(steps, size, batch_size, order), expected)


@given(size=sizes, batch_size=sizes, order=st.integers(0, 99), first=st.integers(0, 60))
def test_a_run_that_begins_at_step_k_sees_what_the_whole_run_sees(
    size: int, batch_size: int, order: int, first: int
) -> None:
    whole = taken(first + 5, size, batch_size, order)
    assert torch.equal(taken(5, size, batch_size, order, first), whole[first:])


def test_a_late_step_costs_no_more_than_the_first() -> None:
    """Only the permutation of its own epoch is drawn, not the 10^12 before."""
    late = next(batches(7, 3, 0, first=7 * 10**12))
    assert torch.equal(late, permutation(7, 0, 3 * 10**12)[:3])


def test_a_batch_stays_as_it_was_when_the_next_is_asked_for() -> None:
    found = batches(10, 4, 3)
    first = next(found)
    before = first.clone()
    for _ in range(5):
        next(found)
    assert torch.equal(first, before)


def test_the_global_random_state_neither_matters_nor_moves() -> None:
    torch.manual_seed(0)
    first, state = taken(5, 10, 4, 3), torch.get_rng_state()
    torch.manual_seed(1)
    assert torch.equal(taken(5, 10, 4, 3), first)
    torch.manual_seed(0)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    "numbers", [(0, 1, 0, 0), (1, 0, 0, 0), (1, 1, -1, 0), (1, 1, 0, -1)]
)
def test_bad_numbers_are_named(numbers: tuple[int, int, int, int]) -> None:
    size, batch_size, order, first = numbers
    message = (
        "expected size >= 1, batch_size >= 1, order >= 0, first >= 0; got "
        + ", ".join(map(str, numbers))
    )
    with pytest.raises(ValueError) as caught:
        next(batches(size, batch_size, order, first=first))
    assert str(caught.value) == message
    assert next(batches(1, 1, 0, first=0)).tolist() == [0]
