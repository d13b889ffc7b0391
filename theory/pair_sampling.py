"""The error of a mean over pairs, by trying every sample of runs that can be drawn.

Runs are drawn independently from a few that are equally likely, and h(i, j) is given by
a table (a run can be drawn twice: h(i, i) counts). Right and left sides of the theorem
of `theory.u_statistic`, in fractions.
"""

from collections.abc import Hashable, Sequence
from fractions import Fraction
from itertools import combinations, product
from statistics import mean, pvariance, variance

from theory.u_statistic import jackknife, pair_mean

Table = Sequence[Sequence[Fraction]]
"""h(i, j) = h(j, i)."""
Sample = dict[tuple[Hashable, Hashable], Fraction]
"""h of the pairs i < j of the runs that were drawn."""


def samples(table: Table, n: int) -> list[Sample]:
    """Return all samples of n runs, equally likely."""
    return [
        {(i, j): table[drawn[i]][drawn[j]] for i, j in combinations(range(n), 2)}
        for drawn in product(range(len(table)), repeat=n)
    ]


def variance_of_mean(table: Table, n: int) -> Fraction:
    """Return Var U."""
    return pvariance([pair_mean(sample) for sample in samples(table, n)])


def jackknifed(table: Table, n: int) -> Fraction:
    """Return E V, of the jackknife over runs."""
    return mean(jackknife(sample) for sample in samples(table, n))


def taken_as_independent(table: Table, n: int) -> Fraction:
    """Return E of the pairs' sample variance over their number."""
    drawn = samples(table, n)
    return mean(variance(sample.values()) / len(sample) for sample in drawn)


def zetas(table: Table) -> tuple[Fraction, Fraction]:
    """Return zeta_1 = Var E[h(u, u') | u] and zeta_2 = Var h(u, u')."""
    rows = [mean(row) for row in table]
    return pvariance(rows), pvariance([h for row in table for h in row])
