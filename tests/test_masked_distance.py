"""Distance, angle and permutations: by hand, by their laws, and through training."""

import itertools
import math
import re
from collections.abc import Sequence
from random import Random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import sources
from tolerance import tolerance
from torch import Tensor
from torch.nn.functional import linear, relu

from theory import distance_laws
from theory.lottery_tickets import Weights, masked
from theory.masked_distance import angle, distance, inverse, permuted
from theory.masks import Masks

Tensors = dict[str, Tensor]
LAYERS = ("1.weight", "2.weight", "out.weight")


def vector(*values: float) -> Tensors:
    return {"w": torch.tensor(values, dtype=torch.float64)}


def all_of(weights: Weights) -> Masks:
    return {k: torch.ones(p.shape) > 0 for k, p in weights.items()}


# distance ---------------------------------------------------------------------------


def test_distance_by_hand_over_masked_layers_only() -> None:
    first = {
        "a": torch.tensor([[1.0, 2.0], [3.0, 4.0]]),
        "a.bias": torch.tensor([100.0]),
        "b": torch.tensor([5.0, 6.0]),
    }
    second = {"a": torch.zeros(2, 2), "a.bias": torch.zeros(1), "b": torch.ones(2)}
    masks = {
        "a": torch.tensor([[True, False], [True, True]]),
        "b": torch.tensor([False, True]),
    }
    root = math.sqrt(1 + 9 + 16 + 25)
    assert distance(first, second, masks) == root
    assert distance(second, first, masks) == root
    assert distance(first, first, masks) == 0.0
    assert isinstance(distance(first, second, masks), float)


def test_what_the_mask_removes_does_not_count_even_if_it_is_no_number() -> None:
    first, second = vector(1.0, math.nan, math.inf), vector(4.0, 2.0, 5.0)
    assert distance(first, second, {"w": torch.tensor([True, False, False])}) == 3.0
    assert math.isnan(distance(first, second, all_of(first)))


def test_an_empty_mask_has_distance_zero() -> None:
    nothing = {"w": torch.zeros(2) > 0}
    assert distance(vector(1.0, 2.0), vector(3.0, 4.0), nothing) == 0.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_low_precision_is_added_in_float64(dtype: torch.dtype) -> None:
    """2^24 and 2^10 times 2^-8: a sum in float32 would lose all of these."""
    large, ones = torch.full((1,), 4096.0), torch.ones(1 << 10)
    weights = {"w": torch.cat([large, ones / 16]).to(dtype)}
    zero = {"w": torch.zeros_like(weights["w"])}
    expected = math.sqrt(2**24 + 2**10 / 2**8)
    assert distance(weights, zero, all_of(weights)) == expected


def test_differences_are_taken_in_float64() -> None:
    """Each is a float16; the difference of two of them need not be one."""
    first = {"w": torch.tensor([2048.0], dtype=torch.float16)}
    second = {"w": torch.tensor([0.5], dtype=torch.float16)}
    assert distance(first, second, all_of(first)) == 2047.5


def test_gradients_are_not_followed() -> None:
    first = {"w": torch.ones(2, requires_grad=True)}
    assert distance(first, vector(0.0, 1.0), all_of(first)) == 1.0
    assert angle(first, vector(1.0, 1.0), all_of(first)) <= tolerance(10, 180)


# angle ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("second", "degrees"),
    [
        ((1.0, 0.0), 0.0),
        ((3.0, 3.0), 45.0),
        ((0.0, 0.1), 90.0),
        ((-1.0, math.sqrt(3)), 120.0),
        ((-7.0, 0.0), 180.0),
    ],
)
def test_angles_by_hand(second: tuple[float, float], degrees: float) -> None:
    first = vector(2.0, 0.0, 9.0)
    masks = {"w": torch.tensor([True, True, False])}
    other = vector(*second, -9.0)
    assert angle(first, other, masks) == pytest.approx(degrees, abs=tolerance(10, 180))
    assert isinstance(angle(first, other, masks), float)


@pytest.mark.parametrize("small", [1e-3, 1e-6, 1e-9, 1e-12])
def test_small_angles_keep_their_digits(small: float) -> None:
    """The arccos of the cosine would give 0 for an angle of 1e-9."""
    first, second = vector(1.0, 0.0), vector(1.0, small)
    found = angle(first, second, all_of(first))
    assert found == pytest.approx(math.degrees(math.atan(small)), rel=tolerance(10))
    straight = angle(first, vector(-1.0, small), all_of(first))
    assert 180 - straight == pytest.approx(found, abs=tolerance(10, 180))


@pytest.mark.parametrize("factor", [1e-100, 1e-8, 1e8, 1e100])
def test_scales_cancel_in_the_angle_and_multiply_the_distance(factor: float) -> None:
    first, second = vector(1.0, 2.0, -3.0), vector(0.5, -1.0, 4.0)
    scaled = {k: factor * p for k, p in first.items()}
    masks = all_of(first)
    assert angle(scaled, second, masks) == pytest.approx(
        angle(first, second, masks), abs=tolerance(20, 180)
    )
    both = {k: factor * p for k, p in second.items()}
    assert distance(scaled, both, masks) == pytest.approx(
        factor * distance(first, second, masks), rel=tolerance(20)
    )


def test_a_zero_vector_has_no_angle() -> None:
    first, masks = vector(1.0, 0.0), {"w": torch.tensor([False, True])}
    message = (
        r"^a zero vector has no angle: the masked weights have norms \[0\.0, 5\.0\]; "
        "use distance where a subnetwork can be empty$"
    )
    with pytest.raises(ValueError, match=message):
        angle(first, vector(4.0, 5.0), masks)
    with pytest.raises(ValueError, match=r"norms \[5\.0, 0\.0\]"):
        angle(vector(4.0, 5.0), first, masks)


@pytest.mark.parametrize("measure", [distance, angle])
def test_masks_that_do_not_fit_are_refused(measure: object) -> None:
    one = vector(1.0, 2.0)
    assert callable(measure)
    with pytest.raises(
        ValueError, match=r"^expected the mask of at least one layer, got none$"
    ):
        measure(one, one, {})
    for pair in ((one, vector(1.0)), (vector(1.0), one), (one, {}), ({}, one)):
        with pytest.raises(ValueError, match=r"shape \(2,\) for the mask w, got "):
            measure(*pair, all_of(one))


@given(sources())
def test_all_laws_hold(rng: Random) -> None:
    assert distance_laws.laws(rng).defect() <= 1e-10


# permutations -----------------------------------------------------------------------


def integers(seed: int, widths: Sequence[int] = (3, 4, 2, 2)) -> Tensors:
    source = torch.Generator().manual_seed(seed)
    weights: Tensors = {}
    for name, read, units in zip(LAYERS, widths[:-1], widths[1:], strict=True):
        for kind, shape in ((name, (units, read)), (name[:-6] + "bias", (units,))):
            weights[kind] = torch.randint(-2, 3, shape, generator=source).double()
    return weights


def output(weights: Weights, x: Tensor) -> Tensor:
    for name in LAYERS[:-1]:
        x = relu(linear(x, weights[name], weights.get(name[:-6] + "bias")))
    return linear(x, weights[LAYERS[-1]], weights.get("out.bias"))


ORDERS = [torch.tensor([2, 0, 3, 1]), torch.tensor([1, 0])]


def test_a_permutation_by_hand() -> None:
    weights = {
        "1.weight": torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
        "1.bias": torch.tensor([7.0, 8.0, 9.0]),
        "2.weight": torch.tensor([[10.0, 11.0, 12.0]]),
        "2.bias": torch.tensor([13.0]),
        "else": torch.tensor([14.0, 15.0, 16.0]),
    }
    before = {k: p.clone() for k, p in weights.items()}
    moved = permuted(weights, ["1.weight", "2.weight"], [torch.tensor([2, 0, 1])])
    assert list(moved) == list(weights)
    assert {k: p.tolist() for k, p in moved.items()} == {
        "1.weight": [[5.0, 6.0], [1.0, 2.0], [3.0, 4.0]],
        "1.bias": [9.0, 7.0, 8.0],
        "2.weight": [[12.0, 10.0, 11.0]],
        "2.bias": [13.0],
        "else": [14.0, 15.0, 16.0],
    }
    assert all(torch.equal(weights[k], before[k]) for k in before)


def test_the_function_stays_and_the_inverse_undoes_it() -> None:
    weights, x = integers(0), integers(1)["1.weight"]
    moved = permuted(weights, LAYERS, ORDERS)
    assert not torch.equal(moved["1.weight"], weights["1.weight"])
    assert torch.equal(output(moved, x), output(weights, x))
    assert bool(output(weights, x).any())
    back = permuted(moved, LAYERS, inverse(ORDERS))
    assert all(torch.equal(back[k], weights[k]) for k in weights)
    assert [order.tolist() for order in inverse(ORDERS)] == [[1, 3, 0, 2], [1, 0]]


def test_masks_without_biases_are_permuted_alike() -> None:
    weights = integers(2)
    masks = {name: weights[name] > 0 for name in LAYERS}
    moved = permuted(masks, LAYERS, ORDERS)
    assert list(moved) == list(LAYERS)
    assert all(m.dtype == torch.bool for m in moved.values())
    both = masked(permuted(weights, LAYERS, ORDERS), moved)
    same = permuted(masked(weights, masks), LAYERS, ORDERS)
    assert all(torch.equal(both[k], same[k]) for k in both)


def test_one_layer_has_no_hidden_units() -> None:
    weights = integers(0)
    assert permuted(weights, LAYERS[:1], []) == weights


REFUSED = [
    (
        LAYERS,
        ORDERS[:1],
        "expected one permutation between any two of the 3 layers, got 1",
    ),
    (
        LAYERS[:1],
        ORDERS[:1],
        "expected one permutation between any two of the 1 layers, got 1",
    ),
    (
        LAYERS[:2],
        [torch.tensor([0, 1, 2, 2])],
        "expected a permutation of the 4 units of 1.weight, which 2.weight reads "
        "(4 columns), got [0, 1, 2, 2]",
    ),
    (
        LAYERS[:2],
        [torch.tensor([0, 1, 2])],
        "expected a permutation of the 4 units of 1.weight, which 2.weight reads "
        "(4 columns), got [0, 1, 2]",
    ),
    (
        (LAYERS[0], LAYERS[2]),
        ORDERS[:1],
        "expected a permutation of the 4 units of 1.weight, which out.weight reads "
        "(2 columns), got [2, 0, 3, 1]",
    ),
]


@pytest.mark.parametrize(("layers", "orders", "message"), REFUSED)
def test_what_is_no_permutation_is_refused(
    layers: Sequence[str], orders: list[Tensor], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        permuted(integers(0), layers, orders)


def trained(
    weights: Weights, masks: Masks, steps: int, optimizer: str, rate: float
) -> Tensors:
    """Train on single samples under a frozen mask."""
    own = {k: p.clone().requires_grad_() for k, p in masked(weights, masks).items()}
    build = {
        "sgd": lambda p: torch.optim.SGD(p, rate, momentum=1.0, weight_decay=1.0),
        "adam": lambda p: torch.optim.Adam(p, rate),
    }
    rule = build[optimizer](list(own.values()))
    for step in range(steps):
        source = torch.Generator().manual_seed(step)
        x, y = (torch.randint(-1, 2, (1, n), generator=source).double() for n in (3, 2))
        rule.zero_grad()
        ((output(own, x) - y).square().sum() / 2).backward()
        for name, mask in masks.items():
            own[name].grad = own[name].grad * mask  # type: ignore[operator]
        rule.step()
    return {k: p.detach() for k, p in own.items()}


def thirds(weights: Weights, seed: int) -> Masks:
    source = torch.Generator().manual_seed(seed)
    return {n: torch.rand(weights[n].shape, generator=source) < 0.7 for n in LAYERS}


@pytest.mark.parametrize("seed", range(5))
def test_training_commutes_with_permutations_exactly_on_integers(seed: int) -> None:
    """Rate 1, momentum 1, decay 1: all numbers stay integers below 2^53."""
    weights = integers(seed)
    masks = thirds(weights, seed)
    moved = permuted(masks, LAYERS, ORDERS)
    whole, sub = (trained(weights, m, 2, "sgd", 1.0) for m in (all_like(masks), masks))
    start = permuted(weights, LAYERS, ORDERS)
    whole_moved = trained(start, all_like(moved), 2, "sgd", 1.0)
    sub_moved = trained(start, moved, 2, "sgd", 1.0)
    largest = max(float(p.abs().max()) for p in (*whole.values(), *sub.values()))
    assert 2 < largest < 2**50
    again = permuted(sub, LAYERS, ORDERS)
    assert all(torch.equal(again[k], sub_moved[k]) for k in sub)
    squares = (whole_moved["1.weight"] - whole["1.weight"]).square().sum()
    assert float(squares) > 0
    d, same = distance(whole, sub, masks), distance(whole_moved, sub_moved, moved)
    assert d == pytest.approx(same, rel=tolerance(30)) and d > 0


def all_like(masks: Masks) -> Masks:
    return {name: torch.ones_like(mask) for name, mask in masks.items()}


def test_adams_training_commutes_with_permutations_to_rounding() -> None:
    weights = {k: p + 0.1 * i for i, (k, p) in enumerate(integers(0).items())}
    masks = thirds(weights, 0)
    run = trained(weights, masks, 20, "adam", 0.01)
    moved = permuted(masks, LAYERS, ORDERS)
    other = trained(permuted(weights, LAYERS, ORDERS), moved, 20, "adam", 0.01)
    back = permuted(other, LAYERS, inverse(ORDERS))
    assert distance(run, back, masks) <= tolerance(10**4)
    assert distance(run, weights, masks) > 0.1


# laws -------------------------------------------------------------------------------


def test_distance_is_a_metric_on_all_small_vectors() -> None:
    points = [vector(*p) for p in itertools.product((-1.0, 0.0, 2.0), repeat=2)]
    masks = {"w": torch.tensor([True, True])}
    for a, b, c in itertools.product(points, repeat=3):
        ab, bc, ac = (distance(*p, masks) for p in ((a, b), (b, c), (a, c)))
        assert ac <= ab + bc + tolerance(3, ab + bc)
        assert (ab == 0) == torch.equal(a["w"], b["w"]) and ab >= 0


@given(st.lists(st.integers(-9, 9), min_size=2, max_size=8))
def test_the_law_of_cosines(values: list[int]) -> None:
    first, second = vector(1.0, *values), vector(*values, 1.0)
    masks = all_of(first)
    zero = vector(*[0.0] * (len(values) + 1))
    a, b, c = (
        distance(*pair, masks)
        for pair in ((first, zero), (second, zero), (first, second))
    )
    turn = math.cos(math.radians(angle(first, second, masks)))
    assert c**2 == pytest.approx(
        a**2 + b**2 - 2 * a * b * turn, abs=tolerance(50, a**2 + b**2)
    )
