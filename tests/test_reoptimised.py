"""Re-optimised losses: Cholesky, least squares, conjugate gradients, an optimiser."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from tolerance import tolerance

from theory.pruning_limit import largest, removal_order
from theory.reoptimised import (
    largest_removal,
    nested_losses,
    reoptimised,
    reoptimised_matrix_free,
)

CLOSE = tolerance(10**5)
SEEDS = st.integers(0, 2**32)


def case(
    seed: int, size: int, rank: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    draws = np.random.default_rng(seed)
    factor = draws.standard_normal((size, rank or size + 3))
    return factor @ factor.T, draws.standard_normal(size)


def gone(order: np.ndarray, n: int, size: int) -> np.ndarray:
    return np.isin(np.arange(size), order[:n])


# identity ---------------------------------------------------------------------------


@given(SEEDS, st.integers(1, 9))
def test_all_routes_agree(seed: int, size: int) -> None:
    hessian, weights = case(seed, size)
    order = removal_order(weights)
    losses = nested_losses(hessian, weights, order)
    assert losses.shape == (size + 1,) and losses[0] == 0.0
    whole = float(weights @ hessian @ weights) / 2
    slack = CLOSE * whole * np.linalg.cond(hessian)
    assert abs(losses[-1] - whole) <= slack
    for n in range(size + 1):
        removed = gone(order, n, size)
        direct = reoptimised(hessian, weights, removed)
        free = reoptimised_matrix_free(
            lambda x: hessian @ x, weights, removed, tolerance=1e-12
        )
        assert abs(direct.loss - losses[n]) <= slack
        assert abs(free.loss - losses[n]) <= slack
        for found in (direct, free):
            pruned = weights + found.shift
            assert (np.abs(pruned[removed]) == 0).all()
            pull = (hessian @ found.shift)[~removed]
            assert (np.abs(pull) <= 1e-6 * (1 + np.abs(hessian @ weights).max())).all()


def test_by_hand() -> None:
    """H = ((2, 1), (1, 1)): removing 3 of (1, 3) leaves 1/2 3^2 (1 - 1/2)."""
    hessian, weights = np.array([[2.0, 1.0], [1.0, 1.0]]), np.array([1.0, 3.0])
    found = reoptimised(hessian, weights, np.array([False, True]))
    assert found.loss == pytest.approx(2.25, rel=CLOSE)
    assert found.shift == pytest.approx([1.5, -3.0], rel=CLOSE)
    losses = nested_losses(hessian, weights, np.array([0, 1]))
    # the other: 1/2 (2 - 1); both: 1/2 (2 + 2 * 3 + 9)
    assert losses == pytest.approx([0.0, 0.5, 8.5], rel=CLOSE)
    reverse = nested_losses(hessian, weights, np.array([1, 0]))
    assert reverse == pytest.approx([0.0, 2.25, 8.5], rel=CLOSE)
    only = nested_losses(hessian, weights, np.array([1]))
    assert only == pytest.approx([0.0, 2.25], rel=CLOSE)


def test_by_a_general_optimiser() -> None:
    hessian, weights = case(1, 6)
    removed = gone(removal_order(weights), 3, 6)

    def loss(kept: np.ndarray) -> float:
        shift = -weights.copy()
        shift[~removed] = kept
        return float(shift @ hessian @ shift) / 2

    found = minimize(loss, np.zeros(3), method="BFGS", options={"gtol": 1e-10})
    assert reoptimised(hessian, weights, removed).loss == pytest.approx(found.fun)


# monotone and bounded ---------------------------------------------------------------


@given(SEEDS, st.integers(1, 12))
def test_losses_do_not_fall_and_re_optimising_helps(seed: int, size: int) -> None:
    hessian, weights = case(seed, size)
    order = removal_order(weights)
    losses = nested_losses(hessian, weights, order)
    assert (np.diff(losses) >= 0).all()
    for n, loss in enumerate(losses):
        pruned = np.where(gone(order, n, size), weights, 0.0)
        assert loss <= float(pruned @ hessian @ pruned) / 2 * (1 + 1e-9) + CLOSE


@given(SEEDS, st.integers(1, 12), st.floats(0, 2))
def test_the_largest_removal_by_scanning(seed: int, size: int, share: float) -> None:
    hessian, weights = case(seed, size)
    losses = nested_losses(hessian, weights, removal_order(weights))
    epsilon = share * float(losses[-1])
    scanned = max(n for n in range(size + 1) if losses[n] <= epsilon)
    assert largest_removal(losses, epsilon) == scanned
    assert largest(lambda n: bool(losses[n] <= epsilon), size) == scanned


def test_a_loss_of_epsilon_is_within_it() -> None:
    losses = np.array([0.0, 1.0, 2.0])
    assert [largest_removal(losses, e) for e in (0.0, 0.9, 1.0, 2.0, 9.0)] == [
        0,
        0,
        1,
        2,
        2,
    ]


# singular ---------------------------------------------------------------------------


@given(SEEDS, st.integers(2, 9))
def test_singular_hessians(seed: int, size: int) -> None:
    hessian, weights = case(seed, size, rank=max(size // 2, 1))
    order = removal_order(weights)
    with_ridge = nested_losses(hessian, weights, order, ridge=1e-9)
    for n in range(size + 1):
        removed = gone(order, n, size)
        direct = reoptimised(hessian, weights, removed)
        free = reoptimised_matrix_free(lambda x: hessian @ x, weights, removed)
        above = 1e-9 / 2 * float(direct.shift @ direct.shift)
        scale = float(weights @ hessian @ weights)
        assert direct.loss <= with_ridge[n] + 1e-7 * scale
        assert with_ridge[n] <= direct.loss + above + 1e-7 * scale
        assert abs(free.loss - direct.loss) <= 1e-4 * scale + CLOSE


def test_what_survives_for_nothing_is_free() -> None:
    """Rank 1: any one survivor that H sees takes all of the loss away."""
    ray = np.array([1.0, 2.0, 0.0])
    hessian, weights = np.outer(ray, ray), np.array([1.0, 5.0, 9.0])
    found = reoptimised(hessian, weights, np.array([True, False, False]))
    assert found.loss <= CLOSE
    assert found.shift == pytest.approx([-1.0, 0.5, 0.0], abs=CLOSE)


# edge cases and refusals ------------------------------------------------------------


def test_nothing_removed_and_nothing_kept() -> None:
    hessian, weights = case(3, 4)
    none, every = np.zeros(4, dtype=bool), np.ones(4, dtype=bool)
    whole = float(weights @ hessian @ weights) / 2
    for removed, loss in ((none, 0.0), (every, whole)):
        direct = reoptimised(hessian, weights, removed)
        free = reoptimised_matrix_free(lambda x: hessian @ x, weights, removed)
        assert direct.loss == pytest.approx(loss, rel=CLOSE)
        assert free.loss == pytest.approx(loss, rel=CLOSE)
        assert np.array_equal(direct.shift, np.where(removed, -weights, 0.0))


def test_the_caller_s_arrays_stay() -> None:
    hessian, weights = case(4, 5)
    kept = hessian.copy(), weights.copy()
    removed = gone(removal_order(weights), 2, 5)
    reoptimised(hessian, weights, removed)
    reoptimised_matrix_free(lambda x: hessian @ x, weights, removed)
    nested_losses(hessian, weights, removal_order(weights), ridge=1.0)
    assert np.array_equal(hessian, kept[0]) and np.array_equal(weights, kept[1])


def test_the_loss_of_loose_gradients_is_not_below_the_least() -> None:
    hessian, weights = case(5, 40)
    removed = gone(removal_order(weights), 20, 40)
    least = reoptimised(hessian, weights, removed).loss
    asked = []
    for tolerance_ in (1e-1, 1e-3, 1e-8):
        calls: list[int] = []

        def product(x: np.ndarray, calls: list[int] = calls) -> np.ndarray:
            calls.append(1)
            return np.asarray(hessian @ x)

        found = reoptimised_matrix_free(product, weights, removed, tolerance=tolerance_)
        assert found.loss >= least * (1 - 1e-9)
        pull = np.linalg.norm((hessian @ found.shift)[~removed])
        start = np.linalg.norm((hessian @ np.where(removed, -weights, 0.0))[~removed])
        assert pull <= 2 * tolerance_ * start
        asked.append(len(calls))
    assert asked[0] < asked[1] < asked[2]
    assert found.loss == pytest.approx(least, rel=1e-6)


def test_a_loss_that_is_low_enough_ends_the_iteration() -> None:
    hessian, weights = case(5, 40)
    removed = gone(removal_order(weights), 20, 40)
    least = reoptimised(hessian, weights, removed).loss
    gone_only = np.where(removed, -weights, 0.0)
    first = float(gone_only @ hessian @ gone_only) / 2
    assert first > 1.4 * least  # there is something to gain
    asked = []
    for enough in (first, 1.01 * least, 1.0001 * least, 0.9999 * least):
        calls: list[int] = []

        def product(x: np.ndarray, calls: list[int] = calls) -> np.ndarray:
            calls.append(1)
            return np.asarray(hessian @ x)

        found = reoptimised_matrix_free(product, weights, removed, enough=enough)
        assert np.array_equal(found.shift[removed], -weights[removed])
        loss = float(found.shift @ hessian @ found.shift) / 2
        assert found.loss == pytest.approx(loss, rel=CLOSE)
        assert (found.loss <= enough) == (enough > least)
        asked.append(len(calls))
    assert asked == sorted(set(asked)) and len(asked) == 4
    # what is enough is never refused for its gradient, what is not still is
    some = (first + least) / 2
    few = reoptimised_matrix_free(
        *(lambda x: hessian @ x, weights, removed), tolerance=1e-15, enough=some
    )
    assert least < few.loss <= some
    with pytest.raises(ValueError, match="did not reach"):
        reoptimised_matrix_free(
            *(lambda x: hessian @ x, weights, removed), limit=2, enough=0.999 * least
        )


def test_gradients_that_do_not_converge_are_refused() -> None:
    hessian, weights = case(6, 30)
    removed = gone(removal_order(weights), 10, 30)
    with pytest.raises(
        ValueError,
        match=r"^conjugate gradients did not reach 1e-12 in 2 products; raise the "
        r"limit or the tolerance, or check that H >= 0$",
    ):
        reoptimised_matrix_free(
            lambda x: hessian @ x, weights, removed, tolerance=1e-12, limit=2
        )


@pytest.mark.parametrize("ridge", [0.0, 0.5])
def test_indefinite_hessians_have_no_factor(ridge: float) -> None:
    with pytest.raises(
        ValueError,
        match=r"^expected a positive definite Hessian; treat negative eigenvalues, and "
        rf"for zero ones add a ridge of a small share of the largest, not {ridge}$",
    ):
        nested_losses(np.diag([1.0, -1.0]), np.ones(2), np.array([0, 1]), ridge)
    found = nested_losses(np.diag([1.0, -1.0]), np.ones(2), np.array([0, 1]), 2.0)
    assert found == pytest.approx([0.0, 1.5, 2.0], rel=CLOSE)


@pytest.mark.parametrize("epsilon", [-1e-9, float("nan")])
def test_no_rise_is_negative(epsilon: float) -> None:
    with pytest.raises(ValueError, match=r"^expected a rise of the loss >= 0, got "):
        largest_removal(np.array([0.0, 1.0]), epsilon)
