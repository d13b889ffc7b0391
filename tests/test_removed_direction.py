"""The measure of the removed weights: against eigenvectors, dead parts, edge cases."""

import numpy as np
import pytest
import torch
from tolerance import tolerance
from torch import Tensor

from theory.measure import Measure
from theory.pruning_limit import removal_order
from theory.quadrature import gauss, radau
from theory.removed_direction import NOWHERE, along_removed

CLOSE = tolerance(10**4)
WEIGHTS = np.array([3.0, -1.0, 2.0, 0.0, 0.5])
ORDER = removal_order(WEIGHTS)  # 3, 4, 1, 2, 0
DEAD = np.array([False, True, False, False, True])


def symmetric(size: int) -> Tensor:
    draws = np.random.default_rng(size).standard_normal((size, size))
    return torch.from_numpy(draws @ draws.T)


def moments(measure: Measure, count: int = 6) -> list[float]:
    return [measure.integral(lambda x, k=k: x**k) for k in range(count)]


def assert_moments(measure: Measure, matrix: Tensor, vector: np.ndarray) -> None:
    unit = torch.from_numpy(vector / np.linalg.norm(vector))
    scale = float(torch.linalg.matrix_norm(matrix, 2))
    for k, moment in enumerate(moments(measure)):
        exact = float(unit @ torch.linalg.matrix_power(matrix, k) @ unit)
        assert abs(moment - exact) <= CLOSE * scale**k


def test_moments_are_those_of_the_removed_vector() -> None:
    matrix = symmetric(5)
    along = along_removed(lambda x: matrix @ x, WEIGHTS, ORDER, 3)
    for n, removed in ((2, [4]), (3, [1, 4]), (5, [0, 1, 2, 4])):
        vector = np.zeros(5)
        vector[removed] = -WEIGHTS[removed]
        assert_moments(along(n, gauss), matrix, vector)
        assert (along(n, gauss).nodes > 0).all()  # no atom at 0 without dead parts
        assert abs(along(n, radau).nodes[0]) <= CLOSE
    assert len(along(5, gauss).nodes) == 3  # the steps, even of 5 coordinates


def test_dead_coordinates_are_at_zero_exactly() -> None:
    live = torch.from_numpy(np.flatnonzero(~DEAD))
    inner = symmetric(3)
    matrix = torch.zeros(5, 5, dtype=torch.float64)
    matrix[live[:, None], live] = inner
    along = along_removed(lambda x: inner @ x, WEIGHTS, ORDER, 3, dead=DEAD)
    found = along(4, gauss)
    assert found.nodes[0] == 0.0
    assert abs(found.weights[0] - 1.25 / 5.25) <= CLOSE  # of 0.25 + 1 + 4
    assert abs(found.mass - 1) <= CLOSE
    assert_moments(found, matrix, np.array([0.0, -1.0, 2.0, 0.0, 0.5]))


def test_where_only_dead_coordinates_or_zeros_went() -> None:
    inner, asked = symmetric(3), []

    def product(x: Tensor) -> Tensor:
        asked.append(x)
        return inner @ x

    along = along_removed(product, WEIGHTS, ORDER, 3, dead=DEAD)
    for n in (1, 2, 3):  # the zero, 0.5 and -1, both dead
        assert along(n, gauss) is NOWHERE
    assert not asked
    assert NOWHERE.nodes.tolist() == [0.0] and NOWHERE.weights.tolist() == [1.0]


def test_runs_are_kept_and_rules_share_them() -> None:
    matrix, asked = symmetric(5), []

    def product(x: Tensor) -> Tensor:
        asked.append(x.device)
        return matrix @ x

    device = torch.device("cpu")
    along = along_removed(product, WEIGHTS, ORDER, 2, device=device)
    first = along(4, gauss)
    assert asked == [device, device]
    assert len(along(4, radau).nodes) == 3
    assert along(4, gauss).nodes.tolist() == first.nodes.tolist()
    assert len(asked) == 2
    along(3, gauss)
    assert len(asked) == 4


def test_weights_are_left_alone() -> None:
    matrix, weights = symmetric(5), WEIGHTS.copy()
    along_removed(lambda x: matrix @ x, weights, ORDER, 2)(4, gauss)
    assert weights.tolist() == WEIGHTS.tolist()


def test_no_more_can_go_than_the_order_has() -> None:
    along = along_removed(lambda x: x, WEIGHTS, ORDER[:3], 3)
    assert along(3, gauss).mass == 1.0
    message = "^expected at most 3 removed weights, the length of the order, got 4"
    with pytest.raises(ValueError, match=message):
        along(4, gauss)
