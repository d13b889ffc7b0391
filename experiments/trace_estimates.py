"""Estimates of a known Hessian's trace: ours, pyhessian's and curvlinops'.

Probes of random signs see the matrix itself; those with no preferred direction the
diagonal matrix of its eigenvalues, which has the same distribution. pyhessian has the
network. The peers draw from torch's global generator: it is seeded and given back.
"""

import copy
import warnings
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch.nn import functional

from experiments.known_curvature import KnownCurvature, diagonal
from theory.deflation import deflation
from theory.spectrum import spectrum
from theory.trace import hutch_plus_plus, hutchinson

Method = Literal["hutchinson", "hutch++", "deflated", "xtrace", "pyhessian"]


class Trace(NamedTuple):
    """An estimate of the trace."""

    value: float
    products: int
    """Spent on it."""


Estimator = Callable[[KnownCurvature, int, torch.Generator], Trace]


def _hutchinson(known: KnownCurvature, products: int, rng: torch.Generator) -> Trace:
    found = hutchinson(known.product, len(known.matrix), products, generator=rng)
    return Trace(found.value, products)


def _hutch(known: KnownCurvature, products: int, rng: torch.Generator) -> Trace:
    found = hutch_plus_plus(known.product, len(known.matrix), products, generator=rng)
    return Trace(found.value, 3 * (products // 3))


def _deflated(known: KnownCurvature, products: int, rng: torch.Generator) -> Trace:
    """Half the products for Ritz vectors, half for probes orthogonal to them."""
    size = len(known.eigenvalues)
    start = torch.randn(size, generator=rng, dtype=torch.float64)
    product = diagonal(known.eigenvalues)
    pairs = deflation(product, start, products // 2)
    found = spectrum(
        product,
        size,
        probes=products // 2,
        steps=1,
        generator=rng,
        deflated=pairs,
    )
    mean = found.measure().integral(lambda nodes: nodes)
    return Trace(found.size * mean, found.products)


def _xtrace(known: KnownCurvature, products: int, rng: torch.Generator) -> Trace:
    from curvlinops import xtrace

    with torch.random.fork_rng([]):
        torch.manual_seed(draw_seed(rng))
        return Trace(float(xtrace(known.matrix, products)), products)


def _pyhessian(known: KnownCurvature, products: int, rng: torch.Generator) -> Trace:
    """At most so many products: it stops once a mean differs little from the last."""
    from pyhessian import hessian

    with torch.random.fork_rng([]), warnings.catch_warnings():
        # its graph of the gradient holds on to itself; it says so
        warnings.simplefilter("ignore", UserWarning)
        torch.manual_seed(draw_seed(rng))
        model = copy.deepcopy(known.model)
        peer = hessian(model, functional.cross_entropy, data=known.batch, cuda=False)
        values = peer.trace(maxIter=products)
    return Trace(sum(values) / len(values), len(values))


def draw_seed(rng: torch.Generator) -> int:
    """Return a seed for code that draws from the global generator."""
    return int(torch.randint(2**62, (), generator=rng))


ESTIMATORS: dict[str, Estimator] = {
    "hutchinson": _hutchinson,
    "hutch++": _hutch,
    "deflated": _deflated,
    "xtrace": _xtrace,
    "pyhessian": _pyhessian,
}
