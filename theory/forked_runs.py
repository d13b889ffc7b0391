"""Where the runs of a subnetwork end, and two ways to lose something at a step k.

`stopped` keeps the weights alone; `rewound` is paper B's protocol: the network is dense
up to k, masked there, and its optimiser starts from rest. All return X, the kept
weights at the end (`theory.order_forks`), in rational arithmetic.
"""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction

from theory.gradient_descent import Point
from theory.order_forks import Ends, Order, Vector
from theory.rational_training import Batch, State, Subnetwork

Split = Callable[[Subnetwork, Sequence[Batch], Order, int], Vector]
"""(subnetwork, batches, order, k) -> X."""


def ends(
    subnetwork: Subnetwork, batches: Sequence[Batch], orders: Iterable[Order]
) -> Ends:
    """Return X of each order, of runs that lose nothing: a fork is at any k."""
    return {
        order: _end(subnetwork, subnetwork.start(), batches, order) for order in orders
    }


def stopped(
    subnetwork: Subnetwork, batches: Sequence[Batch], order: Order, k: int
) -> Vector:
    """Return X of a run whose velocity is set to 0 at k."""
    first = subnetwork.train([batches[i] for i in order[:k]])
    return _end(subnetwork, _at_rest(first), batches, order[k:])


def rewound(
    subnetwork: Subnetwork, batches: Sequence[Batch], order: Order, k: int
) -> Vector:
    """Return X of m * W_k, W_k trained densely."""
    first = subnetwork.dense.train([batches[i] for i in order[:k]])
    masked = first | dict.fromkeys(subnetwork.pruned, Fraction(0))
    return _end(subnetwork, _at_rest(masked), batches, order[k:])


def _at_rest(weights: Point) -> State:
    return State(weights, dict.fromkeys(weights, Fraction(0)))


def _end(
    subnetwork: Subnetwork, start: State, batches: Sequence[Batch], order: Order
) -> Vector:
    last = subnetwork.states([batches[i] for i in order], start)[-1]
    return tuple(last.weights[edge] for edge in sorted(subnetwork.kept))
