"""Trace estimators over all probes: what is drawn, what holds, what can fail."""

from fractions import Fraction
from random import Random

import numpy as np
import pytest

from theory import exact_traces
from theory.exact_quadrature import integers
from theory.exact_traces import projector

HOLD = {"hutchinson": {2}, "hutch_plus_plus": {2}, "low_rank": {16}, "dead_rows": {1}}
FAIL = {"zeros_and_ones": 55, "sketch_too_small": 20}


@pytest.mark.parametrize("name", HOLD)
def test_equal_without_tolerance(name: str) -> None:
    drawn = [getattr(exact_traces, name)(Random(seed)) for seed in range(60)]
    assert max(sides.defect() for sides in drawn) == 0.0
    assert {len(sides.left) for sides in drawn} == HOLD[name]
    assert all("Fraction" in sides.case for sides in drawn)
    assert len({sides.left[-1] for sides in drawn}) > 10


@pytest.mark.parametrize("name", FAIL)
def test_controls_fail_often(name: str) -> None:
    drawn = [getattr(exact_traces, name)(Random(seed)) for seed in range(60)]
    assert sum(sides.defect() > 1e-3 for sides in drawn) >= FAIL[name]


def test_dead_rows_reach_all_counts() -> None:
    """Trace m / s of 1 / (s + 0): with all four rows dead the trace is 4 / s, s = 1."""
    values = [exact_traces.dead_rows(Random(seed)).left[0] for seed in range(300)]
    assert 4 in values and len(set(values)) > 100


def test_projectors() -> None:
    for seed in range(20):
        V = integers(Random(seed), 4, 2)
        P = projector(V)
        assert (P @ P == P).all() and (P.T == P).all() and (P @ V == V).all()
        rank = np.linalg.matrix_rank(V.astype(float))
        assert sum(np.diag(P), Fraction(0)) == rank
    doubled = np.array([[1, 2], [1, 2]], dtype=object) * Fraction(1)
    assert projector(doubled).tolist() == [[Fraction(1, 2)] * 2] * 2
    assert not projector(0 * doubled).any()
