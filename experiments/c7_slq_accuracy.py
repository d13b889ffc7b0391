"""Figure c7 (new): error of trace, density and limit against Hessian-vector products.

Claim `slq`. Five networks on digits whose Hessians are computed whole
(`experiments.known_curvature`), so that every estimate has a known error: of the trace
(relative), of the density (Wasserstein-1 distance to the eigenvalues over their mean
|lambda|) and of paper C's limit (weights that can go, relative). Ours beside paper C's
code, pyhessian and curvlinops (`experiments.trace_estimates`,
`experiments.density_estimates`); and how often our 95 % interval of the limit, which is
for probes and quadrature together, holds the truth.

The matrix itself is multiplied, or the diagonal one of its eigenvalues, where the
distribution is the same: what a method needs is products, not how they are made.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, get_args

import torch

from experiments import density_estimates, trace_estimates
from experiments.density_estimates import distance, removable, truth
from experiments.known_curvature import STATES, KnownCurvature, State, known_curvature
from experiments.seeds import generators

TRACES: tuple[trace_estimates.Method, ...] = get_args(trace_estimates.Method)
DENSITIES: tuple[density_estimates.Method, ...] = get_args(density_estimates.Method)
PRODUCTS = (100, 200, 400, 1000)
WHOLE = (125, 250, 500, 1000)
"""Whole runs of paper C's code."""


@dataclass(frozen=True)
class Config:
    """One method on one network."""

    state: State
    method: trace_estimates.Method | density_estimates.Method
    products: int
    """With the Hessian; pyhessian's trace takes fewer if it thinks fit."""
    replicates: int
    """Independent estimates, all seeded by `seed`."""
    seed: int = 0
    """Of the estimates."""
    network_seed: int = 0
    """Of initialisation, training and the order of images."""


def _grid(sets: int, network_seeds: int) -> Iterator[Config]:
    """Yield all methods, and ours in so many sets of 20 at 1,000 products."""
    for network in range(network_seeds):
        for state in STATES:
            for method in TRACES:
                levels = PRODUCTS[-1:] if method == "pyhessian" else PRODUCTS
                for products in levels:
                    yield Config(state, method, products, 5, 0, network)
            for density in DENSITIES:
                theirs = density in ("smeared", "unsmeared")
                for products in WHOLE if theirs else PRODUCTS:
                    yield Config(state, density, products, 5, 0, network)
            for seed in range(1, sets + 1):
                yield Config(state, "4 probes", PRODUCTS[-1], 20, seed, network)


GRID = {"default": tuple(_grid(5, 1)), "published": tuple(_grid(5, 5))}


class Reading(NamedTuple):
    """An estimate beside the truth, and its error."""

    value: float
    truth: float
    error: float
    low: float
    high: float
    stated: bool
    """Whether the method states the interval; else its ends are the value."""


def run(config: Config) -> list[dict[str, str | int | float]]:
    """Return, for each replicate and quantity, the estimate, the truth and the error.

    Methods of the trace have the quantity "trace", the others "density" and "limit".
    """
    known = known_curvature(config.state, config.network_seed)
    rows: list[dict[str, str | int | float]] = []
    for number, rng in enumerate(generators(config.seed, config.replicates)):
        spent, readings = _readings(known, config, rng)
        rows += [
            {
                "replicate": number,
                "spent": spent,
                "quantity": quantity,
                **reading._asdict(),
                "stated": int(reading.stated),
                "size": len(known.spectrum),
                "dead": int(known.dead.sum()),
                "negative": float(known.spectrum.min()),
                "largest": float(known.spectrum.max()),
                "epsilon": known.epsilon,
                "accuracy": known.accuracy,
            }
            for quantity, reading in readings.items()
        ]
    return rows


def _readings(
    known: KnownCurvature, config: Config, rng: torch.Generator
) -> tuple[int, dict[str, Reading]]:
    if config.method in TRACES:
        trace = trace_estimates.ESTIMATORS[config.method](known, config.products, rng)
        exact = float(known.spectrum.sum())
        return trace.products, {"trace": _plain(trace.value, exact)}
    found = density_estimates.density(known, config.method, config.products, rng)
    gap, limit = distance(known, found.measure), found.limit
    removed = removable(known, truth(known))
    plain = _plain(limit.value, removed)
    interval = plain._replace(low=limit.low, high=limit.high, stated=limit.stated)
    readings = {"density": Reading(gap, 0.0, gap, gap, gap, False), "limit": interval}
    return found.products, readings


def _plain(value: float, exact: float) -> Reading:
    error = abs(value - exact) / abs(exact)
    return Reading(value, exact, error, value, value, False)
