"""Magnitude is the most stable mask where it is proved, and only there."""

from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from random import Random

import pytest
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
from theory.gradient_descent import Sgd
from theory.ledger import COUNTER_EXAMPLE
from theory.pruning_forcing import differences
from theory.rational_training import Subnetwork, random_subnetwork

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
        found = squared_distance(ONE, 3 * ONE, 2, 5 * ONE, Sgd(ONE / 7), n)
        assert found == 2 * (3 * 5 * ONE / 7) ** 2
    assert squared_distance(ONE, ONE, 1, ONE, Sgd(ONE), 0) == 0


@given(sources())
def test_the_formula_holds_for_every_mask(rng: Random) -> None:
    size, steps, rate = rng.randint(2, 4), rng.randint(0, 3), ONE / rng.randint(1, 9)
    weights = [rng.randint(-9, 9) for _ in range(size)]
    batch = correlated(ONE, 2 * ONE, weights)
    alpha, beta = ONE / (size + 1), 4 * ONE / (size + 1)
    dag = random_subnetwork(rng, [size, 1], bias=False, linear=True).dag
    dag = replace(dag, weights={(j, size): ONE * w for j, w in enumerate(weights)})
    for survivors in range(1, size):
        for kept in combinations(dag.weights, survivors):
            own = Subnetwork(dag, frozenset(kept), Sgd(rate))
            gaps = differences(own, [batch] * steps)
            pruned = sum(weights) - sum(dag.weights[e] for e in kept)
            assert sum(g * g for g in gaps) == squared_distance(
                alpha, beta, survivors, pruned, own.sgd, steps
            )


@given(sources())
def test_no_mask_is_more_stable_than_magnitudes(rng: Random) -> None:
    assert magnitude(rng).defect() == 0.0


def several(draw: object) -> list[ExactSides]:
    assert callable(draw)
    return [draw(Random(seed)) for seed in range(80)]


def test_the_cases_are_not_empty() -> None:
    sides = several(magnitude)
    assert all(s.left[0] > 0 for s in sides)
    weights = [s.case[: s.case.index("]")].count(",") + 1 for s in sides]
    kept = [s.case.count("(", s.case.index("{")) for s in sides]
    assert set(zip(weights, kept, strict=True)) == {
        (size, survivors) for size in (3, 4, 5) for survivors in range(1, size)
    }


def test_with_both_signs_other_masks_cancel() -> None:
    for s in several(magnitude_of_both_signs):
        assert s.right == (0,) and s.defect() > COUNTER_EXAMPLE
        assert "9, -9]" in s.case


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
