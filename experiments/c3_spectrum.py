"""Figure c3 (paper C's spectra): the Hessian's eigenvalues before and after training.

Claim `slq`. Stochastic Lanczos quadrature with its error bars; beside it the spectrum
itself where the Hessian can be had whole. Of a trained network also the limits that
follow from fewer steps.

Deviations from the paper: shares of the eigenvalues on either side of a number, which
are integrals of the measure, in the place of a density smeared on a grid; the Hessian
of fixed images without augmentation, biases and BatchNorm's parameters included. The
l1 term has no part in it. Other deviations: `limit_cases`.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from experiments import c5_threshold_table as c5
from experiments.limit_cases import CASES
from experiments.limit_dense import DenseModel
from experiments.limit_lanczos import LanczosModel
from experiments.limit_rows import Row
from experiments.limit_study import study
from theory.estimates import bracketed
from theory.measure import Array, Measure
from theory.quadrature import enclosure, gauss
from theory.spectrum import Spectrum


@dataclass(frozen=True)
class Config:
    """One network before or after training."""

    case: str
    """Name in `limit_cases.CASES`."""
    strength: float
    """lambda: of l1."""
    stage: str
    """"start", "early" or "final" weights."""
    seed: int
    """As in figure c5; the probes are drawn from it, too."""
    device: str = "cpu"


STEPS = (8, 16, 32, 64)
PROBES = 8
SIDES = {"above": 1.0, "below": -1.0}
EDGES = tuple(10.0 ** (power / 4) for power in range(-32, 9))
"""Distances from 0, of 1e-8 to 1e2."""


def _configs(names: tuple[str, ...], strengths: dict[str, float]) -> tuple[Config, ...]:
    return tuple(
        Config(name, strength, stage, seed, "cuda" if name in c5.GPU else "cpu")
        for name in names
        for strength, stage in (
            (0.0, "start"),
            (0.0, "final"),
            (strengths[name], "final"),
        )
        for seed in c5.SEEDS
    )


PUBLISHED = (*c5.CPU, *c5.GPU)

GRID = {
    "default": _configs(("mlp-digits",), {"mlp-digits": 5e-4}),
    "published": _configs(PUBLISHED, {n: CASES[n].strengths[-1] for n in PUBLISHED}),
}


def run(config: Config) -> list[Row]:
    """Return shares of eigenvalues, and at the end of training limits.

    side: "above" x or "below" -x; source: "exact" or "slq"; value, low, high: the share
    and its 95 % interval over probes, each known between bounds only. Where side is
    "limit": the form in `form`, the weights removed in value, and the Lanczos steps in
    `steps` (0: none, exact).
    """
    found = study(config.case, config.strength, config.seed, config.device)
    problem = found.problem(config.stage)
    model = LanczosModel.of(problem, probes=PROBES, steps=max(STEPS), seed=found.probes)
    rows = _estimated(model.found)
    if config.stage == "final":
        for steps in STEPS:
            limits = model.shortened(steps).limits(problem.epsilon)
            for form, (low, value, high) in limits.items():
                rows.append(_row("limit", "slq", (value, low, high), form, steps))
    if found.case.dense:
        dense = DenseModel.of(problem)
        rows += _shares(dense.trace)
        if config.stage == "final":
            known = dense.limits(problem.epsilon, "positive")
            rows += [_row("limit", "exact", (n, n, n), f) for f, n in known.items()]
    head: Row = {"parameters": len(problem.weights), "prunable": len(problem.order)}
    return [head | row for row in rows]


def _shares(measure: Measure) -> list[Row]:
    """Return the mass beyond each edge."""
    rows = []
    for side, sign in SIDES.items():
        for edge in EDGES:
            mass = measure.integral(partial(_beyond, sign=sign, edge=edge))
            rows.append(_row(side, "exact", (mass, mass, mass), edge=edge))
    return rows


def _estimated(found: Spectrum) -> list[Row]:
    """Return the same from Lanczos runs: bounds for each probe, and over probes."""
    rows, live = [], 1 - found.dead / found.size
    for side, sign in SIDES.items():
        for edge in EDGES:
            step = partial(_beyond, sign=sign, edge=edge)
            values = [live * gauss(run).integral(step) for run in found.runs]
            ends = [enclosure(run, step) for run in found.runs]
            lower, upper = (
                [live * end for end in part] for part in zip(*ends, strict=True)
            )
            own = bracketed(values, lower, upper)
            reach = own.value, max(own.low, 0.0), min(own.high, 1.0)
            rows.append(_row(side, "slq", reach, edge=edge))
    return rows


def _beyond(nodes: Array, *, sign: float, edge: float) -> Array:
    """Return 1 where a node lies beyond the edge on one side of 0, else 0."""
    return np.asarray(sign * nodes > edge, dtype=float)


def _row(
    side: str,
    source: str,
    ends: tuple[float, float, float],
    form: str = "",
    steps: int = 0,
    edge: float = 0.0,
) -> Row:
    value, low, high = ends
    return {
        "side": side,
        "source": source,
        "form": form,
        "steps": steps,
        "x": edge,
        "value": value,
        "low": low,
        "high": high,
    }
