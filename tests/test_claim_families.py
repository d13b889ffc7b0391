"""What is asked of every family of random cases of paper C's claims on dimensions."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from strategies import sources

from theory import (
    exact_limit,
    gaussian_width,
    predicted_threshold,
    pruning_lower_bound,
    pruning_upper_bound,
    statistical_dimension,
)
from theory.claim import ExactSides, Sides
from theory.ledger import COUNTER_EXAMPLE

CLAIMS = [
    module.CLAIM
    for module in (
        exact_limit,
        gaussian_width,
        predicted_threshold,
        pruning_lower_bound,
        pruning_upper_bound,
        statistical_dimension,
    )
]
CHECKS = {f"{c.label}: {k.family}": k for c in CLAIMS for k in c.checks}
CONTROLS = {f"{c.label}: without {k.dropped}": k for c in CLAIMS for k in c.controls}


@pytest.mark.parametrize("name", CHECKS)
@given(rng=sources())
def test_every_check_holds(name: str, rng: Random) -> None:
    assert CHECKS[name].draw(rng).defect() <= CHECKS[name].bound


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_has_a_counter_example(name: str) -> None:
    defects = [CONTROLS[name].draw(Random(seed)).defect() for seed in range(60)]
    assert max(defects) > COUNTER_EXAMPLE


def parts(sides: Sides | ExactSides) -> tuple[list[float], list[float], str]:
    left, right = ([float(x) for x in side] for side in (sides.left, sides.right))
    return left, right, sides.case


@pytest.mark.parametrize("name", [*CHECKS, *CONTROLS])
def test_cases_come_from_their_source_alone_and_name_themselves(name: str) -> None:
    family: Any = (CHECKS | CONTROLS)[name]
    for seed in range(5):
        first = family.draw(Random(seed))
        assert isinstance(first.case, str) and first.case
        assert parts(first) == parts(family.draw(Random(seed)))
    assert len({family.draw(Random(seed)).case for seed in range(40)}) > 4
