"""The quadratic model of a small network by its whole Hessian, without any error.

The predicted limits, and what can be removed in the model itself: with the survivors
re-optimised, and by random subspaces (the oracle of Lanczos runs and of the formulas).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy.linalg import eigh

from experiments.limit_problem import Problem
from theory.confocal import Vector
from theory.measure import Measure, Treatment, treated
from theory.operators import dense
from theory.pruning_limit import exact_limit, largest, orthogonal_limit, paper_limit
from theory.reoptimised import nested_losses

RIDGE = 1e-12
"""Added to the Hessian's diagonal, as a share of its largest eigenvalue (ours)."""
STIFF = 1e-3
"""Eigenvalues above it are stiff (ours): a Newton step along them is a short one."""


@dataclass(frozen=True)
class DenseModel:
    """The quadratic model by the eigenpairs of the whole Hessian."""

    problem: Problem
    values: Vector
    """Eigenvalues, ascending; some below 0."""
    vectors: Float[np.ndarray, "n n"]
    gauss_newton: bool = False
    """Whether they are those of the Gauss-Newton matrix."""

    @classmethod
    def of(cls, problem: Problem, *, gauss_newton: bool = False) -> "DenseModel":
        """Return the model of a problem."""
        found = dense(problem.hessian(gauss_newton=gauss_newton)).numpy()
        values, vectors = eigh((found + found.T) / 2, driver="evd")
        return cls(problem, values, vectors, gauss_newton)

    @cached_property
    def descent(self) -> float:
        """What a Newton step along stiff eigenvectors would gain at w*, over epsilon.

        1/2 g'H^-1 g / epsilon with the gradient g: the quadratic model leaves g out.
        """
        stiff = self.values > STIFF
        slope = self.problem.hessian().gradient().cpu().numpy() @ self.vectors[:, stiff]
        return float(slope**2 @ (1 / self.values[stiff])) / 2 / self.problem.epsilon

    @cached_property
    def trace(self) -> Measure:
        """The spectral measure of the trace: weights sum to 1."""
        return Measure(self.values, np.full(len(self.values), 1 / len(self.values)))

    def along(self, removed: int) -> Measure:
        """Return the spectral measure of v = w^k - w*, for so many removed."""
        if not removed:
            return Measure(np.zeros(1), np.ones(1))
        chosen = self.problem.order[:removed]
        part = self.problem.weights[chosen] @ self.vectors[chosen]
        return Measure(self.values, part**2 / (part @ part))

    def limits(self, epsilon: float, treatment: Treatment) -> dict[str, int]:
        """Return paper C's limit and both exact ones, by name of the form."""
        weights = self.problem.weights[self.problem.prunable]
        trace, size = self.trace.treated(treatment), len(self.values)

        def along(removed: int) -> Measure:
            return self.along(removed).treated(treatment)

        return {
            "paper": paper_limit(weights, trace, size, epsilon),
            "exact": exact_limit(weights, trace, along, size, epsilon),
            "orthogonal": orthogonal_limit(weights, trace, along, size, epsilon),
        }

    def losses(self, treatment: Treatment) -> Float[np.ndarray, " counts"]:
        """Return the rise of the model's loss with the survivors re-optimised."""
        curvatures = treated(self.values, treatment)
        matrix = (self.vectors * curvatures) @ self.vectors.T
        ridge = RIDGE * float(curvatures.max())
        return nested_losses(matrix, self.problem.weights, self.problem.order, ridge)

    def random_subspaces(
        self, epsilon: float, treatment: Treatment, draws: int, *, seed: int
    ) -> list[int]:
        """Return an n for each draw of nested random subspaces through every w^k.

        Those of D - n dimensions meet S at that n, and of one less do not at n + 1. As
        in `theory.random_subspaces`, one QR factorisation serves all dimensions, and
        here all n.
        """
        curvatures = treated(self.values, treatment) / (2 * epsilon)
        curved = curvatures > 0
        roots = np.sqrt(curvatures[curved])
        rng, found = np.random.default_rng(seed), []
        for _ in range(draws):
            normal = rng.standard_normal((roots.size, roots.size))
            basis, _ = np.linalg.qr(roots[:, None] * normal)

            def meets(removed: int, basis: np.ndarray = basis) -> bool:
                chosen = self.problem.order[:removed]
                point = self.problem.weights[chosen] @ self.vectors[chosen][:, curved]
                start = roots * point
                taken = basis[:, : len(self.values) - removed].T @ start
                return float(start @ start - taken @ taken) <= 1

            found.append(largest(meets, len(self.problem.order)))
        return found
