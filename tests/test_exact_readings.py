"""Readings and paper C's limit in fractions: by hand, against float64."""

from fractions import Fraction
from random import Random

import numpy as np
from hypothesis import given
from strategies import sources

from theory.exact_readings import all_of, paper, readings, small_case, whole
from theory.measure import Measure
from theory.pruning_limit import paper_limit
from theory.reoptimised import largest_removal, nested_losses

ONE = Fraction(1)


def test_readings_by_hand() -> None:
    """W = (1, 2): w^k loses 1 and 1 + 8 - 4 = 5; re-optimised 1 - 1/4 of the first."""
    hessian = np.array([[2, -1], [-1, 2]]) * ONE
    weights = np.array([1, 2]) * ONE
    assert readings(hessian, weights, Fraction(3, 4) - Fraction(1, 99)) == (0, 0)
    assert readings(hessian, weights, Fraction(3, 4)) == (0, 1)
    assert readings(hessian, weights, ONE) == (1, 1)
    assert readings(hessian, weights, 3 * ONE) == (2, 2)  # (2 - 4 + 8) / 2
    assert readings(hessian, weights, 3 - Fraction(1, 99)) == (1, 1)


def test_the_loss_of_pruning_need_not_rise() -> None:
    """W = (1, 1) and H = 1 1' and nothing: both may go where one may not."""
    hessian = np.array([[1, -1], [-1, Fraction(5, 4)]]) * ONE
    assert readings(hessian, np.array([ONE, ONE]), Fraction(1, 8)) == (2, 2)


@given(sources())
def test_readings_in_float64(rng: Random) -> None:
    hessian, weights, epsilon = small_case(rng)
    losses = nested_losses(
        hessian.astype(float), weights.astype(float), np.arange(len(weights))
    )
    near = np.abs(losses / float(epsilon) - 1) < 1e-9
    if not near.any():
        expected = largest_removal(losses, float(epsilon))
        assert readings(hessian, weights, epsilon)[1] == expected


def test_the_limit_by_hand() -> None:
    """r^2 = 2 and two flat axes: n <= 2 + 2 / (2 + R^2)."""
    values = [0 * ONE, ONE, 0 * ONE]
    assert paper(values, np.array([ONE, ONE]), ONE) == 2
    assert paper(values, np.array([ONE, ONE, ONE]), ONE) == 2
    assert paper(values, np.array([0, 0, 0]) * ONE, ONE) == 3
    assert paper([ONE / 2], np.array([3 * ONE]), ONE) == 0  # 4 / 13
    flat = [ONE, ONE]
    assert paper(flat, np.array([ONE, ONE]), ONE) == 1  # 4 / 3 and 1
    assert paper(flat, np.array([ONE, ONE]), ONE / 2) == 1  # 1 and 2 / 3
    assert paper(flat, np.array([ONE, ONE]), ONE / 3) == 0


@given(sources())
def test_the_limit_in_float64(rng: Random) -> None:
    _, weights, epsilon = small_case(rng)
    values = [Fraction(rng.randint(0, 99), 7) for _ in weights]
    exact = paper(values, weights, epsilon)
    trace = Measure(np.array(values, float), np.full(len(values), 1 / len(values)))
    rises = (float(epsilon) * (1 + slack) for slack in (-1e-9, 1e-9))
    low, high = (
        paper_limit(weights.astype(float), trace, len(values), rise) for rise in rises
    )
    assert low <= exact <= high


def test_cases_are_what_they_say() -> None:
    cases = [small_case(Random(seed), 2) for seed in range(60)]
    assert {len(weights) for _, weights, _ in cases} == {2, 3, 4}
    assert 1 in {len(small_case(Random(seed))[1]) for seed in range(60)}
    for hessian, weights, epsilon in cases:
        assert (np.diff(np.abs(weights)) >= 0).all() and epsilon > 0
        assert (np.linalg.eigvalsh(hessian.astype(float)) > 0).all()
    signs = {int(np.sign(float(w))) for _, weights, _ in cases for w in weights}
    assert signs == {-1, 0, 1}
    rises = [epsilon for _, _, epsilon in cases]
    assert min(rises) < 20 and max(rises) > 150


def test_all_of_takes_the_diagonal() -> None:
    hessian = np.array([[2, -1], [-1, 2]]) * ONE
    weights = np.array([1, 2]) * ONE
    both = readings(hessian, weights, ONE)
    limit = paper([2 * ONE, 2 * ONE], weights, ONE)
    assert all_of(hessian, weights, ONE) == (*both, limit)


def test_whole_numbers_are_exact_sides() -> None:
    found = whole((1, 2), (1, 3), "case")
    assert found.left == (1, 2) and found.right == (1, 3) and found.case == "case"
    assert isinstance(found.left[0], Fraction) and found.defect() == 1.0
