"""Claim `maximal-critical-compression` (paper A, theorem 3): SynFlow reaches N / L.

A network of |theta| without biases, with an input of ones and activations that are the
identity on what they receive (ReLU and its kin), made of linear, convolution and
average-pooling layers, is a sum over input-output paths: R = sum_pi w(pi), w(pi) the
product of the |theta| on pi. The SynFlow score S_p = |theta_p| dR/d|theta_p| is the sum
of w(pi) over the paths through p, as often as they use p. The prune size of a set P is
sum_P S; a cut size is the score of a layer, R in a chain (`network-conservation`).

1. **One step** (ours, stronger than the paper's): R after removing P >= R - sum_P S.
   Proof. sum_P S adds up w(pi) as often as pi meets P, and what goes is the w(pi) of
   the paths that meet it at all. Equality if no path of positive weight meets P twice:
   for P inside one layer, if a path uses that layer once. Neither conservation, nor
   global masking, nor a chain is needed, and weights may be shared (then also >=). So
   prune size < R leaves R > 0: an input-output PATH, not only a parameter in a layer.
2. **Chains** (both published forms). While R > 0 and more than L parameters are left,
   a layer holds n >= 2 of them, whose scores add up to R: the lowest is <= R / n < R,
   and a step is possible, by one parameter (i) or any prune size < cut size (ii). The
   end is one parameter a layer: rho_cr = rho_max = N / L. Parameters cut off from all
   paths have score 0, go first and cost nothing. One at a time, with k left the largest
   layer has n >= ceil(k / L), so the last path carries (ours)
       R_end / R >= prod_{k=L+1}^N (1 - 1 / ceil(k / L)),   = (L / N)^L if L divides N.
   Any non-negative scores whose layers have one and the same total C > 0 before every
   step keep a parameter in each layer by this argument: the published statement.
3. **Any graph**: steps of prune size < R end at a set where every S_p >= R. If no path
   uses a parameter twice, that is S_p = R: one path. It need not be the shortest one
   (a branch of two weights may carry more than its one-weight shortcut), so that the
   largest compression that a residual net allows, N / (parameters of a shortest path),
   may be missed. Weights shared by layers: more than a path may be left.
4. **Max-pooling**: R = max over selections sigma of a path sum R_sigma, as all that
   comes after a maximum is monotone; S is that of a selection sigma* which attains it.
   So R after >= R_sigma* after >= R - sum_P S, over any layers: 2 and 3 hold; what was
   an equality in one layer becomes >=, strict where another selection takes over.
5. **Positive scores** (ours): form (i) needs only C > 0 where R is multilinear in the
   layers, as in linear networks: the lowest score is <= C / 2 whatever its sign, and R
   falls by exactly it. With C < 0 the only weight of a layer can have the lowest score.
   Form (ii) does need the sign: negative scores pay for a whole layer.

Two routes: R after, by a forward pass; scores, by sums over listed paths or autograd.
"""

from fractions import Fraction
from math import ceil, prod
from random import Random

from theory import dropped_hypotheses, exact_pruning, followed_networks
from theory.claim import Check, Claim, Control, ExactSides
from theory.exact_pruning import one_at_a_time, safely
from theory.positive_paths import Units, random_chain, random_graph

ONE = Fraction(1)


def surviving_share(size: int, layers: int) -> Fraction:
    """Return prod_{k=L+1}^N (1 - 1 / ceil(k / L)), the least R_end / R one at a time.

    Of a chain of `size` = N parameters in `layers` = L layers. Ours; see 2 above.

    Raises:
        ValueError: not 1 <= layers <= size.
    """
    if not 1 <= layers <= size:
        raise ValueError(
            f"expected 1 <= layers <= size, got {layers} layers of {size} parameters "
            "in all; every layer has at least one"
        )
    steps = range(layers + 1, size + 1)
    return prod((1 - Fraction(1, ceil(Fraction(k, layers))) for k in steps), start=ONE)


def one_layer(rng: Random) -> ExactSides:
    """Return R after, and R - sum_P S, for P inside one layer; signs do not matter."""
    units = random_chain(rng, signed=rng.random() < 0.5)
    after, least = _removal(units, rng, {rng.choice(units.layers)})
    return ExactSides((after,), (least,), str(units))


def several_layers(rng: Random) -> ExactSides:
    """Return min(R after, R - sum_P S) and R - sum_P S; some weights are shared."""
    units = random_graph(rng, shared=True)
    after, least = _removal(units, rng, set(units.layers))
    return ExactSides((min(after, least),), (least,), str(units))


def singly(rng: Random) -> ExactSides:
    """Return the counts at N / L and the last path's share: 1s and its bound."""
    units = random_chain(rng)
    size, layers = len(units.weights), max(units.layers) + 1
    (end,) = (
        k for k in one_at_a_time(units, exact_pruning.synflow) if len(k) == layers
    )
    left = [Fraction(count) for count in units.counts(end)]
    share = Fraction(units.flow(end), units.flow(units.everything))
    least = surviving_share(size, layers)
    return ExactSides((*left, min(share, least)), (*[ONE] * layers, least), str(units))


def in_safe_steps(rng: Random) -> ExactSides:
    """Return the counts where steps of prune size < cut size end, and R > 0."""
    units = random_chain(rng)
    *_, end = safely(units)
    left = (*units.counts(end), int(units.flow(end) > 0))
    return ExactSides(tuple(map(Fraction, left)), (ONE,) * len(left), str(units))


def one_path(rng: Random) -> ExactSides:
    """Return the scores where the safe steps of a graph end, and R: one path."""
    units = random_graph(rng)
    *_, end = safely(units)
    flow = Fraction(units.flow(end))
    left = tuple(Fraction(score) for score in units.scores(end).values())
    return ExactSides(
        (*left, Fraction(flow > 0)), (flow,) * len(left) + (ONE,), str(units)
    )


def equal_across_layers(rng: Random) -> ExactSides:
    """Return R after and R - sum_P S for P over several layers, as if equal."""
    units = random_chain(rng)
    after, least = _removal(units, rng, set(units.layers))
    return ExactSides((after,), (least,), str(units))


def _removal(units: Units, rng: Random, layers: set[int]) -> tuple[Fraction, Fraction]:
    """Return R after removing some parameters of the layers, and R - their scores."""
    kept = units.everything
    gone = {p for p in kept if units.layers[p] in layers and rng.random() < 0.5}
    score = units.scores(kept)
    least = units.flow(kept) - sum(score[p] for p in gone)
    return Fraction(units.flow(kept - gone)), Fraction(least)


CLAIM = Claim(
    label="maximal-critical-compression",
    title="Iterated SynFlow reaches the largest compression, along a path",
    statement="prune size < cut size at every step ⇒ R_SF > 0, ρ_cr = ρ_max = N / L",
    source="Tanaka et al. 2020, arXiv 2006.05467, theorem 3; R_SF > 0, graphs ours",
    assumptions=(
        "scores of R_SF: positive, each layer of a chain with the same total",
        "R_SF > 0 at the start: an input-output path of nonzero weights",
        "re-scored after every parameter, or prune size < cut size",
        "global masking (not needed for the path)",
        "L layers in a chain; in other graphs one path is left",
    ),
    checks=(
        Check("integer chains, one layer: R falls by S", one_layer, 0.0),
        Check("integer graphs, any P: R falls by at most S", several_layers, 0.0),
        Check("integer chains, one at a time", singly, 0.0),
        Check("integer chains, prune size < cut size", in_safe_steps, 0.0),
        Check("integer graphs: one path is left", one_path, 0.0),
        Check(
            "MLPs and convnets, every step followed",
            followed_networks.followed_chain,
            1e-10,
        ),
        Check(
            "residual networks, every step followed",
            followed_networks.followed_graph,
            1e-10,
        ),
        Check("max-pooling: R falls by at most S", followed_networks.at_most, 1e-10),
    ),
    controls=(
        Control("scores not positive: signed saliency", dropped_hypotheses.signed),
        Control("not conserved: iterated magnitude", dropped_hypotheses.by_magnitude),
        Control("not conserved: iterated SNIP", dropped_hypotheses.by_snip),
        Control("not conserved: biases kept", dropped_hypotheses.biases_kept),
        Control("not iterated: one-shot SynFlow", dropped_hypotheses.one_shot),
        Control("prune size >= cut size: two steps", dropped_hypotheses.two_steps),
        Control("no path at the start", dropped_hypotheses.no_path),
        Control("equality for P over several layers", equal_across_layers),
    ),
)
