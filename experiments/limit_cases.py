"""The networks whose pruning limit is predicted and measured, and how they are trained.

Three are small enough for the whole Hessian, on digits. The others have paper C's
sizes, or lie between. Recipes of paper C's networks are those of the authors'
configuration files; the others are ours. l1 adds lambda * sum |w| over all parameters,
as theirs does.

Deviations: a tenth of the training images is set apart. Learning rates follow the
schedules that the authors asked for; their code steps the schedulers once a batch, so
that AlexNet's rate never falls and the cosine has a period of about an epoch. Networks
that train on a CPU see fewer epochs than the authors' 200, and their L is the loss of
some of the training images only.
"""

from dataclasses import dataclass, replace
from typing import TypedDict

from experiments.limit_networks import Architecture
from experiments.recipes import Recipe
from experiments.sources import Name


@dataclass(frozen=True)
class Case:
    """A network with its images, its training, and how finely it is studied."""

    architecture: Architecture
    dataset: Name
    recipe: Recipe
    strengths: tuple[float, ...]
    """Values of lambda."""
    dense: bool = False
    """Whether the Hessian is computed whole, in float64; else by products only, in
    float32."""
    gauss_newton: bool = False
    """Whether that matrix is computed whole, too."""
    images: int | None = None
    """L is the loss of so many random training images; None: of all."""
    levels: int = 1000
    """Numbers of weights that one-shot pruning removes before the refinement."""
    probes: int = 8
    """Random starts of Lanczos."""
    steps: int = 64
    """Of each Lanczos run."""
    retraining: int = 60
    """Epochs that the survivors train at most."""


class Coarse(TypedDict):
    """How finely a case is studied."""

    images: int
    levels: int
    steps: int
    retraining: int


_DIGITS = Recipe(epochs=200, batch_size=128, learning_rate=0.05, cosine=True)
_EPOCH = 352
"""Steps of an epoch of 45,000 images."""
_PLAIN = Recipe(epochs=200, batch_size=128, learning_rate=0.01)
_IMAGES = replace(_PLAIN, crop=4, flip=True)
_WARM = replace(_IMAGES, warmup=5 * _EPOCH)
_ALEXNET = replace(_WARM, drops=(60, 120, 160), drop=0.5)
_RESNET = replace(_WARM, learning_rate=0.1, cosine=True)
_SHORT = replace(_IMAGES, epochs=20)
_COARSE: Coarse = {"images": 500, "levels": 100, "steps": 32, "retraining": 20}
"""Of the largest networks on a CPU."""
SWEEP = (0.0, 1e-4, 5e-4, 2e-3)

CASES = {
    "mlp-digits": Case(
        "mlp",
        "digits",
        _DIGITS,
        SWEEP,
        dense=True,
        gauss_newton=True,
    ),
    "fc5-digits": Case("fc5-narrow", "digits", _DIGITS, (0.0, 5e-4), dense=True),
    "convnet-digits": Case(
        "convnet", "digits", _DIGITS, (0.0, 5e-4), dense=True, levels=250
    ),
    "lenet-mnist": Case(
        "lenet-300-100",
        "mnist",
        replace(_PLAIN, epochs=30),
        (0.0, 2e-5, 1e-4),
        images=5_000,
        levels=200,
        probes=4,
        retraining=20,
    ),
    "fc5-mnist": Case(
        "fc5", "mnist", replace(_PLAIN, epochs=10), (0.0, 5e-5), **_COARSE
    ),
    "small-vgg-cifar10": Case(
        "small-vgg",
        "cifar10-jpeg",
        replace(_IMAGES, epochs=12),
        (0.0, 1e-4),
        images=384,
        levels=100,
        steps=24,
        retraining=20,
    ),
    "fc5-cifar10": Case("fc5", "cifar10-jpeg", _SHORT, (0.0, 5e-5), **_COARSE),
    "fc12-cifar10": Case("fc12", "cifar10-jpeg", _SHORT, (0.0, 5e-5), **_COARSE),
    "alexnet-cifar10": Case("alexnet", "cifar10", _ALEXNET, (0.0, 3e-5), steps=96),
    "vgg16-cifar10": Case("vgg16", "cifar10", _WARM, (0.0, 1e-4), steps=128),
    "resnet18-cifar100": Case("resnet18", "cifar100", _RESNET, (0.0, 5e-5), steps=128),
    "resnet50-cifar100": Case("resnet50", "cifar100", _RESNET, (0.0, 2e-5), steps=128),
}
"""By name; lambda and the number of Lanczos steps of paper C's networks are theirs."""
