"""Claim `stability-to-pruning` (paper B, section 2): what pruning does to training.

The stability of a subnetwork (W_k, m) to pruning is the expected distance

    E_u d(A(W_k, u), A(m * W_k, u)),    d(W, W') = || m * W - m * W' ||_2,

of the dense network and the subnetwork, both trained from k to T with the SAME data
order u. A is a function of the weights and of u: its optimiser starts from rest, and
holds pruned weights at exactly 0. Then

1. d is a pseudometric, grows with the mask, and obeys the law of cosines with the angle
   (`theory.masked_distance`).
2. Hidden units have no names: A(P W, P m, u) = P A(W, m, u) for any permutation P of
   the units of a layer, and d stays. Proof: f(P W) = f(W), so the gradient at P W is P
   times that at W; the optimiser treats all coordinates alike; induction over steps.
3. A subnetwork is a network of its own: training under a frozen mask and training the
   graph without the pruned edges give the same weights, with momentum and decay.
4. Whatever u: d = 0 at k = T, and if nothing that acts is pruned (m = 1, or only
   weights that read inputs which are always 0). Runs of different u can differ even
   then, for k < T.
5. In a linear model the difference of the two runs is linear in the pruned weights as
   they move through the dense training, and in nothing else. If W_k fits every sample
   and every step has the same batch, small plain steps make d fall to 0 as k rises to
   T; and if H = alpha I + beta 1 1^T and the weights have one sign, no mask of the same
   count is more stable than magnitude pruning's (ours; half the mean squared error;
   statements and proofs in `theory.pruning_forcing` and `theory.equal_correlations`).

That IMP's subnetworks are more stable than random ones in real networks, and both are
more stable for later k, is an observation of paper B, measured in figures b3 and b4; 5
is what can be proved of it. Its hypotheses are needed: see the controls.
"""

from dataclasses import replace
from fractions import Fraction
from random import Random

from theory import distance_laws, equal_correlations, pruning_forcing
from theory.claim import Check, Claim, Control, ExactSides
from theory.gradient_descent import Point
from theory.rational_training import (
    Batch,
    State,
    Subnetwork,
    moved,
    random_batches,
    random_subnetwork,
    relabelled,
    squared_distance,
    units,
)

STEPS = 2
"""The second is the first that feels momentum (ours)."""


def permuted_units(rng: Random) -> ExactSides:
    """Return trained weights and d^2 of a network with its hidden units permuted."""
    return _permuted(rng, mask=True)


def permuted_weights_alone(rng: Random) -> ExactSides:
    """Return the same where the units of W move, and those of m do not."""
    return _permuted(rng, mask=False)


def own_network(rng: Random) -> ExactSides:
    """Return weights trained under a mask, and of the graph without its edges."""
    subnetwork, order = _case(rng, _widths(rng))
    return _sides(subnetwork, subnetwork.train(order), _deleted(subnetwork, order))


def unfrozen(rng: Random) -> ExactSides:
    """Return the same, the gradient of pruned weights not set to 0."""
    subnetwork, order = _case(rng, _widths(rng))
    trained = subnetwork.dense.states(order, subnetwork.start())[-1].weights
    return _sides(subnetwork, trained, _deleted(subnetwork, order))


def momentum_carried(rng: Random) -> ExactSides:
    """Return the same, the velocity of the dense run carried over the rewind."""
    subnetwork, order = _case(rng, _widths(rng))
    own = replace(subnetwork, sgd=replace(subnetwork.sgd, momentum=Fraction(1, 2)))
    velocity = own.dense.states(order)[-1].velocity
    start = State(own.start().weights, velocity)
    trained = own.states(order, start)[-1].weights
    return _sides(own, trained, _deleted(own, order))


def nothing_pruned(rng: Random) -> ExactSides:
    """Return d^2 for some u, and 0, where only weights that cannot act are pruned."""
    return _harmless(rng)


def other_order(rng: Random) -> ExactSides:
    """Return the same for the batches of the subnetwork in the reverse order."""
    return _harmless(rng, reverse=True)


def not_rewound(rng: Random) -> ExactSides:
    """Return the same where the subnetwork starts from W_T in the place of W_k."""
    return _harmless(rng, rewind=False)


def pruned_counted(rng: Random) -> ExactSides:
    """Return the same for the distance of all weights, pruned ones included."""
    return _harmless(rng, everywhere=True)


def _harmless(
    rng: Random,
    *,
    reverse: bool = False,
    rewind: bool = True,
    everywhere: bool = False,
) -> ExactSides:
    """Return d^2, and 0: the first input is always 0, and what reads it can go."""
    subnetwork, order = _case(rng, _widths(rng))
    silent = [
        [replace(sample, inputs=sample.inputs | {0: Fraction(0)}) for sample in batch]
        for batch in order
    ]
    edges = list(subnetwork.dag.weights)
    own = replace(subnetwork, kept=frozenset(e for e in edges if e[0] != 0))
    trained = own.dense.train(silent)
    if not rewind:
        own = own.at({edge: trained[edge] for edge in edges})
    other = own.train(silent[::-1] if reverse else silent)
    where = edges if everywhere else sorted(own.kept)
    squared = squared_distance(trained, other, where)
    return ExactSides((squared,), (Fraction(0),), str(subnetwork))


def _permuted(rng: Random, *, mask: bool) -> ExactSides:
    widths = _widths(rng)
    subnetwork, order = _case(rng, widths)
    place = {unit: unit for unit in range(sum(widths))}
    for layer in units(widths)[1:-1]:
        place |= dict(zip(layer, rng.sample(layer, len(layer)), strict=True))
    other = relabelled(subnetwork, place)
    if not mask:
        other = replace(other, kept=subnetwork.kept)
    dense, own = subnetwork.dense.train(order), subnetwork.train(order)
    dense_moved, own_moved = other.dense.train(order), other.train(order)
    squared = squared_distance(dense, own, subnetwork.kept)
    squared_moved = squared_distance(dense_moved, own_moved, other.kept)
    weights = [own_moved[moved(key, place)] for key in own]
    return ExactSides(
        (*weights, squared_moved), (*own.values(), squared), str(subnetwork)
    )


def _widths(rng: Random) -> list[int]:
    return [rng.randint(2, 3), *rng.choice([[2], [3], [2, 2]]), rng.randint(1, 2)]


def _case(rng: Random, widths: list[int]) -> tuple[Subnetwork, list[Batch]]:
    subnetwork = random_subnetwork(rng, widths, bias=rng.random() < 0.5)
    return subnetwork, random_batches(rng, widths, STEPS, rng.randint(1, 2))


def _deleted(subnetwork: Subnetwork, order: list[Batch]) -> Point:
    """Return weights trained in the graph without the pruned edges; 0 for those."""
    left = {edge: subnetwork.dag.weights[edge] for edge in subnetwork.kept}
    trained = subnetwork.at(left).dense.train(order)
    trained |= dict.fromkeys(subnetwork.pruned, Fraction(0))
    return trained


def _sides(subnetwork: Subnetwork, left: Point, right: Point) -> ExactSides:
    return ExactSides(
        tuple(left.values()), tuple(right[key] for key in left), str(subnetwork)
    )


CLAIM = Claim(
    label="stability-to-pruning",
    title="Only what is pruned parts the dense run from the subnetwork",
    statement="m⊙A(W, u) − m⊙A(m⊙W, u) = Σ_t B_{T−1}⋯B_{t+1} f_t, f_t linear in the "
    "pruned weights (1−m)⊙θ_t alone; 0 if none acts; equal for permuted hidden units",
    source="Frankle et al. 2019, arXiv 1903.01611, section 2; linear model: ours",
    assumptions=(
        "the same data order u in both trainings",
        "the optimiser starts from rest, and treats all coordinates alike",
        "pruned weights are held at exactly 0",
        "the distance counts the kept weights only",
        "the sum: a linear model and stochastic gradient descent",
    ),
    checks=(
        Check("laws of distance and angle", distance_laws.laws, 1e-10),
        Check("laws on rational vectors, exact", distance_laws.rational_laws, 0.0),
        Check("hidden units permuted, exact", permuted_units, 0.0),
        Check("the graph without pruned edges, exact", own_network, 0.0),
        Check("nothing that acts is pruned, exact", nothing_pruned, 0.0),
        Check("linear: the pruned weights' push, exact", pruning_forcing.forcing, 0.0),
        Check("linear: H_KP = 0, exact", pruning_forcing.uncorrelated, 0.0),
        Check("linear: falls as k rises, exact", pruning_forcing.later, 0.0),
        Check("linear: best of all masks, exact", equal_correlations.magnitude, 0.0),
    ),
    controls=(
        Control("the two runs have different data orders", other_order),
        Control("pruned weights not frozen", unfrozen),
        Control("momentum carried over the rewind", momentum_carried),
        Control("not rewound: training goes on from W_T", not_rewound),
        Control("pruned weights counted in the distance", pruned_counted),
        Control("the units of W permuted, not those of m", permuted_weights_alone),
        Control(
            "the pruned weights' push as if they stood still",
            pruning_forcing.forcing_at_rest,
        ),
        Control(
            "later k: W_k fits nothing yet", pruning_forcing.later_before_the_minimum
        ),
        Control("later k: step above 1 / λ_max", pruning_forcing.later_at_a_high_rate),
        Control("best mask: both signs", equal_correlations.magnitude_of_both_signs),
    ),
)
