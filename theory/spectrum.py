"""The spectrum of a matrix known by products: stochastic Lanczos quadrature.

    (1/D) tr f(H) = (m/D) f(0) + (1/D) sum_i q_i^T f(H) q_i
                    + ((D - m - q)/D) E[z^T f(H) z]

with m dead coordinates (zero rows, found exactly by `dead_coordinates`), q deflated
directions (`theory.deflation`; none by default) and z uniform on the unit sphere of the
rest: (z^T f(H) z) from a Lanczos run at z. Over D - m - q = n dimensions

    Var z^T A z = 2 / (n + 2) (tr A^2 / n - (tr A / n)^2),

so functions that vary little cost few probes. For a given number of products take steps
before probes: the error that no number of probes removes is that of too few steps, near
lambda = 0. The intervals of `integral` include it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from theory.deflation import Deflation
from theory.estimates import Estimate, bracketed
from theory.lanczos import Lanczos, Product, lanczos_columns
from theory.measure import ROUNDING, Function, Measure, Treatment, mixture, treated
from theory.quadrature import gauss, radau, step_halved

Rule = Callable[[Lanczos], Measure]


@dataclass(frozen=True)
class Spectrum:
    """Lanczos runs from random probes, and the part of the spectrum that is known."""

    size: int
    """D: all eigenvalues, zeros of dead coordinates included."""
    runs: tuple[Lanczos, ...]
    """One for each random probe."""
    dead: int = 0
    known: tuple[Lanczos, ...] = ()
    """One step from each deflated direction."""
    products: int = 0
    """Spent in all."""

    def measures(self, rule: Rule = gauss) -> tuple[Measure, ...]:
        """Return, for each probe, an estimate of (1/D) sum_i delta(lambda_i)."""
        zeros = Measure(np.zeros(1), np.array([self.dead / self.size]))
        fixed = [zeros] if self.dead else []
        fixed += [rule(step).scaled(1 / self.size) for step in self.known]
        share = 1 - (self.dead + len(self.known)) / self.size
        return tuple(mixture([*fixed, rule(run).scaled(share)]) for run in self.runs)

    def measure(self, rule: Rule = gauss) -> Measure:
        """Return the mean of the probes' measures."""
        probes = self.measures(rule)
        return mixture(probe.scaled(1 / len(probes)) for probe in probes)

    def integral(
        self,
        function: Function,
        *,
        error: Literal["radau", "halving"] = "radau",
        treatment: Treatment | None = None,
        level: float = 0.95,
    ) -> Estimate:
        """Return (1/D) tr f(H) with an interval for probes and quadrature together.

        Args:
            function: f, of many numbers at once.
            error: "radau" brackets each probe between the Gauss and the Radau rule at
                0: bounds, for a positive semi-definite H and a completely monotone f
                (`theory.quadrature`). "halving" takes the distance from the rule of
                half the steps on both sides: an estimate, for any f and H.
            treatment: of negative eigenvalues, before f.
            level: of the interval.

        Raises:
            ValueError: one probe only; negative Gauss nodes with "radau" or "refuse".
        """
        if error not in ("radau", "halving"):
            raise ValueError(f"expected error 'radau' or 'halving', got {error!r}")

        def values(rule: Rule) -> np.ndarray:
            return np.array([m.integral(composed) for m in self.measures(rule)])

        def composed(nodes: np.ndarray) -> np.ndarray:
            return function(nodes if treatment is None else treated(nodes, treatment))

        nodes = self.measure().nodes
        if error == "radau" and nodes[0] < -ROUNDING * np.abs(nodes).max():
            raise ValueError(
                f"the spectrum reaches down to {nodes[0]:.3g}, where Radau's rule is "
                "no bound: estimate the quadrature's error by halving the steps, or "
                "take the Gauss-Newton matrix"
            )
        if treatment == "refuse":
            treated(nodes, treatment)
            treatment = "positive"  # the nodes of other rules may be artificial
        first = values(gauss)
        if error == "radau":
            ends = first, values(radau)
        else:
            distance = np.abs(first - values(step_halved))
            ends = first - distance, first + distance
        low, high = np.minimum(*ends), np.maximum(*ends)
        middle = (low + high) / 2
        return bracketed(middle.tolist(), low.tolist(), high.tolist(), level=level)


def spectrum(
    product: Product,
    size: int,
    *,
    probes: int,
    steps: int,
    generator: torch.Generator,
    dead: int = 0,
    deflated: Deflation | None = None,
    reorthogonalise: bool = True,
    columns: int = 1,
) -> Spectrum:
    """Return Lanczos runs from random probes on the unit sphere.

    Args:
        product: of the matrix on `size` live coordinates.
        size: its rows, without the dead ones.
        probes: random starts.
        steps: of each run, see `lanczos`.
        generator: of the probes; bases lie on its device.
        dead: coordinates that were left out since their rows are zero.
        deflated: directions to treat exactly; made from another start.
        reorthogonalise: keep each run's basis: 8 * size * steps bytes.
        columns: probes that advance together: fewer passes over the data, more bases.

    Raises:
        ValueError: no probe, no dimension left to probe, and as `lanczos`.
    """
    known = () if deflated is None else deflated.runs
    if probes < 1 or columns < 1 or size <= len(known):
        raise ValueError(
            f"expected probes >= 1, columns >= 1 and more dimensions than the "
            f"{len(known)} deflated ones, got {probes}, {columns} and {size}; a "
            "spectrum that is deflated whole needs no probe"
        )
    starts = torch.randn(
        size, probes, generator=generator, device=generator.device, dtype=torch.float64
    )
    if deflated is not None:
        starts = deflated.project(starts)
    runs = tuple(
        run
        for part in torch.split(starts, columns, 1)
        for run in lanczos_columns(
            product, part, steps, reorthogonalise=reorthogonalise
        )
    )
    spent = sum(run.steps for run in runs)
    spent += 0 if deflated is None else deflated.products
    return Spectrum(size + dead, runs, dead, known, spent)
