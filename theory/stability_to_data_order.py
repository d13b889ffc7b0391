"""Claim `stability-to-data-order` (paper B, section 2): how far two orders lead apart.

The stability of a subnetwork (W_k, m) to data order is the expected distance

    E_{u,u'} d(A(m * W_k, u), A(m * W_k, u')),    d(W, W') = || m * W - m * W' ||_2,

of two copies that are trained from k to T with INDEPENDENT orders u, u' of one law.
Let X = m * A(m * W_k, u). For any network and any optimiser

1. E d^2 = 2 tr Cov X, so that E d <= sqrt(2 tr Cov X); for one and the same u d = 0.
   Proof: E|X - X'|^2 = 2 E|X|^2 - 2 <E X, E X'>.
2. Of n orders: the mean of d^2 over all pairs is 2 / (n - 1) sum_i |X_i - mean X|^2,
   with the expectation of 1. The pairs share runs; the jackknife over orders gives the
   error of their mean, a little too large (`theory.u_statistic`).
3. Split ONE run at k, its optimiser as it stands, into two that go on with orders drawn
   independently given the first k batches. Then (ours)

       E d^2 = 2 sum_{t = k}^{T - 1} E |Delta_t|^2,
       Delta_t = E[X | batches 0..t] - E[X | batches 0..t-1],

   what the batch t decides of the end. So it falls as k rises, to 0 at k = T. Proof: by
   1 it is 2 E tr Cov(X | first k batches), and X less its mean given these is the sum
   of the martingale differences Delta_t, which are orthogonal.
4. In a linear model whose batches are drawn independently each step is a random affine
   map z -> G z + c (`theory.affine_steps`), G and c those of the batch. From C = 0 at k

       E z+ = E G E z + E c,    C+ = E[G C G^T] + Cov(G E z + c),    tr C over weights.

3 is about one run that is forked later and later. Paper B's rewinding is another thing:
each k has a run of its own, dense up to k, masked there, with an optimiser that starts
from rest. That random subnetworks are more stable there too for later k is an
observation (figure b4, which has what is seen of IMP's), and the controls show that 3
does not imply it.

All expectations are sums over all orders, on both sides, in rational arithmetic.
"""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import combinations, permutations, product
from random import Random
from statistics import mean

import numpy as np

from theory import affine_steps, forked_runs, pair_sampling
from theory.affine_steps import Quadratic, at_rest
from theory.claim import Check, Claim, Control, ExactSides
from theory.gradient_descent import Sgd
from theory.order_forks import Order, centre, decided, fork, gap, spread
from theory.rational_training import (
    Batch,
    Subnetwork,
    random_batches,
    random_subnetwork,
)

STEPS = 3
"""T of the trainings whose orders are all tried: the last step feels the momentum that
the first has left (ours)."""


def second_moment(rng: Random) -> ExactSides:
    """Return the mean of d^2 over all pairs of orders, and 2 tr Cov."""
    return _coupled(rng, lambda order, orders: orders)


def same_order(rng: Random) -> ExactSides:
    """Return the mean of d^2 over an order and itself, and 2 tr Cov."""
    return _coupled(rng, lambda order, orders: [order])


def reversed_order(rng: Random) -> ExactSides:
    """Return the mean of d^2 over an order and its reverse, and 2 tr Cov."""
    return _coupled(rng, lambda order, orders: [order[::-1]])


def sampled_pairs(rng: Random) -> ExactSides:
    """Return the mean of d^2 over the pairs of some runs, and their spread."""
    subnetwork, batches = _case(rng)
    ends = list(forked_runs.ends(subnetwork, batches, _with_replacement()).values())
    runs = rng.choices(ends, k=rng.randint(2, 5))
    left = mean(gap(x, y) for x, y in combinations(runs, 2))
    right = mean(gap(x, centre(runs)) for x in runs) * 2 * len(runs) / (len(runs) - 1)
    return ExactSides((left,), (right,), str(subnetwork))


def error_of_pairs(rng: Random) -> ExactSides:
    """Return Var U and E V - Var U over all samples of orders, and by the zetas."""
    table, n, case = _kernel(rng)
    error = pair_sampling.variance_of_mean(table, n)
    excess = pair_sampling.jackknifed(table, n) - error
    shared, whole = pair_sampling.zetas(table)
    expected = (4 * (n - 2) * shared + 2 * whole) / (n * (n - 1))
    formula = (2 * whole - 4 * shared) / ((n - 1) * (n - 2))
    return ExactSides((error, excess), (expected, formula), case)


def independent_pairs(rng: Random) -> ExactSides:
    """Return what a formula for independent pairs expects of Var U, and Var U."""
    table, n, case = _kernel(rng)
    naive = pair_sampling.taken_as_independent(table, n)
    return ExactSides((naive,), (pair_sampling.variance_of_mean(table, n),), case)


def forks(rng: Random) -> ExactSides:
    """Return E d^2 of forks at k = 0..T, and 2 sum of E|Delta_t|^2 from k on."""
    return _forked(rng, _with_replacement())


def forks_of_an_epoch(rng: Random) -> ExactSides:
    """Return the same for orders without replacement: what is left is permuted."""
    return _forked(rng, list(permutations(range(STEPS))))


def fork_at_rest(rng: Random) -> ExactSides:
    """Return the same where the optimiser is stopped at the fork."""
    return _forked(rng, _with_replacement(), forked_runs.stopped)


def fork_of_the_dense_run(rng: Random) -> ExactSides:
    """Return the same where the run is dense up to k and masked there."""
    return _forked(rng, _with_replacement(), forked_runs.rewound)


def moments(rng: Random) -> ExactSides:
    """Return the mean of d^2 over all pairs of orders, and 2 tr C by the recursion."""
    widths = [rng.randint(2, 3), 1]
    subnetwork = random_subnetwork(rng, widths, bias=False)
    batches = random_batches(rng, widths, 2, rng.randint(1, 2))
    ends = forked_runs.ends(subnetwork, batches, _with_replacement())
    kept = sorted(i for i, _ in subnetwork.kept)
    maps = [Quadratic.of(b).on(kept).step(subnetwork.sgd) for b in batches]
    weights = [subnetwork.dag.weights[e] for e in sorted(subnetwork.kept)]
    start = at_rest(np.array(weights, dtype=object))
    _, covariance = affine_steps.moments(maps, start, STEPS)
    trace = sum(np.diag(covariance)[: len(kept)])
    return ExactSides((fork(ends, 0),), (2 * trace,), str(subnetwork))


def _coupled(
    rng: Random, partners: Callable[[Order, list[Order]], list[Order]]
) -> ExactSides:
    subnetwork, batches = _case(rng)
    orders = _with_replacement()
    ends = forked_runs.ends(subnetwork, batches, orders)
    left = mean(
        mean(gap(ends[order], ends[other]) for other in partners(order, orders))
        for order in orders
    )
    return ExactSides((left,), (2 * spread(list(ends.values())),), str(subnetwork))


def _forked(
    rng: Random, orders: list[Order], split: forked_runs.Split | None = None
) -> ExactSides:
    subnetwork, batches = _case(rng)
    ends = forked_runs.ends(subnetwork, batches, orders)
    left = []
    for k in range(STEPS + 1):
        at_k = split and {o: split(subnetwork, batches, o, k) for o in orders}
        left.append(fork(at_k or ends, k))
    increments = [decided(ends, t) for t in range(STEPS)]
    right = [2 * sum(increments[k:], Fraction(0)) for k in range(STEPS + 1)]
    return ExactSides(tuple(left), tuple(right), str(subnetwork))


def _with_replacement() -> list[Order]:
    return list(product(range(2), repeat=STEPS))


def _kernel(rng: Random) -> tuple[pair_sampling.Table, int, str]:
    """Return d^2 of two or three ends of runs, how many to draw, and the case."""
    size = rng.randint(1, 3)
    ends = [
        tuple(Fraction(rng.randint(-3, 3)) for _ in range(size))
        for _ in range(rng.randint(2, 3))
    ]
    n = rng.randint(3, 4)
    return [[gap(x, y) for x in ends] for y in ends], n, f"{n} runs of {ends}"


def _case(rng: Random) -> tuple[Subnetwork, list[Batch]]:
    widths, quarter = [2, 2, 1], Fraction(1, 4)
    drawn = random_subnetwork(rng, widths, bias=rng.random() < 0.5)
    sgd = Sgd(quarter, rng.choice([2 * quarter, 3 * quarter]), drawn.sgd.decay)
    subnetwork = replace(drawn, sgd=sgd)
    return subnetwork, random_batches(rng, widths, STEPS, rng.randint(1, 2))


CLAIM = Claim(
    label="stability-to-data-order",
    title="Two data orders part by what each batch decides",
    statement="E d² = 2 tr Cov(m⊙A(m⊙W, u)) = 2 Σ_{t≥k} E‖E[X | batches ≤ t] − "
    "E[X | batches < t]‖² for a run forked at k: falls to 0 as k rises to T",
    source="Frankle et al. 2019, arXiv 1903.01611, section 2; 2 to 4: ours",
    assumptions=(
        "two independent orders of one law",
        "forks: of one run, its optimiser as it stands",
        "forks: orders independent given the batches before k",
        "recursion: a linear model, batches drawn independently",
    ),
    checks=(
        Check("all pairs of orders, exact", second_moment, 0.0),
        Check("pairs of some runs, exact", sampled_pairs, 0.0),
        Check("error of their mean, exact", error_of_pairs, 0.0),
        Check("forks at every k, exact", forks, 0.0),
        Check("forks of an epoch without replacement, exact", forks_of_an_epoch, 0.0),
        Check("linear: recursion of moments, exact", moments, 0.0),
    ),
    controls=(
        Control("the same order twice", same_order),
        Control("an order and its reverse", reversed_order),
        Control("pairs taken as independent", independent_pairs),
        Control("the optimiser stopped at the fork", fork_at_rest),
        Control("dense up to the fork, masked there", fork_of_the_dense_run),
    ),
)
