"""The ledger: every claim tried on random cases, with its negative controls.

A claim is VERIFIED if no case of any of its checks exceeds the check's bound, and every
control (the claim with a hypothesis dropped) has a counter-example: a case whose defect
exceeds `COUNTER_EXAMPLE`. It is REFUTED if a check fails, and UNTESTED HYPOTHESIS if a
control finds nothing: then a hypothesis would be superfluous, or a test cannot fail.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import numpy as np
import torch

from theory import (
    critical_compression,
    exact_limit,
    gaussian_width,
    gradient_flow,
    layer_collapse,
    layer_scaling,
    network_conservation,
    neuron_conservation,
    predicted_threshold,
    pruning_lower_bound,
    pruning_upper_bound,
    slq,
    stability_to_data_order,
    stability_to_pruning,
    statistical_dimension,
    synflow,
)
from theory.claim import Check, Claim, Control

CLAIMS: tuple[Claim, ...] = (
    neuron_conservation.CLAIM,
    network_conservation.CLAIM,
    layer_scaling.CLAIM,
    synflow.CLAIM,
    layer_collapse.CLAIM,
    critical_compression.CLAIM,
    gradient_flow.CLAIM,
    stability_to_pruning.CLAIM,
    stability_to_data_order.CLAIM,
    gaussian_width.CLAIM,
    statistical_dimension.CLAIM,
    exact_limit.CLAIM,
    pruning_lower_bound.CLAIM,
    pruning_upper_bound.CLAIM,
    slq.CLAIM,
    predicted_threshold.CLAIM,
)

COUNTER_EXAMPLE = 1e-3
"""Defect that counts as a failure of the claim (ours: 10^7 times any check's bound)."""


@dataclass(frozen=True)
class Tried:
    """A check after its cases: the worst defect and the case that had it."""

    check: Check
    cases: int
    worst: float
    case: str

    @property
    def holds(self) -> bool:
        """Whether every case stayed within the bound."""
        return self.worst <= self.check.bound


@dataclass(frozen=True)
class Broken:
    """A control after its cases: the first counter-example (None: none found)."""

    control: Control
    cases: int
    defect: float
    case: str | None


@dataclass(frozen=True)
class Verdict:
    """What the cases say of a claim."""

    claim: Claim
    tried: tuple[Tried, ...]
    broken: tuple[Broken, ...]

    @property
    def word(self) -> str:
        """VERIFIED, REFUTED or UNTESTED HYPOTHESIS (see the module's docstring)."""
        if not all(check.holds for check in self.tried):
            return "REFUTED"
        if any(control.case is None for control in self.broken):
            return "UNTESTED HYPOTHESIS"
        return "VERIFIED"

    @property
    def cases(self) -> int:
        """Random cases tried by all checks."""
        return sum(check.cases for check in self.tried)

    @property
    def worst(self) -> float:
        """The largest defect of any check."""
        return max(check.worst for check in self.tried)


def verify(claim: Claim, *, cases: int, seed: int) -> Verdict:
    """Return the verdict on a claim from `cases` random cases for each check."""
    with torch.random.fork_rng(devices=[]):  # layers draw from the global state first
        tried = tuple(_try(check, cases, seed) for check in claim.checks)
        broken = tuple(_break(control, cases, seed) for control in claim.controls)
    return Verdict(claim, tried, broken)


def _sources(cases: int, seed: int) -> Iterator[Random]:
    """Yield one independent source for each case: children of one seed sequence."""
    for child in np.random.SeedSequence(seed).spawn(cases):
        yield Random(int(child.generate_state(1, np.uint64)[0]))


def _try(check: Check, cases: int, seed: int) -> Tried:
    worst, case = 0.0, ""
    for rng in _sources(cases, seed):
        sides = check.draw(rng)
        defect = sides.defect()
        if defect > worst or not case:
            worst, case = max(worst, defect), sides.case
    return Tried(check, cases, worst, case)


def _break(control: Control, cases: int, seed: int) -> Broken:
    largest = 0.0
    for number, rng in enumerate(_sources(cases, seed), start=1):
        sides = control.draw(rng)
        largest = max(largest, sides.defect())
        if largest > COUNTER_EXAMPLE:
            return Broken(control, number, largest, sides.case)
    return Broken(control, cases, largest, None)
