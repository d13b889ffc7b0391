"""Small networks on digits whose whole Hessian is computed: 1,482 parameters.

Five weights of the same 64-16-16-10 ReLU network, for which estimates of the spectrum
fail in different ways: at initialisation (indefinite), trained, over-trained (all
eigenvalues tiny), sharp (the same function with its first layer's weights and biases
divided and the second layer's multiplied by 8: Dinh et al. 2017, arXiv 1703.04933) and
dead (half of the first layer's units never active).
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from experiments import data
from experiments.initialisation import build
from experiments.recipes import Recipe
from experiments.seeds import generators
from experiments.training import train
from theory.confocal import Vector
from theory.curvature import Hessian
from theory.dead_parameters import dead_coordinates
from theory.lanczos import Product
from theory.networks import Network
from theory.operators import dense

State = Literal["initial", "trained", "overtrained", "sharp", "dead"]
STATES: tuple[State, ...] = get_args(State)

HIDDEN = 16
BATCH = 128
"""Images of the batches whose losses' standard deviation is epsilon, as in paper C."""
EPOCHS: dict[State, int] = {
    "initial": 0,
    "trained": 20,
    "overtrained": 400,
    "sharp": 20,
    "dead": 20,
}
RESCALED = 8.0
SILENT = -100.0
"""Bias below which no digit takes a unit of the first layer (ours)."""


@dataclass(frozen=True)
class KnownCurvature:
    """A network with all that its limits depend on, exactly."""

    model: nn.Module
    """In float64."""
    batch: tuple[Tensor, Tensor]
    """All training images and labels, in a random order."""
    matrix: Float[Tensor, "size size"]
    """The Hessian of the mean loss over them."""
    dead: Bool[np.ndarray, " size"]
    """Coordinates with zero rows."""
    eigenvalues: Vector
    """Of the other rows and columns, rising."""
    vectors: Float[Tensor, "live live"]
    """Their eigenvectors, as columns."""
    weights: Vector
    """All parameters."""
    prunable: Bool[np.ndarray, " size"]
    """Which are weights of linear layers."""
    epsilon: float
    """Standard deviation of the batches' losses."""
    accuracy: float
    """On the training images."""

    @property
    def spectrum(self) -> Vector:
        """All eigenvalues: those of dead coordinates are 0."""
        return np.append(self.eigenvalues, np.zeros(int(self.dead.sum())))

    def product(self, vectors: Tensor) -> Tensor:
        """Return H v."""
        return self.matrix @ vectors


@cache
def known_curvature(state: State, seed: int = 0) -> KnownCurvature:
    """Return the network in a state; a few seconds the first time."""
    model, images, labels = _trained(state, seed)
    network = Network.of(model)
    hessian = Hessian(network, functional.cross_entropy, [(images, labels)])
    (probes,) = generators(seed, 1)
    dead = dead_coordinates(hessian, generator=probes)
    matrix = dense(hessian)
    live = matrix[~dead][:, ~dead]
    eigenvalues, vectors = torch.linalg.eigh((live + live.T) / 2)
    outputs = network(network.parameters, images)
    prunable = {
        name: torch.full_like(p, float(name in network.prunable))
        for name, p in network.parameters.items()
    }
    pack = hessian.coordinates.pack
    return KnownCurvature(
        model,
        (images, labels),
        matrix,
        dead.numpy(),
        eigenvalues.numpy(),
        vectors,
        pack(network.parameters).numpy(),
        pack(prunable).numpy() > 0,
        batch_deviation(outputs, labels),
        float((outputs.argmax(1) == labels).double().mean()),
    )


def diagonal(values: Vector) -> Product:
    """Return the product of a diagonal matrix with a vector or with columns.

    Of a matrix's eigenvalues it is to random starts that have no preferred direction
    what the matrix is: the same distribution of every Lanczos run.
    """
    column = torch.from_numpy(values).unsqueeze(1)

    def product(vectors: Tensor) -> Tensor:
        return (column if vectors.dim() == 2 else column[:, 0]) * vectors

    return product


def batch_deviation(outputs: Tensor, labels: Tensor) -> float:
    """Return the standard deviation of the cross-entropies of whole batches.

    Raises:
        ValueError: fewer than two whole batches.
    """
    parts = zip(torch.split(outputs, BATCH), torch.split(labels, BATCH), strict=True)
    losses = [
        float(functional.cross_entropy(out, y)) for out, y in parts if len(y) == BATCH
    ]
    if len(losses) < 2:
        raise ValueError(
            f"expected at least {2 * BATCH} images for two batches, got {len(labels)}"
        )
    return float(np.std(losses))


def _trained(state: State, seed: int) -> tuple[nn.Module, Tensor, Tensor]:
    """Return the network in float64, with its training images in a random order."""
    split = data.load("digits").train
    initial, order, shuffle = generators(seed, 3)
    model = build(_layers, "kaiming", initial)
    if state == "dead":
        with torch.no_grad():
            model.get_parameter("1.bias")[: HIDDEN // 2] = SILENT
    recipe = Recipe(EPOCHS[state], 64, 0.02)
    model, _ = train(model, split, recipe, generator=order)
    if state == "sharp":
        with torch.no_grad():
            model.get_parameter("1.weight").div_(RESCALED)
            model.get_parameter("1.bias").div_(RESCALED)
            model.get_parameter("3.weight").mul_(RESCALED)
    chosen = torch.randperm(len(split.labels), generator=shuffle)
    return model.double(), split.images[chosen].double(), split.labels[chosen]


def _layers() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(),
        *(nn.Linear(64, HIDDEN), nn.ReLU()),
        *(nn.Linear(HIDDEN, HIDDEN), nn.ReLU()),
        nn.Linear(HIDDEN, 10),
    )
