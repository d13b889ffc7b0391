"""What pruning does to the training of a linear model, in closed forms (ours).

The loss is half the mean squared error. H_t = mean x x^T of the batch of step t, K the
inputs that the mask keeps, P the others, theta_t the dense run, p_t = theta_t on P, and
e_t the difference, on K, of the dense run and of the subnetwork's with the same
batches.

1. **Forcing.** With w_t the difference of the velocities and H' = H_t,KK + lambda I,

       w+ = mu w + H' e + H_t,KP p_t,    e+ = e - eta w+,    e = w = 0 at k.

   Proof: subtract the two steps; the targets cancel. So e_T is linear in the pruned
   weights p_t, as they move through the dense training, and in nothing else. No
   correlation between K and P in any batch (H_t,KP = 0): d = 0, whatever is pruned.

2. **Later rewinding.** Let w = W_k fit every sample, and each step be plain descent on
   the same batch: the dense run stands still, and after n = T - k steps

       e = - eta sum_{s < n} (I - eta H_KK)^s H_KP w_P.

   If eta lambda_max(H_KK) <= 1, no term has a component against another's along any
   eigenvector: |e| can but grow with n, so that d falls as k rises, to 0 at k = T.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate
from random import Random

import numpy as np

from theory.affine_steps import Quadratic, at_rest, identity, zeros
from theory.claim import ExactSides
from theory.exact import Edge, RationalDag
from theory.gradient_descent import Sgd
from theory.rational_training import (
    Batch,
    Sample,
    Subnetwork,
    random_batches,
    random_subnetwork,
    squared_distance,
)


def differences(subnetwork: Subnetwork, order: Sequence[Batch]) -> list[Fraction]:
    """Return e_T by two trainings, of the dense network and of the subnetwork."""
    dense, own = subnetwork.dense.train(order), subnetwork.train(order)
    return [dense[edge] - own[edge] for edge in sorted(subnetwork.kept)]


def forced(
    subnetwork: Subnetwork, order: Sequence[Batch], *, moving: bool = True
) -> list[Fraction]:
    """Return e_T from the dense run's pruned weights.

    Args:
        subnetwork: of one linear output and no bias.
        order: the batches.
        moving: False leaves the pruned weights where they are at k (for a control).
    """
    kept, pruned = _inputs(subnetwork.kept), _inputs(subnetwork.pruned)
    weights = subnetwork.dag.weights
    dense = at_rest(np.array([weights[e] for e in sorted(weights)], dtype=object))
    gap = at_rest(zeros(len(kept)))
    for batch in order:
        loss = Quadratic.of(batch)
        push = loss.H[np.ix_(kept, pruned)] @ dense[pruned]
        own, _ = loss.on(kept).step(subnetwork.sgd)
        gap = own @ gap + np.concatenate([-subnetwork.sgd.rate * push, push])
        step, shift = loss.step(subnetwork.sgd)
        dense = step @ dense + shift if moving else dense
    return list(gap[: len(kept)])


def still(subnetwork: Subnetwork, batch: Batch, steps: int) -> Iterator[Fraction]:
    """Yield d^2 after 0, ..., `steps` steps by the sum of statement 2."""
    kept, pruned = _inputs(subnetwork.kept), _inputs(subnetwork.pruned)
    weights = subnetwork.dag.weights
    H, rate = Quadratic.of(batch).H, subnetwork.sgd.rate
    term = H[np.ix_(kept, pruned)] @ np.array(
        [weights[e] for e in sorted(subnetwork.pruned)], dtype=object
    )
    total = zeros(len(kept))
    for _ in range(steps + 1):
        yield rate**2 * sum(total * total)
        total = total + term
        term = (identity(len(kept)) - rate * H[np.ix_(kept, kept)]) @ term


def forcing(rng: Random) -> ExactSides:
    """Return e_T by two trainings, and by the pruned weights' push."""
    subnetwork, order = _linear(rng)
    left, right = differences(subnetwork, order), forced(subnetwork, order)
    return ExactSides(tuple(left), tuple(right), str(subnetwork))


def forcing_at_rest(rng: Random) -> ExactSides:
    """Return e_T, and what the pruned weights would push if they stayed as at k."""
    subnetwork, order = _linear(rng)
    left = differences(subnetwork, order)
    right = forced(subnetwork, order, moving=False)
    return ExactSides(tuple(left), tuple(right), str(subnetwork))


def uncorrelated(rng: Random) -> ExactSides:
    """Return d^2 and 0 where no sample has both kept and pruned inputs."""
    subnetwork, order = _linear(rng)
    kept = set(_inputs(subnetwork.kept))

    def one_side(sample: Sample) -> Sample:
        pick = rng.random() < 0.5
        inputs = {j: x * ((j in kept) == pick) for j, x in sample.inputs.items()}
        return replace(sample, inputs=inputs)

    order = [[one_side(sample) for sample in batch] for batch in order]
    gaps = differences(subnetwork, order)
    return ExactSides(tuple(gaps), (Fraction(0),) * len(gaps), str(subnetwork))


def later(rng: Random) -> ExactSides:
    """Return d^2 by trainings of 0, 1, ... steps, and the largest so far by the sum."""
    subnetwork, batch = _fitted(rng)
    return _growing(subnetwork, batch, 1 / _trace(Quadratic.of(batch)))


def later_at_a_high_rate(rng: Random) -> ExactSides:
    """Return the same at eta lambda_max = 3 / 2, of one survivor."""
    subnetwork, batch = _fitted(rng)
    subnetwork = replace(subnetwork, kept=frozenset(sorted(subnetwork.kept)[:1]))
    curvature = _trace(Quadratic.of(batch).on(_inputs(subnetwork.kept)))
    return _growing(subnetwork, batch, Fraction(3, 2) / curvature)


def later_before_the_minimum(rng: Random) -> ExactSides:
    """Return d^2 by the steps that are left, and its running maximum, in training.

    The dense run still moves at k, and its pruned weight changes its sign.
    """
    last = [Fraction(0), Fraction(-rng.randint(1, 3))]
    sides = [[1, 0], [0, 1], [1, 1]]
    batch = [fitting([Fraction(x) for x in row], last) for row in sides]
    own = linear_model([0, rng.randint(1, 3)], [0], Fraction(3, 4))
    dense = own.dense.states([batch] * STEPS)
    squares = []
    for left in range(STEPS + 1):
        start = {e: dense[STEPS - left].weights[e] for e in own.dag.weights}
        end = own.at(start).train([batch] * left)
        squares.append(squared_distance(dense[-1].weights, end, own.kept))
    return ExactSides(tuple(squares), tuple(accumulate(squares, max)), str(own))


STEPS = 4
"""Of the runs that stand still (ours)."""


def _growing(subnetwork: Subnetwork, batch: Batch, rate: Fraction) -> ExactSides:
    own = replace(subnetwork, sgd=Sgd(rate))
    dense = own.dense.states([batch] * STEPS)
    pairs = zip(dense, own.states([batch] * STEPS), strict=True)
    squares = [squared_distance(a.weights, b.weights, own.kept) for a, b in pairs]
    largest = accumulate(still(own, batch, STEPS), max)
    return ExactSides(tuple(squares), tuple(largest), str(own))


def _linear(rng: Random) -> tuple[Subnetwork, list[Batch]]:
    widths = [rng.randint(2, 4), 1]
    subnetwork = random_subnetwork(rng, widths, bias=False)
    order = random_batches(rng, widths, rng.randint(1, 4), rng.randint(1, 2))
    return subnetwork, order


def _fitted(rng: Random) -> tuple[Subnetwork, Batch]:
    """Return a subnetwork whose W_k fits every sample of the batch."""
    subnetwork, order = _linear(rng)
    weights = [subnetwork.dag.weights[e] for e in sorted(subnetwork.dag.weights)]
    samples = [sample for batch in order for sample in batch]
    return subnetwork, [fitting(list(s.inputs.values()), weights) for s in samples]


def linear_model(
    weights: Sequence[int], kept: Sequence[int], rate: Fraction
) -> Subnetwork:
    """Return a linear model of one output, some inputs kept, under plain descent."""
    size, one, nought = len(weights), Fraction(1), Fraction(0)
    dag = RationalDag(
        weights={(j, size): Fraction(weight) for j, weight in enumerate(weights)},
        biases={},
        slopes=(one,) * (size + 1),
        inputs=dict.fromkeys(range(size), one),
        linear=(nought,) * (size + 1),
        quadratic=(one,) * (size + 1),
    )
    return Subnetwork(dag, frozenset((j, size) for j in kept), Sgd(rate))


def fitting(inputs: Sequence[Fraction], weights: Sequence[int | Fraction]) -> Sample:
    """Return the sample that a linear model of these weights fits."""
    target = sum((x * w for x, w in zip(inputs, weights, strict=True)), Fraction(0))
    return Sample(dict(enumerate(inputs)), {len(inputs): target})


def _trace(loss: Quadratic) -> Fraction:
    """Return tr H >= lambda_max, or 1 if H is 0."""
    return sum(np.diag(loss.H), Fraction(0)) or Fraction(1)


def _inputs(edges: Sequence[Edge] | frozenset[Edge]) -> list[int]:
    return sorted(i for i, _ in edges)
