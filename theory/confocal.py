"""The confocal distance of a point from an ellipsoid, and sums over its axes.

{x : sum a x^2 <= 1} has the half-axes r = 1 / sqrt(a). A point v outside lies on one
larger ellipsoid with the same foci, of half-axes sqrt(r^2 + s):

    Q(s) = sum v^2 / (r^2 + s) = 1.    Of it,    T(s) = sum r^2 / (r^2 + s).

As a may be 0, v^2 a G and G are summed, with G = 1 / (1 + s a). The two sums may be
over different nodes, as T knows nothing of v: those of two spectral measures of a
Hessian H with A = H / (2 epsilon), of its trace and of v.
"""

import math

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq

from theory.measure import Measure

Vector = Float[np.ndarray, " n"]

UNIT = 1e-6
"""How far the weights of a measure may sum from 1 (ours: float32 sums pass)."""


def confocal_square(curvatures: Vector, squares: Vector) -> float:
    """Return the s > 0 with sum v^2 a / (1 + s a) = 1: the confocal distance squared.

    Never more than |v|^2, with equality only if all r^2 where v is not 0 are 0.

    Args:
        curvatures: a >= 0.
        squares: v^2 >= 0.

    Raises:
        ValueError: sum v^2 a <= 1: v is not outside the ellipsoid.
    """
    excess = float(squares @ curvatures) - 1
    if not excess > 0:
        raise ValueError(
            f"expected a point outside the ellipsoid, got v'Av = {excess + 1}; from a "
            "point inside, the cone is the whole space"
        )

    # Q(s) lies between (1 + excess) / (1 + s max a) and |v|^2 / s
    low = math.log(excess / float(curvatures.max())) - 1
    high = math.log(float(squares[curvatures > 0].sum())) + 1
    log = brentq(
        lambda u: squares @ (curvatures / (1 + math.exp(u) * curvatures)) - 1,
        low,
        high,
        xtol=1e-15,
        rtol=1e-15,
    )
    return math.exp(log)


def effective_dimension(curvatures: Vector, counts: Vector, square: float) -> float:
    """Return T(s) = sum count / (1 + s a), `counts` axes of every curvature."""
    return float(counts @ (1 / (1 + square * curvatures)))


def scaled(measure: Measure, total: float, epsilon: float) -> tuple[Vector, Vector]:
    """Return curvatures a = nodes / (2 epsilon) and weights that sum to `total`.

    Args:
        measure: eigenvalues of H (or Ritz values) and weights that sum to 1.
        total: D, or |v|^2.
        epsilon: rise of the loss that S allows.

    Raises:
        ValueError: nodes below 0 or not finite, weights that do not sum to 1, a total
            below 0, or an epsilon that is not positive.
    """
    nodes, weights = measure.nodes, measure.weights
    if not 0 < epsilon < math.inf or not 0 <= total < math.inf:
        raise ValueError(
            f"expected epsilon > 0 and |v|^2 or D >= 0, got {epsilon} and {total}"
        )
    if nodes.shape != weights.shape or not abs(float(weights.sum()) - 1) <= UNIT:
        raise ValueError(
            f"expected one weight for each of {nodes.size} nodes and a sum of 1, got "
            f"{weights.size} weights that sum to {weights.sum()}"
        )
    if not (np.isfinite(nodes).all() and (nodes >= 0).all() and (weights >= 0).all()):
        raise ValueError(
            f"expected finite nodes >= 0 and weights >= 0, got down to {nodes.min()} "
            f"and {weights.min()}; treat negative eigenvalues first "
            "(`Measure.treated`)"
        )
    return nodes / (2 * epsilon), total * weights
