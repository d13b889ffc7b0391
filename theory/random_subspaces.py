"""Does a random subspace meet a cone? Brute force, for the phase transition.

**From a point into an ellipsoid.** v + span(directions) meets {x : sum a x^2 <= 1} if
and only if min over y of |A^(1/2) (v + directions y)|^2 <= 1, a least-squares problem.
For nested spans all minima come from one QR factorisation of A^(1/2) directions: column
k takes (q_k' A^(1/2) v)^2 away from |A^(1/2) v|^2. One draw of n directions gives the
least dimension that meets, draws of it the probability at all dimensions, and their
mean delta: it is n - delta + 1/2 (add up Crofton's formula over all dimensions; odd
intrinsic volumes sum to 1/2, if the cone is no subspace). Of a ball the cone is
circular: sin a = radius / |v|.

**Orthant, descent cone of the l1 norm.** Linear programmes: a random subspace shares a
ray with the cone if and only if it has a point inside, up to events of probability 0.
"""

import numpy as np
from jaxtyping import Float
from scipy.optimize import linprog

from theory.confocal import Vector

Directions = Float[np.ndarray, "n k"]

POSITIVE = 1e-6
"""What counts as more than 0 (ours): the solver meets its constraints to 1e-7."""


def least_values(
    curvatures: Vector, point: Vector, directions: Directions
) -> Float[np.ndarray, " values"]:
    """Return the least sum a x^2 over v + span of the first k columns, k = 0, 1, ...

    Args:
        curvatures: a >= 0.
        point: v.
        directions: columns in general position; those beyond the number of positive
            curvatures have no value of their own.
    """
    curved = curvatures > 0
    roots = np.sqrt(curvatures[curved])
    start = roots * point[curved]
    basis, _ = np.linalg.qr(roots[:, None] * directions[curved])
    taken = np.concatenate([[0.0], np.cumsum((basis.T @ start) ** 2)])
    return np.asarray(np.maximum(float(start @ start) - taken, 0.0))


def critical_dimension(
    curvatures: Vector, point: Vector, directions: Directions
) -> int:
    """Return the least k for which v + span of the first k columns meets E.

    One more than there are columns, if even all of them do not.
    """
    met = np.flatnonzero(least_values(curvatures, point, directions) <= 1)
    return int(met[0]) if met.size else directions.shape[1] + 1


def critical_draws(
    curvatures: Vector,
    point: Vector,
    draws: int,
    *,
    rng: np.random.Generator,
    orthogonal: bool = False,
) -> list[int]:
    """Return `critical_dimension` for independent draws of random directions.

    A random k-dimensional subspace meets E with the probability that a draw is <= k;
    n + 1/2 less the mean draw is delta, without bias (orthogonal: n - 1/2 less it),
    unless the cone is a subspace: v in E, or {0}.

    Args:
        curvatures: a >= 0.
        point: v.
        draws: how many.
        rng: source of the directions, which are normal.
        orthogonal: draw n - 1 directions orthogonal to v in place of n: subspaces of
            surviving weights are so (`theory.orthogonal_limit`).
    """
    size, found = len(point), []
    unit = point / np.linalg.norm(point)
    for _ in range(draws):
        directions = rng.standard_normal((size, size - orthogonal))
        if orthogonal:
            directions -= np.outer(unit, unit @ directions)
        found.append(critical_dimension(curvatures, point, directions))
    return found


def meets_orthant(directions: Directions) -> bool:
    """Return whether the span of the columns has a point with positive entries."""
    basis, _ = np.linalg.qr(directions)
    size, k = basis.shape
    # the largest t with basis y >= t
    rows = np.concatenate([-basis, np.ones((size, 1))], axis=1)
    return _largest(np.append(np.zeros(k), 1.0), rows, k) > POSITIVE


def meets_descent_cone(directions: Directions, nonzeros: int) -> bool:
    """Return whether the span meets the l1 norm's descent cone at (1, .., 1, 0, .., 0).

    That is, whether some z of the span has -sum_S z - sum_others |z| > 0.
    """
    basis, _ = np.linalg.qr(directions)
    on, off = basis[:nonzeros], basis[nonzeros:]
    sizes = np.eye(len(off))
    gain = np.append(-on.sum(0), -np.ones(len(off)))
    above = np.concatenate([off, -sizes], axis=1)
    below = np.concatenate([-off, -sizes], axis=1)
    return _largest(gain, np.concatenate([above, below]), basis.shape[1]) > POSITIVE


def _largest(gain: Vector, rows: Float[np.ndarray, "m n"], coefficients: int) -> float:
    """Return the largest gain @ x with rows @ x <= 0, the first entries within -+1."""
    others = [(None, None)] * (len(gain) - coefficients)
    bounds = [(-1.0, 1.0)] * coefficients + others
    result = linprog(-gain, A_ub=rows, b_ub=np.zeros(len(rows)), bounds=bounds)
    if result.status != 0:  # x = 0 is feasible, and the gain is bounded
        raise ValueError(f"expected a solved linear programme, got: {result.message}")
    return -float(result.fun)
