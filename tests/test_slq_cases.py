"""Floating-point cases of the claim: families reached, scales bounded, can fail."""

from random import Random
from typing import Any

import numpy as np
import pytest
import torch

from theory import slq_cases
from theory.claim import Sides
from theory.deflation import Deflation
from theory.known_spectra import FAMILIES
from theory.lanczos import Lanczos

HOLD = (
    "polynomials",
    "rules_as_bounds",
    "intervals_of_mass",
    "deflated",
    "closed_forms",
)
FAIL = ("ghosts", "damped", "density", "not_monotone")


def cases(name: str, number: int = 30) -> list[Sides]:
    draw = getattr(slq_cases, name)
    return [draw(Random(seed)) for seed in range(number)]


@pytest.mark.parametrize("name", HOLD)
def test_within_rounding(name: str) -> None:
    drawn = cases(name)
    assert max(sides.defect() for sides in drawn) <= 1e-10
    for sides in drawn:
        size = torch.maximum(sides.left.abs(), sides.right.abs())
        assert bool((size <= sides.scale * (1 + 1e-9) + 1e-300).all())


@pytest.mark.parametrize("name", FAIL)
def test_controls_fail(name: str) -> None:
    assert sum(sides.defect() > 1e-3 for sides in cases(name, 20)) >= 5


def test_all_families_sizes_and_scales_are_drawn() -> None:
    names = [sides.case.split(",")[0] for sides in cases("polynomials", 100)]
    assert set(names) == {family.__name__ for family in FAMILIES}
    definite = {sides.case.split(",")[0] for sides in cases("rules_as_bounds", 100)}
    assert definite == set(names) - {"indefinite"}
    words = [sides.case.split() for sides in cases("polynomials", 100)]
    sizes = [int(word[1]) for word in words]
    powers = [np.log10(float(word[-1])) for word in words]
    assert min(sizes) <= 10 and max(sizes) >= 38
    assert -9 < min(powers) < -6 and 6 < max(powers) < 9


def test_polynomials_start_with_one_and_reach_degree_2k_minus_1() -> None:
    lengths = set()
    for sides in cases("polynomials", 60):
        assert float(sides.right[0]) == pytest.approx(1)
        assert len(sides.left) % 2 == 0
        lengths.add(len(sides.left))
    assert {2, 24} <= lengths


def test_kinds_of_losses() -> None:
    drawn = [sides.case.split(",")[0] for sides in cases("closed_forms")]
    assert set(drawn) == {"squares", "logistic", "softmax"}


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("rules_as_bounds", "gauss"),
        ("rules_as_bounds", "radau"),
        ("deflated", "gauss"),
        ("deflated", "radau"),
    ],
)
def test_a_wrong_rule_is_seen(
    name: str, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lower rule moved up, an upper one moved down: the clipped value differs."""
    original: Any = getattr(slq_cases, part)
    sign = 1 if part == "gauss" else -1

    def moved(run: Lanczos) -> Any:
        rule = original(run)
        return type(rule)(rule.nodes, rule.weights * (1 + sign * 0.5))

    monkeypatch.setattr(slq_cases, part, moved)
    assert sum(sides.defect() > 1e-3 for sides in cases(name)) > 5


def test_a_wrong_enclosure_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    for ends in ((-1.0, 1e-9), (1.0, 2.0)):
        monkeypatch.setattr(slq_cases, "enclosure", lambda *a, ends=ends, **b: ends)
        assert sum(sides.defect() > 1e-3 for sides in cases("intervals_of_mass")) > 10


def test_deflation_is_of_several_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    original = slq_cases.deflation

    def spy(*arguments: Any, **options: Any) -> Deflation:
        found = original(*arguments, **options)
        counts.append(len(found.runs))
        return found

    monkeypatch.setattr(slq_cases, "deflation", spy)
    sides = cases("deflated")
    assert [len(one.left) for one in sides] == counts and max(counts) > 5
