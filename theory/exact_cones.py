"""Cones in rational arithmetic: projections, and all subspaces of a random family.

**Monotone cone** {x_1 <= ... <= x_n}: projecting is isotonic regression, by pooling
adjacent violators. The number of blocks is the dimension of the face. Entries of
different powers of 10 are in general position: no two groups have the same mean.

**Random subspaces and the orthant.** Let V be N vectors of R^d in general position (any
d of them independent), N >= d, and L the column space of the N x d matrix, each row
multiplied by a random sign. L meets the orthant for exactly those signs that are the
signs of V y for some y: the cells of the arrangement of N hyperplanes. Every cell has a
vertex ray, where d - 1 of the forms vanish; next to it these take all signs.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate, combinations, permutations, product
from random import Random

import numpy as np

from theory import intrinsic_volumes, known_cones
from theory.claim import ExactSides
from theory.rational_matrices import Exact, determinant, solve


def isotonic(values: Sequence[Fraction]) -> list[tuple[Fraction, int]]:
    """Return the projection on the monotone cone as blocks (value, length)."""
    blocks: list[tuple[Fraction, int]] = []
    for value in values:
        blocks.append((value, 1))
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (a, m), (b, n) = blocks[-2:]
            blocks[-2:] = [((m * a + n * b) / (m + n), m + n)]
    return blocks


def general_position(rng: Random, count: int, dimension: int) -> Exact:
    """Return a count x dimension matrix of integers, any d rows independent."""
    draws = np.random.default_rng(rng.getrandbits(62))
    rows: list[list[Fraction]] = []
    while len(rows) < count:
        drawn = [Fraction(int(x)) for x in draws.integers(-15, 16, size=dimension)]
        sets = combinations(rows, min(len(rows), dimension - 1))
        if all(_rank_is_full(np.array([*chosen, drawn])) for chosen in sets):
            rows.append(drawn)
    return np.array(rows)


def sign_patterns(vectors: Exact) -> set[tuple[int, ...]]:
    """Return the sign patterns of V y without a zero, over all y in R^d.

    The vectors, one a row, must be in general position and at least d of them.
    """
    count, dimension = vectors.shape
    patterns: set[tuple[int, ...]] = set()
    for tight in combinations(range(count), dimension - 1):
        values = vectors @ _normal(vectors[list(tight)])
        for free in product((-1, 1), repeat=dimension - 1):
            signs = [1 if value > 0 else -1 for value in values]
            for i, sign in zip(tight, free, strict=True):
                signs[i] = sign
            patterns |= {tuple(signs), tuple(-s for s in signs)}
    return patterns


def projector(columns: Exact) -> Exact:
    """Return A (A'A)^-1 A', the projector on the span of independent columns."""
    onto: Exact = columns @ solve(columns.T @ columns, columns.T)
    return onto


def moreau(rng: Random) -> ExactSides:
    """Return |Pi g|^2 + |g - Pi g|^2 and |g|^2, and that the rest is polar."""
    g = [Fraction(rng.randint(-20, 20)) for _ in range(rng.randint(1, 8))]
    near = [a for a, size in isotonic(g) for _ in range(size)]
    rest = [x - y for x, y in zip(g, near, strict=True)]
    # the polar of {x_1 <= ... <= x_n}: partial sums >= 0, the whole sum 0
    sums = list(accumulate(rest))
    left = (
        _squares(near) + _squares(rest),
        Fraction(near == sorted(near) and min(sums) >= 0 and sums[-1] == 0),
    )
    return ExactSides(left, (_squares(g), Fraction(1)), str(g))


def subspaces(rng: Random) -> ExactSides:
    """Return the squared norm of a projector, E |Pi g|^2, and its dimension."""
    n = rng.randint(1, 5)
    k = rng.randint(1, n)
    columns = general_position(rng, n, k)
    entries = projector(columns).ravel().tolist()
    return ExactSides((_squares(entries),), (Fraction(k),), str(columns.tolist()))


def orders(rng: Random) -> ExactSides:
    """Return how often each number of blocks occurs, over all orders of a vector."""
    return _orders([10**k for k in rng.sample(range(9), rng.randint(1, 6))])


def tied_orders(rng: Random) -> ExactSides:
    """Return the same for a vector with two equal entries."""
    drawn = rng.sample(range(9), rng.randint(1, 4))
    return _orders([10**k for k in [*drawn, drawn[0]]])


def orthant_crossings(rng: Random) -> ExactSides:
    """Return the share of sign changes that make a subspace meet the orthant."""
    d = rng.randint(1, 3)
    vectors = general_position(rng, rng.randint(d, 7), d)
    return _orthant(vectors)


def degenerate_subspace(rng: Random) -> ExactSides:
    """Return the same for a plane whose vectors are multiples of one: a line."""
    count = rng.randint(2, 6)
    volumes = intrinsic_volumes.orthant(count)
    expected = intrinsic_volumes.crossing(volumes, 2)
    return ExactSides((Fraction(2, 2**count),), (expected,), f"{count} vectors")


def circular_crossings(rng: Random) -> ExactSides:
    """Return P(|Pi_L e_1|^2 >= cos^2 a) by its beta law, and by Crofton."""
    n = 2 * rng.randint(1, 12)
    m = 2 * rng.randint(0, n // 2 - 1) + 2
    share = Fraction(rng.randint(1, 9), 10)
    volumes = intrinsic_volumes.rational_circular(n, share)
    right = intrinsic_volumes.crossing(volumes, m)
    left = beta_tail(m // 2, (n - m) // 2, 1 - share) if m < n else Fraction(1)
    return ExactSides((left,), (right,), f"{m} of {n}, sin^2 {share}")


def crossing_of_a_subspace(rng: Random) -> ExactSides:
    """Return Crofton's formula for a subspace in place of C: 0 or 2, where it is 1."""
    n = rng.randint(3, 9)
    k = rng.randint(2, n - 1)
    m = rng.randint(n - k + 1, n - 1)
    volumes = intrinsic_volumes.subspace(k, n)
    left = intrinsic_volumes.crossing(volumes, m)
    return ExactSides((left,), (Fraction(1),), f"{k} and {m} of {n}")


def coordinate_subspace(rng: Random) -> ExactSides:
    """Return P for a subspace of coordinates: it always meets the orthant."""
    n = rng.randint(2, 9)
    m = rng.randint(1, n - 1)
    expected = intrinsic_volumes.crossing(intrinsic_volumes.orthant(n), m)
    return ExactSides((Fraction(1),), (expected,), f"{m} of {n}")


def beta_tail(a: int, b: int, least: Fraction) -> Fraction:
    """Return P(X >= least) of a beta variable with integer a, b >= 1: term by term."""
    total = Fraction(0)
    for i in range(b):
        power = a + i
        total += (-1) ** i * math.comb(b - 1, i) * (1 - least**power) / power
    return total * a * math.comb(a + b - 1, a)


def _orders(values: list[int]) -> ExactSides:
    found = [
        len(isotonic([Fraction(v) for v in order])) for order in permutations(values)
    ]
    size, all_orders = len(values), len(found)
    shares = [Fraction(found.count(k), all_orders) for k in range(size + 1)]
    volumes = intrinsic_volumes.monotone(size)
    mean = Fraction(sum(found), all_orders)
    harmonic = known_cones.monotone(size)
    return ExactSides((*shares, mean), (*volumes, harmonic), str(values))


def _orthant(vectors: Exact) -> ExactSides:
    count, dimension = vectors.shape
    met = Fraction(len(sign_patterns(vectors)), 2**count)
    volumes = intrinsic_volumes.orthant(count)
    expected = intrinsic_volumes.crossing(volumes, dimension)
    return ExactSides((met,), (expected,), str(vectors.tolist()))


def _squares(values: list[Fraction]) -> Fraction:
    return sum((value * value for value in values), Fraction(0))


def _normal(rows: Exact) -> Exact:
    """Return a vector orthogonal to d - 1 rows: their generalised cross product."""
    dimension = rows.shape[1]
    minors = [determinant(np.delete(rows, j, axis=1)) for j in range(dimension)]
    return np.array([(-1) ** j * minor for j, minor in enumerate(minors)])


def _rank_is_full(rows: Exact) -> bool:
    return determinant(rows @ rows.T) != 0
