"""Magnitude is the most stable mask where it is proved, and only there."""

import re
from fractions import Fraction
from itertools import combinations
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given
from strategies import sources

from theory import equal_correlations
from theory.affine_steps import Quadratic
from theory.claim import ExactSides
from theory.equal_correlations import (
    correlated,
    magnitude,
    magnitude_of_both_signs,
    squared_distance,
)
from theory.ledger import COUNTER_EXAMPLE
from theory.lottery_tickets import Weights, lower
from theory.masks import Masks
from theory.pruning_forcing import differences, linear_model

ONE = Fraction(1)


def test_the_samples_are_equally_correlated_and_fitted() -> None:
    batch = correlated(2 * ONE, 3 * ONE, [1, -1, 5])
    loss = Quadratic.of(batch)
    assert loss.H.tolist() == [
        [Fraction(4 * (i == j) + 9, 4) for j in range(3)] for i in range(3)
    ]
    assert [s.targets for s in batch] == [{3: 2}, {3: -2}, {3: 10}, {3: 15}]


def test_the_formula_by_hand() -> None:
    """Lambda = 1 + 2 * 3 = 7, eta = 1 / 7: the first step ends it."""
    for n in (1, 2):
        found = squared_distance(ONE, 3 * ONE, 2, 5 * ONE, ONE / 7, n)
        assert found == 2 * (3 * 5 * ONE / 7) ** 2
    assert squared_distance(ONE, ONE, 1, ONE, ONE, 0) == 0


@given(sources())
def test_the_formula_holds_for_every_mask(rng: Random) -> None:
    size, steps, rate = rng.randint(2, 4), rng.randint(0, 3), ONE / rng.randint(1, 9)
    weights = [rng.randint(-9, 9) for _ in range(size)]
    batch = correlated(ONE, 2 * ONE, weights)
    alpha, beta = ONE / (size + 1), 4 * ONE / (size + 1)
    for survivors in range(1, size):
        for kept in combinations(range(size), survivors):
            own = linear_model(weights, kept, rate)
            gaps = differences(own, [batch] * steps)
            pruned = Fraction(sum(weights) - sum(weights[j] for j in kept))
            assert sum(g * g for g in gaps) == squared_distance(
                alpha, beta, survivors, pruned, rate, steps
            )


@given(sources())
def test_no_mask_is_more_stable_than_magnitudes(rng: Random) -> None:
    assert magnitude(rng).defect() == 0.0


def several(draw: object) -> list[ExactSides]:
    assert callable(draw)
    return [draw(Random(seed)) for seed in range(120)]


def test_the_cases_are_not_empty() -> None:
    sides = several(magnitude)
    assert all(s.left[0] > 0 for s in sides)
    cases = [re.fullmatch(r"\[(.*)\], kept \[(.*)\]", s.case) for s in sides]
    parts = [[part.split(", ") for part in case.groups()] for case in cases if case]
    assert {(len(weights), len(kept)) for weights, kept in parts} == {
        (size, survivors) for size in (3, 4, 5) for survivors in range(1, size)
    }
    assert {int(w) for weights, _ in parts for w in weights} == set(range(1, 10))


def test_with_both_signs_other_masks_cancel() -> None:
    sides = several(magnitude_of_both_signs)
    for s in sides:
        assert s.right == (0,) and s.defect() > COUNTER_EXAMPLE
        assert s.case.count("9, -9], kept") == 1
    drawn = [s.case[1:].split(", 9, -9")[0].split(", ") for s in sides]
    assert {len(weights) for weights in drawn} == {2, 3}
    assert {int(w) for weights in drawn for w in weights} == set(range(1, 9))


def test_the_cases_have_all_samples_rates_and_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[Any, ...]] = []

    def spy(*of: Any) -> Fraction:
        seen.append(of)
        return squared_distance(*of)

    def lowest(weights: Weights, masks: Masks, rate: float) -> Masks:
        assert (weights["w"].dtype, masks["w"].dtype) == (torch.float64, torch.bool)
        return lower(weights, masks, rate)

    monkeypatch.setattr(equal_correlations, "squared_distance", spy)
    monkeypatch.setattr(equal_correlations, "lower", lowest)
    for draw in (magnitude, magnitude_of_both_signs):
        several(draw)
    own, shared, *_, rates, steps = map(set, zip(*seen, strict=True))
    squares = {v * v * ONE / (size + 1) for v in (1, 2, 3) for size in (3, 4, 5)}
    assert own == shared == squares
    assert rates == {ONE / n for n in range(1, 21)} and steps == {1, 2, 3}


@pytest.mark.parametrize("broken", ["the largest go", "random"])
def test_other_masks_are_found_out(
    broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = equal_correlations.lower

    def other(weights: object, masks: object, rate: float) -> object:
        assert isinstance(weights, dict)
        turned = {
            k: 10 - w if "largest" in broken else 0 * w for k, w in weights.items()
        }
        return original(turned, masks, rate)  # type: ignore[arg-type]

    monkeypatch.setattr(equal_correlations, "lower", other)
    assert max(s.defect() for s in several(magnitude)) > COUNTER_EXAMPLE
