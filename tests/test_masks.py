"""Masks keep exact counts whatever the scores; schedules follow their closed forms."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import densities, scores
from tolerance import tolerance
from torch import Tensor

from theory.masks import (
    Masks,
    Scope,
    collapsed,
    counts,
    exponential,
    keep_largest,
    kept,
    linear,
    masked,
    shuffled,
)


def flat(tensors: dict[str, Tensor]) -> list[float]:
    return [value for t in tensors.values() for value in t.flatten().tolist()]


def sorted_oracle(values: list[float], count: int) -> list[bool]:
    """Rank by a stable sort: the largest first, of equal ones the first."""
    order = sorted(range(len(values)), key=lambda i: -values[i])  # sorted() is stable
    chosen = set(order[:count])
    return [i in chosen for i in range(len(values))]


@given(scores(), densities())
def test_the_count_is_exact_and_the_choice_is_a_stable_sort(
    score: dict[str, Tensor], density: float
) -> None:
    mask = keep_largest(score, density)
    values = flat(score)
    assert sum(counts(mask).values()) == kept(len(values), density)
    assert flat(mask) == sorted_oracle(values, kept(len(values), density))
    for name, part in mask.items():
        assert part.shape == score[name].shape and part.dtype == torch.bool
    assert list(mask) == list(score)


@given(scores(), densities())
def test_scope_layer_keeps_the_fraction_in_each(
    score: dict[str, Tensor], density: float
) -> None:
    mask = keep_largest(score, density, scope="layer")
    for name, values in score.items():
        alone = keep_largest({name: values}, density)[name]
        assert torch.equal(mask[name], alone)
        assert int(alone.sum()) == kept(values.numel(), density)


@given(scores(), densities(), densities())
def test_masks_are_nested(score: dict[str, Tensor], a: float, b: float) -> None:
    small, large = keep_largest(score, min(a, b)), keep_largest(score, max(a, b))
    assert all(bool((~small[k] | large[k]).all()) for k in score)


@given(scores(), densities(), st.sampled_from([1e-8, 1.0, 1e8]))
def test_no_mask_depends_on_the_unit_of_the_scores(
    score: dict[str, Tensor], density: float, factor: float
) -> None:
    scaled = {k: factor * s for k, s in score.items()}
    values, others = flat(score), flat(scaled)
    assume(
        [x > y for x in values for y in values]
        == [x > y for x in others for y in others]
    )
    mask, other = keep_largest(score, density), keep_largest(scaled, density)
    assert flat(mask) == flat(other)


def test_ties_go_to_the_first_of_the_mapping() -> None:
    score = {"b": torch.tensor([[1.0, 2.0], [2.0, 2.0]]), "a": torch.tensor([2.0, 3.0])}
    mask = keep_largest(score, 0.5)
    assert mask["b"].tolist() == [[False, True], [True, False]]
    assert mask["a"].tolist() == [False, True]


@pytest.mark.parametrize("value", [0.0, -math.inf, math.inf])
def test_all_equal_scores(value: float) -> None:
    mask = keep_largest({"w": torch.full((7,), value)}, 3 / 7)
    assert mask["w"].tolist() == [True] * 3 + [False] * 4


def test_zeros_of_both_signs_are_a_tie() -> None:
    mask = keep_largest({"w": torch.tensor([-0.0, 0.0, -0.0])}, 1 / 3)
    assert mask["w"].tolist() == [True, False, False]


def test_everything_and_nothing() -> None:
    score = {"w": torch.tensor([-math.inf, 1.0]), "v": torch.tensor([[0.0]])}
    assert flat(keep_largest(score, 1.0)) == [True] * 3
    assert flat(keep_largest(score, 0.0)) == [False] * 3


def test_scores_with_a_gradient_and_the_scores_themselves_stay() -> None:
    score = torch.tensor([1.0, 2.0], requires_grad=True)
    mask = keep_largest({"w": score}, 0.5)["w"]
    assert mask.tolist() == [False, True] and not mask.requires_grad
    assert score.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("density", [-1e-9, 1.0000001, math.nan, math.inf, -math.inf])
def test_density_outside_is_refused(density: float) -> None:
    with pytest.raises(ValueError, match=r"density in \[0, 1\].*got.*rho"):
        keep_largest({"w": torch.ones(3)}, density)
    with pytest.raises(ValueError, match=r"density in \[0, 1\]"):
        kept(3, density)
    for schedule in (exponential, linear):
        with pytest.raises(ValueError, match=r"density in \[0, 1\]"):
            schedule(density, 1, 2)


@pytest.mark.usefixtures("unchecked_types")
def test_unknown_scope_is_refused() -> None:
    with pytest.raises(ValueError, match="'global' or 'layer', got 'filter'"):
        keep_largest({"w": torch.ones(3)}, 0.5, scope="filter")  # type: ignore[arg-type]


def test_no_scores_and_nan_are_refused() -> None:
    ones = {"w": torch.ones(3)}
    with pytest.raises(
        ValueError, match=r"^expected the scores of at least one parameter, got none$"
    ):
        keep_largest({}, 0.5)
    bad = ones | {"fc.weight": torch.tensor([1.0, math.nan])}
    whole = (
        r"fc\.weight have NaN entries, which cannot be ranked; "
        r"score in float64 or in the log domain$"
    )
    with pytest.raises(ValueError, match=whole):
        keep_largest(bad, 0.5)
    with pytest.raises(ValueError, match=r"scores of fc\.weight have NaN"):
        keep_largest(bad, 0.5, scope="layer")


@given(st.integers(1, 10**8), st.data())
def test_a_ratio_of_counts_gives_back_the_count(size: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, size))
    assert kept(size, count / size) == count


def test_halves_round_up() -> None:
    assert [kept(size, 0.5) for size in (1, 2, 3)] == [1, 1, 2]
    assert [kept(3, d) for d in (0.0, 0.16, 0.17, 0.5, 0.84, 1.0)] == [0, 0, 1, 2, 3, 3]


@given(scores(), densities(), st.integers(0, 2**32))
def test_shuffled_keeps_the_count_of_each_layer(
    score: dict[str, Tensor], density: float, seed: int
) -> None:
    mask = keep_largest(score, density)
    before = {k: m.clone() for k, m in mask.items()}
    first = shuffled(mask, generator=torch.Generator().manual_seed(seed))
    again = shuffled(mask, generator=torch.Generator().manual_seed(seed))
    assert counts(first) == counts(mask)
    assert all(first[k].shape == mask[k].shape for k in mask)
    assert all(torch.equal(first[k], again[k]) for k in mask)
    assert all(torch.equal(before[k], mask[k]) for k in mask)


def test_shuffled_reaches_every_place_equally_often() -> None:
    mask = {"w": torch.tensor([[True, False], [False, False]])}
    generator = torch.Generator().manual_seed(0)
    draws = 4000
    hits = sum(shuffled(mask, generator=generator)["w"].double() for _ in range(draws))
    z = (hits - draws / 4) / math.sqrt(draws * 3 / 16)
    assert bool((torch.as_tensor(z).abs() < 4.5).all())  # 4 comparisons, p < 3e-5


def test_masked_multiplies_and_leaves_the_parameters() -> None:
    weight, bias = torch.tensor([[1.0, -2.0]]), torch.tensor([3.0])
    masks: Masks = {"w": torch.tensor([[True, False]])}
    result = masked({"w": weight, "b": bias}, masks)
    assert result["w"].tolist() == [[1.0, 0.0]] and result["b"].tolist() == [3.0]
    assert weight.tolist() == [[1.0, -2.0]]
    assert list(result) == ["w", "b"]


def test_counts_and_collapsed() -> None:
    masks = {"a": torch.tensor([True, True]), "b": torch.zeros(2, 2, dtype=torch.bool)}
    assert counts(masks) == {"a": 2, "b": 0}
    assert collapsed(masks) == ("b",)
    assert collapsed({"a": masks["a"]}) == ()


@given(st.floats(0.001, 1), st.integers(1, 200), st.data())
def test_schedules_follow_their_closed_forms(
    density: float, steps: int, data: st.DataObject
) -> None:
    step = data.draw(st.integers(0, steps))
    closed = math.exp(math.log(density) * step / steps)
    close = tolerance(10)
    assert abs(exponential(density, step, steps) - closed) <= close
    mixture = (density * step + (steps - step)) / steps
    assert abs(linear(density, step, steps) - mixture) <= close


@given(st.floats(0, 1), st.integers(1, 50))
def test_schedules_fall_from_1_to_the_density(density: float, steps: int) -> None:
    for schedule in (exponential, linear):
        values = [schedule(density, k, steps) for k in range(steps + 1)]
        assert values[0] == 1.0
        assert values[-1] == pytest.approx(density, abs=tolerance(2))
        assert all(0.0 <= v <= 1.0 for v in values)
        assert all(a >= b - tolerance(2) for a, b in pairwise(values))


def test_the_exponential_schedule_removes_a_fraction_and_the_linear_a_number() -> None:
    powers = [exponential(1 / 16, k, 4) for k in range(5)]
    assert powers == [1, 1 / 2, 1 / 4, 1 / 8, 1 / 16]
    assert [linear(0.0, k, 4) for k in range(5)] == [1, 0.75, 0.5, 0.25, 0]


@pytest.mark.parametrize(("step", "steps"), [(-1, 3), (4, 3), (0, 0), (1, 0), (0, -1)])
def test_pruning_steps_out_of_range_are_refused(step: int, steps: int) -> None:
    for schedule in (exponential, linear):
        with pytest.raises(ValueError, match=rf"got {step} of {steps}"):
            schedule(0.5, step, steps)


@given(scores(), densities(), densities(), st.sampled_from(["global", "layer"]))
def test_pruned_stays_pruned(
    score: dict[str, Tensor], first: float, second: float, scope: Scope
) -> None:
    low, high = sorted((first, second))
    earlier = keep_largest({k: -s for k, s in score.items()}, high, scope=scope)
    mask = keep_largest(score, low, scope=scope, among=earlier)
    assert all(bool((earlier[name] | ~mask[name]).all()) for name in mask)
    groups = [list(score)] if scope == "global" else [[name] for name in score]
    for names in groups:
        # The oracle ranks the live scores alone, in the same order.
        live = [v for n in names for v in score[n][earlier[n]].tolist()]
        chosen = [v for n in names for v in mask[n][earlier[n]].tolist()]
        count = kept(sum(score[n].numel() for n in names), low)
        assert chosen == sorted_oracle(live, count)


def test_an_earlier_mask_must_fit_and_hold_enough() -> None:
    score = {"a": torch.arange(4.0)}
    earlier = {"a": torch.tensor([True, True, False, False])}
    assert keep_largest(score, 0.25, among=earlier)["a"].tolist() == [0, 1, 0, 0]
    with pytest.raises(ValueError, match=r"cannot keep 3 parameters: .* left 2;"):
        keep_largest(score, 0.75, among=earlier)
    for wrong in ({}, {"b": earlier["a"]}, {"a": earlier["a"][:3]}):
        with pytest.raises(ValueError, match="one earlier mask for each score"):
            keep_largest(score, 0.25, among=wrong)
