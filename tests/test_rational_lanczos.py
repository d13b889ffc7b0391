"""Rational recurrences against floating-point Lanczos and plain linear algebra."""

from fractions import Fraction
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from tolerance import tolerance

from theory.exact_quadrature import indefinite, radius, semidefinite, vector
from theory.lanczos import lanczos
from theory.quadrature import gauss, radau
from theory.rational_lanczos import (
    Recurrence,
    power_form,
    recurrence,
    resolvent_form,
    solved,
)

HALF = Fraction(1, 2)


def fractions(rows: Any) -> Any:
    return np.vectorize(Fraction, otypes=[object])(np.array(rows))


def floats(array: Any) -> torch.Tensor:
    return torch.from_numpy(array.astype(float))


def test_two_steps_by_hand() -> None:
    H = fractions([[1, 2, 0], [2, 3, 4], [0, 4, 5]])
    run = recurrence([H, H], fractions([2, 0, 0]))
    assert run.diagonal == (1, 3) and run.couplings == (4, 16) and run.norm == 4
    assert run.steps == 2 and not run.exact
    assert run.matrix().tolist() == [[1, 4], [1, 3]]
    assert [run.moment(m) for m in range(4)] == [4, 4, 20, 84]
    assert run.resolvent(HALF) == 4 / (Fraction(3, 2) - 4 / Fraction(7, 2))
    bordered = run.radau(Fraction(-6))  # pivots 7, 59/7: -6 + 16 * 7/59
    assert bordered.diagonal == (1, 3, Fraction(-6) + Fraction(112, 59))
    assert bordered.couplings == (4, 16, 0) and bordered.norm == 4


def test_one_step_and_a_breakdown() -> None:
    H = fractions([[2, 0], [0, 3]])
    run = recurrence([H, H], fractions([3, 0]))
    assert run == Recurrence((Fraction(2),), (Fraction(0),), Fraction(9))
    assert run.exact and run.radau(Fraction(0)) is run
    assert run.resolvent(Fraction(1)) == 3


@pytest.mark.parametrize("seed", range(10))
def test_the_same_rules_as_in_floating_point(seed: int) -> None:
    rng = Random(seed)
    H, v = semidefinite(rng), vector(rng)
    steps = rng.randint(1, 3)
    exact = recurrence([H] * steps, v)
    run = lanczos(lambda u: floats(H) @ u, floats(v), exact.steps)
    assert run.alphas == pytest.approx(
        [float(a) for a in exact.diagonal], abs=tolerance(10**4, 50)
    )
    squares = [float(c) for c in exact.couplings]
    assert run.betas**2 == pytest.approx(squares, abs=tolerance(10**5, 2500))
    shift, norm = Fraction(1, 3), float(v @ v)
    for rule, ours in ((gauss(run), exact), (radau(run), exact.radau(Fraction(0)))):
        value = norm * rule.integral(lambda x: 1 / (1 / 3 + x))
        assert value == pytest.approx(float(ours.resolvent(shift)), rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_elimination_and_powers(seed: int) -> None:
    rng = Random(seed)
    H, v = indefinite(rng), vector(rng)
    shift = radius(H) + 1
    x = solved(H + shift * fractions(np.eye(4, dtype=int)), v)
    assert (H @ x + shift * x).tolist() == v.tolist()
    assert resolvent_form(H, v, shift) == v @ x
    assert power_form(H, v, 0) == v @ v
    assert power_form(H, v, 3) == v @ H @ H @ H @ v
    two = solved(fractions([[0, 2], [1, 1]]), fractions([[2, 4], [3, 3]]))
    assert two.tolist() == [[2, 1], [1, 2]]


def test_a_singular_matrix() -> None:
    with pytest.raises(ZeroDivisionError):
        solved(fractions([[1, 1], [1, 1]]), fractions([1, 2]))
