"""When a layer first empties if scores are drawn at random, and how likely that is.

N parameters in layers of N_1, ..., N_L; the n best of all are kept, and the critical
count is the smallest n that leaves no layer empty (`theory.layer_collapse`).

**Equal distributions** (random pruning). Every set of n parameters is equally likely to
be kept: the layers' counts are multivariate hypergeometric. A set S of layers with
N_S parameters is wholly pruned with probability C(N - N_S, n) / C(N, n), so

    P(critical count <= n) = P(no layer empty) = sum over S of (-1)^|S| P(S empty).

Exact, by inclusion-exclusion: the signed number of sets S of each size N_S is the
coefficient of x^(N_S) in prod_l (1 - x^(N_l)). The smallest layer is the likeliest
to go first.

**Different distributions** (magnitude at initialisation). Scores are independent, with
P(score > t) = tail_l(t) in layer l, and M_l is the layer's largest. The layer with the
smallest M_l empties first, when the threshold t passes it:

    P(min_l M_l > t) = prod_l (1 - (1 - tail_l(t))^(N_l)).              (exact)

About sum_k N_k tail_k(t) parameters are then kept: this second step replaces counts by
their means. Scale, size and tail of a layer decide together whether its maximum is the
smallest. Equal tails give back random pruning, as n -> N tail(t).

All of this is ours; the paper reads collapse off a grid.
"""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import combinations, product
from random import Random

import numpy as np
from scipy.optimize import brentq

from theory.claim import ExactSides

Tail = Callable[[float], float]
"""P(score > t) of one layer's scores, t >= 0."""

_NEGLIGIBLE = 745.0
"""exp(-745) is the smallest float64 (ours: as an exponent that is rounded to 0)."""


def empty_probability(group: int, total: int, count: int) -> float:
    """Return C(N - N_S, n) / C(N, n): none of `group` among `count` kept of `total`.

    The quotient is symmetric in N_S and n: the product of 1 - max / (N - i) over
    i < min, added up as logarithms, loses no digits to large factorials.
    """
    few, many = sorted((group, count))
    if group + count > total or few * many > _NEGLIGIBLE * total:
        return 0.0
    return math.exp(np.log1p(-many / (total - np.arange(few))).sum())


def survival(sizes: Sequence[int], count: int) -> float:
    """Return P(no layer empty) when `count` parameters are kept at random.

    The terms alternate: where all layers are likely to be empty, an answer near 0 has
    an error of up to 2^L eps.

    Raises:
        ValueError: no layers, an empty one, or a count outside [0, N].
    """
    total = _total(sizes, count)
    largest = min(total - count, int(_NEGLIGIBLE * total / max(count, 1)))
    signed = _signed_sets(sizes, largest)
    return math.fsum(c * empty_probability(k, total, count) for k, c in signed.items())


def exact_survival(sizes: Sequence[int], count: int) -> Fraction:
    """Return `survival` as a fraction, with the same errors."""
    total = _total(sizes, count)
    signed = _signed_sets(sizes, total - count)
    chosen = sum(c * math.comb(total - k, count) for k, c in signed.items())
    return Fraction(chosen, math.comb(total, count))


def _signed_sets(sizes: Sequence[int], largest: int) -> dict[int, int]:
    """Return prod_l (1 - x^(N_l)) as {exponent: coefficient}, up to x^largest."""
    signed = {0: 1}
    for size in sizes:
        for group, number in list(signed.items()):
            if group + size <= largest:
                signed[group + size] = signed.get(group + size, 0) - number
    return signed


def random_count(sizes: Sequence[int], level: float = 0.5) -> int:
    """Return the smallest n with P(no layer empty) >= level: the median by default.

    At compression N / n random pruning has collapsed with probability <= 1 - level.

    Raises:
        ValueError: no layers, an empty one, or a level outside (0, 1).
    """
    total, smallest = _total(sizes, 0), min(sizes)
    _check_level(level)
    # The smallest layer alone must survive with this probability. Starting there, all
    # layers are likely to survive and the alternating sum keeps its digits.
    enough = total - smallest + 1
    alone = _first(
        lambda n: empty_probability(smallest, total, n) <= 1 - level, 0, enough
    )
    return _first(lambda n: survival(sizes, n) >= level, max(alone - 1, 0), total)


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """Return the first n in (low, high] where a monotone condition holds; high does."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def normal(deviation: float) -> Tail:
    """Return P(|z| > t) for z ~ N(0, deviation^2)."""
    _check_scale(deviation)
    return lambda t: math.erfc(t / (deviation * math.sqrt(2)))


def uniform(bound: float) -> Tail:
    """Return P(|z| > t) for z uniform on (-bound, bound)."""
    _check_scale(bound)
    return lambda t: max(0.0, 1 - t / bound)


def all_above(sizes: Sequence[int], tails: Sequence[Tail], threshold: float) -> float:
    """Return P(every layer has a score > threshold), scores being independent."""
    alive = 1.0
    for size, tail in zip(sizes, tails, strict=True):
        above = tail(threshold)
        alive *= -math.expm1(size * math.log1p(-above)) if above < 1 else 1.0
    return alive


def independent_count(
    sizes: Sequence[int], tails: Sequence[Tail], level: float = 0.5
) -> float:
    """Return the mean number of scores above the t with P(min_l M_l > t) = level.

    Predicts, for independent scores, the count that the critical count stays within
    with probability `level`; a mean, hence no integer, but at least one a layer.

    Raises:
        ValueError: no layers, an empty one, or a level outside (0, 1).
    """
    _total(sizes, 0)
    _check_level(level)
    high = 1.0
    while all_above(sizes, tails, high) > level:
        high *= 2
    while all_above(sizes, tails, high / 2) < level:
        high /= 2
    threshold = brentq(
        lambda t: all_above(sizes, tails, t) - level,
        high / 2,
        high,
        xtol=1e-15 * high,  # relative: scores come in any unit
        rtol=1e-14,
    )
    expected = [n * tail(threshold) for n, tail in zip(sizes, tails, strict=True)]
    return max(math.fsum(expected), float(len(sizes)))


def random_draws(rng: Random) -> ExactSides:
    """Return P(no layer empty) over all sets of n parameters, and the closed form."""
    sizes = [rng.randint(1, 3) for _ in range(rng.randint(1, 4))]
    layer_of = [layer for layer, size in enumerate(sizes) for _ in range(size)]
    count = rng.randint(0, len(layer_of))
    draws = [{layer_of[i] for i in s} for s in combinations(range(sum(sizes)), count)]
    good = sum(len(layers) == len(sizes) for layers in draws)
    return ExactSides(
        (Fraction(good, len(draws)),),
        (exact_survival(sizes, count),),
        f"{count} of {sizes}",
    )


def independent_draws(rng: Random) -> ExactSides:
    """Return P(min_l M_l > t) over all draws of integers 1..b_l, and the product."""
    sizes = [rng.randint(1, 2) for _ in range(rng.randint(1, 3))]
    bounds = [rng.randint(1, 3) for _ in sizes]
    threshold = rng.randint(0, min(bounds))
    peaks = [
        [max(d) for d in product(range(1, b + 1), repeat=n)]
        for n, b in zip(sizes, bounds, strict=True)
    ]
    outcomes = [min(best) > threshold for best in product(*peaks)]
    right = math.prod(
        1 - Fraction(threshold, b) ** n for n, b in zip(sizes, bounds, strict=True)
    )
    left = Fraction(sum(outcomes), len(outcomes))
    return ExactSides((left,), (Fraction(right),), f"{sizes}, bounds {bounds}")


def with_replacement(rng: Random) -> ExactSides:
    """Return P(none of two layers empty), drawn with replacement and without."""
    first, rest = rng.randint(1, 4), rng.randint(1, 4)
    count = rng.randint(1, first)
    binomial = 1 - Fraction(rest, first + rest) ** count
    others = 1 - Fraction(first, first + rest) ** count
    right = exact_survival([first, rest], count)
    case = f"{count} of {[first, rest]}"
    return ExactSides((binomial + others - 1,), (right,), case)


def _total(sizes: Sequence[int], count: int) -> int:
    total = sum(sizes)
    if not sizes or min(sizes) < 1 or not 0 <= count <= total:
        raise ValueError(
            "expected at least one layer, none of them empty, and 0 <= count <= "
            f"{total} parameters, got sizes {list(sizes)} and count {count}"
        )
    return total


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"expected a probability strictly inside (0, 1), got {level}")


def _check_scale(scale: float) -> None:
    if not 0 < scale < math.inf:
        raise ValueError(
            f"expected a positive finite scale, got {scale}; a layer of zeros has no "
            "magnitudes to rank"
        )
