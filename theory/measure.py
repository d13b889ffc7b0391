"""Discrete spectral measures: nodes and weights, never a density smeared on a grid.

The spectral measure of a symmetric H seen from v is sum_i (u_i . v)^2 delta(lambda_i),
so that v^T f(H) v = integral of f; that of its trace has the weight 1 at each
eigenvalue. Negative eigenvalues (a trained network is not at an exact minimum) stay
where they are until one of three treatments is asked for. With H' in place of H, the
set S = {L <= L* + eps} of the quadratic model is replaced by another S':

    "absolute"  |lambda|: the published code of paper C. A direction in which the loss
                falls becomes a bounded one.
    "positive"  max(lambda, 0): it becomes a flat one.
    "refuse"    an error if a node is below -2^-40 of the largest |node|; nodes between
                that and 0 are rounding, and become 0.

As lambda <= max(lambda, 0) <= |lambda|, S'_absolute lies in S'_positive and that in S:
what can be removed by either is an estimate from below of what can be removed with S,
that of "positive" the nearer, if the quadratic model holds that far and w* has no
gradient. As a bound of what must remain neither is valid.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

Array = Float[np.ndarray, " nodes"]
Function = Callable[[Array], Array]
"""f of many numbers at once."""
Treatment = Literal["absolute", "positive", "refuse"]

ROUNDING = 2.0**-40


@dataclass(frozen=True)
class Measure:
    """Weights at nodes."""

    nodes: Array
    weights: Array

    @property
    def mass(self) -> float:
        """The sum of all weights."""
        return float(self.weights.sum())

    def integral(self, function: Function) -> float:
        """Return the sum of weight * f(node)."""
        return float(self.weights @ function(self.nodes))

    def scaled(self, factor: float) -> "Measure":
        """Return the measure with all weights multiplied."""
        return Measure(self.nodes, factor * self.weights)

    def treated(self, treatment: Treatment) -> "Measure":
        """Return the measure on numbers that are not negative.

        Raises:
            ValueError: a negative node under "refuse"; an unknown treatment.
        """
        return Measure(treated(self.nodes, treatment), self.weights)


def mixture(parts: Iterable[Measure]) -> Measure:
    """Return the sum of measures, nodes ascending."""
    several = list(parts)
    nodes = np.concatenate([part.nodes for part in several])
    weights = np.concatenate([part.weights for part in several])
    order = np.argsort(nodes, kind="stable")
    return Measure(nodes[order], weights[order])


def treated(values: Array, treatment: Treatment) -> Array:
    """Return |value|, max(value, 0), or refuse negative values, see above.

    Raises:
        ValueError: a negative value under "refuse"; an unknown treatment.
    """
    if treatment == "absolute":
        result: Array = np.abs(values)
        return result
    if treatment not in ("positive", "refuse"):
        raise ValueError(
            f"expected treatment 'absolute', 'positive' or 'refuse', got {treatment!r}"
        )
    largest, least = np.abs(values).max(initial=0.0), values.min(initial=0.0)
    if treatment == "refuse" and least < -ROUNDING * largest:
        raise ValueError(
            f"the spectrum reaches down to {least:.3g} (largest |node| {largest:.3g}); "
            "choose the treatment 'absolute' or 'positive', or the Gauss-Newton matrix"
        )
    result = np.maximum(values, 0.0)
    return result
