"""Rules for v^T f(H) v from a Lanczos run, and how far each can be from the truth.

Gauss: the k nodes of T_k. Exact for polynomials of degree <= 2k - 1, with the error

    f^(2k)(x) / (2k)! * integral of prod_j (lambda - theta_j)^2      for some x.

Radau at a: T_k bordered by beta_k and by

    alpha' = a + beta_k^2 / d_k,   d_1 = alpha_1 - a,
    d_j = alpha_j - a - beta_{j-1}^2 / d_{j-1},

has the eigenvalue a. Its k + 1 nodes, from the same k products, are exact for degree
<= 2k, with the error f^(2k+1)(x) / (2k+1)! * integral of (lambda - a) prod (...)^2.

So where H is positive semi-definite and f completely monotone on [0, inf), that is
(-1)^m f^(m) >= 0 for every m (as c / (c + lambda), its powers, exp(-t lambda)),

    Gauss <= v^T f(H) v <= Radau at 0.

A node at a >= all eigenvalues gives another lower bound (Golub & Meurant 2010, 6.2).

For any other f, or an indefinite H: the measure of v and its Gauss rule have quantile
functions with the property that the mass of node j lies in [theta_{j-1}, theta_{j+1}]
(inequalities of Chebyshev, Markov and Stieltjes; Szego 1939, 3.41), so

    sum_j w_j min f <= v^T f(H) v <= sum_j w_j max f,   over these intervals,

with theta_0 and theta_{k+1} the ends of the spectrum. `enclosure` is this bound: it is
coarse, but asks of f only to be monotone. `step_halved` is the rule of half the steps:
the difference from it is an estimate of its own error, no bound. It is at least the
error of all steps where doubling the steps at least halves the error; where the steps
are far too few for what lies near 0 it can be smaller by orders of magnitude.
"""

import numpy as np
from jaxtyping import Float

from theory.lanczos import Lanczos
from theory.measure import ROUNDING, Function, Measure, Treatment, treated


def gauss(run: Lanczos) -> Measure:
    """Return the rule of the run's own nodes and weights."""
    return Measure(run.nodes, run.weights)


def radau(run: Lanczos, at: float = 0.0) -> Measure:
    """Return the rule with a node at `at`, an end of the spectrum or beyond it.

    Where the run is exact, or has a node within 2^-40 of the largest |node| of `at`, it
    is the Gauss rule with that node moved there.

    Raises:
        ValueError: there are nodes on both sides of `at`.
    """
    nodes = run.nodes
    nearest = int(np.abs(nodes - at).argmin())
    if abs(nodes[nearest] - at) <= ROUNDING * np.abs(nodes).max():
        return _moved(gauss(run), nearest, at)
    if nodes[0] < at < nodes[-1]:
        raise ValueError(
            f"expected the node {at:.3g} at an end of the spectrum, got Ritz values "
            f"from {nodes[0]:.3g} to {nodes[-1]:.3g}; for an indefinite matrix "
            "estimate the quadrature's error by halving the steps"
        )
    if run.exact:
        return gauss(run)
    pivot = run.alphas[0] - at
    for alpha, beta in zip(run.alphas[1:], run.betas, strict=False):
        pivot = alpha - at - beta**2 / pivot
    last = at + run.betas[-1] ** 2 / pivot
    longer = Lanczos(np.append(run.alphas, last), np.append(run.betas, 0.0))
    rule = gauss(longer)
    return _moved(rule, int(np.abs(rule.nodes - at).argmin()), at)


def step_halved(run: Lanczos) -> Measure:
    """Return the Gauss rule of the first half of the steps.

    Of a single step, which has no half: the nodes alpha -+ beta, which have the second
    moment of the measure, too.
    """
    if run.steps > 1:
        return gauss(run.truncated(run.steps // 2))
    spread = float(run.betas[0])
    return Measure(run.alphas + np.array([-spread, spread]), np.array([0.5, 0.5]))


def enclosure(
    run: Lanczos,
    function: Function,
    *,
    treatment: Treatment | None = None,
    support: tuple[float, float] = (-np.inf, np.inf),
) -> tuple[float, float]:
    """Return a lower and an upper bound of v^T f(H) v for a monotone f.

    With f = 1 up to a width and 0 beyond it, and the treatment "absolute": bounds of
    the mass within that width of 0.

    Args:
        run: from v / |v|.
        function: monotone on the spectrum after the treatment; evaluated at the ends
            of the support, too.
        treatment: of negative eigenvalues, before the function.
        support: numbers between which the whole spectrum lies.

    Raises:
        ValueError: negative nodes under the treatment "refuse".
    """
    nodes, weights = run.nodes, run.weights
    left = nodes if run.exact else np.append(support[0], nodes[:-1])
    right = nodes if run.exact else np.append(nodes[1:], support[1])
    if treatment is not None:
        treated(nodes, treatment)  # refuses on account of nodes, not of the support
        fold = np.abs if treatment == "absolute" else lambda ends: np.maximum(ends, 0.0)
        ends = fold(left), fold(right)
        nearest = np.where((left < 0) & (right > 0), 0.0, np.minimum(*ends))
        left, right = nearest, np.maximum(*ends)
    values = np.stack([function(left), function(right)])
    return float(weights @ values.min(0)), float(weights @ values.max(0))


def resolution(run: Lanczos, at: float = 0.0) -> Float[np.ndarray, "2"]:
    """Return the two neighbouring nodes around a number, -inf or inf if there is none.

    How the mass between them is spread, the run does not know.
    """
    ends = np.concatenate([[-np.inf], run.nodes, [np.inf]])
    place = int(np.searchsorted(ends, at, side="right"))
    return ends[place - 1 : place + 1]


def _moved(rule: Measure, index: int, at: float) -> Measure:
    nodes = rule.nodes.copy()
    nodes[index] = at
    return Measure(nodes, rule.weights)
