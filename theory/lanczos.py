"""Lanczos' recurrence: k products with a symmetric matrix, k nodes and weights.

From q_1 = v / |v| and beta_0 = 0,

    H q_j = beta_{j-1} q_{j-1} + alpha_j q_j + beta_j q_{j+1},

with q_1, ..., q_{k+1} orthonormal. T_k is tridiagonal with alpha_1..k on and
beta_1..k-1 beside its diagonal; with its eigenpairs (theta_j, s_j)

    nodes theta_j,  weights s_{1j}^2,  residuals |H y_j - theta_j y_j| = beta_k |s_{kj}|

of the Ritz vectors y_j = sum_i s_{ij} q_i: some eigenvalue of H is within the residual
of the node. See claim `slq` for what the nodes and weights integrate exactly.

Rounding destroys the orthogonality of the three-term recurrence as soon as a node has
converged (Paige 1976); then copies of converged nodes appear ("ghosts"). So each new
vector is made orthogonal to all earlier ones by matrix products with the whole basis of
size * k numbers, and once more where that took off much of its length: then it is at
the level of rounding (Daniel et al. 1976; "twice is enough", Giraud et al. 2005). Where
the basis does not fit, `reorthogonalise=False` keeps three vectors. Its integrals stay
accurate (Greenbaum 1989), they only need more steps, but a node is then no longer one
eigenvalue, and there may be more nodes than eigenvalues.

The recurrence stops where beta_k <= 2^-40 of the largest |H q_j| (ours: above the
rounding of a product in float64, and below anything that matters): the vectors then
span an invariant space, and nodes and weights are exact for every function. The test is
relative, so that c H has the nodes c theta_j for every c > 0 whose |c H q|^2 float64
can hold (1e-150 to 1e150 for numbers near 1).
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from scipy.linalg import eigh_tridiagonal
from torch import Tensor

Product = Callable[[Tensor], Tensor]
"""v -> H v, of one vector or of each column of a matrix."""
Array = Float[np.ndarray, " steps"]

BREAKDOWN = 2.0**-40
ONCE = 0.5**0.5
"""Of a vector's length: where so much is left, it need not be made orthogonal again."""


@dataclass(frozen=True)
class Lanczos:
    """The tridiagonal matrix of k steps from a vector of length 1."""

    alphas: Array
    betas: Array
    """beta_1, ..., beta_k; the last couples to the next vector, 0.0 at a breakdown."""

    @property
    def steps(self) -> int:
        """Number of steps done: products, nodes."""
        return len(self.alphas)

    @property
    def exact(self) -> bool:
        """Whether the recurrence broke down: no function has a quadrature error."""
        return bool(self.betas[-1] == 0.0)

    @property
    def nodes(self) -> Array:
        """Ritz values, ascending."""
        return self._eigenpairs[0]

    @property
    def weights(self) -> Array:
        """Squares of the first components of T's eigenvectors: they add up to 1."""
        first: Array = self.vectors[0]
        return first**2

    @property
    def residuals(self) -> Array:
        """Bound of each node's distance from the nearest eigenvalue."""
        last: Array = np.abs(self.vectors[-1])
        return float(self.betas[-1]) * last

    @property
    def vectors(self) -> Float[np.ndarray, "steps steps"]:
        """Eigenvectors of T as columns: Ritz vectors in the basis."""
        return self._eigenpairs[1]

    def truncated(self, steps: int) -> "Lanczos":
        """Return the run as it was after its first steps.

        Raises:
            ValueError: fewer than one step or more than were done.
        """
        if not 1 <= steps <= self.steps:
            raise ValueError(f"expected 1 to {self.steps} steps, got {steps}")
        return Lanczos(self.alphas[:steps], self.betas[:steps])

    @cached_property
    def _eigenpairs(self) -> tuple[Array, Float[np.ndarray, "steps steps"]]:
        # implicit QL: orthogonal vectors, hence weights, also for equal nodes
        nodes, vectors = eigh_tridiagonal(
            self.alphas, self.betas[:-1], lapack_driver="stev"
        )
        return nodes, vectors


def lanczos(
    product: Product,
    start: Float[Tensor, " size"],
    steps: int,
    *,
    reorthogonalise: bool = True,
) -> Lanczos:
    """Return at most `steps` steps from a vector, in float64 whatever the product's.

    Args:
        product: of a symmetric matrix that does not change from call to call.
        start: any vector but 0; its length is of no influence. The basis lies on its
            device.
        steps: fewer are done at a breakdown, and after `size` if reorthogonalised.
        reorthogonalise: keep the basis, see the module's docstring.

    Raises:
        ValueError: no steps, a start that is 0 or not finite, a product that is not
            finite or has another shape.
    """
    return krylov(product, start, steps, reorthogonalise=reorthogonalise)[0]


def krylov(
    product: Product,
    start: Float[Tensor, " size"],
    steps: int,
    *,
    reorthogonalise: bool = True,
) -> tuple[Lanczos, Float[Tensor, "rows size"]]:
    """Return the run and its basis as rows (the last vector only if not kept)."""
    run = _recurrence(start, steps, reorthogonalise)
    vector = next(run)
    while True:
        try:
            vector = run.send(product(vector))
        except StopIteration as stop:
            result: tuple[Lanczos, Tensor] = stop.value
            return result


def lanczos_columns(
    product: Product,
    starts: Float[Tensor, "size columns"],
    steps: int,
    *,
    reorthogonalise: bool = True,
) -> tuple[Lanczos, ...]:
    """Return a run from each column; each step of all is one product of a matrix.

    The runs are those of `lanczos`. One pass over the data then serves all columns,
    but there are as many bases.
    """
    runs = [_recurrence(start, steps, reorthogonalise) for start in starts.unbind(1)]
    vectors = {index: next(run) for index, run in enumerate(runs)}
    done: dict[int, Lanczos] = {}
    while vectors:
        images = product(torch.stack(list(vectors.values()), 1)).unbind(1)
        for index, image in zip(list(vectors), images, strict=True):
            try:
                vectors[index] = runs[index].send(image)
            except StopIteration as stop:
                done[index] = stop.value[0]
                del vectors[index]
    return tuple(done[index] for index in range(len(runs)))


def _recurrence(
    start: Tensor, steps: int, reorthogonalise: bool
) -> Generator[Tensor, Tensor, tuple[Lanczos, Tensor]]:
    """Yield each vector q, take H q; return the run and the basis."""
    vector, limit = _unit(start), min(steps, len(start)) if reorthogonalise else steps
    if steps < 1:
        raise ValueError(f"expected at least one step, got {steps}")
    basis = vector.new_empty(limit if reorthogonalise else 1, len(start))
    previous = torch.zeros_like(vector)
    alphas: list[float] = []
    betas: list[float] = []
    scale = 0.0
    for step in range(limit):
        row = step if reorthogonalise else 0
        basis[row] = vector
        image = _checked((yield vector), vector, step)
        scale = max(scale, float(image.norm()))
        alphas.append(float(vector @ image))
        rest = image - alphas[-1] * vector - (betas[-1] if betas else 0.0) * previous
        if reorthogonalise:
            known = basis[: row + 1]
            before, rest = rest, rest - (known @ rest) @ known
            if rest.norm() < ONCE * before.norm():
                rest = rest - (known @ rest) @ known
        betas.append(float(rest.norm()))
        full = reorthogonalise and step + 1 == len(start)
        if betas[-1] <= BREAKDOWN * scale or full:
            betas[-1] = 0.0
            break
        previous, vector = vector, rest / betas[-1]
    return Lanczos(np.array(alphas), np.array(betas)), basis[: row + 1]


def _unit(start: Tensor) -> Tensor:
    start = start.double()
    norm = float(start.norm())
    if start.dim() != 1 or not 0 < norm < float("inf"):
        raise ValueError(
            "expected one finite vector other than zero to start from, got shape "
            f"{tuple(start.shape)} and norm {norm}"
        )
    return start / norm


def _checked(image: Tensor, vector: Tensor, step: int) -> Tensor:
    image = image.to(vector)
    if image.shape != vector.shape or not bool(torch.isfinite(image).all()):
        raise ValueError(
            f"expected a finite product of shape {tuple(vector.shape)}, got shape "
            f"{tuple(image.shape)} at step {step + 1}; NaN come from the operator"
        )
    return image
