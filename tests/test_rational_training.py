"""Exact training: by hand, and against torch's own optimiser."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from random import Random

import pytest
import torch
from hypothesis import given
from strategies import sources
from tolerance import tolerance
from torch import Tensor

from theory.exact import RationalDag, random_dag
from theory.gradient_descent import Sgd, rational_gradient
from theory.rational_training import (
    Batch,
    Sample,
    State,
    Subnetwork,
    backward,
    moved,
    random_batches,
    random_subnetwork,
    relabelled,
    squared_distance,
    units,
)

ONE, ZERO = Fraction(1), Fraction(0)


def by_hand(kept: frozenset[tuple[int, int]], sgd: Sgd) -> Subnetwork:
    """Inputs 0, 1 and an output 2 with a bias, all linear."""
    dag = RationalDag(
        weights={(0, 2): 2 * ONE, (1, 2): 3 * ONE},
        biases={2: 4 * ONE},
        slopes=(ONE,) * 3,
        inputs={0: ONE, 1: ONE},
        linear=(ZERO,) * 3,
        quadratic=(ONE,) * 3,
    )
    return Subnetwork(dag, kept, sgd)


def sample(x0: int, x1: int, y: int) -> Sample:
    return Sample({0: Fraction(x0), 1: Fraction(x1)}, {2: Fraction(y)})


def test_two_steps_by_hand() -> None:
    """The kept weight w and the bias b: y = 5 w + b, then with the pruned input."""
    own = by_hand(frozenset({(0, 2)}), Sgd(ONE / 2, ONE / 4, ONE / 8))
    states = own.states([[sample(5, 7, 13)], [sample(0, 9, 0)]])
    first, second, third = states
    assert first.weights == {(0, 2): 2, (1, 2): 0, 2: 4}
    assert first.velocity == {(0, 2): 0, (1, 2): 0, 2: 0}
    # output 14, error 1: gradients 5 and 1, decays 2 / 8 and 4 / 8
    v, u = 5 + ONE / 4, 1 + ONE / 2
    w, b = 2 - v / 2, 4 - u / 2
    assert second.weights == {(0, 2): w, (1, 2): 0, 2: b}
    assert second.velocity == {(0, 2): v, (1, 2): 0, 2: u}
    v, u = v / 4 + w / 8, u / 4 + b + b / 8
    assert third.velocity == {(0, 2): v, (1, 2): 0, 2: u}
    assert third.weights == {(0, 2): w - v / 2, (1, 2): 0, 2: b - u / 2}
    assert own.train([[sample(5, 7, 13)], [sample(0, 9, 0)]]) == third.weights


def test_a_batch_is_the_mean_of_its_samples() -> None:
    own = by_hand(frozenset({(0, 2)}), Sgd(ONE))
    one, two = sample(1, 0, 0), sample(2, 1, -1)
    weights = own.dense.start().weights
    slopes = [own.gradient(weights, [s]) for s in (one, two)]
    both = own.gradient(weights, [one, two])
    assert both == {k: (slopes[0][k] + slopes[1][k]) / 2 for k in both}
    assert slopes[0] == {(0, 2): 6, (1, 2): 0, 2: 6}
    assert slopes[1] == {(0, 2): 24, (1, 2): 12, 2: 12}  # pruned edges included


def test_a_given_start_is_taken_as_it_is() -> None:
    own = by_hand(frozenset({(0, 2)}), Sgd(ONE))
    start = State({(0, 2): ONE, (1, 2): ONE, 2: ONE}, dict.fromkeys([(0, 2), 2], ONE))
    assert own.states([], start) == [start]
    assert own.states([]) == [own.start()]


def test_dense_and_pruned_edges() -> None:
    own = by_hand(frozenset({(1, 2)}), Sgd(ONE))
    assert own.pruned == [(0, 2)] and own.dense.pruned == []
    assert own.dense.start().weights == {(0, 2): 2, (1, 2): 3, 2: 4}
    assert own.start().weights == {(0, 2): 0, (1, 2): 3, 2: 4}
    assert own.dense.sgd is own.sgd and own.dense.dag is own.dag


def test_a_unit_that_is_no_target_has_no_loss() -> None:
    """A hidden unit that nothing reads looks like an output, and is none."""
    own = by_hand(frozenset({(0, 2)}), Sgd(ONE))
    extra = replace(own.dag, weights=own.dag.weights | {(0, 3): ONE}, slopes=(ONE,) * 4)
    slopes = replace(own, dag=extra).gradient(
        {(0, 2): ONE, (1, 2): ONE, (0, 3): ONE, 2: ONE}, [sample(1, 1, 1)]
    )
    assert slopes == {(0, 2): 2, (1, 2): 2, (0, 3): 0, 2: 2}


@given(sources())
def test_backpropagation_agrees_with_dual_numbers(rng: Random) -> None:
    """On any graph: connections that skip, several outputs, units at their kink."""
    dag = random_dag(rng)
    sample = Sample(dag.inputs, {k: Fraction(rng.randint(-3, 3)) for k in dag.outputs})
    loss = replace(
        dag,
        linear=tuple(-sample.targets.get(k, ZERO) for k in range(len(dag.slopes))),
        quadratic=(ONE,) * len(dag.slopes),
    )
    point = {**dag.weights, **dag.biases}
    assert backward(dag, point, sample) == rational_gradient(loss, point)


def test_a_target_that_another_unit_reads_has_both_gradients() -> None:
    """The chain 2 * 3 = 6 and 6 * 5 = 30, with targets 4 and 29: errors 2 and 1."""
    dag = replace(
        by_hand(frozenset(), Sgd(ONE)).dag,
        weights={(0, 1): 3 * ONE, (1, 2): 5 * ONE},
        biases={},
    )
    both = Sample({0: 2 * ONE}, {1: 4 * ONE, 2: 29 * ONE})
    slopes = backward(dag, {**dag.weights}, both)
    assert slopes == {(0, 1): (2 + 5 * 1) * 2, (1, 2): 6}


def in_torch(own: Subnetwork, order: list[Batch]) -> dict[object, Tensor]:
    kind = torch.float64
    theta = {
        k: torch.tensor(float(p), dtype=kind, requires_grad=True)
        for k, p in own.start().weights.items()
    }
    rate, momentum, decay = (
        float(v) for v in (own.sgd.rate, own.sgd.momentum, own.sgd.decay)
    )
    rule = torch.optim.SGD(
        list(theta.values()), rate, momentum=momentum, weight_decay=decay
    )
    for batch in order:
        loss = torch.zeros((), dtype=kind)
        for s in batch:
            values: list[Tensor] = []
            for j, slope in enumerate(own.dag.slopes):
                if j in s.inputs:
                    values.append(torch.tensor(float(s.inputs[j]), dtype=kind))
                    continue
                z = theta.get(j, torch.zeros((), dtype=kind))
                for i, k in own.dag.weights:
                    z = z + theta[i, k] * values[i] if k == j else z
                values.append(torch.where(z > 0, z, float(slope) * z))
            for k, y in s.targets.items():
                loss = loss + (values[k] - float(y)) ** 2 / 2 / len(batch)
        rule.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for edge in own.pruned:
            theta[edge].grad = torch.zeros((), dtype=kind)
        rule.step()
    return {k: p.detach() for k, p in theta.items()}


@pytest.mark.parametrize("seed", range(12))
def test_training_agrees_with_torch(seed: int) -> None:
    widths = [2, 3, 2]
    rng = Random(seed)
    own = random_subnetwork(rng, widths)
    order = random_batches(rng, widths, 3, 2)
    ours, torchs = own.train(order), in_torch(own, order)
    scale = 1 + max(abs(float(p)) for p in ours.values())
    assert ours.keys() == torchs.keys()
    for key, value in ours.items():
        assert abs(float(value) - float(torchs[key])) <= tolerance(10**4, scale**2)
    assert ours != own.start().weights


def test_units_are_numbered_layer_by_layer() -> None:
    assert units([2, 3, 1]) == [range(0, 2), range(2, 5), range(5, 6)]
    assert units([]) == []


@given(sources())
def test_random_subnetworks_are_chains(rng: Random) -> None:
    widths = [rng.randint(1, 3) for _ in range(rng.randint(2, 4))]
    widths[0] = max(widths[0], 2)
    own = random_subnetwork(rng, widths)
    layers = units(widths)
    assert list(own.dag.weights) == [
        (i, j) for a, b in pairwise(layers) for i in a for j in b
    ]
    assert own.kept and own.pruned and own.kept < set(own.dag.weights)
    assert list(own.dag.biases) == [j for layer in layers[1:] for j in layer]
    assert len(own.dag.slopes) == sum(widths)
    assert all(own.dag.slopes[j] == 1 for j in layers[-1])
    assert set(own.dag.slopes) <= {ZERO, ONE / 3, ONE}
    assert list(own.dag.inputs) == list(layers[0])
    assert set(own.dag.linear) == {0} and set(own.dag.quadratic) == {1}
    assert len(own.dag.linear) == len(own.dag.quadratic) == sum(widths)
    for value in (*own.dag.weights.values(), *own.dag.biases.values()):
        assert 2 * abs(value) in (0, 1, 2)
    assert own.sgd.rate in (ONE / 4, ONE / 8, ONE / 16)
    assert own.sgd.momentum in (0, ONE / 2) and own.sgd.decay in (0, ONE / 4)


def test_random_subnetworks_reach_every_choice() -> None:
    drawn = [random_subnetwork(Random(s), [2, 2, 1]) for s in range(200)]
    assert {len(own.kept) for own in drawn} == {1, 2, 3, 4, 5}
    assert {own.sgd.rate for own in drawn} == {ONE / 4, ONE / 8, ONE / 16}
    assert {own.sgd.momentum for own in drawn} == {ZERO, ONE / 2}
    assert {own.sgd.decay for own in drawn} == {ZERO, ONE / 4}
    assert {own.dag.slopes[2] for own in drawn} == {ZERO, ONE / 3}
    values = {2 * w for own in drawn for w in own.dag.weights.values()}
    assert values == {-2, -1, 0, 1, 2}
    assert {2 * b for own in drawn for b in own.dag.biases.values()} == values
    assert {tuple(sorted(own.kept)) for own in drawn if len(own.kept) == 1} == {
        (edge,) for edge in drawn[0].dag.weights
    }


def test_chains_without_bias_and_without_hidden_units() -> None:
    own = random_subnetwork(Random(0), [2, 1], bias=False)
    assert own.dag.biases == {} and own.dag.slopes[2] == 1


def test_other_weights_in_the_same_subnetwork() -> None:
    own = by_hand(frozenset({(1, 2)}), Sgd(ONE))
    other = own.at({(0, 2): ZERO, (1, 2): ONE})
    assert other.dag.weights == {(0, 2): 0, (1, 2): 1}
    assert own.dag.weights == {(0, 2): 2, (1, 2): 3}
    assert other.dag.biases == own.dag.biases and other.kept == own.kept
    assert other.sgd == own.sgd


def test_random_batches_have_their_sizes_and_values() -> None:
    batches = random_batches(Random(0), [2, 5, 1], 40, 3)
    assert len(batches) == 40 and {len(batch) for batch in batches} == {3}
    inputs = {x for batch in batches for s in batch for x in s.inputs.values()}
    targets = {y for batch in batches for s in batch for y in s.targets.values()}
    assert inputs == targets == {-2, -1, 0, 1, 2}
    for batch in batches:
        assert all(list(s.inputs) == [0, 1] for s in batch)
        assert all(list(s.targets) == [7] for s in batch)
    assert [len(batch) for batch in random_batches(Random(0), [1, 1], 2)] == [1, 1]


def test_squared_distance_by_hand() -> None:
    a, b = {"x": ONE, "y": 5 * ONE, "z": ZERO}, {"x": 3 * ONE, "y": ONE, "z": ONE}
    assert squared_distance(a, b, ["x", "z"]) == 5
    assert squared_distance(a, b, a) == 21 and squared_distance(a, b, []) == 0
    assert type(squared_distance(a, b, [])) is Fraction


def test_relabelling_by_hand() -> None:
    own = random_subnetwork(Random(3), [1, 2, 1])
    place = {0: 0, 1: 2, 2: 1, 3: 3}
    assert moved((0, 1), place) == (0, 2) and moved(2, place) == 1
    own = replace(own, dag=replace(own.dag, slopes=(ZERO, ONE / 3, ONE, 7 * ONE)))
    own = replace(own, kept=frozenset({(0, 1), (2, 3)}))
    other = relabelled(own, place)
    assert other.kept == {(0, 2), (1, 3)} and other.sgd == own.sgd
    assert other.dag.slopes == (ZERO, ONE, ONE / 3, 7 * ONE)
    assert other.dag.weights == {
        (0, 2): own.dag.weights[0, 1],
        (0, 1): own.dag.weights[0, 2],
        (2, 3): own.dag.weights[1, 3],
        (1, 3): own.dag.weights[2, 3],
    }
    assert other.dag.biases == {
        2: own.dag.biases[1],
        1: own.dag.biases[2],
        3: own.dag.biases[3],
    }
    assert other.dag.inputs == own.dag.inputs
    assert relabelled(other, place) == own


def test_relabelling_along_a_cycle_goes_the_right_way() -> None:
    own = random_subnetwork(Random(3), [1, 3, 1])
    own = replace(own, dag=replace(own.dag, slopes=tuple(map(Fraction, range(5)))))
    other = relabelled(own, {0: 0, 1: 2, 2: 3, 3: 1, 4: 4})
    assert other.dag.slopes == (0, 3, 1, 2, 4)
    assert other.dag.biases[2] == own.dag.biases[1]
