"""Claim `exact-statistical-dimension` (paper C, section 3; ours): from w^k to S.

S = {w : L(w) <= L(w*) + eps} in the quadratic model is an ellipsoid E around w* with
the half-axes r_i = sqrt(2 eps / lambda_i), lambda_i >= 0 the eigenvalues of H. A point
w^k = w* + v outside has the coordinates v_i in the eigenbasis; let R = |v|. C is the
cone from w^k into E (`theory.ellipsoid_cone`), delta its statistical dimension, and

    Q(s) = sum v_i^2 / (r_i^2 + s),    T(s) = sum r_i^2 / (r_i^2 + s),    Q(s0) = 1.

sqrt(s0) is the confocal distance of w^k: the ellipsoid with the half-axes
sqrt(r_i^2 + s0) passes through it. Then, at every D,

1.  T(s0) - 2 p <= delta <= T(s0) + 2 (1 - p), where p in (0, 1) is the mean of
    r_i^2 / (r_i^2 + s0) with weights v_i^2 / (r_i^2 + s0)^2.
2.  T(R^2) <= delta <= T(c / |Av|^2), with A = H / (2 eps), c = v'Av - 1: the first is
    paper C's form, with the Euclidean distance. T(s0) is between the two, as
    c / |Av|^2 <= s0 <= R^2. Paper C's form does not know the direction of v.
3.  More curvature (A' >= A as matrices) means less T(s0) and less delta; so does a
    point further out on the same ray.
4.  E = ball of radius r: T(s0) = D sin^2 alpha, sin alpha = r / R: a circular cone.

Two spectral measures give T(s0): that of the trace of H, and that of v. D times the
first, |v|^2 times the second: two Lanczos runs at any size.

Proof of 1. Let A = diag(1 / r_i^2), c = v'Av - 1 > 0, b = -Av, M = cA - bb',
tau = s0 / c, G = 1 / (1 + s0 A). Q(s0) = 1 says tau b'Gb = 1, so (1 + tau M) Gb = 0.
*Below.* Let y = G (g + l b) with the larger root l of y'My = 0. y'My is quadratic in l,
of leading term -l^2 b'G^2 b / tau, and >= 0 where b'y = 0: so there are two roots, one
on either side, and at the larger b'y >= 0 and y is in C. From (1 + tau M) y =
g - tau b b'Gg follows |g|^2 - |y - g|^2 = g'Gg + 2 l h + tau h^2, h = b'Gg. The mean of
g'Gg is tr G = T(s0). And l = (root - b'G^2 g) / b'G^2 b, where the root is the same for
g and -g while h changes its sign, so that it has no part in the mean:

    delta >= T(s0) - 2 p + tau b'G^2 b,    p = b'G^3 b / b'G^2 b.

*Above.* The polar cone is of the same kind (`theory.ellipsoid_cone`); its T is
tr (1 - G) and its p is 1 - p. delta(C) = D - delta(polar). Zero eigenvalues: C is the
sum of the kernel and a cone in the range, and G = 1 on the kernel. QED
Proof of 2. y = Fg - t v with t = |A^(1/2) F g| is in C, for any diagonal F. t is even
in g, so D - delta <= E |g - y|^2 = sum (1 - f)^2 + R^2 f^2 / r^2, which is least, and
D - T(R^2), for f = r^2 / (r^2 + R^2). Q(R^2) <= 1, and Q decreases. The rest is the
same of the polar cone, whose point is -Av / sqrt(c), and half-axes 1 / r. QED
Proof of 3. E' is in E, so C' is in C. Q(s) = v'(A^-1 + s)^-1 v rises with A, hence s0,
and tr (1 + s0 A)^-1 falls. E - t v is in t (E - v) for t >= 1. QED

The bounds are less than 2 apart at any D. Between them, Laplace's method at the two
extrema of Phi (`theory.ellipsoid_cone`) suggests the next term for large D (heuristic):

    delta = T(s0) + 1/2 (m_1 + m_2),    m_i means of (s0 - r^2) / (s0 + r^2)

with weights r^2 / (r^2 + s0)^2 and v^2 / (r^2 + s0)^2; and 2 sum G (1 - G) for the
variance of the intrinsic volumes, which gives the width of the transition. For a ball
they are the known D sin^2 alpha + cos(2 alpha) and 2 D sin^2 alpha cos^2 alpha.
"""

import math
from fractions import Fraction
from random import Random

import numpy as np

from theory import cone_cases, known_cones
from theory.claim import Check, Claim, Control, ExactSides, Sides
from theory.comparisons import at_most, equal, sides
from theory.confocal import Vector, confocal_square, effective_dimension
from theory.measure import Measure
from theory.rational_matrices import identity, integers, positive_definite, solve
from theory.solvable_pruning import dimension_at, rational_point
from theory.spectral_dimension import cone_dimension


def two_steps(rng: Random) -> ExactSides:
    """Return tr G^2 + tau^2 beta^2 |Gb|^2 and T(s0), and T of the polar cone.

    The Gaussian min-max heuristic gives the first, beta^2 being c tr(AG^2) /
    (1 - c tau^2 b'AG^2 b): at Q(s0) = 1 it is T(s0).
    """
    axes, squares, s0 = rational_point(rng)
    a = [1 / r for r in axes]
    c = sum((v * x for v, x in zip(squares, a, strict=True)), Fraction(-1))
    g = [1 / (1 + s0 * x) for x in a]
    tau = s0 / c
    pairs = list(zip(squares, a, g, strict=True))
    inner = sum((v * x**3 * y**2 for v, x, y in pairs), Fraction(0))
    beta = c * sum(x * y**2 for _, x, y in pairs) / (1 - c * tau**2 * inner)
    ray = sum((v * x**2 * y**2 for v, x, y in pairs), Fraction(0))
    found = sum((y**2 for y in g), tau**2 * beta * ray)
    other = dimension_at(a, 1 / s0)  # half-axes 1 / r, confocal square 1 / s0
    left = (found, dimension_at(axes, s0) + other)
    right = (dimension_at(axes, s0), Fraction(len(axes)))
    return ExactSides(left, right, f"r^2 {axes}, v^2 {squares}")


def resolvent(rng: Random) -> ExactSides:
    """Return Phi(s) and g'(1 + (s/c) M)^-1 g, for a full matrix A and any s."""
    size = rng.randint(1, 4)
    a, v, g = positive_definite(rng, size), integers(rng, size), integers(rng, size)
    v[0] += 9
    c = v @ a @ v - 1
    s = Fraction(rng.randint(0, 9), rng.randint(1, 9)) * rng.choice([1, 1000])
    unit = identity(size)
    m = c * a - np.outer(a @ v, a @ v)
    if v @ solve(unit + s * a, a @ v) == 1:
        s += 1  # s was s0, the pole
    shrunk, ray = solve(unit + s * a, g), solve(unit + s * a, a @ v)
    form = g @ shrunk + s * (g @ ray) ** 2 / (v @ ray - 1)
    direct = g @ solve(unit + s / c * m, g)
    case = f"{a.tolist()}, {v.tolist()}, {g.tolist()}, {s}"
    return ExactSides((Fraction(form),), (Fraction(direct),), case)


def balls(rng: Random) -> Sides:
    """Return delta of a circular cone within the bounds, and T(s0) = D sin^2."""
    size, share = rng.randint(2, 200), rng.uniform(0.01, 0.99)
    flat = Measure(np.ones(1), np.ones(1))
    found = cone_dimension(flat, flat, size, 2 / share, 1.0)
    delta = known_cones.circular(size, math.asin(math.sqrt(share)))
    rows = [
        equal(found.leading, size * share),
        equal(found.correction, 1 - 2 * share, 1.0),
        equal(found.deviation**2, 2 * size * share * (1 - share)),
        at_most(found.low, delta, 1.0),
        at_most(delta, found.high, 1.0),
    ]
    return sides(rows, f"{size}, {share}")


def more_curvature(rng: Random) -> Sides:
    """Return that T(s0) falls as A grows in the matrix order, or v by a factor."""
    draws = np.random.default_rng(rng.getrandbits(62))
    size = rng.randint(1, 8)
    matrix, added = (_gram(draws, size) for _ in range(2))
    point = draws.normal(size=size)
    point *= math.sqrt(rng.uniform(1.1, 9) / float(point @ matrix @ point))
    before = _dimension(matrix, point)
    rows = [
        at_most(_dimension(matrix + added, point), before),
        at_most(_dimension(matrix, rng.uniform(1, 3) * point), before),
    ]
    return sides(rows, f"{matrix.tolist()}, {added.tolist()}, {point.tolist()}")


def turned_eigenvectors(rng: Random) -> Sides:
    """Return the same for eigenvalues that grow while the eigenvectors turn."""
    small, large = rng.uniform(0.3, 0.5), rng.uniform(2, 4)
    before, after = np.diag([small, large]), np.diag([1.1 * large, 1.1 * small])
    point = np.array([0.1, 2.0])
    rows = [at_most(_dimension(after, point), _dimension(before, point))]
    return sides(rows, f"{small}, {large}")


def euclidean_distance(rng: Random) -> Sides:
    """Return T(R^2) as if it were within the bounds."""
    size = rng.randint(50, 200)
    curvatures = np.where(np.arange(size) < size // 25, 1e4, 1.0)
    weights = np.full(size, 1 / size)
    measure = Measure(curvatures, weights)
    found = cone_dimension(measure, measure, size, rng.uniform(1, 2), 0.5)
    counts = np.ones(size)
    paper = effective_dimension(curvatures, counts, rng.uniform(1, 2))
    return sides([at_most(found.low, paper)], f"{size}")


def _gram(draws: np.random.Generator, size: int) -> np.ndarray:
    factor = draws.normal(size=(size, size + 1))
    return np.asarray(factor @ factor.T)


def _dimension(matrix: np.ndarray, point: Vector) -> float:
    curvatures, basis = np.linalg.eigh(matrix)
    square = confocal_square(curvatures, (basis.T @ point) ** 2)
    return effective_dimension(curvatures, np.ones(len(point)), square)


CLAIM = Claim(
    label="exact-statistical-dimension",
    title="The confocal distance gives the dimension of the cone, to within 2",
    statement="T(s₀) − 2p ≤ δ ≤ T(s₀) + 2(1 − p), T(s) = Σ r_i²/(r_i² + s), "
    "Σ v_i²/(r_i² + s₀) = 1; T(‖v‖²) ≤ δ ≤ T(c/‖Av‖²), c = v′Av − 1",
    source="ours; the bound of Zhang et al. 2024, arXiv 2306.05857, section 3",
    assumptions=(
        "quadratic model: H ≥ 0, no gradient at w*",
        "w^k outside S (inside, δ = D)",
        "3: growth in the matrix order",
    ),
    checks=(
        Check("confocal points, exact", two_steps, 0.0),
        Check("resolvents, exact", resolvent, 0.0),
        Check("projections: inside, polar, orthogonal", cone_cases.projections, 1e-10),
        Check("projections in the plane, by tangents", cone_cases.plane, 1e-10),
        Check("lines through w^k", cone_cases.lines, 1e-10),
        Check("the points of the proof", cone_cases.proof_points, 1e-10),
        Check("balls", balls, 1e-10),
        Check("more curvature, larger weights", more_curvature, 1e-10),
    ),
    controls=(
        Control("Euclidean for confocal distance", euclidean_distance),
        Control("H indefinite, |λ| taken", cone_cases.indefinite),
        Control("a gradient at w*", cone_cases.off_centre),
        Control("larger eigenvalues, not a larger matrix", turned_eigenvectors),
    ),
)
