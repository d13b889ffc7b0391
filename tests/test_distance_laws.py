"""The laws hold, reach what they speak of, and notice a distance that breaks them."""

import math
import re
from collections.abc import Callable
from fractions import Fraction
from random import Random

import pytest
import torch
from hypothesis import given
from strategies import sources
from torch import Tensor

from theory import distance_laws
from theory.claim import Sides
from theory.distance_laws import (
    LAYERS,
    cosines,
    growth,
    laws,
    metric,
    nested_masks,
    permutation,
    random_weights,
    rational_laws,
    scaling,
)
from theory.lottery_tickets import Weights
from theory.masked_distance import angle, distance
from theory.masks import Masks, counts

WIDTHS = [3, 4, 2, 2]
A, B, C = (random_weights(Random(seed), WIDTHS) for seed in range(3))
SMALL, LARGE = nested_masks(Random(3), A)
ORDERS = [torch.tensor([2, 0, 3, 1]), torch.tensor([1, 0])]


def survivors(weights: Weights, masks: Masks) -> Tensor:
    return torch.cat([weights[name][mask] for name, mask in masks.items()])


def length(vector: Tensor) -> float:
    return float((vector**2).sum().sqrt())


close = pytest.approx


@given(sources())
def test_laws_hold(rng: Random) -> None:
    sides = laws(rng)
    assert sides.defect() <= 1e-10
    assert len(sides.left) == 10 and sides.left.dtype == torch.float64


@given(sources())
def test_rational_laws_hold(rng: Random) -> None:
    sides = rational_laws(rng)
    assert sides.defect() == 0.0 and len(sides.left) == len(sides.right) == 6


def test_the_entries_by_other_formulas() -> None:
    a, b, c = (survivors(w, SMALL) for w in (A, B, C))
    ab, bc, ac = length(a - b), length(b - c), length(a - c)
    assert metric(A, B, C, SMALL) == [
        (0.0, 0.0, close(ab)),
        (close(ab), close(ab), close(ab)),
        (close(max(ac, ab + bc)), close(ab + bc), close(ab + bc)),
    ]
    more = length(survivors(A, LARGE) - survivors(B, LARGE))
    assert growth(A, B, SMALL, LARGE) == [
        (close(more**2), close(more**2), close(more**2)),
        (close(more), close(more), close(more)),
    ]
    theta = math.degrees(math.acos(float(a @ b) / length(a) / length(b)))
    assert scaling(A, B, SMALL, 3.0, 0.5) == [
        (close(3 * ab), close(3 * ab), close(3 * ab)),
        (close(theta), close(theta), 180.0),
    ]
    size = (length(a) + length(b)) ** 2
    assert cosines(A, B, SMALL) == (close(ab**2), close(ab**2), close(size))
    assert permutation(A, B, SMALL, ORDERS) == [
        (close(ab), close(ab), close(ab)),
        (close(theta), close(theta), 180.0),
    ]


def test_the_mask_makes_a_difference() -> None:
    assert 0 < sum(counts(SMALL).values()) < sum(counts(LARGE).values()) < 24
    assert distance(A, B, SMALL) < distance(A, B, LARGE)


def test_the_case_names_widths_and_count() -> None:
    rng = Random(0)
    widths = [rng.randint(1, 4) for _ in range(4)]
    weights = [random_weights(rng, widths) for _ in range(3)]
    small, _ = nested_masks(rng, weights[0])
    assert laws(Random(0)).case == f"{widths}, kept {sum(counts(small).values())}"
    assert rational_laws(Random(1)).case.startswith("{0: Fraction(")


def test_the_laws_have_all_widths_and_factors(monkeypatch: pytest.MonkeyPatch) -> None:
    factors: list[tuple[float, float]] = []

    def spy(a: Weights, b: Weights, masks: Masks, s: float, t: float) -> object:
        factors.append((s, t))
        return scaling(a, b, masks, s, t)

    monkeypatch.setattr(distance_laws, "scaling", spy)
    cases = [laws(Random(seed)).case for seed in range(100)]
    widths = [re.findall(r"\d+", case.split("]")[0]) for case in cases]
    assert {len(one) for one in widths} == {4}
    assert {int(width) for one in widths for width in one} == {1, 2, 3, 4}
    for column in zip(*factors, strict=True):
        assert 0.1 <= min(column) < 1 and 9 < max(column) <= 10


@pytest.mark.parametrize("widths", [[2, 2, 2], [2] * 5])
def test_another_number_of_widths_is_an_error(widths: list[int]) -> None:
    with pytest.raises(ValueError, match=r"shorter|longer"):
        random_weights(Random(0), widths)


def test_random_weights_and_masks() -> None:
    assert [tuple(p.shape) for p in A.values()] == [
        (4, 3),
        (4,),
        (2, 4),
        (2,),
        (2, 2),
        (2,),
    ]
    assert list(A) == [
        f"fc{i}.{kind}" for i in (1, 2, 3) for kind in ("weight", "bias")
    ]
    assert all(p.dtype == torch.float64 for p in A.values())
    sizes = {"small": 0, "large": 0, "all": 0}
    for seed in range(200):
        weights = random_weights(Random(seed), [4, 4, 4, 4])
        small, large = nested_masks(Random(seed), weights)
        assert list(small) == list(large) == list(LAYERS)
        assert all(bool((large[k] | ~small[k]).all()) for k in LAYERS)
        assert any(bool(mask.view(-1)[0]) for mask in small.values())
        sizes["small"] += sum(counts(small).values())
        sizes["large"] += sum(counts(large).values())
        sizes["all"] += 48
    # 9600 coins; one is turned up: 4 standard deviations are 0.02
    assert sizes["small"] / sizes["all"] == pytest.approx(0.5 + 0.5 / 48, abs=0.02)
    assert sizes["large"] / sizes["all"] == pytest.approx(0.8 + 0.2 / 48, abs=0.02)


def test_weights_and_masks_are_drawn_from_the_source_alone() -> None:
    before = torch.get_rng_state()
    for _ in range(2):
        again = random_weights(Random(0), WIDTHS)
        assert all(torch.equal(again[name], p) for name, p in A.items())
        for masks, drawn in zip(
            (SMALL, LARGE), nested_masks(Random(3), A), strict=True
        ):
            assert all(torch.equal(drawn[name], mask) for name, mask in masks.items())
    assert torch.equal(torch.get_rng_state(), before)


def test_one_weight_is_kept_even_of_networks_of_one() -> None:
    for seed in range(40):
        weights = random_weights(Random(seed), [1, 1, 1, 1])
        small, _ = nested_masks(Random(seed), weights)
        assert sum(counts(small).values()) >= 1
        angle(weights, weights, small)


def with_distance(
    monkeypatch: pytest.MonkeyPatch,
    broken: Callable[[Weights, Weights, Masks], float],
    name: str = "distance",
) -> Sides:
    monkeypatch.setattr(distance_laws, name, broken)
    worst = (laws(Random(seed)) for seed in range(20))
    return max(worst, key=lambda sides: sides.defect())


def everywhere(a: Weights, b: Weights, masks: Masks) -> float:
    return length(torch.cat([(a[k] - b[k]).flatten() for k in masks]))


def with_biases(a: Weights, b: Weights, masks: Masks) -> float:
    gaps = [float((a[k] - b[k]).norm()) for k in a if k not in masks]
    return math.hypot(distance(a, b, masks), *gaps)


def by_layer(a: Weights, b: Weights, masks: Masks) -> float:
    return sum(distance(a, b, {k: m}) for k, m in masks.items())


def root_mean(a: Weights, b: Weights, masks: Masks) -> float:
    return distance(a, b, masks) / max(sum(counts(masks).values()), 1) ** 0.5


def squared(a: Weights, b: Weights, masks: Masks) -> float:
    return distance(a, b, masks) ** 2


def signed(a: Weights, b: Weights, masks: Masks) -> float:
    return distance(a, b, masks) + float(a["fc1.bias"][0])


@pytest.mark.parametrize(
    "broken", [everywhere, with_biases, by_layer, root_mean, squared, signed]
)
def test_other_distances_break_a_law(
    broken: Callable[[Weights, Weights, Masks], float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert with_distance(monkeypatch, broken).defect() > 1e-3


def half_angle(a: Weights, b: Weights, masks: Masks) -> float:
    return angle(a, b, masks) / 2


def unmasked_angle(a: Weights, b: Weights, masks: Masks) -> float:
    return angle(a, b, {k: torch.ones_like(m) for k, m in masks.items()})


@pytest.mark.parametrize("broken", [half_angle, unmasked_angle])
def test_other_angles_break_the_law_of_cosines(
    broken: Callable[[Weights, Weights, Masks], float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert with_distance(monkeypatch, broken, "angle").defect() > 1e-3


def test_a_triangle_without_slack(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a = -1/2, b = 0, c = 1/2 in 3 weights: (C - A - B)^2 = (3/2)^2 = 4 A B."""
    rng, drawn = Random(0), iter([3, -1, -1, -1, 0, 0, 0, 1, 1, 1, 2])
    monkeypatch.setattr(rng, "randint", lambda low, high: next(drawn))
    monkeypatch.setattr(rng, "random", lambda: 0.0)
    sides = rational_laws(rng)
    ab = Fraction(3, 4)
    assert sides.left == (0, ab, 4 * ab * ab, ab, Fraction(4, 9) * ab, ab)
    assert sides.defect() == 0


def test_rational_laws_by_hand() -> None:
    sizes, entries, factors, tight, left_out = set(), set(), set(), 0, 0
    for seed in range(300):
        sides = rational_laws(Random(seed))
        assert sides.defect() == 0
        assert all(type(x) is Fraction for x in (*sides.left, *sides.right))
        a, b, c, large, small = eval(sides.case, {"Fraction": Fraction})
        ab, bc, ac, more = (
            sum(((x[j] - y[j]) ** 2 for j in mask), Fraction(0))
            for x, y, mask in (
                (a, b, small),
                (b, c, small),
                (a, c, small),
                (a, b, large),
            )
        )
        assert sides.right[:4] == (ab == 0, ab, 4 * ab * bc, more)
        assert sides.left[4] == sides.right[4] and sides.right[5] == ab
        assert set(small) <= set(large) <= set(a)
        sizes.add(len(a))
        entries |= {*a.values(), *b.values(), *c.values()}
        factors |= {sides.right[4] / ab} if ab else set()
        tight += ac > ab + bc and (ac - ab - bc) ** 2 == 4 * ab * bc
        left_out += len(small) < len(large) < len(a)
    assert sizes == set(range(1, 7))
    assert entries == {Fraction(half, 2) for half in (-1, 0, 1)}
    assert factors == {Fraction(third, 3) ** 2 for third in range(6)}
    assert tight and left_out > 60
