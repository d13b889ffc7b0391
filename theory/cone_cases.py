"""Random cones from a point into an ellipsoid, each fact by several routes.

The facts are those of `theory.ellipsoid_cone` and the proofs of `theory.exact_limit`.
"""

import math
from random import Random

import numpy as np

from theory.claim import Sides
from theory.comparisons import Row, at_most, equal, sides
from theory.confocal import Vector
from theory.ellipsoid_cone import EllipsoidCone, Samples
from theory.random_subspaces import least_values


def random_cone(rng: Random, size: int | None = None) -> tuple[EllipsoidCone, Samples]:
    """Return a cone with positive curvatures, and normal samples."""
    draws = np.random.default_rng(rng.getrandbits(62))
    size = size or rng.randint(1, 12)
    curvatures = np.exp(rng.choice([0.3, 1, 2]) * draws.normal(size=size))
    point = draws.normal(size=size) * (draws.random(size) < 0.8)
    point[0] += 0.1
    excess = math.exp(rng.uniform(-3, 3))
    point *= math.sqrt((1 + excess) / float(curvatures @ point**2))
    return EllipsoidCone(curvatures, point), draws.normal(size=(4, size))


def projections(rng: Random) -> Sides:
    """Return that Pi(g) is in C, g - Pi(g) in the polar cone, and orthogonal."""
    cone, g = random_cone(rng)
    polar = cone.polar
    near, size = cone.projections(g), np.square(g).sum(1)
    squares, others = cone.squared_projections(g), polar.squared_projections(g)
    rest = g - near
    rows = []
    for i, scale in enumerate(size.tolist()):
        rows += [
            equal(float(near[i] @ near[i]), float(squares[i]), scale),
            equal(float(squares[i] + others[i]), scale),
            equal(float(near[i] @ rest[i]), 0.0, scale),
            _inside(cone, near[i], scale),
            _inside(polar, rest[i], scale),
        ]
    return sides(rows, str(cone))


def plane(rng: Random) -> Sides:
    """Return |Pi(g)|^2 in the plane, by the tangents from v to the ellipse."""
    cone, g = random_cone(rng, size=2)
    a, v = cone.curvatures, cone.point
    # in coordinates that make E a circle the tangents are at angle asin(1 / |v|)
    x = np.sqrt(a) * v
    half = math.asin(1 / math.hypot(*x))
    middle = math.atan2(-x[1], -x[0])
    ends = [
        math.atan2(math.sin(t) / math.sqrt(a[1]), math.cos(t) / math.sqrt(a[0]))
        for t in (middle - half, middle + half)
    ]
    opening = (ends[1] - ends[0]) % math.tau
    rows = []
    for sample, found in zip(g, cone.squared_projections(g), strict=True):
        along = (math.atan2(sample[1], sample[0]) - ends[0]) % math.tau
        off = 0.0 if along <= opening else min(along - opening, math.tau - along)
        length = float(sample @ sample)
        rows.append(equal(float(found), length * max(math.cos(off), 0.0) ** 2, length))
    return sides(rows, str(cone))


def lines(rng: Random) -> Sides:
    """Return whether a line through v meets E, by least squares and by the cone."""
    cone, g = random_cone(rng)
    both = np.maximum(cone.margins(g), cone.margins(-g))
    rows = [
        equal(
            float(least_values(cone.curvatures, cone.point, sample[:, None])[1] <= 1),
            float(margin >= 0),
        )
        for sample, margin in zip(g, both, strict=True)
    ]
    return sides(rows, str(cone))


def proof_points(rng: Random) -> Sides:
    """Return the two points of the proofs: in C, and no nearer than Pi(g)."""
    cone, g = random_cone(rng, rng.randint(2, 12))  # on a line both roots are 0
    a, v, s0 = cone.curvatures, cone.point, cone.confocal_square
    shrink = 1 / (1 + s0 * a)
    b, tau = -a * v, s0 / cone.excess
    ray, rows, pair = shrink * b, [], []
    for sample in (g[0], -g[0]):
        squares = float(cone.squared_projections(sample[None])[0])
        flat = shrink * sample
        m = cone.excess * float(a @ flat**2) - float(b @ flat) ** 2
        root = math.sqrt(float(ray @ flat) ** 2 + float(ray @ ray) * tau * m)
        first = flat + (root - float(ray @ flat)) / float(ray @ ray) * ray
        factors = 1 / (1 + float(v @ v) * a)
        second = factors * sample - math.sqrt(float(a @ (factors * sample) ** 2)) * v
        for point in (first, second):
            gain = float(sample @ sample - (sample - point) @ (sample - point))
            size = float(sample @ sample + point @ point)
            rows += [_inside(cone, point, size), at_most(gain, squares, size)]
        pair.append(2 * float(sample @ first) - float(first @ first))
    flat, h = shrink * g[0], float(ray @ g[0])
    turn = 2 * float(ray @ flat) * h / float(ray @ ray)
    mean = float(g[0] @ flat) - turn + tau * h**2
    rows.append(equal(sum(pair) / 2, mean, float(g[0] @ g[0]) + abs(turn)))
    return sides(rows, str(cone))


def indefinite(rng: Random) -> Sides:
    """Return whether a line through v meets S, and the set with |lambda|."""
    curvatures = np.array([rng.uniform(1, 2), -rng.uniform(0.1, 2)])
    point, along = (
        np.array([2.0, rng.uniform(-1, 1)]),
        np.array([1.0, rng.uniform(-9, 9)]),
    )
    met, bounded = (
        _met(a, point, along, 0.0) for a in (curvatures, np.abs(curvatures))
    )
    return sides([equal(met, bounded)], f"{curvatures}, {point}, {along}")


def off_centre(rng: Random) -> Sides:
    """Return whether a line meets S, for a loss with a gradient at w* and without."""
    curvatures = np.array([rng.uniform(1, 2), rng.uniform(1, 2)])
    point, along = (
        np.array([2.0, rng.uniform(-1, 1)]),
        np.array([1.0, rng.uniform(-2, 2)]),
    )
    slope = rng.choice([-1, 1]) * rng.uniform(3, 9)
    met, centred = (_met(curvatures, point, along, each) for each in (slope, 0.0))
    return sides([equal(met, centred)], f"{curvatures}, {point}, {along}, {slope}")


def _met(curvatures: Vector, point: Vector, along: Vector, slope: float) -> float:
    """Return 1 if sum a x^2 + slope x_1 <= 1 for some x = point + t along, or 0."""
    square = float(curvatures @ along**2)
    linear = float(2 * (curvatures * point) @ along) + slope * float(along[0])
    constant = float(curvatures @ point**2) + slope * float(point[0]) - 1
    return float(square < 0 or linear**2 >= 4 * square * constant)


def _inside(cone: EllipsoidCone, direction: Vector, square: float) -> Row:
    """Return margin >= 0, on the scale of vectors of a squared length."""
    ray = float(np.linalg.norm(cone.curvatures * cone.point))
    steepest = math.sqrt(cone.excess * float(cone.curvatures.max()))
    scale = (ray + steepest) * math.sqrt(square)
    return at_most(0.0, float(cone.margins(direction[None])[0]), scale)
