"""The two networks whose scores the conservation figures draw, and their scores."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from experiments import data
from experiments.architectures import small_vgg, vgg_imagenet
from experiments.evaluation import accuracy
from experiments.recipes import Recipe
from experiments.seeds import generators
from experiments.training import train
from theory import scores, synflow
from theory.networks import Network, Parameters, Readout, cross_entropy

Score = Literal["random", "magnitude", "saliency", "snip", "grasp", "synflow"]
Architecture = Literal["vgg19-imagenet", "small-vgg-digits"]
Images = Literal["generated", "imagenet", "digits"]
_LARGE = ("generated", "imagenet")


@dataclass(frozen=True)
class Subject:
    """A network to score, the batch and the loss that its scores see."""

    network: Network
    images: Tensor
    loss: Readout
    test_accuracy: float


def subject(
    architecture: Architecture,
    images: Images,
    *,
    bias: bool,
    epochs: int,
    samples: int,
    double: bool,
    seed: int,
) -> Subject:
    """Return the network at initialisation (epochs = 0) or after training.

    VGG-19 has its full ImageNet size and sees "generated" images (Gaussian, with
    uniform labels: the conservation laws hold for any batch) or "imagenet"; it is not
    trained, and its `test_accuracy` is NaN. The small VGG sees a class-balanced batch
    of "digits". Initialisation, batch and training have generators of their own.

    Raises:
        ValueError: the images do not fit the architecture, or epochs > 0 for VGG-19.
    """
    expected = ("digits",) if architecture == "small-vgg-digits" else _LARGE
    if images not in expected or (epochs and images != "digits"):
        raise ValueError(
            f"{architecture} sees images from {expected} and only the small VGG is "
            f"trained; got {images!r} and epochs={epochs}"
        )
    initial, drawn, order = generators(seed, 3)
    dtype = torch.float64 if double else torch.float32
    if architecture == "vgg19-imagenet":
        model = vgg_imagenet(19, generator=initial)
        x = torch.randn(samples, 3, 224, 224, generator=drawn)
        labels = torch.randint(1000, (samples,), generator=drawn)
        if images == "imagenet":
            split = data.load("imagenet", per_class=1).train
            x, labels = data.batch(split, samples, balanced=False, generator=drawn)
        test_accuracy = float("nan")
    else:
        digits = data.load("digits")
        model = small_vgg(bias=bias, generator=initial)
        # ours, as all of these: about 98 % of the test images
        recipe = Recipe(epochs, 64, 0.05, weight_decay=5e-4, cosine=True)
        model, _ = train(model, digits.train, recipe, generator=order)
        test_accuracy = accuracy(model, digits.test)
        x, labels = data.batch(digits.train, samples, balanced=True, generator=drawn)
    network = Network.of(model, dtype=dtype)
    return Subject(network, x, cross_entropy(labels), test_accuracy)


def score(subject: Subject, kind: Score, *, seed: int) -> Parameters:
    """Return one score of every parameter, larger = kept.

    GraSP without a temperature and with the whole batch at once; `grasp` is
    +theta * Hg (see `theory.scores`), the published data hold -theta * Hg.
    """
    network, x, loss = subject.network, subject.images, subject.loss
    match kind:
        case "random":
            generator = torch.Generator().manual_seed(seed)
            return scores.random(network, generator=generator)
        case "magnitude":
            return scores.magnitude(network)
        case "saliency":
            return scores.saliency(network, x, loss)
        case "snip":
            return scores.snip(network, x, loss)
        case "grasp":
            return scores.grasp(network, x, loss)
        case "synflow":
            return synflow.synflow(network, tuple(x.shape[1:]))
