"""Means over pairs of runs, with error bars that know which pairs share a run.

Stability to data order is theta = E h(u, u') for independent orders u, u', h the
distance of the two runs. n orders give n (n - 1) / 2 pairs; each run is part of n - 1
of them, so the pairs are not independent: the samples are the orders. The mean over
all pairs is a U-statistic (Hoeffding 1948),

    U = mean of h(u_i, u_j) over i < j,     E U = theta,
    Var U = (4 (n - 2) zeta_1 + 2 zeta_2) / (n (n - 1)),
    zeta_1 = Var E[h(u, u') | u],   zeta_2 = Var h(u, u') >= 2 zeta_1,

never more than the 2 zeta_2 / n of n / 2 disjoint pairs, and never less than the
zeta_2 / (number of pairs) of a formula that takes them for independent.

Jackknife over orders: let r_i be the mean of the n - 1 pairs with order i. Without
order i the mean over pairs is (n U - 2 r_i) / (n - 2), so that

    V = (n - 1) / n sum_i ((n U - 2 r_i) / (n - 2) - U)^2
      = 4 (n - 1) / (n (n - 2)^2) sum_i (r_i - U)^2.

Its expectation is not below the variance (Efron & Stein 1981), and exceeds it by

    E V - Var U = (2 zeta_2 - 4 zeta_1) / ((n - 1) (n - 2)) >= 0.

Proof. Var r_i = (zeta_2 + (n - 2) zeta_1) / (n - 1), as two pairs with one order in
common have the covariance zeta_1; Cov(r_i, r_j) = (zeta_2 + 3 (n - 2) zeta_1) /
(n - 1)^2, as r_i and r_j have one pair in common and 3 (n - 2) couples of pairs with
one order in common. sum_i (r_i - U)^2 has the expectation (n - 1) (Var - Cov) =
(n - 2) (zeta_2 + (n - 4) zeta_1) / (n - 1); insert it.

Runs of several initialisations are clusters: the samples are then the networks, and
whatever pairs the same network contributes are first averaged. This error bar also
covers what differs between networks; that of one network's orders does not.
"""

import math
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import fmean, mean, stdev
from typing import TypeVar

from scipy.stats import t

Value = TypeVar("Value", float, Fraction)
Pairs = Mapping[tuple[Hashable, Hashable], Value]
"""h by pair of runs, each unordered pair once."""


@dataclass(frozen=True)
class Estimate:
    """An expectation with its error bar."""

    mean: float
    standard_error: float
    low: float
    """The interval is mean -+ t * standard_error, of Student's distribution."""
    high: float
    samples: int
    """What is independent of one another: orders or networks."""
    pairs: int
    """Distances that the mean is made of."""


def over_orders(distances: Pairs[float], *, level: float = 0.95) -> Estimate:
    """Return E h(u, u') of ONE network from all pairs of its n >= 3 runs.

    The standard error is sqrt(V) of the jackknife, the interval that of Student's
    distribution with n - 1 degrees of freedom (ours).

    Raises:
        ValueError: fewer than three runs, or not each of their pairs exactly once.
    """
    runs = len({run for pair in distances for run in pair})
    error = math.sqrt(jackknife(distances))
    return _estimate(pair_mean(distances), error, runs, len(distances), level)


def over_networks(
    distances: Sequence[Collection[float]], *, level: float = 0.95
) -> Estimate:
    """Return the mean over networks of each network's own mean distance.

    Right whatever the distances of one network have in common: pairs of its orders
    (data order), or orders (pruning: one distance an order).

    Args:
        distances: for each of C >= 2 independent networks, those of its pairs.
        level: of the interval, Student's with C - 1 degrees of freedom.

    Raises:
        ValueError: fewer than two networks, one without a distance, or with a distance
            that is not finite.
    """
    if len(distances) < 2 or not all(len(values) for values in distances):
        raise ValueError(
            "expected distances of at least two networks, got "
            f"{[len(values) for values in distances]} of each; for the orders of one "
            "network use over_orders"
        )
    means = [fmean(values) for values in distances]
    if not all(math.isfinite(m) for m in means):
        raise ValueError(
            f"expected finite distances, got the means {means} of the networks: leave "
            "out runs that diverged, and say so"
        )
    error = stdev(means) / math.sqrt(len(means))
    pairs = sum(len(values) for values in distances)
    return _estimate(fmean(means), error, len(means), pairs, level)


def ratio_over_networks(
    numerators: Sequence[Collection[float]],
    denominators: Sequence[Collection[float]],
    *,
    level: float = 0.95,
) -> Estimate:
    """Return the geometric mean over networks of the ratio of two mean distances.

    Both are measured on the same networks, so that what makes a network's distances
    large cancels. The interval is that of the mean logarithm, exponentiated; the
    standard error is the logarithm's times the ratio.

    Raises:
        ValueError: other than the same two or more networks in both, a network without
            a distance, or a mean that is not positive.
    """
    top, bottom = (
        [fmean(v) if len(v) else 0.0 for v in x] for x in (numerators, denominators)
    )
    positive = all(0.0 < m < math.inf for m in (*top, *bottom))
    if len(top) != len(bottom) or not top or not positive:
        raise ValueError(
            "expected positive mean distances of the same networks, got numerators "
            f"{top} and denominators {bottom}; the ratio of zeros is no number"
        )
    logs = [[math.log(a / b)] for a, b in zip(top, bottom, strict=True)]
    found = over_networks(logs, level=level)
    ratio, low, high = (math.exp(x) for x in (found.mean, found.low, found.high))
    pairs = sum(len(values) for values in (*numerators, *denominators))
    error = ratio * found.standard_error
    return Estimate(ratio, error, low, high, found.samples, pairs)


def pair_mean(distances: Pairs[Value]) -> Value:
    """Return U: the mean over all pairs, in floats or fractions."""
    return mean(distances.values())


def jackknife(distances: Pairs[Value]) -> Value:
    """Return V, the jackknife's estimate of Var U, in floats or fractions.

    Raises:
        ValueError: fewer than three runs, or not each of their pairs exactly once.
    """
    sums: dict[Hashable, Value] = {}
    for pair, value in distances.items():
        for run in pair:
            sums[run] = sums.get(run, 0 * value) + value
    n = len(sums)
    unordered = {frozenset(pair) for pair in distances}
    complete = len(distances) == len(unordered) == n * (n - 1) // 2
    if n < 3 or not complete or any(len(pair) != 2 for pair in unordered):
        raise ValueError(
            "expected each pair of at least three runs exactly once, got "
            f"{len(distances)} pairs of {n} runs; average the pairs of several "
            "networks with over_networks"
        )
    center = pair_mean(distances)
    spread = mean((total / (n - 1) - center) ** 2 for total in sums.values())
    return spread * (4 * (n - 1)) / (n - 2) ** 2


def _estimate(
    center: float, error: float, samples: int, pairs: int, level: float
) -> Estimate:
    if not 0 < level < 1:
        raise ValueError(f"expected a level between 0 and 1, got {level}")
    half = float(t.ppf((1 + level) / 2, samples - 1)) * error
    return Estimate(center, error, center - half, center + half, samples, pairs)
