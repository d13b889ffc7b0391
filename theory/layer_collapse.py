"""Claim `one-shot-collapse` (paper A, figures 1, 2): which layer empties, and when.

N parameters in layers of N_1, ..., N_L are ranked once and the n best of all are kept
(global masking, the tie rule of `theory.masks`). Layer-collapse: some layer keeps none.

1. **Any scores.** Masks of one ranking are nested: what is among the n best is among
   the n + 1 best. So layer l is empty for exactly the n below the rank of its best
   parameter, and the smallest count without collapse is

       n_cr = max_l rank of layer l's best parameter,     rho_cr = N / n_cr.

2. **Conserved scores**: non-negative, every layer with the same total C > 0. Then

       n_cr <= N - N_max + 1,

   with equality if the scores of each layer are all equal, C / N_l. Proof: layer l's
   best score is at least its mean C / N_l. In another layer at most N_l scores reach
   that, or their total would exceed C; and at most N_k. So the best of layer l has rank
   <= 1 + sum_{k != l} min(N_k, N_l), and this is <= N - N_max + 1: for the largest
   layer trivially, for others as the largest one contributes N_l instead of N_max. With
   equal scores a largest layer (of several, the last: first of equals kept) has the
   last N_max ranks and empties first, wholly, before any other loses a parameter.
   So N / (N - N_max), paper A's form, is the first compression WITH collapse; rho_cr is
   N / (N - N_max + 1), and it is the worst case of all conserved scores: unequal scores
   inside the layers can only postpone the collapse. (The inequality is ours.)

3. **Random scores**: the critical count is n or less with the probability that no layer
   of a hypergeometric draw is empty; the smallest layer is the likeliest to go first.

4. **Magnitude**: the layer with the smallest max |theta| goes first: scale, size and
   tail of its distribution decide together. For 3 and 4 see `theory.collapse_odds`.

Left sides: bisection over integer counts with real masks, or enumeration of all draws.
Right sides: ranks and the closed forms. All in integers or fractions.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from random import Random

import torch

from theory.claim import Check, Claim, Control, ExactSides
from theory.collapse_odds import independent_draws, random_draws, with_replacement
from theory.critical_count import (
    Scores,
    conserved_count,
    critical_count,
    measured_count,
    ranks,
)
from theory.masks import Masks, collapsed, keep_largest
from theory.synflow import chain_factors


def ranking(rng: Random) -> ExactSides:
    """Return rho_cr by bisection and by ranks, for scores with many ties."""
    scores = _named([[rng.randint(-3, 3) for _ in range(n)] for n in _sizes(rng)])
    return _compare(scores, measured_count(scores), max(ranks(scores).values()))


def equal_scores(rng: Random) -> ExactSides:
    """Return rho_cr and the layer that goes first, for scores C / N_l."""
    sizes = _sizes(rng)
    scores, bound = _equal(sizes), conserved_count(sizes)
    gone = collapsed(keep_largest(scores, (bound - 1) / sum(sizes)))
    last = max(range(len(sizes)), key=lambda layer: (sizes[layer], layer))
    first = int(gone[0]) if len(gone) == 1 else -1
    sides = _compare(scores, measured_count(scores), bound)
    return ExactSides(
        (*sides.left, Fraction(first)), (*sides.right, Fraction(last)), sides.case
    )


def integer_synflow(rng: Random) -> ExactSides:
    """Return max(n_cr, bound) and the bound, for SynFlow on a chain of integers."""
    widths = [rng.randint(1, 4) for _ in range(rng.randint(3, 5))]
    weights = [
        torch.tensor([[float(rng.randint(0, 4)) for _ in range(n)] for _ in range(m)])
        for n, m in pairwise(widths)
    ]
    for weight in weights:
        weight[0, 0] = 1.0  # a path, so that C > 0
    factors = chain_factors([weight.double() for weight in weights])
    return _within({str(layer): factor for layer, factor in enumerate(factors)})


def conserved(rng: Random) -> ExactSides:
    """Return max(n_cr, bound) and the bound, for non-negative scores of one total."""
    return _within(_conserved_scores(rng))


def not_conserved(rng: Random) -> ExactSides:
    """Return the bound for equal scores whose total differs between the layers."""
    scores = _equal(_sizes(rng))
    return _within({name: s * rng.randint(1, 9) for name, s in scores.items()})


def both_signs(rng: Random) -> ExactSides:
    """Return the bound for scores of both signs with one total, as the saliency has.

    A layer of one weight with score C = 1 ranks behind what another layer pays for by
    one very negative score.
    """
    large = [rng.randint(1, 5) for _ in range(rng.randint(2, 6))]
    return _within(_named([[1], [*large, 1 - sum(large)]]))


def negative_flow(rng: Random) -> ExactSides:
    """Return the bound for C < 0: now the smallest layer has the lowest scores."""
    return _within({name: -s for name, s in _equal(_sizes(rng)).items()})


def no_flow(rng: Random) -> ExactSides:
    """Return the bound for C = 0: all scores tie, and the last layer goes first."""
    return _within(_named([[0] * n for n in _sizes(rng)]))


def unequal_scores(rng: Random) -> ExactSides:
    """Return n_cr and the bound as an equality, for unequal scores in a layer."""
    scores = _conserved_scores(rng)
    sizes = [score.numel() for score in scores.values()]
    return _compare(scores, measured_count(scores), conserved_count(sizes))


def local_masking(rng: Random) -> ExactSides:
    """Return n_cr and the bound as an equality, when each layer is pruned alone."""
    scores = _equal(sizes := _sizes(rng))
    return _compare(scores, measured_count(scores, "layer"), conserved_count(sizes))


def threshold_rule(rng: Random) -> ExactSides:
    """Return n_cr and the bound for masks score > t: a tie is pruned as a whole."""
    scores = _equal(sizes := _sizes(rng))
    ranked = torch.cat(list(scores.values())).sort(descending=True).values

    def masks_at(count: int) -> Masks:
        lowest = ranked[count] if count < len(ranked) else -math.inf
        return {name: score > lowest for name, score in scores.items()}

    count = critical_count(masks_at, len(ranked))
    return _compare(scores, count, conserved_count(sizes))


def _sizes(rng: Random) -> list[int]:
    return [rng.randint(1, 9) for _ in range(rng.randint(1, 6))]


def _named(layers: Sequence[Sequence[int]]) -> Scores:
    """Return layers "0", "1", ... of integer scores (exact in float64)."""
    return {
        str(layer): torch.tensor(values, dtype=torch.float64)
        for layer, values in enumerate(layers)
    }


def _conserved_scores(rng: Random) -> Scores:
    """Return layers of non-negative integers with one positive total."""
    flow = rng.randint(1, 30)
    layers = []
    for size in _sizes(rng):
        cuts = sorted(rng.randint(0, flow) for _ in range(size - 1))
        layers.append([b - a for a, b in pairwise([0, *cuts, flow])])
    return _named(layers)


def _equal(sizes: Sequence[int]) -> Scores:
    """Return integer scores C / N_l, C being a common multiple of the sizes."""
    flow = math.lcm(*sizes)
    return _named([[flow // size] * size for size in sizes])


def _compare(scores: Scores, left: int, right: int) -> ExactSides:
    """Return the compressions N / left and N / right."""
    size = sum(score.numel() for score in scores.values())
    case = "; ".join(str(score.flatten().tolist()) for score in scores.values())
    return ExactSides((Fraction(size, left),), (Fraction(size, right),), case)


def _within(scores: Scores) -> ExactSides:
    """Return max(n_cr, bound) and the bound, as compressions: equal if n_cr <= it."""
    bound = conserved_count([score.numel() for score in scores.values()])
    return _compare(scores, max(measured_count(scores), bound), bound)


CLAIM = Claim(
    label="one-shot-collapse",
    title="The critical compression of one ranking is known from ranks",
    statement="n_cr = max_l rank(best of l) ≤ N − N_max + 1, = for equal scores; "
    "random: P(n_cr ≤ n) = Σ_S (−1)^|S| C(N − N_S, n) / C(N, n)",
    source="Tanaka et al. 2020, arXiv 2006.05467, section 4; inequality and odds ours",
    assumptions=(
        "one ranking of all layers together, exact counts",
        "conserved: scores ≥ 0, every layer with one total C > 0",
        "random: independent scores, without ties",
    ),
    checks=(
        Check("ranks, any scores, exact", ranking, 0.0),
        Check("equal conserved scores, exact", equal_scores, 0.0),
        Check("conserved scores, exact", conserved, 0.0),
        Check("SynFlow of integer chains, exact", integer_synflow, 0.0),
        Check("random, all draws, exact", random_draws, 0.0),
        Check("magnitude, all draws, exact", independent_draws, 0.0),
    ),
    controls=(
        Control("scores not conserved", not_conserved),
        Control("scores of both signs", both_signs),
        Control("negative flow", negative_flow),
        Control("no flow", no_flow),
        Control("equality for unequal scores in a layer", unequal_scores),
        Control("local masking", local_masking),
        Control("a threshold that prunes ties whole", threshold_rule),
        Control("random draws with replacement", with_replacement),
    ),
)
