"""Claim `slq`: every check holds, every control fails, nothing is left untested."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from strategies import sources

from theory.ledger import COUNTER_EXAMPLE, verify
from theory.slq import CLAIM


@pytest.mark.parametrize("check", CLAIM.checks, ids=lambda check: check.family)
@given(rng=sources())
def test_every_check_holds(check: Any, rng: Random) -> None:
    assert check.draw(rng).defect() <= check.bound


@pytest.mark.parametrize("control", CLAIM.controls, ids=lambda c: c.dropped)
def test_every_control_fails(control: Any) -> None:
    worst = max(control.draw(Random(seed)).defect() for seed in range(40))
    assert worst > COUNTER_EXAMPLE


def test_the_verdict() -> None:
    verdict = verify(CLAIM, cases=10, seed=0)
    assert verdict.word == "VERIFIED" and verdict.cases == 10 * len(CLAIM.checks)


def test_checks_and_controls_are_all_different() -> None:
    draws = [part.draw for part in (*CLAIM.checks, *CLAIM.controls)]
    assert len(set(draws)) == len(draws) == 25
    assert sum(check.bound == 0.0 for check in CLAIM.checks) == 9
    assert all(
        check.bound == (0.0 if check.family.endswith("exact") else 1e-10)
        for check in CLAIM.checks
    )


def test_the_text() -> None:
    assert CLAIM.label == "slq" and len(CLAIM.assumptions) == 5
    assert "arXiv 2306.05857" in CLAIM.source and CLAIM.title.startswith("Lanczos quad")
    assert "2k−1" in CLAIM.statement
