"""The limits of a network of any size, from products with its Hessian.

Two kinds of Lanczos runs, from random probes and from removed weights, give the limits
with intervals for probes and quadrature; conjugate gradients re-optimise survivors.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from experiments.limit_problem import Problem
from theory.confocal import Vector
from theory.curvature import Hessian
from theory.dead_parameters import dead_coordinates
from theory.lanczos import Lanczos
from theory.limit_interval import EstimatedLimits, LimitInterval
from theory.measure import Treatment
from theory.pruning_limit import largest
from theory.removed_direction import Along, along_removed
from theory.reoptimised import reoptimised_matrix_free
from theory.spectrum import Spectrum, spectrum

TOLERANCE = 0.01
"""Of conjugate gradients: the survivors' gradient as a share of that before (ours)."""
PRODUCTS = 100
"""Of conjugate gradients, at most (ours)."""
RESOLUTION = 1 / 400
"""Of the limits, as a share of the N weights; their intervals contain it (ours)."""


@dataclass(frozen=True)
class LanczosModel:
    """What Lanczos runs know of the Hessian, or of the Gauss-Newton matrix."""

    problem: Problem
    operator: Hessian
    found: Spectrum
    along: Along
    gauss_newton: bool

    @classmethod
    def of(
        cls,
        problem: Problem,
        *,
        probes: int,
        steps: int,
        seed: int,
        gauss_newton: bool = False,
    ) -> "LanczosModel":
        """Run Lanczos from random probes; from removed weights when limits ask for it.

        Args:
            problem: the network.
            probes: random starts.
            steps: of each run.
            seed: of the probes.
            gauss_newton: that matrix, which has no eigenvalues below 0, in the place of
                the Hessian.
        """
        operator = problem.hessian(gauss_newton=gauss_newton)
        device = problem.images.device
        generator = torch.Generator(device).manual_seed(seed)
        dead = dead_coordinates(operator, generator=generator)
        live = operator.restricted(~dead)
        found = spectrum(
            live.product,
            live.size,
            probes=probes,
            steps=steps,
            generator=generator,
            dead=int(dead.sum()),
        )
        along = along_removed(
            live.product,
            problem.weights,
            problem.order,
            steps,
            dead=dead.cpu().numpy(),
            device=device,
        )
        return cls(problem, operator, found, along, gauss_newton)

    def shortened(self, steps: int) -> "LanczosModel":
        """Return the model that fewer steps would have found."""

        def shorter(run: Lanczos) -> Lanczos:
            return run.truncated(min(steps, run.steps))

        runs = tuple(shorter(run) for run in self.found.runs)
        return replace(
            self,
            found=replace(self.found, runs=runs),
            along=lambda n, rule: self.along(n, lambda run: rule(shorter(run))),
        )

    def limits(
        self, epsilon: float, treatment: Treatment = "positive"
    ) -> dict[str, LimitInterval]:
        """Return paper C's limit and both exact ones with their 95 % intervals.

        The quadrature of the Gauss-Newton matrix is bounded on both sides; of an
        indefinite Hessian its error is estimated. Rounding leaves both with nodes a
        little below 0, which the treatment moves there.
        """
        limits = EstimatedLimits(
            self.problem.weights[self.problem.prunable],
            self.found,
            epsilon,
            "halving",
            treatment,
            resolution=max(1, round(RESOLUTION * len(self.problem.order))),
        )
        return {
            "paper": limits.paper(),
            "exact": limits.exact(self.along),
            "orthogonal": limits.orthogonal(self.along),
        }

    def reoptimised(self, epsilon: float) -> int:
        """Return how many weights can go if the survivors are re-optimised.

        By conjugate gradients until the loss, which is never too small, is within
        epsilon. If it is not and they do not converge within PRODUCTS, it counts as too
        large: n is rather too small.
        """

        def product(vector: Vector) -> Vector:
            moved = torch.from_numpy(vector).to(self.problem.images.device)
            return self.operator.product(moved).cpu().numpy()

        def within(removed: int) -> bool:
            gone = np.zeros(len(self.problem.weights), dtype=bool)
            gone[self.problem.order[:removed]] = True
            try:
                found = reoptimised_matrix_free(
                    product,
                    self.problem.weights,
                    gone,
                    tolerance=TOLERANCE,
                    limit=PRODUCTS,
                    enough=epsilon,
                )
            except ValueError:  # not converged
                return False
            return found.loss <= epsilon

        return largest(within, len(self.problem.order))
