"""What stochastic gradient descent does to the quantities that gradient flow conserves.

A conserved quantity is Q(theta) = q(theta, theta) of a symmetric bilinear form q with
q(theta, g) = 0 for the gradient g of any loss at theta
(`theory.conserved_quantities`). With
rate eta, momentum mu and weight decay lambda, as in `torch.optim.SGD`,

    v+ = mu v + g + lambda theta,    theta+ = theta - eta v+,    v = 0 at first.

Theorem (ours). For any losses, another batch at each step included, from P = 0

    P+ = mu (P - eta q(v, v)) + lambda Q,     Q+ = Q - 2 eta P+ + eta^2 q(v+, v+).

Proof. Let P = q(theta of the step before, v). As q(theta, g) = 0,

    P+ = q(theta, v+) = mu q(theta, v) + lambda q(theta, theta)
       = mu (P - eta q(v, v)) + lambda Q,     since theta = theta before - eta v,

and Q+ = q(theta - eta v+, theta - eta v+). No kink matters: phi(z) = phi'(z) z holds
at z = 0 for any choice of phi'(0).

Hence nothing but q(v, v) of the velocities moves Q. Plain descent (v+ = g): each step
adds EXACTLY eta^2 q(g, g), so that over a time T = eta * steps the drift is O(eta).
With decay alone Q+ = (1 - eta lambda)^2 Q + eta^2 q(g, g). With momentum alone

    Q - Q_0 = eta^2 sum_s q(v_s, v_s) (1 + 2 mu (1 - mu^(n-s)) / (1 - mu))

over the steps s = 1..n: for slow gradients v = g / (1 - mu), and the drift is
(1 + mu) / (1 - mu) times (mu = 0.9: 19 times) that of plain descent with the rate
eta / (1 - mu), which takes the same path.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from random import Random
from typing import Any, TypeVar

import numpy as np
import torch
from scipy.stats import linregress, t

from theory.claim import ExactSides, Sides
from theory.conserved_quantities import Law, magnitude, quantity
from theory.exact import Edge, RationalDag, random_dag
from theory.networks import Parameters

Gradient = Callable[[Parameters], Parameters]
Name = TypeVar("Name")
Number = int | float | Fraction
Point = dict[Edge | int, Fraction]
"""Weights by edge and biases by unit."""


@dataclass(frozen=True)
class Sgd:
    """Rate eta, momentum mu and weight decay lambda of `torch.optim.SGD`.

    The same formulas serve floats, tensors and fractions.
    """

    rate: Number
    momentum: Number = 0
    decay: Number = 0

    def step(
        self, theta: dict[Name, Any], velocity: dict[Name, Any], slope: dict[Name, Any]
    ) -> tuple[dict[Name, Any], dict[Name, Any]]:
        """Return the next parameters and velocity."""
        velocity = {
            k: self.momentum * velocity[k] + slope[k] + self.decay * p
            for k, p in theta.items()
        }
        return {k: p - self.rate * velocity[k] for k, p in theta.items()}, velocity

    def next(self, q: Any, p: Any, before: Any, after: Any) -> tuple[Any, Any]:
        """Return the theorem's Q+ and P+ from Q, P, q(v, v) and q(v+, v+)."""
        p = self.momentum * (p - self.rate * before) + self.decay * q
        return q - 2 * self.rate * p + self.rate**2 * after, p


def descent_sides(
    start: Parameters, gradients: Sequence[Gradient], law: Law, sgd: Sgd, case: str
) -> Sides:
    """Return Q after each step, measured, and by the theorem from the velocities.

    Args:
        start: the parameters before the first step.
        gradients: of each step's loss, as functions of the parameters.
        law: the conserved quantities.
        sgd: rate, momentum and decay.
        case: what to call it.

    Returns:
        Steps times quantities entries. The scale holds |theta|^2, the largest on the
        way: the terms that cancel in the recursion.
    """
    theta, velocity = start, {k: torch.zeros_like(p) for k, p in start.items()}
    predicted = quantity(law, theta)
    product, moved = torch.zeros_like(predicted), torch.zeros_like(predicted)
    scale = magnitude(law, theta)
    left, right = [], []
    for gradient in gradients:
        theta, velocity = sgd.step(theta, velocity, gradient(theta))
        before, moved = moved, quantity(law, velocity)
        predicted, product = sgd.next(predicted, product, before, moved)
        scale = torch.maximum(scale, magnitude(law, theta))
        left.append(quantity(law, theta))
        right.append(predicted)
    scales = scale.repeat(len(left), 1)
    return Sides(torch.stack(left), torch.stack(right), scales, case)


@dataclass(frozen=True)
class Exponent:
    """Slope of log(drift) against log(rate); `low` and `high` bound it."""

    slope: float
    low: float
    high: float


def drift_exponent(
    rates: Sequence[float], drifts: Sequence[float], *, level: float = 0.95
) -> Exponent:
    """Return the least-squares slope of log(drift) on log(rate), with its interval.

    The interval is slope -+ t * (standard error), t the quantile of Student's
    distribution with n - 2 degrees of freedom: that of ordinary regression, for which
    departures from the power law stand in as noise.

    Raises:
        ValueError: other than one positive drift for each of >= 3 different rates.
    """
    x, y = np.asarray(rates, float), np.asarray(drifts, float)
    positive = bool((x > 0).all() and (y > 0).all() and np.isfinite([*x, *y]).all())
    if x.shape != y.shape or not positive or len(np.unique(x)) < 3:
        raise ValueError(
            "expected one positive drift for each of at least three different positive "
            f"rates, got rates {list(rates)} and drifts {list(drifts)}; a quantity "
            "that does not drift has no exponent"
        )
    fit = linregress(np.log(x), np.log(y))
    half = float(t.ppf((1 + level) / 2, len(x) - 2) * fit.stderr)
    slope = float(fit.slope)
    return Exponent(slope, slope - half, slope + half)


def rational_sides(rng: Random) -> ExactSides:
    """Return Q of each hidden unit of a rational graph after each of two exact steps.

    Two steps: the second is the first that feels momentum.
    """
    dag = random_dag(rng)
    rate, momentum, decay = (Fraction(rng.randint(0, 3), 4) for _ in range(3))
    sgd = Sgd(rate, momentum, decay)
    theta: Point = {k: w for k, w in dag.weights.items()}
    theta.update(dag.biases.items())
    velocity = dict.fromkeys(theta, Fraction(0))
    predicted = rational_quantities(dag, theta)
    moved = [Fraction(0)] * len(predicted)
    product, left, right = moved, list[Fraction](), list[Fraction]()
    for _ in range(2):
        theta, velocity = sgd.step(theta, velocity, rational_gradient(dag, theta))
        before, moved = moved, rational_quantities(dag, velocity)
        steps = zip(predicted, product, before, moved, strict=True)
        pairs = [sgd.next(*terms) for terms in steps]
        predicted, product = [q for q, _ in pairs], [p for _, p in pairs]
        left += rational_quantities(dag, theta)
        right += predicted
    return ExactSides(tuple(left), tuple(right), f"{sgd}, {dag.weights}")


def rational_gradient(dag: RationalDag, theta: Point) -> Point:
    """Return dR/dtheta at theta, weights by edge and biases by unit."""
    weights = {k: p for k, p in theta.items() if isinstance(k, tuple)}
    biases = {k: p for k, p in theta.items() if isinstance(k, int)}
    moved = replace(dag, weights=weights, biases=biases)
    slopes = {k: moved.objective(k, "bias")[1] for k in biases}
    return {k: moved.objective(k)[1] for k in weights} | slopes


def rational_quantities(dag: RationalDag, theta: Point) -> list[Fraction]:
    """Return |w_in|^2 + b^2 - |w_out|^2 of each unit, inputs and outputs excepted."""
    quantities = []
    for unit in range(len(dag.slopes)):
        if unit in dag.inputs or unit in dag.outputs:
            continue
        total = theta.get(unit, Fraction(0)) ** 2
        for key, weight in theta.items():
            if isinstance(key, tuple):
                total += ((key[1] == unit) - (key[0] == unit)) * weight**2
        quantities.append(total)
    return quantities
