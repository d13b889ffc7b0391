"""Stochastic gradient descent on a linear model: each step is an affine map.

With one linear output, w . x, and squared losses a batch has the gradient H w - b,
H = mean x x^T and b = mean y x. One step of `torch.optim.SGD` (rate eta, momentum mu,
decay lambda) maps the state z = (w, v), with H' = H + lambda I, to

    z+ = G z + c,   G = ( I - eta H'   -eta mu I )     c = ( eta b )
                        (     H'           mu I  ),        (  -b   ).

A subnetwork is the model of the inputs K that its mask keeps: H_KK and b_K in the place
of H and b. All arrays hold fractions (dtype object): nothing is rounded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from theory.gradient_descent import Sgd
from theory.rational_training import Batch

Array = Any
"""A numpy array of fractions (numpy's types know no arithmetic of such objects)."""


@dataclass(frozen=True)
class Quadratic:
    """A batch's loss, w^T H w / 2 - b^T w."""

    H: Array
    b: Array

    @classmethod
    def of(cls, batch: Batch) -> "Quadratic":
        """Return the loss of a batch; inputs and the one target by ascending unit."""
        xs = _array([[s.inputs[j] for j in sorted(s.inputs)] for s in batch])
        ys = _array([next(iter(s.targets.values())) for s in batch])
        return cls(xs.T @ xs / len(batch), xs.T @ ys / len(batch))

    def on(self, kept: Sequence[int]) -> "Quadratic":
        """Return the loss of the subnetwork of these inputs."""
        return Quadratic(self.H[np.ix_(kept, kept)], self.b[list(kept)])

    def step(self, sgd: Sgd) -> tuple[Array, Array]:
        """Return G and c."""
        one = identity(len(self.b))
        curved, inertia = self.H + sgd.decay * one, sgd.momentum * one
        G = np.block(
            [[one - sgd.rate * curved, -sgd.rate * inertia], [curved, inertia]]
        )
        return G, np.concatenate([sgd.rate * self.b, -self.b])


def moments(
    maps: Sequence[tuple[Array, Array]], start: Array, steps: int
) -> tuple[Array, Array]:
    """Return E z and Cov z after steps that each draw one of the maps, all alike.

        E z+ = E[G] E z + E c,    Cov z+ = E[G Cov(z) G^T] + Cov(G E z + c),

    from Cov z = 0: each map is independent of the state that it meets.
    """
    expected, covariance = start, zeros(len(start), len(start))
    for _ in range(steps):
        ends = [G @ expected + c for G, c in maps]
        expected = sum(ends) / len(maps)
        noise = sum(np.multiply.outer(z - expected, z - expected) for z in ends)
        carried = sum(G @ covariance @ G.T for G, _ in maps)
        covariance = (carried + noise) / len(maps)
    return expected, covariance


def at_rest(weights: Array) -> Array:
    """Return the state (w, 0)."""
    return np.concatenate([weights, zeros(len(weights))])


def identity(size: int) -> Array:
    """Return the unit matrix."""
    return _array([[Fraction(int(i == j)) for j in range(size)] for i in range(size)])


def zeros(*shape: int) -> Array:
    """Return an array of zeros."""
    return np.full(shape, Fraction(0), dtype=object)


def _array(values: Sequence[Any]) -> Array:
    return np.array(values, dtype=object)
