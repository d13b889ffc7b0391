"""Random cases of the claim `slq` in floating point, and of what breaks it.

Matrices of every family of `theory.known_spectra`, at scales from 1e-8 to 1e8, seen
from a random vector; what Lanczos says of them against their eigenvalues. In exact
arithmetic: `theory.exact_quadrature`, `theory.exact_traces`.
"""

from random import Random

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from theory import known_hessians, slq_mistakes
from theory.batch_curvature import Loss, gauss_newton_along, hessian_along
from theory.claim import Sides
from theory.coordinates import Coordinates
from theory.deflation import deflation
from theory.known_spectra import FAMILIES, indefinite, rotated
from theory.lanczos import lanczos
from theory.measure import Function, Measure
from theory.networks import Network
from theory.quadrature import enclosure, gauss, radau


def polynomials(rng: Random) -> Sides:
    """Return the Chebyshev moments up to degree 2k - 1, by Lanczos and by eigenvalues.

    T_m of the spectrum mapped to [-1, 1]: bounded by 1 at every eigenvalue.
    """
    matrix, measure, start, case = _problem(rng)
    run = lanczos(lambda v: matrix @ v, start, rng.randint(1, 12))
    low, high = measure.nodes.min(), measure.nodes.max()
    half = (high - low) / 2 or abs(high) or 1.0  # in the units of H

    def chebyshev(nodes: np.ndarray) -> np.ndarray:
        mapped = np.arccos(np.clip((nodes - low) / half - 1, -1, 1))
        values: np.ndarray = np.cos(np.arange(2 * run.steps)[:, None] * mapped)
        return values

    left = chebyshev(run.nodes) @ run.weights
    right = chebyshev(measure.nodes) @ measure.weights
    ones = torch.ones(len(left), dtype=torch.float64)
    return Sides(torch.from_numpy(left), torch.from_numpy(right), ones, case)


def rules_as_bounds(rng: Random) -> Sides:
    """Return v^T c/(c + H) v, clipped to Gauss and Radau at 0, and the value."""
    matrix, measure, start, case = _problem(rng, definite=True)
    run = lanczos(lambda v: matrix @ v, start, rng.randint(1, 12))
    f = _resolvent(rng, measure)
    truth = measure.integral(f)
    bounds = [max(truth, gauss(run).integral(f)), min(truth, radau(run).integral(f))]
    return _sides(np.array(bounds), np.full(2, truth), case)


def intervals_of_mass(rng: Random) -> Sides:
    """Return v^T f(H) v for monotone f, clipped to the enclosure, and the value."""
    matrix, measure, start, case = _problem(rng)
    run = lanczos(lambda v: matrix @ v, start, rng.randint(1, 12))
    f = _resolvent(rng, measure)
    clipped, truths = [], []
    for treatment in ("absolute", "positive"):
        truths.append(measure.treated(treatment).integral(f))
        ends = enclosure(run, f, treatment=treatment)
        clipped.append(float(np.clip(truths[-1], *ends)))
    return _sides(np.array(clipped), np.array(truths), case)


def deflated(rng: Random) -> Sides:
    """Return q^T f(H) q of Ritz vectors, clipped to one step's rules, and the value."""
    matrix, measure, start, case = _problem(rng, definite=True)
    pairs = deflation(lambda v: matrix @ v, start, rng.randint(1, 12), tolerance=0.1)
    f = _resolvent(rng, measure)
    values, vectors = torch.linalg.eigh(matrix)
    seen = (vectors.T @ pairs.vectors).numpy() ** 2
    truth = f(values.numpy()) @ seen
    below = [gauss(run).integral(f) for run in pairs.runs]
    above = [radau(run).integral(f) for run in pairs.runs]
    return _sides(np.clip(truth, below, above), truth, case)


def closed_forms(rng: Random) -> Sides:
    """Return H v and G v of a linear model summed over batches, and in closed form."""
    generator = _generator(rng)
    samples, inputs, outputs = rng.randint(1, 6), rng.randint(1, 3), rng.randint(1, 3)
    kind = rng.choice(["squares", "logistic", "softmax"])
    network = Network.of(nn.Linear(inputs, 1 if kind == "logistic" else outputs))
    coordinates = Coordinates.of(network.parameters)
    theta, v = (
        coordinates.unpack(_normal(coordinates.size, generator)) for _ in range(2)
    )
    x = _normal(samples * inputs, generator).view(samples, inputs)
    loss, y, matrix = _known(kind, x, network(theta, x))
    size = rng.randint(1, samples)
    right = matrix @ coordinates.pack(v)
    left = [torch.zeros_like(right), torch.zeros_like(right)]
    for part, targets in zip(torch.split(x, size), torch.split(y, size), strict=True):
        for total, along in zip(left, (hessian_along, gauss_newton_along), strict=True):
            product = coordinates.pack(along(network, loss, theta, v, part, targets))
            total += len(part) / samples * product
    scale = (matrix.abs() @ coordinates.pack(v).abs()).repeat(2)
    case = f"{kind}, {samples} samples in batches of {size}"
    return Sides(torch.cat(left), right.repeat(2), scale, case)


def ghosts(rng: Random) -> Sides:
    """Return the nodes of D steps without re-orthogonalisation, and the eigenvalues."""
    generator, size = _generator(rng), 60
    eigenvalues = np.append(np.linspace(0, 1, size - 1), 100.0)
    matrix, _ = rotated(eigenvalues, generator=generator)
    run = slq_mistakes.without_orthogonality(matrix, _normal(size, generator), size)
    return _sides(run.nodes, eigenvalues, f"{size} steps")


def damped(rng: Random) -> Sides:
    """Return the largest node of D steps, 1e-6 added to norms of 1e-8, and lambda_D."""
    generator, size = _generator(rng), 20
    eigenvalues = 1e-8 * indefinite(size)
    matrix, _ = rotated(eigenvalues, generator=generator)
    run = slq_mistakes.damped_norms(matrix, _normal(size, generator), size)
    return _sides(run.nodes[[-1]], eigenvalues[[-1]], "eigenvalues of size 1e-8")


def density(rng: Random) -> Sides:
    """Return the integral over a smeared density, and over the nodes themselves."""
    matrix, measure, start, case = _problem(rng, definite=True)
    rule = gauss(lanczos(lambda v: matrix @ v, start, 12))
    f = _resolvent(rng, measure)
    left, right = slq_mistakes.smeared(rule, f), rule.integral(f)
    return _sides(np.array([left]), np.array([right]), case)


def not_monotone(rng: Random) -> Sides:
    """Return v^T f(H) v for a bump f, clipped to the enclosure, and the value."""
    matrix, measure, start, case = _problem(rng)
    run = lanczos(lambda v: matrix @ v, start, 3)
    center, width = np.median(measure.nodes), np.ptp(measure.nodes) / 10 or 1.0

    def f(nodes: np.ndarray) -> np.ndarray:
        bump: np.ndarray = np.exp(-(((nodes - center) / width) ** 2))
        return bump

    truth = measure.integral(f)
    clipped = float(np.clip(truth, *enclosure(run, f)))
    return _sides(np.array([clipped]), np.array([truth]), case)


def _problem(
    rng: Random, *, definite: bool = False
) -> tuple[Tensor, Measure, Tensor, str]:
    """Return a matrix, its measure seen from a vector, that vector, and a name."""
    generator, size = _generator(rng), rng.randint(8, 40)
    families = [f for f in FAMILIES if not definite or f(3).min() >= 0]
    family, scale = rng.choice(families), 10 ** rng.uniform(-8, 8)
    eigenvalues = scale * family(size)
    matrix, basis = rotated(eigenvalues, generator=generator)
    start = _normal(size, generator)
    weights = (basis.T @ (start / start.norm())).numpy() ** 2
    case = f"{family.__name__}, {size} rows, scale {scale:.0e}"
    return matrix, Measure(eigenvalues, weights), start, case


def _resolvent(rng: Random, measure: Measure) -> Function:
    """Return c / (c + lambda), c between 1e-3 and 1 of the largest eigenvalue."""
    c = float(np.abs(measure.nodes).max() or 1.0) * 10 ** rng.uniform(-3, 0)
    return lambda nodes: c / (c + nodes)


def _known(kind: str, x: Tensor, out: Tensor) -> tuple[Loss, Tensor, Tensor]:
    """Return a loss, targets for it, and its Hessian for a linear model."""
    labels = torch.arange(len(x)) % out.shape[1]
    if kind == "squares":
        return functional.mse_loss, out + 1, known_hessians.squares(x, out.shape[1])
    if kind == "softmax":
        return functional.cross_entropy, labels, known_hessians.softmax(x, out)
    targets = (torch.arange(len(x)) % 2).to(x).unsqueeze(1)
    loss = functional.binary_cross_entropy_with_logits
    return loss, targets, known_hessians.logistic(x, out)


def _sides(left: np.ndarray, right: np.ndarray, case: str) -> Sides:
    a, b = torch.from_numpy(left), torch.from_numpy(right)
    return Sides(a, b, a.abs() + b.abs(), case)


def _normal(size: int, generator: torch.Generator) -> Tensor:
    return torch.randn(size, generator=generator, dtype=torch.float64)


def _generator(rng: Random) -> torch.Generator:
    return torch.Generator().manual_seed(rng.getrandbits(48))
