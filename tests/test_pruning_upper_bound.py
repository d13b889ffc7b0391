"""The claim on what is enough, in the order: identity, oracle, controls."""

from fractions import Fraction
from random import Random

import numpy as np

from theory import pruning_upper_bound
from theory.measure import Measure
from theory.model_spectra import power_law
from theory.pruning_limit import exact_limit, orthogonal_limit, removal_order
from theory.pruning_upper_bound import schur_loss, stationary_loss
from theory.rational_matrices import identity, integers, positive_definite
from theory.reoptimised import largest_removal, nested_losses

Z = 5.0
"""Standard errors that a mean may be off; p = 6e-7 for each of four comparisons."""


# losses -----------------------------------------------------------------------------


def test_losses_by_hand() -> None:
    hessian = np.array([[2, 1], [1, 1]]) * Fraction(1)
    weights = np.array([Fraction(3), Fraction(1)])
    for loss in (schur_loss, stationary_loss):
        assert loss(hessian, weights, 0) == 0
        assert loss(hessian, weights, 1) == Fraction(9, 2)
        assert loss(hessian, weights, 2) == Fraction(18 + 6 + 1, 2)


def test_survivors_of_a_multiple_of_the_identity_gain_nothing() -> None:
    weights = integers(Random(0), 4)
    for n in range(5):
        own = sum((w * w for w in weights[:n]), Fraction(0)) / 2
        assert schur_loss(identity(4), weights, n) == own


def test_least_losses_compare_three_things() -> None:
    sides = [pruning_upper_bound.least_losses(Random(seed)) for seed in range(60)]
    assert all(len(s.left) == 3 for s in sides)
    strict = [s for s in sides if s.left[0] < s.left[1]]
    assert len(strict) > 10  # re-optimising does help
    assert any(s.left[0] == 0 for s in sides)


def test_nested_losses_compare_every_n_and_the_limit() -> None:
    found = pruning_upper_bound.nested(Random(1))
    size = len(found.left) // 2 - 1
    assert len(found.left) == 2 * size + 2 and size >= 1
    assert bool((found.scale >= found.left.abs()).all())


# the survivors' limit ---------------------------------------------------------------


def limits(seed: int, scale: float) -> tuple[int, int, int]:
    """n* of the survivors and its two predictions, D = 120, Haar eigenvectors."""
    draws = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(draws.standard_normal((120, 120)))
    nodes = power_law(120)
    hessian, weights = (basis * nodes) @ basis.T, scale * draws.normal(size=120)
    order = removal_order(weights)
    trace = Measure(nodes, np.full(120, 1 / 120))

    def along(n: int) -> Measure:
        squares = (weights[order[:n]] @ basis[order[:n]]) ** 2
        return Measure(nodes, squares / squares.sum())

    found = largest_removal(nested_losses(hessian, weights, order), 0.01)
    survivors = orthogonal_limit(weights, trace, along, 120, 0.01)
    return found, survivors, exact_limit(weights, trace, along, 120, 0.01)


def test_the_orthogonal_limit_is_that_of_the_survivors() -> None:
    """Not that of a random subspace, which is too high. The mean of 16 nets each."""
    for scale in (0.2, 0.5):
        found = np.array([limits(seed, scale) for seed in range(16)])
        misses = found[:, 1:] - found[:, :1]
        means, errors = misses.mean(0), misses.std(0, ddof=1) / 4
        assert abs(means[0]) <= 1 + Z * errors[0]  # the limit is to within 1 or 2
        assert means[1] > 2 + Z * errors[1]


def test_the_hyperplane_is_built_with_its_own_basis() -> None:
    sides = [pruning_upper_bound.hyperplane_cone(Random(seed)) for seed in range(40)]
    assert all(len(s.left) == 2 for s in sides)
    assert len({s.left[0] for s in sides}) > 30
    assert all(0 < s.left[0] < 3 for s in sides)


# controls ---------------------------------------------------------------------------


def test_survivors_are_not_always_worse_than_paper_c_says() -> None:
    """T(R^2) is no bound in either direction."""
    found = [pruning_upper_bound.survivors_as_random(Random(s)) for s in range(60)]
    assert any(f.defect() > 0 for f in found) and any(f.defect() == 0 for f in found)


def test_saddles_break_both_inequalities() -> None:
    broken = set()
    for seed in range(80):
        sides = pruning_upper_bound.saddle(Random(seed))
        pairs = zip(sides.left, sides.right, strict=True)
        broken |= {row for row, (a, b) in enumerate(pairs) if a != b}
    assert broken == {0, 1} or broken == {0}


def test_positive_definite_cases_are_not_saddles() -> None:
    hessian, weights = positive_definite(Random(0), 3), integers(Random(1), 3)
    losses = [schur_loss(hessian, weights, n) for n in range(4)]
    assert losses == sorted(losses)


def test_flat_spectra_ask_for_something() -> None:
    sides = [pruning_upper_bound.flat_spectra(Random(seed)) for seed in range(100)]
    assert all(0 < s.right[0] <= Fraction(1, 2) for s in sides)
    parts = [s.case.split(",")[0].split(" of ") for s in sides]
    assert any(int(k) < int(size) for k, size in parts)
