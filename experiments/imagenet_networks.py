"""Paper B's networks for ImageNet, torchvision's, and a small one to try things out.

Their sizes are the paper's: 25,557,032 parameters (printed 25.5M), 27,161,264 (27.1M,
with the auxiliary classifier) and 1,248,424 (1.25M, so SqueezeNet 1.0 and not 1.1).
"""

from functools import partial
from typing import Any, Literal

import torch
from torch import nn

from experiments.initialisation import Scheme, build
from experiments.residual import residual
from experiments.vision import torchvision

Network = Literal["resnet50", "inception_v3", "squeezenet", "resnet8"]


def network(
    name: Network, classes: int, *, generator: torch.Generator | None
) -> nn.Module:
    """Return a network of logits with new weights; shapes only without a generator.

    Inception-v3 returns a pair while it trains: the logits, and those of its auxiliary
    classifier; it needs images of 299 x 299 then. ResNet8 is ours: three blocks of 8,
    16 and 32 channels, 19,756 parameters for 4 classes.

    Variances of the first weights are those of the code that the paper names, the
    distributions normal: Glorot's for SqueezeNet, 2 / fan_in for Inception-v3; ResNets
    are torchvision's.
    """
    models = torchvision.models
    make: Any
    scheme: Scheme
    match name:
        case "resnet50":
            make, scheme = models.resnet50, "resnet"
        case "inception_v3":
            make = partial(models.inception_v3, aux_logits=True, init_weights=False)
            scheme = "kaiming"
        case "squeezenet":
            make, scheme = models.squeezenet1_0, "glorot"
        case "resnet8":
            return build(partial(_resnet8, classes), "resnet", generator)
    return build(partial(make, num_classes=classes), scheme, generator)


def _resnet8(classes: int) -> nn.Module:
    block = torchvision.models.resnet.BasicBlock
    return residual(block, (8, 16, 32), (1, 1, 1), classes)
