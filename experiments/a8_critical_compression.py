"""Figure a8 (new): the critical compression, predicted and measured.

Claims `one-shot-collapse` and `maximal-critical-compression`. For every score and
architecture the smallest count of kept weights that leaves no layer empty, exact: from
ranks for one-shot pruning and by bisection over integer counts for iterated pruning;
nothing is read off a grid. A safe SynFlow run goes to its end: in a chain the weights
it leaves are the critical count; in a residual network, where a layer may empty and a
path survive, the count before the step that empties one is only an upper bound of it.

Networks are at initialisation and see class-balanced digits (small VGG) or Gaussian
images with uniform labels, generated. Large ones are scored in float32. The paper has
no such figure; its figures 1 and 6 read collapse off a grid of 10^(1/4).
"""

import math
from dataclasses import dataclass

from experiments.small_images import (
    BUILDERS,
    score_of,
    shortest_path,
    subject,
    tail_of,
)
from theory.collapse_odds import independent_count, normal, random_count
from theory.critical_count import conserved_count, critical_count, ranks
from theory.graph import Graph
from theory.masks import Masks, collapsed
from theory.networks import Network, Parameters
from theory.pruning import Score, prune
from theory.pruning_steps import layer_sizes, masks_after, schedule
from theory.synflow_pruning import prune_synflow

Row = dict[str, str | int | float]


@dataclass(frozen=True)
class Config:
    """One network, pruned by one algorithm."""

    architecture: str
    score: str
    steps: int = 1
    """1: one-shot; more: exponential schedule, scored before each; 0: see `safe`."""
    safe: bool = False
    """SynFlow in as many steps as the premise of theorem 3 needs, to its end."""
    double: bool = False
    """float64 instead of float32."""
    samples: int = 10
    """Images that the loss sees: the same number of each class of the digits."""
    seed: int = 0
    """Of the initialisation, the batch and the random scores."""


SCORES = ("random", "magnitude", "snip", "grasp", "taylor_fo", "saliency", "synflow")
SMALL = ("small_vgg", "lenet_300_100", "resnet20")


def _grid(
    large: int, safe: tuple[str, ...], iterated: tuple[str, ...], samples: int
) -> tuple[Config, ...]:
    """Return all networks and scores, `large` seeds of those with millions of weights.

    `safe` networks go to the end of SynFlow; `iterated` ones are searched by bisection.
    """
    one_shot = [
        Config(name, score, 1, False, name in SMALL, samples, seed)
        for name in BUILDERS
        for score in SCORES
        for seed in range(5 if name in SMALL else large)
    ]
    to_the_end = [
        Config(name, "synflow", 0, True, name in SMALL, seed=seed)
        for name in safe
        for seed in range(5 if name in SMALL else large)
    ]
    searched = [
        Config(name, score, steps=100, double=True, seed=seed)
        for name in iterated
        for score in ("magnitude", "snip", "synflow")
        for seed in range(3)
    ]
    return (*one_shot, *to_the_end, *searched)


GRID = {
    "default": (
        *_grid(1, (*SMALL, "vgg11", "fc5"), SMALL[:2], 10),
        *(
            Config(name, score, steps=100, double=True)
            for name in SMALL[:2]
            for score in ("random", "grasp", "taylor_fo", "saliency")
        ),
    ),
    "published": (
        *_grid(5, tuple(BUILDERS), SMALL, 100),
        *(
            Config(name, score, steps=100, double=True, seed=seed)
            for name in SMALL
            for score in ("random", "grasp", "taylor_fo", "saliency")
            for seed in range(3)
        ),
        *(
            Config(name, score, steps=100, seed=seed)
            for name in BUILDERS
            if name not in SMALL
            for score in SCORES
            for seed in range(3)
        ),
    ),
}

LEVELS = (0.05, 0.5, 0.95)
"""Probabilities of the predicted counts where scores are random."""


def run(config: Config) -> list[Row]:
    """Return one row: the critical count, its prediction, and both ceilings.

    `critical_count` weights leave no layer empty and one fewer empties `first_layer`.
    In a safe run it is the count after the last step without an empty layer (an upper
    bound: a step removes many), and `left` the weights that it cannot remove.
    `shortest` is the number of weights on a shortest path, `bound` = N - N_max + 1.
    `expected_low`, `expected` and `expected_high` are predicted counts: quantiles at
    `LEVELS` for random scores, magnitude and SynFlow; for the other scores all three
    are `bound`. `violations` counts probes around an iterated critical count whose
    collapse is not monotone, of `probes`.
    """
    network, x, labels, draws = subject(
        config.architecture,
        samples=config.samples,
        double=config.double,
        seed=config.seed,
    )
    score = score_of(config.score, x, labels, draws)
    sizes = layer_sizes(network)
    values = list(sizes.values())
    row: Row = {
        "weights": sum(values),
        "layers": len(values),
        "largest": max(values),
        "shortest": shortest_path(Graph.of(network, x[:1])),
        "bound": conserved_count(values),
    }
    if config.safe:
        row |= _to_the_end(network, tuple(x.shape[1:]))
    elif config.steps > 1:
        row |= _iterated(config, network, score, sum(values))
    else:
        every = score(network)
        measured = {name: every[name] for name in sizes}
        places = ranks(measured)
        first = max(places, key=lambda name: places[name])
        row |= {"critical_count": places[first], "first_layer": first}
        row |= _expected(config, network, measured)
    return [row | {"first_size": sizes.get(str(row["first_layer"]), 0)}]


def _expected(config: Config, network: Network, measured: Parameters) -> Row:
    """Return the predicted critical counts.

    Random: hypergeometric. Magnitude: the distribution that the initialisation draws
    from. SynFlow: a score is |theta| times two sums over many paths, nearly the same in
    all of the layer: half-normal scores with the layer's measured total (C in a chain).
    The other scores: equal scores in each layer, the worst case of conserved ones.
    """
    sizes = [score.numel() for score in measured.values()]
    if config.score == "random":
        counts = [float(random_count(sizes, level)) for level in LEVELS]
    elif config.score == "magnitude":
        scheme = BUILDERS[config.architecture][1]
        tails = [tail_of(network, name, scheme) for name in measured]
        counts = [independent_count(sizes, tails, level) for level in LEVELS]
    elif config.score == "synflow":
        means = [float(score.double().mean()) for score in measured.values()]
        tails = [normal(mean * math.sqrt(math.pi / 2)) for mean in means]
        counts = [independent_count(sizes, tails, level) for level in LEVELS]
    else:
        counts = [float(conserved_count(sizes))] * len(LEVELS)
    names = ("expected_low", "expected", "expected_high")
    return dict(zip(names, counts, strict=True))


def _iterated(config: Config, network: Network, score: Score, size: int) -> Row:
    """Return the boundary found by bisection, and what probes on both sides say."""
    empty: dict[int, tuple[str, ...]] = {}

    def masks_at(count: int) -> Masks:
        steps = []
        for step in prune(network, score, schedule(count / size, config.steps)):
            steps.append(step)
            if step.collapsed:  # pruned stays pruned: the rest changes nothing
                break
        masks = masks_after(network, steps)
        empty[count] = collapsed(masks)
        return masks

    count = critical_count(masks_at, size)
    probes = {round(count * factor) for factor in (0.5, 0.8, 1.25, 2.0)} - {0}
    for probe in sorted(probe for probe in probes if probe <= size):
        masks_at(probe)
    return {
        "critical_count": count,
        "first_layer": empty[count - 1][0] if count > 1 else "",
        "probes": len(empty),
        "violations": sum(bool(gone) != (n < count) for n, gone in empty.items()),
    }


def _to_the_end(network: Network, shape: tuple[int, ...]) -> Row:
    """Return where a safe run first empties a layer, and what it leaves in the end."""
    count = left = sum(layer_sizes(network).values())
    first, number = "", 0
    for step in prune_synflow(network, shape, [0.0], safe=True):
        left, number = step.remaining, step.number
        if not step.collapsed:
            count = left
        elif not first:
            first = step.collapsed[0]
    return {
        "critical_count": count,
        "first_layer": first,
        "left": left,
        "safe_steps": number,
    }
