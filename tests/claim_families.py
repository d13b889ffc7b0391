"""What is asked of every family of random cases, whatever the claim."""

from collections.abc import Callable
from random import Random

from theory.claim import ExactSides, Sides


def _parts(sides: Sides | ExactSides) -> tuple[list[float], list[float], str]:
    left, right = ([float(x) for x in side] for side in (sides.left, sides.right))
    return left, right, sides.case


def assert_reproducible(draw: Callable[[Random], Sides | ExactSides]) -> None:
    """Assert that cases come from their source alone, differ, and name themselves."""
    for seed in range(5):
        first = draw(Random(seed))
        assert isinstance(first.case, str) and first.case
        assert _parts(first) == _parts(draw(Random(seed)))
    assert len({draw(Random(seed)).case for seed in range(40)}) > 4
