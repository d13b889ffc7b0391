"""A trained network as the limit sees it: L, its Hessian, w*, epsilon, w^k.

L is the mean cross-entropy of fixed training images, without augmentation and without
l1, BatchNorm in eval mode. It is a function of all D parameters (BatchNorm's as the
affine map that it is then). Of these the weights of linear and convolution layers can
be pruned. epsilon is the population standard deviation of the mean losses of batches of
128 images in a fixed order, all training images together also where L has fewer: paper
C's choice, which measures how noisy the loss of a batch is and depends on its size.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from experiments.data import Split
from theory.confocal import Vector
from theory.coordinates import Coordinates
from theory.curvature import Hessian
from theory.networks import Network, Parameters
from theory.pruning_limit import removal_order

BATCH = 128
"""Images whose mean loss is one sample for epsilon: the authors' batch."""
CHUNK = 2_000
"""Images at once where no gradient is asked for, and in a Hessian product (ours)."""


@dataclass(frozen=True)
class Problem:
    """L around w*, and the images that the accuracy is measured on."""

    network: Network
    images: Tensor
    labels: Tensor
    train: Split
    """Whose batches epsilon is of."""
    test: Split

    @classmethod
    def of(
        cls,
        model: nn.Module,
        train: Split,
        test: Split,
        *,
        images: int | None = None,
        double: bool = True,
    ) -> "Problem":
        """Return the problem of a trained network.

        Args:
            model: with the weights w*.
            train: the images of L; in an order in which a batch is a random sample.
            test: for the accuracy; no choice is made by it.
            images: L is the loss of the first so many training images only.
            double: compute in float64, else in float32.
        """
        kind = torch.float64 if double else torch.float32
        network = Network.of(model, dtype=kind)
        known, checked = (
            Split(network.batch(split.images), split.labels, split.indices)
            for split in (train, test)
        )
        chosen = known.images[:images], known.labels[:images]
        return cls(network, *chosen, known, checked)

    @cached_property
    def coordinates(self) -> Coordinates:
        """Where each parameter lies in a vector of D numbers."""
        return Coordinates.of(self.network.parameters)

    @cached_property
    def weights(self) -> Vector:
        """w*: D numbers."""
        return self._vector(self.network.parameters)

    @cached_property
    def prunable(self) -> Bool[np.ndarray, " n"]:
        """Which of the D parameters can be pruned."""
        names = set(self.network.prunable)
        flags = {
            name: torch.full_like(p, name in names)
            for name, p in self.network.parameters.items()
        }
        return np.asarray(self._vector(flags) > 0)

    @cached_property
    def order(self) -> Int[np.ndarray, " m"]:
        """Positions of the prunable weights in the order in which they go."""
        return removal_order(self.weights, self.prunable)

    @cached_property
    def epsilon(self) -> float:
        """Standard deviation of the mean losses of batches.

        Raises:
            ValueError: there is one batch only.
        """
        if len(self.train.labels) <= BATCH:
            raise ValueError(
                f"expected more than {BATCH} images, which is one batch, got "
                f"{len(self.train.labels)}: one number has no standard deviation"
            )
        pairs = _pairs(self.train.images, self.train.labels)
        with torch.no_grad():
            parts = torch.split(self._losses(self.network.parameters, pairs), BATCH)
        return float(torch.stack([part.mean() for part in parts]).std(correction=0))

    @cached_property
    def loss(self) -> float:
        """L(w*)."""
        return self.loss_at(self.network.parameters)

    @cached_property
    def test_accuracy(self) -> float:
        """Share of test images that w* gets right."""
        return self.accuracy_at(self.network.parameters)

    def hessian(self, *, gauss_newton: bool = False) -> Hessian:
        """Return the Hessian of L at w*, or the Gauss-Newton matrix."""
        return Hessian(
            self.network,
            cross_entropy,
            list(_pairs(self.images, self.labels)),
            gauss_newton=gauss_newton,
        )

    def masks(self, removed: int) -> Parameters:
        """Return 1 where a parameter is kept, 0 where it is pruned."""
        flags = np.ones(len(self.weights))
        flags[self.order[:removed]] = 0.0
        return self.coordinates.unpack(self._tensor(flags))

    def pruned(self, removed: int) -> Parameters:
        """Return w^k: w* with the smallest weights, so many, at 0."""
        masks = self.masks(removed)
        return {name: p * masks[name] for name, p in self.network.parameters.items()}

    @torch.no_grad()
    def loss_at(self, parameters: Parameters) -> float:
        """Return L."""
        pairs = _pairs(self.images, self.labels)
        return float(self._losses(parameters, pairs).mean())

    @torch.no_grad()
    def accuracy_at(self, parameters: Parameters) -> float:
        """Return the share of test images whose largest logit is their label's."""
        hits = sum(
            int((self.network(parameters, x).argmax(1) == y).sum())
            for x, y in _pairs(self.test.images, self.test.labels)
        )
        return hits / len(self.test.labels)

    def _losses(
        self, parameters: Parameters, pairs: Iterator[tuple[Tensor, Tensor]]
    ) -> Float[Tensor, " images"]:
        """Return each image's loss."""
        parts = [
            cross_entropy(self.network(parameters, x), y, reduction="none")
            for x, y in pairs
        ]
        return torch.cat(parts).double()

    def _vector(self, parameters: Parameters) -> Vector:
        return self.coordinates.pack(parameters).double().cpu().numpy()

    def _tensor(self, vector: Vector) -> Tensor:
        reference = next(iter(self.network.parameters.values()))
        return torch.from_numpy(vector).to(reference)


def _pairs(images: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    return zip(torch.split(images, CHUNK), torch.split(labels, CHUNK), strict=True)
