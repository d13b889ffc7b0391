"""Pruning limits from Lanczos runs, with intervals for probes and quadrature.

The dimension delta(n) that a limit compares n with is a mean over random probes of the
trace, each known between two quadrature rules only: an `Estimate` with the ends
low(n) <= delta(n) <= high(n). The interval of the limit is from the largest n <= low(n)
to the largest n <= high(n). It covers n* at least as often as they cover delta.

Proof. Let n* be the largest n <= delta(n), and let the n <= low(n) and the n <= high(n)
be intervals from 0, as they are unless low or high climb by more than 1 from one n to
the next. If the first ends above n* then n* + 1 <= low(n* + 1), while n* + 1 >
delta(n* + 1); if the second ends below n* then n* > high(n*), while n* <= delta(n*).
Both are misses of an estimate, each at one fixed n and on one side. QED

**Rules.** T(s) is a trace, and Q(s) = (1 - u'(1 + s A)^-1 u) R^2 / s, u = v / R, of one
completely monotone function 1 / (1 + s a). So for H >= 0 its Gauss rule is below and
its Radau rule at 0 above (`theory.quadrature`): s0 is largest by Gauss, T falls, and

    T_Gauss(s0_Gauss) <= T(s0) <= T_Radau(s0_Radau).

The same holds of s1 of `theory.orthogonal_limit`, where u'(1 + s A)^-1 u is to be
R^2 / (R^2 + s), and is below it before. (The next terms of delta, less than 2, are not
bracketed, only computed by both rules.) If eigenvalues below 0 are treated, the
distance from the rules of half the steps is taken to both sides: an estimate.

The interval is that of n*; the transition around it is as wide as
`ConeDimension.deviation`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

import numpy as np

from theory.confocal import Vector
from theory.estimates import Estimate, bracketed
from theory.measure import Measure, Treatment
from theory.orthogonal_limit import orthogonal_dimension
from theory.pruning_limit import (
    check_sizes,
    fixed_point,
    paper_dimension,
    removed_squares,
)
from theory.quadrature import gauss, radau, step_halved
from theory.removed_direction import NOWHERE, Along
from theory.spectral_dimension import cone_dimension
from theory.spectrum import Rule, Spectrum

Error = Literal["radau", "halving"]
Dimension = Callable[[Measure, Measure, int, float, float], float]
"""What n is compared with, from the arguments of `cone_dimension`."""


class LimitInterval(NamedTuple):
    """How many weights can go. The densities of what remains are 1 - n / D."""

    low: int
    value: int
    high: int


@dataclass(frozen=True)
class EstimatedLimits:
    """The limits of `theory.pruning_limit` for one network, from Lanczos runs.

    All three raise ValueError for one probe only, for Gauss nodes below 0 with the
    treatment "refuse", and as `theory.confocal.scaled`; the constructor as
    `theory.pruning_limit.check_sizes`.
    """

    weights: Vector
    """The prunable ones."""
    found: Spectrum
    """Of the Hessian of all D parameters."""
    epsilon: float
    """Rise of the loss that S allows."""
    error: Error = "radau"
    """Of the quadrature: bounds, for H >= 0; an estimate from half the steps."""
    treatment: Treatment = "refuse"
    """Of negative eigenvalues."""
    level: float = 0.95
    """Of the intervals."""
    resolution: int = 1
    """Only its multiples are tried, which all limits share; part of the interval."""

    def __post_init__(self) -> None:
        check_sizes(self.weights, self.found.size)
        if self.error not in ("radau", "halving"):
            raise ValueError(f"expected error 'radau' or 'halving', got {self.error!r}")
        if self.resolution < 1:
            raise ValueError(f"expected a resolution >= 1, got {self.resolution}")

    def paper(self) -> LimitInterval:
        """Return paper C's limit, n <= T(R^2(n))."""
        return self._limit(_paper, lambda n, rule: NOWHERE)

    def exact(self, along: Along) -> LimitInterval:
        """Return the limit of random subspaces, n <= delta(n)."""
        return self._limit(_exact, along)

    def orthogonal(self, along: Along) -> LimitInterval:
        """Return the limit of the survivors, n <= 1 + delta(n) in the hyperplane."""
        return self._limit(_orthogonal, along)

    def _limit(self, dimension: Dimension, along: Along) -> LimitInterval:
        squares, count = removed_squares(self.weights), len(self.weights)

        def treated(measure: Measure, rule: Rule) -> Measure:
            # the nodes of other rules than Gauss's, which comes first, are artificial
            artificial = self.treatment == "refuse" and rule is not gauss
            return measure.treated("positive" if artificial else self.treatment)

        @cache
        def traces(rule: Rule) -> list[Measure]:
            return [treated(measure, rule) for measure in self.found.measures(rule)]

        def values(n: int, rule: Rule) -> Vector:
            ray = treated(along(n, rule), rule)
            others = ray, self.found.size, float(squares[n]), self.epsilon
            return np.array([dimension(trace, *others) for trace in traces(rule)])

        known: dict[int, Estimate] = {}

        def estimate(n: int) -> Estimate:
            if n not in known:
                known[n] = self._estimate(lambda rule: values(n, rule))
            return known[n]

        step = self.resolution

        def found(end: Callable[[Estimate], float]) -> int:
            tried = sorted(n // step for n in known)
            return step * fixed_point(
                lambda m: end(estimate(step * m)) / step, count // step, tried
            )

        low, value = found(lambda e: e.low), found(lambda e: e.value)
        high = found(lambda e: e.high) + step - 1
        return LimitInterval(low, value, min(high, count))

    def _estimate(self, values: Callable[[Rule], Vector]) -> Estimate:
        first = values(gauss)
        if self.error == "radau":
            ends = first, values(radau)
        else:
            distance = np.abs(first - values(step_halved))
            ends = first - distance, first + distance
        low, high = np.minimum(*ends), np.maximum(*ends)
        middle = (low + high) / 2
        return bracketed(middle.tolist(), low.tolist(), high.tolist(), level=self.level)


def _paper(
    trace: Measure, along: Measure, dimension: int, square: float, epsilon: float
) -> float:
    return paper_dimension(trace, dimension, square, epsilon)


def _exact(
    trace: Measure, along: Measure, dimension: int, square: float, epsilon: float
) -> float:
    return cone_dimension(trace, along, dimension, square, epsilon).value


def _orthogonal(
    trace: Measure, along: Measure, dimension: int, square: float, epsilon: float
) -> float:
    return 1 + orthogonal_dimension(trace, along, dimension, square, epsilon)
