"""The trace of a symmetric matrix from few products: Hutchinson and Hutch++.

Hutchinson (1990): for signs w (independent, +1 or -1 with equal odds)

    E w^T A w = tr A,    Var w^T A w = 2 sum_{i != j} A_ij^2.

Hutch++ (Meyer, Musco, Musco & Woodruff 2021): with Q an orthonormal basis of A S, S a
Gaussian matrix,

    tr A = tr(Q^T A Q) + tr((I - Q Q^T) A (I - Q Q^T)),

the first term exactly, the second by Hutchinson; a third of the products each. It is
unbiased whatever Q, and exact once A S has the rank of A; its variance is that of what
Q leaves. The interval is conditional on Q.

Both use a number of products that is fixed in advance: to stop when the mean seems to
settle, as pyhessian does, makes the error depend on luck.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from theory.estimates import Estimate, estimate
from theory.lanczos import Product

COLUMNS = 32
"""Vectors that are multiplied at once: bounds the memory (ours)."""


def hutchinson(
    product: Product,
    size: int,
    products: int,
    *,
    generator: torch.Generator,
    level: float = 0.95,
) -> Estimate:
    """Return the trace from this many probes of signs.

    Raises:
        ValueError: fewer than two products.
    """
    probes = signs(size, products, generator=generator)
    return estimate(_forms(product, probes), level=level)


def hutch_plus_plus(
    product: Product,
    size: int,
    products: int,
    *,
    generator: torch.Generator,
    level: float = 0.95,
) -> Estimate:
    """Return the trace from at most this many products, a third for each part.

    Where a third exceeds the size, Q spans everything and the trace is exact.

    Raises:
        ValueError: fewer than six products.
    """
    third = products // 3
    if third < 2:
        raise ValueError(
            f"expected at least 6 products (2 for each part), got {products}"
        )
    sketch = torch.randn(
        size,
        min(third, size),
        generator=generator,
        device=generator.device,
        dtype=torch.float64,
    )
    basis = orthonormal(_images(product, sketch))
    exact = sum(_forms(product, basis), 0.0)
    probes = signs(size, third, generator=generator)
    rest = probes - basis @ (basis.T @ probes)
    return estimate(_forms(product, rest), level=level).shifted(exact)


def signs(
    size: int, columns: int, *, generator: torch.Generator
) -> Float[Tensor, "size columns"]:
    """Return independent signs in float64 on the generator's device."""
    bits = torch.randint(
        2, (size, columns), generator=generator, device=generator.device
    )
    return (2 * bits - 1).double()


def orthonormal(vectors: Float[Tensor, "size columns"]) -> Float[Tensor, "size rank"]:
    """Return an orthonormal basis of the columns; as many as their numerical rank.

    Directions below 2^-40 of the longest column are left out: they are rounding, and
    any orthonormal Q serves.
    """
    left, lengths, _ = torch.linalg.svd(vectors, full_matrices=False)
    basis: Tensor = left[:, lengths > 2.0**-40 * lengths.max()]
    return basis


def _images(product: Product, vectors: Tensor) -> Tensor:
    """Return A V in float64 on the device of V."""
    if vectors.shape[1] == 0:
        return vectors
    return torch.cat(
        [product(part).to(vectors) for part in torch.split(vectors, COLUMNS, 1)], 1
    )


def _forms(product: Product, vectors: Tensor) -> list[float]:
    """Return v^T A v of each column."""
    forms: list[float] = (vectors * _images(product, vectors)).sum(0).tolist()
    return forms
