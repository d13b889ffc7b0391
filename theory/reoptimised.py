"""The loss that is left when the survivors are re-optimised, in the quadratic model.

L(w* + d) - L(w*) = 1/2 d'Hd with H >= 0. Removing the weights P sets d_P = -w_P; the
others, K, are free, and the least loss is a Schur complement (the loss of the optimal
brain surgeon for a whole set)

    loss(P) = 1/2 w_P' (H_PP - H_PK H_KK^-1 H_KP) w_P <= 1/2 w_P' H_PP w_P.

Nested sets: loss(P) <= loss(P') for P in P', as fewer coordinates are free and P' asks
for all that P asks for. So the n for which the n smallest weights can go at a loss of
epsilon are 0..n*.

**All n at once.** Let R be the Cholesky factor of H (H = R'R, upper triangular), with
the coordinates in falling order of magnitude. Then for every n

    loss(n smallest) = 1/2 sum of the last n of (R w)_i^2.

Proof. With d = (d_K, -w_P), R d has the rows P equal to -(R w)_P, whatever d_K is, and
d_K can make the rows K vanish. QED (ours)
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse.linalg import LinearOperator, cg

from theory.confocal import Vector

Matrix = Float[np.ndarray, "n n"]
Removed = Bool[np.ndarray, " n"]


class Reoptimised(NamedTuple):
    """The least loss after a removal, and the shift that has it."""

    loss: float
    shift: Vector
    """d: the pruned and re-optimised weights are w* + d."""


def nested_losses(
    hessian: Matrix, weights: Vector, order: Int[np.ndarray, " m"], ridge: float = 0.0
) -> Float[np.ndarray, " counts"]:
    """Return the loss of removing the first n of `order`, for n = 0..m.

    Args:
        hessian: H >= 0.
        weights: w*.
        order: positions in the order in which they go (`theory.pruning_limit`); the
            other weights stay.
        ridge: added to the diagonal of a singular H; raises each loss by at most
            ridge / 2 times the squared length of its best shift.

    Raises:
        ValueError: H + ridge is not positive definite.
    """
    kept = np.ones(len(weights), dtype=bool)
    kept[order] = False
    falling = np.concatenate([np.flatnonzero(kept), order[::-1]])
    square = hessian[np.ix_(falling, falling)] + ridge * np.eye(len(weights))
    try:
        lower = np.linalg.cholesky(square)
    except np.linalg.LinAlgError as error:
        raise ValueError(
            "expected a positive definite Hessian; treat negative eigenvalues, and for "
            f"zero ones add a ridge of a small share of the largest, not {ridge}"
        ) from error
    rows = (lower.T @ weights[falling])[len(weights) - len(order) :]
    return np.concatenate([[0.0], np.cumsum(rows[::-1] ** 2) / 2])


def reoptimised(hessian: Matrix, weights: Vector, removed: Removed) -> Reoptimised:
    """Return the least loss for one set of removed weights, H >= 0 singular or not.

    By least squares for the survivors' shift, of least norm.
    """
    shift = np.where(removed, -weights, 0.0)
    kept = ~removed
    pull = hessian[np.ix_(kept, removed)] @ weights[removed]
    found, *_ = np.linalg.lstsq(hessian[np.ix_(kept, kept)], pull, rcond=None)
    shift[kept] = found
    return Reoptimised(float(shift @ hessian @ shift) / 2, shift)


class _Enough(Exception):  # noqa: N818 - no error: the only way out of scipy's cg
    """Carries the shift whose loss is low enough."""

    def __init__(self, found: Reoptimised) -> None:
        super().__init__(found)
        self.found = found


def reoptimised_matrix_free(
    product: Callable[[Vector], Vector],
    weights: Vector,
    removed: Removed,
    *,
    tolerance: float = 1e-6,
    limit: int = 10_000,
    enough: float = -math.inf,
) -> Reoptimised:
    """Return the same from Hessian-vector products, by conjugate gradients.

    The loss is that of the shift found, hence never below the least one. Iterates x_j
    have residuals orthogonal to x_j, so their loss falls by x_j'p / 2 from that of no
    shift of the survivors, where p is minus their gradient then.

    Args:
        product: x -> H x, H >= 0.
        weights: w*.
        removed: P.
        tolerance: norm of the survivors' gradient, over that before they move.
        limit: largest number of products.
        enough: stop as soon as the loss is not above it.

    Raises:
        ValueError: neither the tolerance nor enough was reached within the limit.
    """
    kept = np.flatnonzero(~removed)
    shift = np.where(removed, -weights, 0.0)
    if kept.size:

        def on_kept(x: Vector) -> Vector:
            full = np.zeros_like(weights)
            full[kept] = x
            return product(full)[kept]

        operator = LinearOperator((kept.size, kept.size), matvec=on_kept, dtype=float)
        image = product(shift)
        pull, before = -image[kept], float(shift @ image) / 2

        def check(x: Vector) -> None:
            # by the iterate alone, which costs no product, and then by its own loss
            if before - float(x @ pull) / 2 <= enough:
                moved = shift.copy()
                moved[kept] = x
                if (loss := float(moved @ product(moved)) / 2) <= enough:
                    raise _Enough(Reoptimised(loss, moved))

        try:
            found, status = cg(
                *(operator, pull),
                rtol=tolerance,
                atol=0.0,
                maxiter=limit,
                callback=check,
            )
        except _Enough as stop:
            return stop.found
        if status != 0:
            raise ValueError(
                f"conjugate gradients did not reach {tolerance} in {limit} products; "
                "raise the limit or the tolerance, or check that H >= 0"
            )
        shift[kept] = found
    return Reoptimised(float(shift @ product(shift)) / 2, shift)


def largest_removal(losses: Float[np.ndarray, " counts"], epsilon: float) -> int:
    """Return the largest n whose nested loss is within epsilon.

    For matrix-free losses use `theory.pruning_limit.largest`.

    Raises:
        ValueError: an epsilon that is negative or no number.
    """
    if not epsilon >= 0:
        raise ValueError(f"expected a rise of the loss >= 0, got {epsilon}")
    return int(np.searchsorted(losses, epsilon, side="right")) - 1
