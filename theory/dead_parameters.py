"""Parameters whose gradient and row of the Hessian vanish at this point, exactly.

Into or out of a unit that is active for no sample, or of an input that is always 0: all
terms of their gradient and of their row of the Hessian are 0. The quadratic model does
not depend on them; the loss may, further away (weights of 0 into a ReLU). They carry a
known part of the spectrum, zeros, which quadrature would have to find and finds last.

A row that is not zero has a zero product with a Gaussian vector with probability 0. So
in exact arithmetic the coordinates whose gradient and whose products with such vectors
are all 0 are those whose gradient and row are 0; in floating point too, unless a number
underflows (there are no cancellations among terms that are 0). A row that only nearly
vanishes is live.
"""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from theory.operators import Operator


@runtime_checkable
class LossCurvature(Operator, Protocol):
    """A Hessian that knows the gradient in the same coordinates."""

    def gradient(self) -> Float[Tensor, " size"]:
        """Return the gradient."""


def dead_coordinates(
    operator: LossCurvature, *, generator: torch.Generator, probes: int = 2
) -> Bool[Tensor, " size"]:
    """Return which coordinates have zero gradient and zero rows.

    Leave them out with `operator.restricted(~dead)`, and count them as eigenvalues 0.

    Args:
        operator: such as `Hessian`.
        generator: of the Gaussian vectors.
        probes: vectors; a second one guards against underflow.

    Raises:
        ValueError: fewer than one probe.
    """
    if probes < 1:
        raise ValueError(f"expected at least one probe, got {probes}")
    slope = operator.gradient()
    vectors = torch.randn(
        operator.size,
        probes,
        generator=generator,
        device=generator.device,
        dtype=torch.float64,
    )
    products = operator.product(vectors.to(slope.device))
    return (slope == 0) & (products == 0).all(1)
