"""Affine maps against the training of a linear network, and moments by enumeration."""

from fractions import Fraction
from itertools import product
from random import Random

import numpy as np
from hypothesis import given
from strategies import sources

from theory.affine_steps import Quadratic, at_rest, identity, moments, zeros
from theory.gradient_descent import Sgd
from theory.rational_training import Sample, random_batches, random_subnetwork

ONE, ZERO = Fraction(1), Fraction(0)


def exact(values: object) -> np.ndarray:
    array = np.array(values, dtype=object)
    return array + Fraction(0)


def test_a_quadratic_by_hand() -> None:
    batch = [
        Sample({1: 2 * ONE, 0: ONE}, {2: 3 * ONE}),  # inputs by unit, not as given
        Sample({0: ZERO, 1: 4 * ONE}, {2: -ONE}),
    ]
    loss = Quadratic.of(batch)
    assert loss.H.tolist() == [[ONE / 2, 1], [1, 10]]
    assert loss.b.tolist() == [3 * ONE / 2, 1]
    part = loss.on([1])
    assert part.H.tolist() == [[10]] and part.b.tolist() == [1]
    assert loss.on([1, 0]).b.tolist() == [1, 3 * ONE / 2]


def test_a_step_by_hand() -> None:
    G, c = Quadratic(exact([[6]]), exact([5])).step(Sgd(ONE / 2, ONE / 4, ONE))
    assert G.tolist() == [[1 - 7 * ONE / 2, -ONE / 8], [7, ONE / 4]]
    assert c.tolist() == [5 * ONE / 2, -5]


@given(sources())
def test_steps_are_those_of_the_network(rng: Random) -> None:
    widths = [rng.randint(2, 4), 1]
    own = random_subnetwork(rng, widths, bias=False)
    order = random_batches(rng, widths, 3, rng.randint(1, 3))
    kept = sorted(i for i, _ in own.kept)
    state = at_rest(exact([own.dag.weights[e] for e in sorted(own.kept)]))
    for batch, expected in zip(order, own.states(order)[1:], strict=True):
        G, c = Quadratic.of(batch).on(kept).step(own.sgd)
        state = G @ state + c
        for part, values in (
            (state[: len(kept)], expected.weights),
            (state[len(kept) :], expected.velocity),
        ):
            assert part.tolist() == [values[e] for e in sorted(own.kept)]


@given(sources())
def test_moments_are_those_of_all_products(rng: Random) -> None:
    def draw(*shape: int) -> np.ndarray:
        flat = [Fraction(rng.randint(-3, 3), 2) for _ in range(int(np.prod(shape)))]
        return exact(flat).reshape(shape)

    maps = [(draw(2, 2), draw(2)) for _ in range(rng.randint(1, 3))]
    start, steps = draw(2), rng.randint(0, 3)
    ends = []
    for order in product(maps, repeat=steps):
        z = start
        for G, c in order:
            z = G @ z + c
        ends.append(z)
    expected = sum(ends) / Fraction(len(ends))
    second = sum(np.multiply.outer(z, z) for z in ends) / Fraction(len(ends))
    mean, covariance = moments(maps, start, steps)
    assert covariance.shape == (2, 2)
    assert mean.tolist() == expected.tolist()
    assert (covariance == second - np.multiply.outer(expected, expected)).all()


def test_small_arrays() -> None:
    assert identity(2).tolist() == [[1, 0], [0, 1]]
    assert identity(0).dtype == object
    assert all(type(x) is Fraction for x in identity(2).ravel())
    assert zeros(2, 1).tolist() == [[0], [0]]
    assert type(zeros(1)[0]) is Fraction
    assert at_rest(exact([5, 6])).tolist() == [5, 6, 0, 0]
