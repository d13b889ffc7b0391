"""The cone from w^k into S, cut by the survivors' hyperplane (ours).

Pruning removes the weights P: w^k = w* + v with v = -w*_P. What survives moves in the
subspace of the kept coordinates K, and that is orthogonal to v. So it is not a random
subspace of R^D: where the eigenvectors of H have no preferred coordinates, it is a
random subspace of the hyperplane v^perp, of dimension D - 1, and meets S if

    |K| + delta > D - 1,  that is, |P| < 1 + delta,  delta that of C cut by v^perp.

The limit is the largest |P| <= 1 + delta, as a whole number that is reached counts in
all limits: 1 even where S misses the hyperplane, and nothing can go.

With u = v / |v|, X = 1 + s A, and the notation of `theory.exact_limit`,

    sum v_i^2 (R^2 - r_i^2) / (r_i^2 + s1) = 0,
    delta = T(s1) - u'X^-2 u / u'X^-1 u  to within 2, for every D,

and delta = dim ker A (nodes up to 2^-40 of the largest count as 0: rounding) if there
is no s1 > 0, that is, if sum v_i^2 r_i^2 <= R^4: the
least loss in the hyperplane w^k + v^perp is then eps or more. Q(s1) = R^2 / (R^2 + s1),
so s1 > s0: this delta is smaller than that of C. For H = lambda I the survivors gain
nothing: S meets the hyperplane only if it holds w^k.

Proof. Theorem 1 of `theory.exact_limit` holds for every cone {y : b'y >= |B^(1/2) y|}
with b in the range of B and b'B^+ b > 1; G is (1 + tau B)^-1 and tau b'G b = 1. Here
B = c PAP and b = -PAv, P the projector on the hyperplane. Let s = c tau. The inverse
of PXP on the hyperplane is X^-1 - X^-1 u u'X^-1 / u'X^-1 u: its trace is as stated, and
from s PAv = PXv follows

    s^2 b'(1 + s PAP)^-1 b = v'Xv - R^4 / v'X^-1 v = R^2 + s (c + 1) - R^4 / v'X^-1 v,

which is to be c s: v'X^-1 v = R^4 / (R^2 + s). With v'X^-1 v = sum v^2 r^2 / (r^2 + s)
this is the equation above. It has one solution or none, as tau b'Gb increases from 0
to b'B^+ b. QED
"""

import math

from scipy.optimize import brentq

from theory.confocal import Vector, confocal_square, effective_dimension, scaled
from theory.measure import ROUNDING, Measure

REACH = 40.0
"""s beyond e^40 / min a counts as infinite: below rounding."""
LARGEST = 700.0
"""log s that float64 can hold."""


def orthogonal_dimension(
    trace: Measure,
    along: Measure,
    dimension: int,
    squared_length: float,
    epsilon: float,
) -> float:
    """Return delta of the cone from w^k into S, cut by the hyperplane orthogonal to v.

    A cone of dimension D - 1; its whole hyperplane if w^k is in S.

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
    if not squares @ nodes > 1:
        return float(dimension - 1)
    signs = squares * (squared_length * nodes - 1)

    low = math.log(confocal_square(nodes, squares))  # the balance is s0 there
    high = min(REACH - math.log(float(nodes[nodes > 0].min())), LARGEST)
    if _balance(high, signs, nodes) >= 0:  # of the sign that it keeps up to infinity
        return float(counts[a <= ROUNDING * a.max()].sum())
    log = low  # where s0 is below rounding, its sign says nothing
    if _balance(low, signs, nodes) > 0:
        log = brentq(_balance, low, high, args=(signs, nodes), xtol=1e-15, rtol=1e-15)
    square = math.exp(log)
    shrink = 1 / (1 + square * nodes)
    lost = float(squares @ shrink**2) / float(squares @ shrink)
    return effective_dimension(a, counts, square) - lost


def _balance(log: float, signs: Vector, nodes: Vector) -> float:
    return float(signs @ (1 / (1 + math.exp(log) * nodes)))
