"""Subnetworks trained in rational arithmetic: A(m * W_k, u) without any rounding.

The network is a `RationalDag`; one sample (x, y) has the loss sum_k (a_k - y_k)^2 / 2
over the outputs k, less the constant sum_k y_k^2 / 2, and a batch the mean of its
samples. The data order u is the sequence of batches; the optimiser that of
`torch.optim.SGD`. The mask is frozen as in any of our trainings:

    theta_k = m * W_k,  v_k = 0,   v+ = mu v + m * grad + lambda theta,
    theta+  = theta - eta v+.

Where m is 0, theta and v stay exactly 0, momentum and decay included: by induction all
three terms of v+ are 0 there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate, pairwise
from random import Random
from typing import TypeVar

from theory.exact import Edge, RationalDag
from theory.gradient_descent import Point, Sgd


@dataclass(frozen=True)
class Sample:
    """Values of the input units, and targets of the output units."""

    inputs: dict[int, Fraction]
    targets: dict[int, Fraction]


Batch = Sequence[Sample]
Name = TypeVar("Name")


@dataclass(frozen=True)
class State:
    """All that the next step depends on: weights and biases, and their velocities."""

    weights: Point
    velocity: Point


@dataclass(frozen=True)
class Subnetwork:
    """The pair (W_k, m), and how it is trained."""

    dag: RationalDag
    """W_k: its weights and biases."""
    kept: frozenset[Edge]
    """m: the edges that are kept. Biases always are."""
    sgd: Sgd

    @property
    def dense(self) -> "Subnetwork":
        """The whole network: m = 1."""
        return replace(self, kept=frozenset(self.dag.weights))

    def at(self, weights: Mapping[Edge, Fraction]) -> "Subnetwork":
        """Return the same subnetwork with other weights W_k, biases excepted."""
        return replace(self, dag=replace(self.dag, weights=dict(weights)))

    @property
    def pruned(self) -> list[Edge]:
        """The edges that are not kept."""
        return [edge for edge in self.dag.weights if edge not in self.kept]

    def start(self) -> State:
        """Return m * W_k at rest."""
        weights: Point = {
            edge: w * (edge in self.kept) for edge, w in self.dag.weights.items()
        }
        weights.update(self.dag.biases.items())
        return State(weights, dict.fromkeys(weights, Fraction(0)))

    def step(self, state: State, batch: Batch) -> State:
        """Return the state after one step on a batch."""
        slope = self.gradient(state.weights, batch)
        slope |= dict.fromkeys(self.pruned, Fraction(0))
        return State(*self.sgd.step(state.weights, state.velocity, slope))

    def gradient(self, weights: Point, batch: Batch) -> Point:
        """Return the gradient of the batch's loss, pruned edges included."""
        total = dict.fromkeys(weights, Fraction(0))
        for sample in batch:
            for key, slope in backward(self.dag, weights, sample).items():
                total[key] += slope / len(batch)
        return total

    def states(self, order: Iterable[Batch], start: State | None = None) -> list[State]:
        """Return the state at k, from `start` or m * W_k at rest, and after each step.

        A start that is given is taken as it is: neither masked nor stopped.
        """
        first = self.start() if start is None else start
        return list(accumulate(order, self.step, initial=first))

    def train(self, order: Iterable[Batch]) -> Point:
        """Return A(m * W_k, u)."""
        return self.states(order)[-1].weights


def backward(dag: RationalDag, weights: Point, sample: Sample) -> Point:
    """Return the gradient of one sample's loss at these weights, by backpropagation.

    The derivative of a leaky ReLU at 0 is its slope.
    """
    into: list[list[int]] = [[] for _ in dag.slopes]
    for i, j in dag.weights:
        into[j].append(i)
    values, factors = list[Fraction](), list[Fraction]()
    for j, sources in enumerate(into):
        start = sample.inputs.get(j, weights.get(j, Fraction(0)))
        z = sum((weights[i, j] * values[i] for i in sources), start)
        factors.append(Fraction(1) if z > 0 or j in sample.inputs else dag.slopes[j])
        values.append(factors[j] * z)
    flows = [Fraction(0)] * len(into)  # dR/da of each unit
    slopes: Point = {}
    for j in reversed(range(len(into))):
        if j in sample.targets:
            flows[j] += values[j] - sample.targets[j]
        flow = factors[j] * flows[j]  # dR/dz
        if j in weights:
            slopes[j] = flow
        for i in into[j]:
            slopes[i, j] = flow * values[i]
            flows[i] += flow * weights[i, j]
    return slopes


def moved(key: Edge | int, place: Mapping[int, int]) -> Edge | int:
    """Return an edge or a unit after unit i was given the number place[i]."""
    return place[key] if isinstance(key, int) else (place[key[0]], place[key[1]])


def relabelled(subnetwork: Subnetwork, place: Mapping[int, int]) -> Subnetwork:
    """Return the same subnetwork with units renumbered inside their layers."""
    dag, back = subnetwork.dag, {to: unit for unit, to in place.items()}
    weights = {(place[i], place[j]): w for (i, j), w in dag.weights.items()}
    biases = {place[unit]: b for unit, b in dag.biases.items()}
    slopes = tuple(dag.slopes[back[unit]] for unit in range(len(back)))
    kept = frozenset((place[i], place[j]) for i, j in subnetwork.kept)
    dag = replace(dag, weights=weights, biases=biases, slopes=slopes)
    return replace(subnetwork, dag=dag, kept=kept)


def squared_distance(
    first: Mapping[Name, Fraction],
    second: Mapping[Name, Fraction],
    kept: Iterable[Name],
) -> Fraction:
    """Return d^2 = || m * W - m * W' ||^2 over what the mask keeps."""
    return sum(((first[e] - second[e]) ** 2 for e in kept), Fraction(0))


def random_subnetwork(
    rng: Random, widths: Sequence[int], *, bias: bool = True
) -> Subnetwork:
    """Return a chain with weights in -1, -1/2, ..., 1, a random mask and optimiser.

    At least one edge is kept and one pruned. Hidden units are leaky ReLUs of slope 0 or
    1/3, outputs are linear.

    Args:
        rng: where all choices come from.
        widths: units of each layer, from the inputs to the outputs.
        bias: whether units other than the inputs have one.
    """
    layers = units(widths)
    edges = [(i, j) for a, b in pairwise(layers) for i in a for j in b]
    biased = [j for layer in layers[1:] for j in layer if bias]
    one, half, size = Fraction(1), Fraction(1, 2), sum(widths)
    slopes = [rng.choice([0 * one, one / 3]) for _ in range(size)]
    for j in layers[-1]:
        slopes[j] = one
    dag = RationalDag(
        weights={edge: half * rng.randint(-2, 2) for edge in edges},
        biases={j: half * rng.randint(-2, 2) for j in biased},
        slopes=tuple(slopes),
        inputs={j: one for j in layers[0]},
        linear=(0 * one,) * size,
        quadratic=(one,) * size,
    )
    shuffled = rng.sample(edges, len(edges))
    kept = frozenset(shuffled[: rng.randint(1, len(edges) - 1)])
    momentum, decay = rng.choice([0 * one, half]), rng.choice([0 * one, half / 2])
    return Subnetwork(dag, kept, Sgd(one / rng.choice([4, 8, 16]), momentum, decay))


def random_batches(
    rng: Random, widths: Sequence[int], count: int, size: int = 1
) -> list[Batch]:
    """Return batches for a chain of these widths: integers from -2 to 2."""
    layers = units(widths)
    return [
        [
            Sample(
                {j: Fraction(rng.randint(-2, 2)) for j in layers[0]},
                {j: Fraction(rng.randint(-2, 2)) for j in layers[-1]},
            )
            for _ in range(size)
        ]
        for _ in range(count)
    ]


def units(widths: Sequence[int]) -> list[range]:
    """Return the units of each layer of a chain, numbered in topological order."""
    ends = list(accumulate(widths, initial=0))
    return [range(a, b) for a, b in pairwise(ends)]
