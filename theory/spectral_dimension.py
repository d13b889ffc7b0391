"""The dimension of the cone from w^k into S, from two spectral measures.

The theorem, with its proof, is the claim `exact-statistical-dimension` of
`theory.exact_limit`. H enters by the measure of its trace (Lanczos from random probes)
and by the measure of v = w^k - w* (Lanczos from v): two Lanczos runs at any size.
"""

import math
from dataclasses import dataclass

from theory.confocal import confocal_square, effective_dimension, scaled
from theory.measure import Measure


@dataclass(frozen=True)
class ConeDimension:
    """The statistical dimension of the cone from w^k into S."""

    leading: float
    """T(s0)."""
    correction: float
    """The next term (heuristic)."""
    low: float
    """delta is not below this (theorem)."""
    high: float
    """delta is not above this (theorem)."""
    deviation: float
    """Square root of the variance of the intrinsic volumes (heuristic)."""
    square: float
    """s0, the confocal distance squared; 0 inside S."""

    @property
    def value(self) -> float:
        """The best estimate of delta: both terms, and within the bounds."""
        return min(max(self.leading + self.correction, self.low), self.high)


def cone_dimension(
    trace: Measure,
    along: Measure,
    dimension: int,
    squared_length: float,
    epsilon: float,
) -> ConeDimension:
    """Return delta of the cone from w^k = w* + v into S, from two spectral measures.

    Args:
        trace: eigenvalues of H and their shares (Lanczos from random probes).
        along: eigenvalues of H and the shares v_i^2 / |v|^2 (Lanczos from v).
        dimension: D, the number of parameters of H.
        squared_length: |v|^2 = R^2.
        epsilon: rise of the loss that S allows.

    Raises:
        ValueError: measures that are none (`theory.confocal.scaled`), negative
            eigenvalues, epsilon not positive.
    """
    a, counts = scaled(trace, float(dimension), epsilon)
    nodes, squares = scaled(along, squared_length, epsilon)
    excess = float(squares @ nodes) - 1
    if not excess > 0:
        whole = float(dimension)
        return ConeDimension(whole, 0.0, whole, whole, 0.0, 0.0)
    s0 = confocal_square(nodes, squares)
    leading = effective_dimension(a, counts, s0)
    shrink, own = 1 / (1 + s0 * a), 1 / (1 + s0 * nodes)
    spread = counts * shrink * (1 - shrink)
    pull = squares * (nodes * own) ** 2  # b^2 G^2
    p = float(pull @ own / pull.sum())
    total = float(spread.sum())
    # no curvature seen by the trace: all r^2 are infinite, and their mean is -1
    turned = float(spread @ (1 - 2 * shrink)) / total if total > 0 else -1.0
    nearest = excess / float(squares @ nodes**2)  # c / |Av|^2 <= s0 <= R^2
    low = leading - 2 * p + s0 / excess * float(pull.sum())
    high = leading + 2 * (1 - p) - s0 * float(pull.sum())
    return ConeDimension(
        leading=leading,
        correction=(turned + 1 - 2 * p) / 2,
        low=max(low, effective_dimension(a, counts, squared_length)),
        high=min(high, effective_dimension(a, counts, nearest)),
        deviation=math.sqrt(2 * total),
        square=s0,
    )
