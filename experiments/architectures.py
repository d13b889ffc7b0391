"""The networks of the three papers, at the papers' sizes.

Every builder takes a ``generator`` and draws all weights from it, on its device, never
from the global random state. ``generator=None`` gives the shapes only, on PyTorch's
meta device: no memory and no numbers, enough to count. All networks return logits, and
all can be traced by ``torch.fx``.

Paper A is arXiv 2006.05467 with its code Synaptic-Flow; paper B is arXiv 1903.01611v3;
paper C is arXiv 2306.05857 with its code Global-One-shot-Pruning.
"""

from collections import OrderedDict
from functools import partial
from itertools import pairwise

import torch
from torch import nn

from experiments.initialisation import Scheme, build
from experiments.residual import residual
from experiments.vision import torchvision

Generator = torch.Generator | None

_VGG_PLANS = {11: "A", 16: "D", 19: "E"}


def prunable_weights(model: nn.Module) -> dict[str, int]:
    """Number of weights of each convolution and linear layer, by parameter name.

    Biases and BatchNorm parameters are never pruned in any of the papers.
    """
    layers = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
    return {
        f"{name}.weight": module.weight.numel()
        for name, module in model.named_modules()
        if isinstance(module, layers)
    }


def vgg_imagenet(depth: int, classes: int = 1000, *, generator: Generator) -> nn.Module:
    """VGG-11, 16 or 19 without BatchNorm, torchvision's (paper A, figures 2-4, 7)."""
    _check_depth("VGG", depth, tuple(_VGG_PLANS))
    make = getattr(torchvision.models, f"vgg{depth}")
    return build(partial(make, num_classes=classes), "vgg", generator)


def vgg_cifar(depth: int, classes: int, *, generator: Generator) -> nn.Module:
    """VGG-11, 16 or 19 with BatchNorm and one linear layer, for 32x32 images.

    torchvision's convolutions, biases included, with a global average in the place of
    the last max pooling: Synaptic-Flow's "lottery" form. Papers A, B and C.
    """
    _check_depth("VGG", depth, tuple(_VGG_PLANS))
    vgg = torchvision.models.vgg
    plan = vgg.cfgs[_VGG_PLANS[depth]][:-1]

    def make() -> nn.Module:
        layers = {
            "features": vgg.make_layers(plan, batch_norm=True),
            "pool": nn.AdaptiveAvgPool2d(1),
            "flatten": nn.Flatten(),
            "classifier": nn.Linear(512, classes),
        }
        return nn.Sequential(OrderedDict(layers))

    return build(make, "kaiming", generator)


def small_vgg(classes: int = 10, *, bias: bool, generator: Generator) -> nn.Module:
    """Four convolutions and a linear layer for 8x8 one-channel digits (ours).

    Weights in the layers: 144, 4608, 18432, 36864, 256 a class.
    """

    def make() -> nn.Module:
        def conv(inputs: int, outputs: int) -> tuple[nn.Module, nn.Module]:
            return nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias), nn.ReLU()

        return nn.Sequential(
            *conv(1, 16),
            *conv(16, 32),
            nn.MaxPool2d(2),
            *conv(32, 64),
            *conv(64, 64),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(64 * 2 * 2, classes, bias=bias),
        )

    return build(make, "kaiming", generator)


def resnet_imagenet(
    depth: int, classes: int = 1000, *, generator: Generator
) -> nn.Module:
    """ResNet-18 or 50, torchvision's (paper B has ResNet-50)."""
    _check_depth("ResNet", depth, (18, 50))
    make = getattr(torchvision.models, f"resnet{depth}")
    return build(partial(make, num_classes=classes), "resnet", generator)


def resnet_cifar(depth: int, classes: int, *, generator: Generator) -> nn.Module:
    """ResNet-18 or 50 with a 3x3 stem of stride 1 and no max pooling (papers A, C)."""
    _check_depth("ResNet", depth, (18, 50))
    resnet, widths = torchvision.models.resnet, (64, 128, 256, 512)
    block, depths = {
        18: (resnet.BasicBlock, (2, 2, 2, 2)),
        50: (resnet.Bottleneck, (3, 4, 6, 3)),
    }[depth]
    make = partial(residual, block, widths, depths, classes)
    return build(make, "resnet", generator)


def wide_resnet18(classes: int, *, generator: Generator) -> nn.Module:
    """ResNet-18 as in ``resnet_cifar`` with every width doubled, the stem's included.

    Paper A names it without sizes. Its code hands a doubled ``base_width`` to a basic
    block that ignores it, so that what it trains as WideResNet-18 is ResNet-18.
    """
    block, widths = torchvision.models.resnet.BasicBlock, (128, 256, 512, 1024)
    make = partial(residual, block, widths, (2, 2, 2, 2), classes)
    return build(make, "resnet", generator)


def resnet20(classes: int = 10, *, generator: Generator) -> nn.Module:
    """Paper B's CIFAR "Resnet-18": 20 layers of 16, 32 and 64 channels.

    272,474 parameters; the paper's 274K fits 274,042 with BatchNorm's running means
    and variances. It does not say how weights are drawn: torchvision's way is ours.
    """
    block = torchvision.models.resnet.BasicBlock
    make = partial(residual, block, (16, 32, 64), (3, 3, 3), classes)
    return build(make, "resnet", generator)


def lenet_300_100(classes: int = 10, *, generator: Generator) -> nn.Module:
    """LeNet-300-100 for 28x28 one-channel images (paper B)."""
    return _dense((784, 300, 100, classes), "glorot", generator)


def fc5(classes: int = 10, inputs: int = 3072, *, generator: Generator) -> nn.Module:
    """Paper C's FC5; 3072 inputs are a CIFAR image, 784 an MNIST image."""
    return _dense((inputs, 1000, 600, 300, 100, classes), "kaiming", generator)


def fc12(classes: int = 10, inputs: int = 3072, *, generator: Generator) -> nn.Module:
    """Paper C's FC12; 3072 inputs are a CIFAR image, 784 an MNIST image."""
    hidden = (1000, 900, 800, 750, 700, 650, 600, 500, 400, 200, 100)
    return _dense((inputs, *hidden, classes), "kaiming", generator)


def alexnet(classes: int = 10, *, generator: Generator) -> nn.Module:
    """Paper C's AlexNet for 32x32 images, which it first enlarges to 224x224.

    Not torchvision's, which has fewer channels and 61,100,840 parameters.
    """

    def make() -> nn.Module:
        return nn.Sequential(
            nn.Upsample(scale_factor=7, mode="nearest"),
            *(nn.Conv2d(3, 96, 11, stride=4, padding=1), nn.ReLU()),
            nn.MaxPool2d(3, 2),
            *(nn.Conv2d(96, 256, 5, padding=2), nn.ReLU()),
            nn.MaxPool2d(3, 2),
            *(nn.Conv2d(256, 384, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(384, 384, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
            nn.MaxPool2d(3, 2),
            nn.Flatten(),
            *(nn.Linear(256 * 5 * 5, 4096), nn.ReLU()),
            *(nn.Linear(4096, 4096), nn.ReLU()),
            nn.Linear(4096, classes),
        )

    return build(make, "kaiming", generator)


def _check_depth(family: str, depth: int, depths: tuple[int, ...]) -> None:
    if depth not in depths:
        raise ValueError(f"{family} comes in depths {depths}, got {depth}; choose one")


def _dense(sizes: tuple[int, ...], scheme: Scheme, generator: Generator) -> nn.Module:
    def make() -> nn.Module:
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        return nn.Sequential(*layers[:-1])  # logits: no ReLU after the last layer

    return build(make, scheme, generator)
