"""Forks and what each batch decides: by hand."""

from fractions import Fraction
from itertools import product
from random import Random

import pytest
from hypothesis import given
from strategies import sources

from theory.order_forks import Order, Vector, centre, decided, fork, gap, spread


def vector(*values: int) -> Vector:
    return tuple(map(Fraction, values))


ENDS = {
    (0, 0): vector(0, 0),
    (0, 1): vector(2, 0),
    (1, 0): vector(10, 4),
    (1, 1): vector(10, 0),
}


def test_gap_centre_and_spread_by_hand() -> None:
    assert gap(vector(1, 2), vector(4, 6)) == 25 and gap((), ()) == 0
    assert centre([vector(1, 2), vector(4, 6)]) == (Fraction(5, 2), 4)
    assert spread([vector(1, 2), vector(4, 6)]) == Fraction(25, 4)
    assert spread([vector(5, 5)]) == 0


def test_vectors_of_different_lengths_are_an_error() -> None:
    for use in (gap, lambda x, y: centre([x, y])):
        with pytest.raises(ValueError, match=r"longer|shorter"):
            use(vector(1, 2), vector(1))
    assert type(gap((), ())) is Fraction


def test_forks_by_hand() -> None:
    assert fork(ENDS, 2) == 0  # the same order, twice
    assert fork(ENDS, 1) == Fraction(4 + 16, 4)  # half of the pairs are twice the same
    pairs = [gap(x, y) for x in ENDS.values() for y in ENDS.values()]
    assert fork(ENDS, 0) == Fraction(sum(pairs), 16)


def test_what_a_batch_decides_by_hand() -> None:
    # E[X] = (5.5, 1); given the first batch (1, 0) or (10, 2)
    assert decided(ENDS, 0) == Fraction(81, 4) + 1
    assert decided(ENDS, 1) == Fraction(1 + 4, 2)


@given(sources())
def test_a_fork_is_twice_what_is_decided_after_it(rng: Random) -> None:
    ends: dict[Order, Vector] = {
        order: vector(rng.randint(-5, 5), rng.randint(-5, 5))
        for order in product(range(2), repeat=3)
    }
    for k in range(4):
        assert fork(ends, k) == 2 * sum(decided(ends, t) for t in range(k, 3))
    assert fork(ends, 0) == 2 * spread(list(ends.values()))
