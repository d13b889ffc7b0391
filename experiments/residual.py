"""The structure of a residual network for small images, from torchvision's blocks."""

from collections import OrderedDict
from typing import Any

from torch import nn


def residual(
    block: Any, widths: tuple[int, ...], depths: tuple[int, ...], classes: int
) -> nn.Sequential:
    """A 3x3 stem, stages of ``depths`` blocks, global average and a linear layer.

    Every stage but the first halves the image. Where a block changes the size or the
    number of channels, its shortcut is a 1x1 convolution with BatchNorm.

    Args:
        block: torchvision's BasicBlock or Bottleneck.
        widths: channels inside the blocks of each stage; the stem has the first.
        depths: blocks in each stage.
        classes: number of logits.
    """
    channels = widths[0]
    layers: dict[str, nn.Module] = {
        "conv1": nn.Conv2d(3, channels, 3, padding=1, bias=False),
        "bn1": nn.BatchNorm2d(channels),
        "relu": nn.ReLU(),
    }
    for stage, (width, depth) in enumerate(zip(widths, depths, strict=True), 1):
        outputs = width * block.expansion
        blocks = []
        for stride in (1 if stage == 1 else 2,) + (1,) * (depth - 1):
            shortcut = None
            if stride > 1 or channels != outputs:
                projection = nn.Conv2d(channels, outputs, 1, stride, bias=False)
                shortcut = nn.Sequential(projection, nn.BatchNorm2d(outputs))
            blocks.append(block(channels, width, stride, shortcut))
            channels = outputs
        layers[f"layer{stage}"] = nn.Sequential(*blocks)
    layers["avgpool"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["fc"] = nn.Linear(channels, classes)
    return nn.Sequential(OrderedDict(layers))
