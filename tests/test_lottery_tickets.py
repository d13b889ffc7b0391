"""Algorithm 1 against loops by hand, and what it refuses."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import densities, scores
from torch import Tensor, nn
from torch.func import functional_call

from theory.lottery_tickets import (
    Ticket,
    Weights,
    check_masks,
    iterative_magnitude_pruning,
    lower,
    masked,
    random_masks,
)
from theory.masked_distance import angle, distance
from theory.masks import Masks, counts

YES, NO = True, False


def flags(masks: Masks) -> list[bool]:
    return [value for mask in masks.values() for value in mask.flatten().tolist()]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn_masks(weights: Weights, seed: int) -> Masks:
    source = seeded(seed)
    return {k: torch.rand(w.shape, generator=source) < 0.7 for k, w in weights.items()}


def by_sorting(weights: Weights, masks: Masks, rate: float) -> list[bool]:
    """Rank the survivors by a stable sort: the largest first, ties as they are."""
    values = [abs(v) for name in masks for v in weights[name].flatten().tolist()]
    live = [i for i, flag in enumerate(flags(masks)) if flag]
    stay = math.floor((1 - Fraction(str(rate))) * len(live) + Fraction(1, 2))
    best = set(sorted(live, key=lambda i: -values[i])[:stay])
    return [i in best for i in range(len(values))]


# lower ------------------------------------------------------------------------------


@given(scores(), densities(), st.integers(0, 2**32))
def test_a_rate_ranks_all_survivors_together(
    weights: dict[str, Tensor], rate: float, seed: int
) -> None:
    masks = drawn_masks(weights, seed)
    before = flags(masks)
    lowered = lower(weights, masks, rate)
    assert flags(lowered) == by_sorting(weights, masks, rate)
    assert list(lowered) == list(masks) and flags(masks) == before
    assert all(lowered[k].shape == masks[k].shape for k in masks)


@given(scores(), st.lists(densities(), min_size=4, max_size=4), st.integers(0, 2**32))
def test_rates_by_layer_rank_each_layer_alone(
    weights: dict[str, Tensor], rates: list[float], seed: int
) -> None:
    masks = drawn_masks(weights, seed)
    by_layer = dict(zip(weights, rates, strict=False))
    lowered = lower(weights, masks, dict(reversed(by_layer.items())))
    assert list(lowered) == list(masks)
    for name, rate in by_layer.items():
        alone = {name: masks[name]}
        assert flags({name: lowered[name]}) == by_sorting(weights, alone, rate)


def test_magnitudes_and_ties_by_hand() -> None:
    weights = {
        "a": torch.tensor([[-3.0, 0.5], [2.0, -2.0]], requires_grad=True),
        "b": torch.tensor([2.0, 9.0, -1.0]),
        "bias": torch.tensor([0.0]),
    }
    masks = {"a": torch.ones(2, 2) > 0, "b": torch.tensor([YES, NO, YES])}
    lowered = lower(weights, masks, 0.5)  # 3 of 6 survivors; the pruned 9 stays out
    assert lowered["a"].tolist() == [[YES, NO], [YES, YES]]
    assert lowered["b"].tolist() == [NO, NO, NO]
    assert not lowered["a"].requires_grad and lowered["a"].dtype == torch.bool
    assert weights["a"].tolist() == [[-3.0, 0.5], [2.0, -2.0]]
    assert lower(weights, masks, {"a": 0.25, "b": 0.5})["b"].tolist() == [YES, NO, NO]


def test_halves_stay_and_two_survivors_stay_for_ever() -> None:
    left = [10]
    mask = {"w": torch.ones(10, dtype=torch.bool)}
    for _ in range(12):
        mask = lower({"w": torch.arange(10.0)}, mask, 0.2)
        left.append(counts(mask)["w"])
    assert left == [10, 8, 6, 5, 4, 3, 2, 2, 2, 2, 2, 2, 2]
    half = lower({"w": torch.arange(5.0)}, {"w": torch.ones(5) > 0}, 0.5)
    assert half["w"].tolist() == [NO, NO, YES, YES, YES]  # 2.5 are 3


@pytest.mark.parametrize("percent", range(101))
def test_counts_are_those_of_the_decimal_rate(percent: int) -> None:
    for size in (1, 5, 25, 45, 50, 75, 150):
        masks = lower(
            {"w": torch.arange(float(size))},
            {"w": torch.ones(size) > 0},
            percent / 100,
        )
        assert counts(masks)["w"] == (size * (100 - percent) + 50) // 100


def test_magnitudes_of_every_precision_are_ranked_in_float64() -> None:
    masks = {"a": torch.ones(1) > 0, "b": torch.ones(1) > 0}
    large = {"a": torch.tensor([2.0**24]), "b": torch.tensor([2**24 + 1])}
    assert flags(lower(large, masks, 0.5)) == [NO, YES]  # equal in float32
    half = {name: torch.tensor([v]).bfloat16() for name, v in (("a", 1.0), ("b", -3.0))}
    assert flags(lower(half, masks, 0.5)) == [NO, YES]


def test_lenet_after_ten_rounds_has_the_published_share() -> None:
    shapes = {"fc1": (300, 784), "fc2": (100, 300), "out": (10, 100)}
    rates = {"fc1": 0.2, "fc2": 0.2, "out": 0.1}
    weights = {k: torch.randn(s, generator=seeded(0)) for k, s in shapes.items()}
    masks: Masks = {k: torch.ones(s, dtype=torch.bool) for k, s in shapes.items()}
    expected = {k: math.prod(s) for k, s in shapes.items()}
    for _ in range(10):
        masks = lower(weights, masks, rates)
        expected = {k: round((1 - rates[k]) * n) for k, n in expected.items()}
    assert counts(masks) == expected == {"fc1": 25254, "fc2": 3221, "out": 348}
    share = 100 * sum(expected.values()) / sum(math.prod(s) for s in shapes.values())
    assert round(share, 1) == 10.8  # the hidden layers alone: 0.8^10 = 10.7 %


@pytest.mark.parametrize("rate", [-1e-9, 1.0000001, math.nan, math.inf])
def test_a_rate_outside_is_refused(rate: float) -> None:
    weights, masks = {"w": torch.ones(2)}, {"w": torch.ones(2) > 0}
    message = re.escape(
        "expected a rate in [0, 1] (share of the survivors that is removed), got "
        f"{rate} for ['w']"
    )
    for rates in (rate, {"w": rate}):
        with pytest.raises(ValueError, match=f"^{message}$"):
            lower(weights, masks, rates)


def test_all_rates_from_nothing_to_everything() -> None:
    weights, masks = {"w": torch.tensor([0.0, 1.0])}, {"w": torch.ones(2) > 0}
    assert flags(lower(weights, masks, 0.0)) == [YES, YES]
    assert flags(lower(weights, masks, 1.0)) == [NO, NO]
    assert flags(lower(weights, {"w": masks["w"] & False}, 0.5)) == [NO, NO]
    empty = {"w": torch.ones(0), "v": torch.ones(1)}
    flat = {name: w > 0 for name, w in empty.items()}
    assert counts(lower(empty, flat, {"w": 0.2, "v": 0.2})) == {"w": 0, "v": 1}


def test_rates_must_name_the_masked_layers() -> None:
    weights = {name: torch.ones(2) for name in "abc"}
    masks = {name: torch.ones(2) > 0 for name in "ba"}
    for rates in ({"a": 0.2}, {"a": 0.2, "b": 0.2, "c": 0.2}, {}):
        message = re.escape(
            "expected one rate for each masked layer, ['a', 'b'], got "
            f"{sorted(rates)}; give a rate of 0 to a layer that stays whole"
        )
        with pytest.raises(ValueError, match=f"^{message}$"):
            lower(weights, masks, rates)


def test_what_else_lower_refuses() -> None:
    masks = {"w": torch.ones(2) > 0}
    with pytest.raises(ValueError, match=r"scores of w have NaN entries"):
        lower({"w": torch.tensor([1.0, math.nan])}, masks, 0.5)
    for rates in (0.5, {}):
        with pytest.raises(
            ValueError, match=r"^expected the mask of at least one layer, got none$"
        ):
            lower({"w": torch.ones(2)}, {}, rates)


WITHOUT_A_PLACE: list[tuple[dict[str, Tensor], str]] = [
    ({"v": torch.ones(2, 3)}, "none"),
    ({"w": torch.ones(3, 2)}, "(3, 2)"),
    ({"w": torch.ones(6)}, "(6,)"),
]


@pytest.mark.parametrize(("weights", "got"), WITHOUT_A_PLACE)
def test_a_mask_without_its_weight_is_refused(
    weights: dict[str, Tensor], got: str
) -> None:
    masks = {"w": torch.ones(2, 3) > 0}
    message = f"expected a weight of shape (2, 3) for the mask w, got {got}"
    for use in (check_masks, masked, lambda w, m: lower(w, m, 0.5)):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            use(weights, masks)


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.float32])
def test_a_mask_that_is_not_boolean_is_refused(dtype: torch.dtype) -> None:
    weights = {"w": torch.tensor([3.0, 4.0])}
    masks = {"w": torch.tensor([1, 0]).to(dtype)}
    message = (
        f"expected a boolean mask for w, got {dtype}, whose entries would be read as "
        "positions or factors; pass mask.bool()"
    )
    uses: tuple[Callable[[], object], ...] = (
        lambda: masked(weights, masks),
        lambda: lower(weights, masks, 0.5),
        lambda: distance(weights, weights, masks),
        lambda: angle(weights, weights, masks),
        lambda: next(
            iterative_magnitude_pruning(lambda w, _: w, [weights], [masks], 0.5, 1)
        ),
    )
    for use in uses:
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            use()


# masked, random ---------------------------------------------------------------------


def test_masked_zeroes_what_is_pruned_and_keeps_the_rest() -> None:
    weights = {"w": torch.tensor([1.0, -2.0]), "b": torch.tensor([3.0])}
    product = masked(weights, {"w": torch.tensor([NO, YES])})
    assert list(product) == ["w", "b"]
    assert product["w"].tolist() == [0.0, -2.0] and product["b"] is weights["b"]
    assert weights["w"].tolist() == [1.0, -2.0]


@given(scores(), st.integers(0, 2**32))
def test_random_masks_have_the_count_of_each_layer(
    weights: dict[str, Tensor], seed: int
) -> None:
    masks = drawn_masks(weights, seed)
    first, again = (random_masks(masks, seeded(seed)) for _ in range(2))
    assert counts(first) == counts(masks) and flags(first) == flags(again)
    assert all(first[k].shape == masks[k].shape for k in masks)


def test_random_masks_are_random() -> None:
    like = {"w": torch.arange(100) < 50, "v": torch.arange(100) < 50}
    source = seeded(0)
    first, second = random_masks(like, source), random_masks(like, source)
    seen = [flags({"": m}) for m in (*first.values(), *second.values(), like["w"])]
    assert all(a != b for i, a in enumerate(seen) for b in seen[:i])


# the loop ---------------------------------------------------------------------------


def moved(weights: Weights, masks: Masks) -> dict[str, Tensor]:
    """A training that depends on nothing but its pair: pruned weights stay 0."""
    return {k: (2 * p.flip(0) - 1) * masks.get(k, 1) for k, p in weights.items()}


def each(pairs: Sequence[Weights], masks: Sequence[Masks]) -> list[dict[str, Tensor]]:
    return [moved(w, m) for w, m in zip(pairs, masks, strict=True)]


def drawn(seed: int) -> dict[str, Tensor]:
    sizes = {"a": (4, 3), "a.bias": (4,), "b": (2, 4)}
    source = seeded(seed)
    return {k: torch.randn(s, generator=source).double() for k, s in sizes.items()}


def whole(weights: Weights) -> Masks:
    return {k: torch.ones(p.shape) > 0 for k, p in weights.items() if p.ndim > 1}


@pytest.mark.parametrize("rates", [0.3, {"a": 0.2, "b": 0.4}])
def test_the_loop_is_train_lower_rewind(rates: float | Mapping[str, float]) -> None:
    start = drawn(1)
    masks = whole(start)
    (found,) = zip(
        *iterative_magnitude_pruning(each, [start], [masks], rates, 4), strict=True
    )
    assert len(found) == 5
    for ticket in found:
        trained = moved(masked(start, masks), masks)  # from W_k, every time
        assert isinstance(ticket, Ticket) and flags(ticket.masks) == flags(masks)
        assert all(torch.equal(ticket.weights[k], trained[k]) for k in trained)
        masks = lower(trained, masks, rates)
    sizes = [sum(counts(ticket.masks).values()) for ticket in found]
    assert all(a > b for a, b in pairwise(sizes)) and sizes[0] == 20


def test_networks_of_one_call_do_not_see_one_another() -> None:
    starts = [drawn(seed) for seed in range(3)]
    masks = [whole(start) for start in starts]
    masks[1] = random_masks({"a": torch.arange(12).view(4, 3) < 5}, seeded(1)) | {
        "b": masks[1]["b"]
    }
    together = list(iterative_magnitude_pruning(each, starts, masks, 0.3, 3))
    for network in range(3):
        alone = iterative_magnitude_pruning(
            each, starts[network : network + 1], masks[network : network + 1], 0.3, 3
        )
        for tickets, (ticket,) in zip(together, alone, strict=True):
            assert flags(tickets[network].masks) == flags(ticket.masks)
            for name, weight in ticket.weights.items():
                assert torch.equal(tickets[network].weights[name], weight)
    assert flags(together[0][1].masks) == flags(masks[1])  # round 0: as given


def test_the_trainer_gets_masked_copies_and_cannot_spoil_the_start() -> None:
    start = drawn(2)
    before = {k: p.clone() for k, p in start.items()}
    seen: list[list[float]] = []

    def in_place(pairs: Sequence[Weights], masks: Sequence[Masks]) -> Sequence[Weights]:
        for pair, mask in zip(pairs, masks, strict=True):
            seen.append([float(p.sum()) for p in pair.values()])
            for name in mask:
                assert bool((pair[name][~mask[name]] == 0).all())
            for p in pair.values():
                p.mul_(3)
        return pairs

    list(iterative_magnitude_pruning(in_place, [start], [whole(start)], 0.5, 2))
    assert all(torch.equal(start[k], before[k]) for k in start)
    biases = [row[1] for row in seen]
    assert len(seen) == 3 and biases == [float(start["a.bias"].sum())] * 3


def test_rounds_are_trained_when_they_are_asked_for() -> None:
    calls: list[int] = []

    def train(pairs: Sequence[Weights], masks: Sequence[Masks]) -> Sequence[Weights]:
        calls.append(len(pairs))
        return each(pairs, masks)

    start = drawn(3)
    rounds = iterative_magnitude_pruning(
        train, [start, start], [whole(start), whole(start)], 0.2, 1
    )
    assert calls == []
    next(rounds)
    assert calls == [2]
    assert len(list(rounds)) == 1 and calls == [2, 2]


def test_the_last_round_is_not_ranked() -> None:
    def diverging(
        pairs: Sequence[Weights], masks: Sequence[Masks]
    ) -> Sequence[Weights]:
        return [{"w": torch.tensor([math.nan, 1.0])} for _ in pairs]

    arguments = (diverging, [{"w": torch.ones(2)}], [{"w": torch.ones(2) > 0}], 0.5)
    assert len(list(iterative_magnitude_pruning(*arguments, 0))) == 1
    with pytest.raises(ValueError, match="NaN"):
        list(iterative_magnitude_pruning(*arguments, 1))


@pytest.mark.parametrize(("rounds", "networks"), [(-1, 1), (0, 0), (0, 2)])
def test_rounds_and_masks_that_do_not_fit_are_refused(
    rounds: int, networks: int
) -> None:
    start = drawn(0)
    loop = iterative_magnitude_pruning(
        each, [start], [whole(start)] * networks, 0.2, rounds
    )
    message = (
        "expected rounds >= 0 and as many masks as networks, got "
        f"rounds={rounds}, 1 networks and {networks} masks"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        next(loop)


@pytest.mark.parametrize("value", [1e-300, -1.0, math.nan, math.inf])
def test_a_revived_weight_is_an_error(value: float) -> None:
    def reviving(
        pairs: Sequence[Weights], masks: Sequence[Masks]
    ) -> list[dict[str, Tensor]]:
        trained = each(pairs, masks)
        gone = ~masks[1]["b"]
        trained[1]["b"][gone] = value
        return trained

    start = drawn(4)
    masks = [whole(start), whole(start)]
    masks[1] = masks[1] | {"b": torch.arange(8).view(2, 4) < 5}
    message = (
        "the trainer revived 3 pruned weights of b (round 0, network 1): "
        "mask the gradient in each step, and start momentum from zero"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        next(iterative_magnitude_pruning(reviving, [start, start], masks, 0.5, 1))


def test_negative_zeros_are_zeros() -> None:
    def negative(pairs: Sequence[Weights], masks: Sequence[Masks]) -> list[Weights]:
        return [{"w": torch.tensor([-0.0, 1.0])}]

    masks = [{"w": torch.tensor([NO, YES])}]
    loop = iterative_magnitude_pruning(negative, [{"w": torch.ones(2)}], masks, 0.0, 1)
    assert len(list(loop)) == 2


def test_results_that_do_not_fit_are_refused() -> None:
    start = drawn(5)
    loop = iterative_magnitude_pruning(
        lambda w, m: each(w, m) * 2, [start], [whole(start)], 0.2, 1
    )
    message = "expected trained weights of 1 networks in round 0, got 2"
    with pytest.raises(ValueError, match=f"^{message}$"):
        next(loop)
    loop = iterative_magnitude_pruning(
        lambda w, m: [{}], [start], [whole(start)], 0.2, 1
    )
    with pytest.raises(ValueError, match=r"shape \(4, 3\) for the mask a, got none$"):
        next(loop)


# with torch's own optimisers --------------------------------------------------------

Rule = Callable[[list[Tensor]], torch.optim.Optimizer]
RULES: dict[str, Rule] = {
    "sgd": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.01),
    "adam": lambda p: torch.optim.Adam(p, 0.01),
    "adamw": lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.1),
}


def trainer(
    rule: Rule, *, frozen: bool = True, carried: bool = False
) -> Callable[[Sequence[Weights], Sequence[Masks]], list[dict[str, Tensor]]]:
    """Five steps of a small MLP; the optimiser's state can be carried over rounds."""
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    x = torch.randn(8, 3, generator=seeded(7)).double()
    state: dict[str, object] = {}

    def one(weights: Weights, masks: Masks) -> dict[str, Tensor]:
        own = {k: p.clone().requires_grad_() for k, p in weights.items()}
        optimizer = rule(list(own.values()))
        if carried and state:
            optimizer.load_state_dict(state)
        for _ in range(5):
            optimizer.zero_grad()
            (functional_call(model, own, (x,)) - 1).square().mean().backward()
            for name, mask in masks.items():
                if frozen:
                    own[name].grad = own[name].grad * mask  # type: ignore[operator]
            optimizer.step()
        state.update(optimizer.state_dict())
        return {k: p.detach() for k, p in own.items()}

    return lambda w, m: [one(*pair) for pair in zip(w, m, strict=True)]


def mlp(seed: int) -> dict[str, Tensor]:
    shapes = {"0.weight": (4, 3), "0.bias": (4,), "2.weight": (2, 4), "2.bias": (2,)}
    source = seeded(seed)
    return {k: torch.randn(s, generator=source).double() for k, s in shapes.items()}


@pytest.mark.parametrize("name", RULES)
def test_a_frozen_mask_survives_momentum_and_decay(name: str) -> None:
    start = mlp(0)
    loop = iterative_magnitude_pruning(
        trainer(RULES[name]), [start], [whole(start)], 0.3, 4
    )
    sizes = []
    for (ticket,) in loop:
        sizes.append(sum(counts(ticket.masks).values()))
        for layer, mask in ticket.masks.items():
            assert ticket.weights[layer][~mask].tolist() == [0.0] * int((~mask).sum())
        moves = [ticket.weights[k] != start[k] * m for k, m in ticket.masks.items()]
        assert any(bool(move.any()) for move in moves)
    assert sizes == [20, 14, 10, 7, 5]


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("wrong", ["gradient", "momentum"])
def test_an_unfrozen_mask_is_found(name: str, wrong: str) -> None:
    start = mlp(0)
    train = trainer(
        RULES[name], frozen=wrong != "gradient", carried=wrong == "momentum"
    )
    loop = iterative_magnitude_pruning(train, [start], [whole(start)], 0.3, 1)
    next(loop)
    with pytest.raises(
        ValueError, match=r"revived \d pruned .* \(round 1, network 0\)"
    ):
        next(loop)
