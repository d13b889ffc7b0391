"""The checker accepts honest runs and names the line that each sabotage breaks."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given
from strategies import sources
from tolerance import tolerance
from torch import Tensor, nn

from theory import proof_checker, random_networks, scores
from theory.networks import Network, Parameters
from theory.positive_paths import chain_widths
from theory.proof_checker import Failure, Kind, follow
from theory.pruning import prune
from theory.pruning_steps import Step, layer_sizes, one_at_a_time, schedule
from theory.synflow import absolute, ones, synflow
from theory.synflow_pruning import prune_synflow

CLOSE = tolerance(10**4)


def dense(*weights: list[list[float]]) -> Network:
    """Linear layers with the given weights, ReLU between them."""
    layers: list[nn.Module] = []
    for values in weights:
        layer = nn.Linear(len(values[0]), len(values), bias=False)
        layer.weight.data = torch.tensor(values)
        layers += [layer, nn.ReLU()]
    return Network.of(nn.Sequential(*layers[:-1]))


def filled(widths: tuple[int, ...], rng: Random, *, bias: bool = False) -> Network:
    layers = [nn.Linear(n, m, bias=bias) for n, m in pairwise(widths)]
    return Network.of(random_networks.fill(nn.Sequential(*layers), rng))


ONES = dense([[1.0], [1.0]], [[1.0, 1.0], [1.0, 1.0]], [[1.0, 1.0]])
FIRST, MIDDLE, LAST = ONES.prunable
SIGNED = dense([[3.0, -1.0], [2.0, 1.0]], [[1.0, -2.0], [2.0, 2.0]], [[1.0, -3.0]])


def flows(network: Network) -> Callable[[Network], Parameters]:
    x = ones(network, (network.parameters[network.prunable[0]].shape[1],))
    return lambda left: scores.saliency(left, x, torch.sum)


def step(number: int = 1, **changes: Any) -> Step:
    """An honest first step of ONES: the last weight of the middle layer goes."""
    empty = torch.tensor([], dtype=torch.long)
    honest = Step(
        number=number,
        gone={FIRST: empty, MIDDLE: torch.tensor([3]), LAST: empty},
        counts={FIRST: 2, MIDDLE: 3, LAST: 2},
        totals={FIRST: 4.0, MIDDLE: 4.0, LAST: 4.0},
        removed={FIRST: 0.0, MIDDLE: 1.0, LAST: 0.0},
        lowest=1.0,
        highest_removed=1.0,
        lowest_kept=1.0,
    )
    return replace(honest, **changes)


def judged(*steps: Step, kind: Kind = "chain", slack: float = 1e-9) -> Failure | None:
    return follow(ONES, (1,), steps, kind=kind, slack=slack).failure


# honest runs ------------------------------------------------------------------------


def test_an_honest_run_by_hand() -> None:
    run = list(prune_synflow(ONES, (1,), one_at_a_time(ONES, 3)))
    record = follow(ONES, (1,), run, kind="chain")
    assert record.failure is None and record.refuted is None
    assert record.steps == 5 and record.counts == {FIRST: 1, MIDDLE: 1, LAST: 1}
    assert record.flow == 1.0
    # R = 4, 3, 2, 1 while the middle layer has 4, 3, 2 weights; then what is cut off
    assert record.largest_ratio == 0.5


def test_the_first_step_by_hand() -> None:
    record = follow(ONES, (1,), [step()], kind="chain")
    assert record.failure is None and record.refuted is None
    assert (record.steps, record.flow, record.largest_ratio) == (1, 3.0, 0.25)
    assert record.counts == {FIRST: 2, MIDDLE: 3, LAST: 2}


def test_a_run_without_steps() -> None:
    record = follow(ONES, (1,), [], kind="chain")
    assert record.failure is None and record.refuted is None
    assert (record.steps, record.flow, record.largest_ratio) == (0, 4.0, 0.0)
    assert record.counts == {FIRST: 2, MIDDLE: 4, LAST: 2}


@pytest.mark.parametrize(("largest", "weights"), [(8, (1,)), (12, (1, 2))])
def test_every_chain_of_few_weights_is_accepted(
    largest: int, weights: tuple[int, ...]
) -> None:
    """All 162 of up to 8 equal weights (ties), all 1032 of up to 12 from 1 and 2."""
    rng = Random(0)
    for widths in chain_widths(largest):
        network = dense(
            *(
                [[float(rng.choice(weights)) for _ in range(n)] for _ in range(m)]
                for n, m in pairwise(widths)
            )
        )
        layers = len(widths) - 1
        last = layers / sum(layer_sizes(network).values())
        run = prune_synflow(network, (widths[0],), [last], safe=True)
        record = follow(network, (widths[0],), run, kind="chain")
        assert record.failure is None, (widths, str(record.failure))
        assert set(record.counts.values()) == {1} and record.flow > 0


@given(rng=sources())
def test_runs_of_one_parameter_at_a_time_are_accepted(rng: Random) -> None:
    widths = tuple(rng.randint(1, 3) for _ in range(rng.randint(2, 5)))
    network = filled(widths, rng)
    run = list(
        prune_synflow(network, (widths[0],), one_at_a_time(network, len(widths) - 1))
    )
    record = follow(network, (widths[0],), run, kind="chain")
    if record.failure and record.failure.line == "connected":
        assert record.failure.step == 1 and run[0].cut_size == 0  # no path at first
        return
    assert record.failure is None, str(record.failure)
    # no step, nothing checked: a chain of a single weight, which may be zero
    assert set(record.counts.values()) == {1} and (record.flow > 0 or not run)


@given(rng=sources())
def test_no_run_of_synflow_refutes_the_theorem(rng: Random) -> None:
    """Schedules of every kind, safe or not, on MLPs, convnets and DAGs."""
    build = rng.choice(
        [random_networks.mlp, random_networks.convnet, random_networks.dag]
    )
    network = Network.of(build(rng))
    first = network.parameters[network.prunable[0]]
    shape = (first.shape[1],) if first.dim() == 2 else (1, 9, 9)
    density = rng.choice([0.0, 0.02, 0.1, 0.5])
    steps = [density] if not density else schedule(density, rng.choice([1, 2, 5, 20]))
    safe = rng.random() < 0.3
    chain = build is random_networks.mlp
    record = follow(
        network,
        shape,
        prune_synflow(network, shape, steps, safe=safe),
        kind="chain" if chain else "dag",
    )
    assert record.refuted is None, str(record.refuted)
    if record.failure is None:
        assert record.flow > 0 and record.largest_ratio < 1
        assert not chain or min(record.counts.values()) > 0
    else:
        assert record.failure.line in ("prune size", "connected")
        assert not safe or record.failure.line == "connected"


def test_a_run_in_float32_needs_its_own_slack() -> None:
    model = random_networks.fill(
        nn.Sequential(nn.Linear(40, 30), nn.Linear(30, 9)), Random(0)
    )
    network = Network.of(model, dtype=torch.float32)
    run = list(prune_synflow(network, (40,), schedule(0.01, 20), safe=True))
    strict = follow(network, (40,), run, kind="chain").failure
    assert strict is not None and strict.line == "conserved"
    assert follow(network, (40,), run, kind="chain", slack=1e-5).failure is None


def test_the_flow_is_computed_in_float64() -> None:
    model = nn.Sequential(nn.Linear(3, 1, bias=False))
    model[0].weight.data = torch.tensor([[1.0, 1e-7, 1e-9]])
    network = Network.of(model, dtype=torch.float32)
    small = sum(float(w) for w in torch.tensor([1e-7, 1e-9]))
    assert follow(network, (3,), [], kind="chain").flow == pytest.approx(
        1 + small, rel=tolerance(3)
    )


def test_the_network_stays_as_it_is() -> None:
    before = {name: p.clone() for name, p in SIGNED.parameters.items()}
    follow(SIGNED, (2,), prune_synflow(SIGNED, (2,), [0.5]), kind="chain")
    assert all(torch.equal(before[name], p) for name, p in SIGNED.parameters.items())


def test_batch_norm_and_its_integer_buffer_are_read_in_float64() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(98, 2)
    )
    network = Network.of(random_networks.fill(model, Random(1)))
    last = 2 / sum(layer_sizes(network).values())
    run = prune_synflow(network, (1, 9, 9), [last], safe=True)
    assert follow(network, (1, 9, 9), run, kind="chain").failure is None


# sabotage ---------------------------------------------------------------------------


def test_one_shot_synflow() -> None:
    record = follow(ONES, (1,), prune_synflow(ONES, (1,), [3 / 8]), kind="chain")
    assert record.failure == Failure(1, "prune size", 6.0, 4.0)
    assert str(record.failure) == "step 1: prune size fails, found 6 against 4"
    assert record.refuted is None and record.largest_ratio == 1.5
    assert record.counts == {FIRST: 2, MIDDLE: 0, LAST: 1} and record.flow == 0


def test_iterated_magnitude() -> None:
    run = prune(SIGNED, scores.magnitude, one_at_a_time(SIGNED, 3))
    failure = follow(SIGNED, (2,), run, kind="chain").failure
    # sums of |w| 7, 7, 4; |theta| takes (1, 1) to (4, 3), (10, 14) and R = 52
    assert failure == Failure(1, "conserved", 7.0, 52.0, SIGNED.prunable[0])
    assert str(failure) == "step 1: conserved fails in 0.weight, found 7 against 52"


def test_iterated_snip_whatever_its_norm() -> None:
    def snip(left: Network) -> Parameters:
        return {name: s.abs() for name, s in flows(SIGNED)(left).items()}

    failure = follow(
        SIGNED, (2,), prune(SIGNED, snip, one_at_a_time(SIGNED, 3)), kind="chain"
    ).failure
    assert failure is not None and (failure.step, failure.line) == (1, "conserved")


def test_signed_saliency() -> None:
    run = prune(SIGNED, flows(SIGNED), one_at_a_time(SIGNED, 3))
    failure = follow(SIGNED, (2,), run, kind="chain").failure
    assert failure is not None and (failure.step, failure.line) == (1, "positive")
    assert failure.found < 0 and failure.expected == 0.0 and failure.layer == ""


def test_scores_that_are_not_computed_anew() -> None:
    first = synflow(ONES, (1,))

    def stale(left: Network) -> Parameters:
        return {name: first[name] * (p != 0) for name, p in left.parameters.items()}

    run = prune(ONES, stale, one_at_a_time(ONES, 3))
    # after one step R = 3, and the old scores of the first layer still add up to 4
    assert follow(ONES, (1,), run, kind="chain").failure == Failure(
        2, "conserved", 4.0, 3.0, FIRST
    )


def test_biases_that_carry_flow() -> None:
    network = filled((2, 3, 2), Random(3), bias=True)
    kept = {name: p.abs() for name, p in network.parameters.items()}
    positive = replace(network, parameters=kept)
    run = prune(positive, flows(positive), one_at_a_time(positive, 2))
    failure = follow(positive, (2,), run, kind="chain").failure
    assert failure is not None and (failure.step, failure.line) == (1, "conserved")


def test_local_masking_is_not_global_but_empties_no_layer() -> None:
    network = absolute(SIGNED)
    densities = [0.75, 0.5, 0.25]
    run = list(prune(network, lambda n: synflow(n, (2,)), densities, scope="layer"))
    record = follow(network, (2,), run, kind="chain")
    assert record.failure is not None and record.failure.line == "global"
    assert record.failure.found > record.failure.expected
    assert min(record.counts.values()) == 1


def test_scores_shuffled_inside_their_layers() -> None:
    """Positive, conserved, masked globally: only the network itself can tell."""
    network = dense([[1.0, 50.0], [2.0, 3.0]], [[1.0, 70.0], [2.0, 5.0]])

    def turned(left: Network) -> Parameters:
        true = synflow(left, (2,))
        live = {name: p != 0 for name, p in left.parameters.items()}
        result = {}
        for name, score in true.items():
            result[name] = torch.zeros_like(score)
            result[name][live[name]] = score[live[name]].flip(0)
        return result

    run = prune(network, turned, one_at_a_time(network, 2))
    record = follow(network, (2,), run, kind="chain")
    assert record.failure is not None and record.failure.line == "inequality"
    assert record.failure.found < record.failure.expected
    assert record.refuted == record.failure
    assert follow(
        network, (2,), prune(network, turned, one_at_a_time(network, 2)), kind="dag"
    ).failure == replace(record.failure)


def test_a_dead_network() -> None:
    dead = dense([[0.0]], [[2.0]])
    record = follow(dead, (1,), prune_synflow(dead, (1,), [0.5, 0.0]), kind="chain")
    assert record.failure == Failure(1, "connected", 0.0, 0.0)
    assert (record.steps, record.largest_ratio, record.refuted) == (2, 0.0, None)


def test_a_flow_that_overflows() -> None:
    huge = dense([[3e38]] * 1, *[[[3e38]]] * 8)
    run = [
        Step(
            number=1,
            gone={},
            counts=dict.fromkeys(huge.prunable, 1),
            totals={},
            removed={huge.prunable[0]: 0.0},
            lowest=1.0,
            highest_removed=-float("inf"),
            lowest_kept=1.0,
        )
    ]
    failure = follow(huge, (1,), run, kind="chain").failure
    assert failure == Failure(1, "connected", float("inf"), 0.0)


# single lines -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "gone",
    [
        torch.tensor([3, 3]),
        torch.tensor([4]),
        torch.tensor([-1]),
        torch.tensor([2, 3]),
        torch.tensor([], dtype=torch.long),
    ],
    ids=["twice", "outside", "negative", "more than counted", "fewer than counted"],
)
def test_positions_must_exist_and_be_counted(gone: Tensor) -> None:
    failure = judged(step(gone={MIDDLE: gone}))
    assert failure is not None and failure.line == "bookkeeping"


def test_what_is_pruned_stays_pruned() -> None:
    again = step(2, counts={FIRST: 2, MIDDLE: 2, LAST: 2})
    assert judged(step(), again) == Failure(2, "bookkeeping", 6.0, 7.0)


def test_a_later_layer_does_not_excuse_an_earlier_one() -> None:
    gone = {FIRST: torch.tensor([1, 1]), MIDDLE: torch.tensor([3])}
    counts = {FIRST: 1, MIDDLE: 3, LAST: 2}
    failure = judged(step(gone=gone, counts=counts))
    assert failure == Failure(1, "bookkeeping", 6.0, 6.0)


def test_counts_are_compared_layer_by_layer() -> None:
    counts = {FIRST: 2, MIDDLE: 4, LAST: 1}
    assert judged(step(counts=counts)) == Failure(1, "bookkeeping", 7.0, 7.0)


def test_a_layer_that_the_network_does_not_have() -> None:
    message = (
        r"^the run prunes \['9.weight'\], but the network's layers are "
        r"\['0.weight', '2.weight', '4.weight'\]; follow a run with the network"
    )
    with pytest.raises(ValueError, match=message):
        judged(step(gone={"9.weight": torch.tensor([0])}))


@pytest.mark.parametrize("score", [-1e-300, -1.0])
def test_the_least_negative_score_is_negative(score: float) -> None:
    assert judged(step(lowest=score)) == Failure(1, "positive", score, 0.0)
    assert judged(step(lowest=0.0)) is None


@pytest.mark.parametrize("layer", [FIRST, MIDDLE, LAST])
@pytest.mark.parametrize("total", [4.0 + 1e-6, 4.0 - 1e-6, 0.0, float("nan")])
def test_every_layer_must_carry_the_flow(layer: str, total: float) -> None:
    totals = {**step().totals, layer: total}
    failure = judged(step(totals=totals))
    assert failure is not None
    assert (failure.line, failure.expected, failure.layer) == ("conserved", 4.0, layer)
    kinds: tuple[Kind, ...] = ("max-pool chain", "dag")
    other, free = (judged(step(totals=totals), kind=kind) for kind in kinds)
    assert other is not None and other.line == "conserved" and free is None


def test_slack_is_relative_to_the_flow() -> None:
    totals = {**step().totals, LAST: 4.0 + 1.0}
    assert judged(step(totals=totals), slack=0.25) is None  # 1 <= 0.25 * 4
    assert judged(step(totals=totals), slack=0.2499) is not None


def test_a_removed_score_may_equal_a_kept_one() -> None:
    assert judged(step(highest_removed=1.0, lowest_kept=1.0)) is None
    assert judged(step(highest_removed=1.5, lowest_kept=1.0)) == Failure(
        1, "global", 1.5, 1.0
    )


@pytest.mark.parametrize(
    ("removed", "sound"), [(3.0, True), (4.0, False), (4.5, False)]
)
def test_the_prune_size_must_be_less_than_the_flow(removed: float, sound: bool) -> None:
    failure = judged(step(removed={FIRST: removed}), kind="dag")
    assert failure == (None if sound else Failure(1, "prune size", removed, 4.0))


def test_a_prune_size_within_rounding_of_the_flow_is_not_less() -> None:
    close = step(removed={MIDDLE: 4.0 * (1 - 1e-10)})
    failure = judged(close, kind="dag")
    assert failure is not None and failure.line == "prune size"
    assert judged(close, kind="dag", slack=1e-11) is None


def test_an_emptied_layer_contradicts_the_premises() -> None:
    """Only a run that lies about the score that it removed can get there."""
    liar = step(gone={MIDDLE: torch.arange(4)}, counts={FIRST: 2, MIDDLE: 0, LAST: 2})
    expected = Failure(1, "no empty layer", 0.0, 1.0, MIDDLE)
    for kind in ("chain", "max-pool chain"):
        record = follow(ONES, (1,), [liar], kind=kind)
        assert record.failure == record.refuted == expected
    assert judged(liar, kind="dag") == Failure(1, "inequality", 0.0, 3.0)


@pytest.mark.parametrize(("removed", "kinds"), [(0.5, 3), (1.0, 0), (1.5, 1)])
def test_the_flow_falls_by_the_score_of_one_layer(removed: float, kinds: int) -> None:
    """R = 4 falls to 3: too far for 0.5; for 1.5 not far enough, in a plain chain."""
    changed = step(removed={MIDDLE: removed})
    names: tuple[Kind, ...] = ("chain", "max-pool chain", "dag")
    failures = [judged(changed, kind=kind) for kind in names]
    expected = Failure(1, "inequality", 3.0, 4.0 - removed)
    assert failures == [expected] * kinds + [None] * (3 - kinds)


def test_the_flow_may_fall_less_where_several_layers_are_touched() -> None:
    both = step(
        gone={MIDDLE: torch.tensor([3]), LAST: torch.tensor([1])},
        counts={FIRST: 2, MIDDLE: 3, LAST: 1},
        removed={MIDDLE: 1.0, LAST: 2.0},
        highest_removed=2.0,
        lowest_kept=2.0,
    )
    record = follow(ONES, (1,), [both], kind="chain")
    assert record.failure is None and record.flow == 2.0  # more than 4 - 3


def test_the_inequality_has_the_slack_of_its_scores() -> None:
    for removed in (0.75, 1.25):
        changed = step(removed={MIDDLE: removed})
        assert judged(changed, slack=0.0626) is None  # 0.25 / 4 = 0.0625
        assert judged(changed, slack=0.0624) is not None


def test_a_step_that_removes_nothing() -> None:
    idle = step(
        gone={},
        counts={FIRST: 2, MIDDLE: 4, LAST: 2},
        removed={FIRST: 0.0},
        highest_removed=-float("inf"),
    )
    assert judged(idle) is None
    assert judged(replace(idle, removed={FIRST: 1.0})) == Failure(
        1, "inequality", 4.0, 3.0
    )


def test_a_run_is_followed_past_its_first_failure() -> None:
    first = step(lowest=-1.0)
    second = step(
        2,
        gone={MIDDLE: torch.tensor([2])},
        counts={FIRST: 2, MIDDLE: 2, LAST: 2},
        totals=dict.fromkeys(ONES.prunable, 3.0),
        removed={MIDDLE: 0.25},
    )
    third = replace(second, number=3, gone={MIDDLE: torch.tensor([0])})
    record = follow(ONES, (1,), [first, second, third], kind="chain")
    assert record.failure == Failure(1, "positive", -1.0, 0.0)
    assert record.refuted == Failure(2, "inequality", 2.0, 2.75)
    assert (record.steps, record.flow, record.counts[MIDDLE]) == (3, 1.0, 1)
    assert record.largest_ratio == 0.25


def test_max_pooling_may_fall_less() -> None:
    """R = max(3, 2) = 3, the score of the first weight: R falls to 2 without it."""
    layer = nn.Conv1d(1, 2, 1, bias=False)
    layer.weight.data = torch.tensor([[[3.0]], [[2.0]]])

    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.tail = layer, nn.Linear(1, 1, bias=False)
            self.pool = nn.MaxPool1d(2)
            self.tail.weight.data.fill_(1.0)

        def forward(self, x: Tensor) -> Tensor:
            result: Tensor = self.tail(
                self.pool(self.layer(x).flatten(1)[:, None])[:, 0]
            )
            return result

    network = Network.of(Pooled())
    names = network.prunable
    score = synflow(network, (1, 1))
    assert score[names[0]].flatten().tolist() == [3.0, 0.0]
    # the loser of the maximum has score 0, goes first and costs nothing
    (honest,) = prune_synflow(network, (1, 1), [2 / 3])
    assert follow(network, (1, 1), [honest], kind="chain").failure is None
    worse = replace(
        honest,
        gone={names[0]: torch.tensor([0])},
        removed={names[0]: 3.0},
        highest_removed=3.0,
        lowest_kept=3.0,
    )
    record = follow(network, (1, 1), [worse], kind="dag")
    assert record.failure == Failure(1, "prune size", 3.0, 3.0) and record.flow == 2.0


@pytest.mark.parametrize(
    ("kind", "slack"), [("tree", 1e-9), ("chain", 1.0), ("dag", -0.1)]
)
def test_what_cannot_be_followed(
    kind: Any, slack: float, unchecked_types: None
) -> None:
    with pytest.raises(
        ValueError, match=r"^expected kind 'chain', 'max-pool chain' or"
    ):
        judged(step(), kind=kind, slack=slack)
    assert judged(step(), slack=0.0) is None


def test_the_steps_may_come_as_they_are_made() -> None:
    made: list[int] = []

    def steps() -> Iterable[Step]:
        for number, item in enumerate(prune_synflow(ONES, (1,), [0.5, 0.375]), start=1):
            made.append(number)
            yield item

    assert follow(ONES, (1,), steps(), kind="chain").steps == 2 and made == [1, 2]


def test_the_default_slack() -> None:
    assert proof_checker.ROUNDING == 1e-9


def test_weights_with_another_order_in_memory_are_followed() -> None:
    layers = (nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2))
    model = nn.Sequential(*layers).to(memory_format=torch.channels_last)
    network = Network.of(model)
    run = prune_synflow(network, (3, 3, 3), [0.0], safe=True)
    record = follow(network, (3, 3, 3), run, kind="chain")
    assert record.failure is None and list(record.counts.values()) == [1, 1]
