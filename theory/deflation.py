"""f-traces with the largest part computed, not sampled: Hutch++ for functions.

For ANY orthonormal Q of q columns and a symmetric H of D rows,

    tr f(H) = sum_i q_i^T f(H) q_i + (D - q) E[z^T f(H) z],

z uniform on the unit sphere of what is orthogonal to Q (ours; Hutch++ with the trace of
the projected matrix by the sphere). Proof: E z z^T = (I - Q Q^T) / (D - q).

With Q of Ritz vectors from one Lanczos run the first sum costs no products: H q_i =
theta_i q_i + r_i with r_i orthogonal to q_i, so that one Lanczos step from q_i has
alpha = theta_i and beta = |r_i| = beta_k |s_ki|, which the run knows. Its rules
(Gauss, Radau: `theory.quadrature`) enclose q_i^T f(H) q_i to O(|r_i|^2). Nothing is
assumed of Q: a Ritz vector that has not converged only makes the enclosure wide.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from theory.lanczos import Lanczos, Product, krylov
from theory.measure import ROUNDING


@dataclass(frozen=True)
class Deflation:
    """Orthonormal vectors, and for each the Lanczos step that starts from it."""

    vectors: Float[Tensor, "size count"]
    runs: tuple[Lanczos, ...]
    products: int
    """What they have cost."""

    def project(self, vectors: Float[Tensor, "size *columns"]) -> Tensor:
        """Return the part orthogonal to Q (two passes: to rounding)."""
        for _ in range(2):
            vectors = vectors - self.vectors @ (self.vectors.T @ vectors)
        return vectors


def deflation(
    product: Product,
    start: Float[Tensor, " size"],
    steps: int,
    *,
    tolerance: float = 1e-8,
) -> Deflation:
    """Return the Ritz pairs of one run whose residual is below a share of max |node|.

    Args:
        product: of a symmetric matrix.
        start: independent of the probes that are projected afterwards.
        steps: of the run; its basis is kept meanwhile.
        tolerance: the error of f is this squared, times f'' max |node|^2 / 2.

    Raises:
        ValueError: as `lanczos`; a tolerance that is not positive.
    """
    if not tolerance > 0:
        raise ValueError(f"expected a positive tolerance, got {tolerance}")
    run, basis = krylov(product, start, steps)
    largest = np.abs(run.nodes).max()
    chosen = np.flatnonzero(run.residuals <= tolerance * largest)
    coefficients = torch.from_numpy(run.vectors[:, chosen]).to(basis)
    # a single step no longer knows the scale, by which -1e-17 is 0: Radau's other node
    # would be at |r|^2 / theta, anywhere
    nodes = np.where(np.abs(run.nodes) <= ROUNDING * largest, 0.0, run.nodes)
    steps_from = tuple(Lanczos(nodes[[i]], run.residuals[[i]]) for i in chosen.tolist())
    return Deflation(basis.T @ coefficients, steps_from, run.steps)
