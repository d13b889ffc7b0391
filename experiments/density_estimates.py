"""Estimates of a known Hessian's spectral measure and of paper C's limit from it.

Ours: nodes and weights as they are. "smeared" is paper C's code: 125 steps a run (128
there), no zero rows left out, Gaussians on a grid, |lambda|; "unsmeared" are the nodes
of the same runs as they are: what the smearing alone costs. "curvlinops" is its
`lanczos_approximate_spectrum` as it comes: no re-orthogonalisation, wide Gaussians; it
is given the ends of the spectrum. Starts have no preferred direction, so that the
product of the diagonal matrix of eigenvalues has the same distribution.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from scipy.stats import wasserstein_distance
from torch import Tensor

from experiments.known_curvature import KnownCurvature, diagonal
from experiments.trace_estimates import draw_seed
from theory.confocal import Vector
from theory.deflation import deflation
from theory.limit_interval import EstimatedLimits
from theory.measure import Measure, mixture
from theory.pruning_limit import paper_limit
from theory.slq_mistakes import GRID, VARIANCE
from theory.spectrum import Spectrum, spectrum

Method = Literal[
    "4 probes",
    "10 probes",
    "4 probes, all",
    "4 probes, deflated",
    "smeared",
    "unsmeared",
    "curvlinops",
]

PROBES: dict[str, int] = {
    "4 probes": 4,
    "10 probes": 10,
    "4 probes, all": 4,
    "4 probes, deflated": 4,
    "curvlinops": 4,
}
STEPS = 125
"""Of a run of paper C's code, so that 8 runs are 1,000 products."""
POINTS = 1024
"""Of curvlinops' grid, its default as is the width."""
REACH = 10.0
"""Standard deviations beyond which a Gaussian of the grid is nothing: e^-50."""


class Limit(NamedTuple):
    """How many weights can go, with an interval where the method states one."""

    low: int
    value: int
    high: int
    stated: bool


@dataclass(frozen=True)
class Density:
    """An estimate of the spectral measure, and what it cost."""

    measure: Measure
    limit: Limit
    products: int


def density(
    known: KnownCurvature, method: str, products: int, rng: torch.Generator
) -> Density:
    """Return a `Method`'s measure (of weights that sum to 1) and limit.

    Args:
        known: the network.
        method: one of `Method`.
        products: with the Hessian; rounded down to whole steps of all probes.
        rng: of the probes.
    """
    if method in ("smeared", "unsmeared"):
        probes = max(products // STEPS, 1)
        found = _runs(known, probes, products // probes, rng, every=True)
        measure = found.measure()
        if method == "smeared":
            parts = [smeared(part) for part in found.measures()]
            measure = mixture(part.scaled(1 / probes) for part in parts)
    elif method == "curvlinops":
        measure = _curvlinops(known, PROBES[method], products, rng)
    else:
        probes = PROBES[method]
        if method == "4 probes, deflated":
            found = _deflated(known, probes, products, rng)
        else:
            every = method == "4 probes, all"
            found = _runs(known, probes, products // probes, rng, every=every)
        weights = known.weights[known.prunable]
        limits = EstimatedLimits(weights, found, known.epsilon, "halving", "absolute")
        return Density(found.measure(), Limit(*limits.paper(), True), found.products)
    value = removable(known, measure)
    return Density(measure, Limit(value, value, value, False), products)


def removable(known: KnownCurvature, measure: Measure) -> int:
    """Return paper C's limit from a spectral measure, |lambda| taken as there."""
    weights = known.weights[known.prunable]
    absolute = measure.treated("absolute")
    return paper_limit(weights, absolute, len(known.spectrum), known.epsilon)


def truth(known: KnownCurvature) -> Measure:
    """Return the measure of all eigenvalues."""
    values = known.spectrum
    return Measure(values, np.full(len(values), 1 / len(values)))


def distance(known: KnownCurvature, measure: Measure) -> float:
    """Return the Wasserstein-1 distance to the eigenvalues over their mean |lambda|."""
    values = known.spectrum
    found = wasserstein_distance(values, measure.nodes, v_weights=measure.weights)
    return float(found / np.abs(values).mean())


def smeared(measure: Measure) -> Measure:
    """Return Gaussians at the nodes, on a grid, divided by their own sum.

    The numbers of `theory.slq_mistakes.smeared`, as a measure.
    """
    grid = np.linspace(measure.nodes.min() - 0.01, measure.nodes.max() + 0.01, GRID)
    deviation = float(np.sqrt(VARIANCE * max(1.0, grid[-1] - grid[0])))
    heights = np.zeros(GRID)
    for node, weight in zip(measure.nodes, measure.weights, strict=True):
        ends = np.searchsorted(
            grid, [node - REACH * deviation, node + REACH * deviation]
        )
        near = slice(*ends)
        heights[near] += weight * np.exp(-(((grid[near] - node) / deviation) ** 2) / 2)
    return Measure(grid, heights / heights.sum())


def _runs(
    known: KnownCurvature,
    probes: int,
    steps: int,
    rng: torch.Generator,
    *,
    every: bool,
) -> Spectrum:
    """Return Lanczos runs on live coordinates, or on every coordinate."""
    if every:
        product, size = diagonal(known.spectrum), len(known.spectrum)
        return spectrum(product, size, probes=probes, steps=steps, generator=rng)
    return spectrum(
        diagonal(known.eigenvalues),
        len(known.eigenvalues),
        probes=probes,
        steps=steps,
        generator=rng,
        dead=int(known.dead.sum()),
    )


def _deflated(
    known: KnownCurvature, probes: int, products: int, rng: torch.Generator
) -> Spectrum:
    """Return runs orthogonal to Ritz vectors of one more run of the same length."""
    size, steps = len(known.eigenvalues), products // (probes + 1)
    product = diagonal(known.eigenvalues)
    start = torch.randn(size, generator=rng, dtype=torch.float64)
    return spectrum(
        product,
        size,
        probes=probes,
        steps=steps,
        generator=rng,
        dead=int(known.dead.sum()),
        deflated=deflation(product, start, steps),
    )


class _Diagonal:
    """The least that curvlinops' Lanczos asks of an operator."""

    def __init__(self, values: Vector) -> None:
        self.values = torch.from_numpy(values)
        self.shape = (len(values), len(values))
        self.device, self.dtype = self.values.device, self.values.dtype

    def __matmul__(self, vector: Tensor) -> Tensor:
        return self.values * vector


def _curvlinops(
    known: KnownCurvature, probes: int, products: int, rng: torch.Generator
) -> Measure:
    from curvlinops.papyan2020traces import spectrum as peer

    values = known.spectrum
    ends = float(values.min()), float(values.max())
    parts = []
    with torch.random.fork_rng([]):
        torch.manual_seed(draw_seed(rng))
        for _ in range(probes):
            run = peer.fast_lanczos(_Diagonal(values), products // probes)
            grid, heights = peer.lanczos_approximate_spectrum_from_iter(
                run, ends, POINTS, kappa=3.0, margin=0.05
            )
            share = heights / (probes * heights.sum())
            parts.append(Measure(grid.numpy(), share.numpy()))
    return mixture(parts)
