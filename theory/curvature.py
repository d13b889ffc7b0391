"""Products with the Hessian or the Gauss-Newton matrix of a loss over a whole data set.

For a network f(theta, x), a loss l and fixed batches B of n_B of the n samples,

    L(theta) = sum_B (n_B / n) l(f(theta, x_B), y_B)   reduction "mean": l is the mean
    L(theta) = sum_B l(f(theta, x_B), y_B)             reduction "sum":  l is the sum

over the samples of its batch. H = d^2 L / d theta^2 and, with the outputs' Jacobian J,
G = J^T (d^2 l / d f^2) J, weighted alike. G is H for a network linear in theta, and is
positive semi-definite for a loss convex in the outputs.

Coordinates are those of `theory.coordinates`: named parameters, or masked parts of
them. A frozen parameter (`requires_grad` False) is a constant and an unused one has no
influence: both have zero rows and columns. BatchNorm is in eval mode, an affine layer
(see `Network.of`; its own `requires_grad` is not known here). Nothing of the caller's
model changes, and `.grad` stays as it is.

Cost: everything that does not depend on v is kept from one product to the next as far
as `memory` allows; a batch that finds no room costs one more gradient. Batches of 100
images (convolutions) to 1,000 vectors (layers of hundreds of units) are fastest.
"""

import copy
import re
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from theory.batch_curvature import Loss, gauss_newton_along, hessian_along, targets
from theory.coordinates import Coordinates
from theory.masks import Masks
from theory.networks import Network, Parameters, scalar
from theory.tangent_program import Program

Batches = Sequence[tuple[Tensor, Tensor]]

MEMORY = 2**31
"""Bytes of intermediate results that are kept between products (ours)."""


class Hessian:
    """The Hessian, or the Gauss-Newton matrix, as an operator on `size` coordinates."""

    def __init__(
        self,
        network: Network | nn.Module,
        loss: Loss,
        batches: Batches,
        *,
        names: Sequence[str] | None = None,
        masks: Masks | None = None,
        reduction: Literal["mean", "sum"] = "mean",
        gauss_newton: bool = False,
        memory: int = MEMORY,
    ) -> None:
        """Copy the data, trace the product of the first batch and try it.

        Args:
            network: a module is taken in float64.
            loss: smooth at the outputs, see the module's docstring. Of `huber_loss`
                torch (2.13) has no second derivative, and says so;
                delta * `smooth_l1_loss` with beta = delta is the same function.
            batches: inputs and targets; batches of equal shapes share their program.
                Labels of any integer type become int64, as torch's losses want, real
                targets take the network's precision.
            names: parameters that take part; all by default.
            masks: entries that take part, by name; other names take part whole.
            reduction: what the loss does with the samples of a batch.
            gauss_newton: G in the place of H.
            memory: bytes of intermediate results that may be kept.

        Raises:
            ValueError: no batch, an empty one, one that is no pair of tensors or has
                another number of targets than inputs, coordinates that do not exist, a
                loss that is not one number, that selects by a condition or has tensors
                of another precision, a network that draws random numbers or branches on
                values.
        """
        if reduction not in ("mean", "sum"):
            raise ValueError(f"expected reduction 'mean' or 'sum', got {reduction!r}")
        pairs = [_pair(batch) for batch in batches]
        if not pairs:
            raise ValueError("expected at least one batch, got none")
        self._network = network if isinstance(network, Network) else Network.of(network)
        self._loss, self._gauss_newton = loss, gauss_newton
        self.coordinates = Coordinates.of(self._network.parameters, names, masks)
        trained = dict(self._network.module.named_parameters())
        self._live = [n for n in self.coordinates.shapes if trained[n].requires_grad]
        kind = next(iter(self._network.parameters.values())).dtype
        self._batches = [
            (self._network.batch(x), _precise(targets(x, y), kind)) for x, y in pairs
        ]
        total = sum(len(x) for x, _ in self._batches)
        self._shares = [
            len(x) / total if reduction == "mean" else 1.0 for x, _ in self._batches
        ]
        self._memory = memory
        try:
            self._lay(torch.channels_last)  # the fastest for convolutions
        except RuntimeError:  # but not every `view` and derivative can do with it
            try:
                self._lay(torch.contiguous_format)
            except RuntimeError as error:
                if not re.search("dtype|scalar type", str(error)):
                    raise
                raise ValueError(
                    f"{error}: the network computes in {kind}; give the loss's own "
                    "tensors that precision, or make the network with "
                    "Network.of(model, dtype=torch.float32)"
                ) from error

    def _lay(self, layout: torch.memory_format) -> None:
        """Lay all tensors out in one way, and see whether a product can be computed."""
        self._layout = layout
        self._programs: dict[tuple[object, ...], Program] = {}
        self._kept: dict[int, tuple[Tensor, ...]] = {}
        self._room = [self._memory]
        self._theta = {n: self._laid(p) for n, p in self._network.parameters.items()}
        self._batches = [(self._laid(x), y) for x, y in self._batches]
        if self._live:
            ones = [torch.ones_like(self._theta[name]) for name in self._live]
            with torch.no_grad():
                self._program(0).linear(*self._before(0), *ones)

    def _laid(self, tensor: Tensor) -> Tensor:
        """Return a tensor without gaps, its channels last if it is one of images.

        Made by a copy, as `contiguous` leaves a single channel's strides undecided.
        """
        if tensor.dim() != 4:
            return tensor.contiguous()
        return torch.empty_like(tensor, memory_format=self._layout).copy_(tensor)

    @property
    def size(self) -> int:
        """Number of coordinates: rows of the matrix."""
        return self.coordinates.size

    def restricted(self, live: Bool[Tensor, " size"]) -> "Hessian":
        """Return the rows and columns that are True in `live`; work is shared."""
        other = copy.copy(self)
        other.coordinates = self.coordinates.restricted(live)
        return other

    def product(
        self, vectors: Float[Tensor, "size *columns"]
    ) -> Float[Tensor, "size *columns"]:
        """Return H v for one vector or each column, in float64: one pass over the data.

        Batches are computed in the network's own precision.

        Raises:
            ValueError: vectors of another length.
        """
        if vectors.dim() not in (1, 2) or len(vectors) != self.size:
            raise ValueError(
                f"expected vectors of {self.size} coordinates as one vector or as the "
                f"columns of a matrix, got shape {tuple(vectors.shape)}"
            )
        columns = [vectors] if vectors.dim() == 1 else vectors.unbind(1)
        if not self._live or not columns:
            return self._zeros(vectors.shape)
        with torch.no_grad():
            moving = [self._tensors(column) for column in columns]
            totals: list[Tensor | None] = [None] * len(columns)
            for index, share in enumerate(self._shares):
                program, fixed = self._program(index), self._before(index)
                for place, tensors in enumerate(moving):
                    row = self._row(program.linear(*fixed, *tensors))
                    totals[place] = _sum(totals[place], row, share)
            found = [self.coordinates.select(t) for t in totals if t is not None]
        return found[0] if vectors.dim() == 1 else torch.stack(found, 1)

    def gradient(self) -> Float[Tensor, " size"]:
        """Return dL/dtheta in float64, from the same batches by plain backward passes.

        It is what products are timed against.
        """
        leaves = {n: self._theta[n].clone().requires_grad_() for n in self._live}
        total = self._zeros(self.coordinates.kept.shape)
        for (x, y), share in zip(self._batches, self._shares, strict=True):
            with torch.enable_grad():
                value = self._value({**self._theta, **leaves}, x, y)
            if value.requires_grad:
                slopes = torch.autograd.grad(
                    value, tuple(leaves.values()), materialize_grads=True
                )
                total.add_(self._row(slopes), alpha=share)
        return self.coordinates.select(total)

    def _value(self, theta: Parameters, x: Tensor, y: Tensor) -> Tensor:
        return scalar(lambda out: self._loss(out, y), self._network(theta, x))

    def _zeros(self, shape: torch.Size) -> Tensor:
        device = self.coordinates.kept.device
        return torch.zeros(shape, dtype=torch.float64, device=device)

    def _row(self, terms: Sequence[Tensor]) -> Tensor:
        return self.coordinates.row(dict(zip(self._live, terms, strict=True)))

    def _tensors(self, vector: Tensor) -> list[Tensor]:
        """Return the tangents of the live parameters."""
        reference = next(iter(self._theta.values()))
        parts = self.coordinates.unpack(vector.to(reference))
        return [self._laid(parts[name]) for name in self._live]

    def _along(self, moving: list[Tensor], fixed: list[Tensor]) -> list[Tensor]:
        """Return the product of one batch; what is traced."""
        *tensors, x, y = fixed
        theta = dict(zip(self._theta, tensors, strict=True))
        v = dict(zip(self._live, moving, strict=True))
        product = gauss_newton_along if self._gauss_newton else hessian_along
        found = product(self._network, self._loss, theta, v, x, y)
        return [found[name] for name in self._live]

    def _program(self, index: int) -> Program:
        x, y = self._batches[index]
        key = (x.shape, x.dtype, y.shape, y.dtype)
        if key not in self._programs:
            moving = [torch.ones_like(self._theta[name]) for name in self._live]
            fixed = [*self._theta.values(), x, y]
            self._programs[key] = Program.of(self._along, moving, fixed)
        return self._programs[key]

    def _before(self, index: int) -> tuple[Tensor, ...]:
        """Return what a batch's products share; it is kept where there is room."""
        if index in self._kept:
            return self._kept[index]
        fixed = [*self._theta.values(), *self._batches[index]]
        found: tuple[Tensor, ...] = self._program(index).before(*fixed)
        own = {t.untyped_storage().data_ptr() for t in fixed}
        stored = {t.untyped_storage().data_ptr(): t.untyped_storage() for t in found}
        needed = sum(s.nbytes() for at, s in stored.items() if at not in own)
        if needed <= self._room[0]:
            self._room[0] -= needed
            self._kept[index] = found
        return found


def _pair(batch: object) -> tuple[Tensor, Tensor]:
    match batch:
        case (Tensor() as x, Tensor() as y):
            return x, y
    raise ValueError(
        f"expected batches that are pairs (inputs, targets), got {type(batch).__name__}"
        f"{f' of shape {tuple(batch.shape)}' if isinstance(batch, Tensor) else ''}; "
        "write [(x, y)] for a single one"
    )


def _precise(y: Tensor, kind: torch.dtype) -> Tensor:
    """Return targets in the network's precision, labels as they are."""
    return y.to(kind) if y.is_floating_point() else y


def _sum(total: Tensor | None, term: Tensor, share: float) -> Tensor:
    """Return total + share * term in float64; the total or the term is written to."""
    return term.double().mul_(share) if total is None else total.add_(term, alpha=share)
