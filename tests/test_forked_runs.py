"""What is kept and what is lost at a fork: by hand, on a linear model."""

from fractions import Fraction
from itertools import product

from theory.exact import RationalDag
from theory.forked_runs import ends, rewound, stopped
from theory.gradient_descent import Sgd
from theory.rational_training import Sample, Subnetwork

ONE = Fraction(1)
DAG = RationalDag(
    weights={(0, 2): 2 * ONE, (1, 2): 3 * ONE},
    biases={},
    slopes=(ONE,) * 3,
    inputs={0: ONE, 1: ONE},
    linear=(0 * ONE,) * 3,
    quadratic=(ONE,) * 3,
)
OWN = Subnetwork(DAG, frozenset({(0, 2)}), Sgd(ONE / 2, ONE / 2))
BATCHES = [
    [Sample({0: ONE, 1: ONE}, {2: 0 * ONE})],
    [Sample({0: ONE, 1: -ONE}, {2: ONE})],
]


def test_ends_are_the_kept_weights_of_each_order() -> None:
    found = ends(OWN, BATCHES, [(0, 0), (1,), ()])
    # v = 2, w = 1; then v = 1 + 1, w = 0. Of batch 1: v = 2 - 1, w = 3 / 2
    assert found == {(0, 0): (0,), (1,): (3 * ONE / 2,), (): (2,)}


def test_ends_are_in_the_order_of_the_edges() -> None:
    both = ends(OWN.dense, BATCHES, [()])
    assert both == {(): (2, 3)}


def test_a_stopped_run_has_no_velocity_after_k() -> None:
    assert stopped(OWN, BATCHES, (0, 0), 1) == (1 - ONE / 2,)
    for k in (0, 2):
        assert stopped(OWN, BATCHES, (0, 0), k) == (0,)


def test_a_rewound_run_is_dense_and_masked_at_k_and_starts_from_rest() -> None:
    # dense: output 5, w = 2 - 5 / 2, then from rest: w - w / 2
    assert rewound(OWN, BATCHES, (0, 0), 1) == ((2 - 5 * ONE / 2) / 2,)
    assert rewound(OWN, BATCHES, (0, 0), 0) == (0,)
    # dense to the end: v = 5 / 2 + (-1 / 2 + 1 / 2), w = -1 / 2 - 5 / 4
    assert rewound(OWN, BATCHES, (0, 0), 2) == (-ONE / 2 - 5 * ONE / 4,)


def test_nothing_is_lost_without_momentum() -> None:
    own = Subnetwork(DAG, OWN.kept, Sgd(ONE / 2))
    orders = list(product(range(2), repeat=3))
    whole = ends(own, BATCHES, orders)
    for order in orders:
        assert all(stopped(own, BATCHES, order, k) == whole[order] for k in range(4))
        assert (
            rewound(own.dense, BATCHES, order, 2)
            == ends(own.dense, BATCHES, [order])[order]
        )
