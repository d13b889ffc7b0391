"""The mask that is the most stable to pruning is magnitude's: a solved case (ours).

A linear model whose W_k = w fits every sample, full batches, plain descent of n = T - k
steps, and inputs that are all equally correlated, H = alpha I + beta 1 1^T, beta > 0.
Statement 2 of `theory.pruning_forcing` holds with H_KP w_P = beta (sum of w_P) 1, and 1
is an eigenvector of H_KK with the eigenvalue lambda = alpha + |K| beta, so that

    d^2 = |K| (beta sum(w_P) (1 - (1 - eta lambda)^n) / lambda)^2.

For weights of one sign |sum(w_P)| is least where P are the lowest magnitudes: of all
masks with |K| survivors magnitude pruning's is the most stable, at every rate and every
k. This is paper B's comparison with random masks in a case with a proof. With both
signs pruned weights can cancel, and other masks are more stable.
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations
from random import Random

import torch

from theory.claim import ExactSides
from theory.lottery_tickets import lower
from theory.pruning_forcing import differences, fitting, linear_model
from theory.rational_training import Batch


def squared_distance(
    alpha: Fraction,
    beta: Fraction,
    survivors: int,
    pruned: Fraction,
    rate: Fraction,
    n: int,
) -> Fraction:
    """Return d^2 of the formula above; `pruned` is sum(w_P)."""
    along = alpha + survivors * beta
    share = 1 - (1 - rate * along) ** n
    return survivors * (beta * pruned * share / along) ** 2


def correlated(own: Fraction, shared: Fraction, weights: Sequence[int]) -> Batch:
    """Return samples own e_j for each input j, and shared 1, that the weights fit.

    alpha and beta are own^2 and shared^2 over their number, inputs + 1.
    """
    size = len(weights)
    rows = [[own * (i == j) for i in range(size)] for j in range(size)]
    return [fitting(row, weights) for row in [*rows, [shared] * size]]


def magnitude(rng: Random) -> ExactSides:
    """Return d^2 of magnitude pruning by training, and the least of all masks."""
    weights = [rng.randint(1, 9) for _ in range(rng.randint(3, 5))]
    return _most_stable(rng, weights, rng.randint(1, len(weights) - 1))


def magnitude_of_both_signs(rng: Random) -> ExactSides:
    """Return the same where the two largest weights cancel, and two are pruned."""
    weights = [rng.randint(1, 8) for _ in range(rng.randint(2, 3))] + [9, -9]
    return _most_stable(rng, weights, len(weights) - 2)


def _most_stable(rng: Random, weights: list[int], survivors: int) -> ExactSides:
    size, steps = len(weights), rng.randint(1, 3)
    own, shared = Fraction(rng.randint(1, 3)), Fraction(rng.randint(1, 3))
    batch, rate = correlated(own, shared, weights), Fraction(1, rng.randint(1, 20))
    trained = {"w": torch.tensor(weights, dtype=torch.float64)}
    whole = {"w": torch.ones(size, dtype=torch.bool)}
    mask = lower(trained, whole, 1 - survivors / size)["w"].tolist()
    kept = [j for j in range(size) if mask[j]]
    subnetwork = linear_model(weights, kept, rate)
    gaps = differences(subnetwork, [batch] * steps)
    alpha, beta = own**2 / (size + 1), shared**2 / (size + 1)
    least = min(
        squared_distance(alpha, beta, survivors, Fraction(sum(pruned)), rate, steps)
        for pruned in combinations(weights, size - survivors)
    )
    total = sum((gap * gap for gap in gaps), Fraction(0))
    return ExactSides((total,), (least,), f"{weights}, kept {kept}")
