"""Random crops and mirror images, drawn anew for every image of a batch."""

import torch
from torch import Tensor


def augmented(
    images: Tensor, *, crop: int, flip: bool, generator: torch.Generator
) -> Tensor:
    """Return each image shifted by up to ``crop`` pixels and perhaps mirrored.

    A window of the old size, uniform among the (2 crop + 1)² of the image padded by
    ``crop`` pixels, then a mirror image with probability 1/2: all papers' choice for
    CIFAR, with crop = 4. The padding is 0, the mean colour of standardised images;
    Synaptic-Flow pads with black. Without crop and flip nothing is drawn.

    Args:
        images: N x C x height x width.
        crop: pixels of padding on each side, at least 0.
        flip: whether to mirror left and right.
        generator: source of the draws; on the CPU.

    Raises:
        ValueError: if crop or flip is asked for and the images have other axes.
    """
    if not crop and not flip:
        return images
    if images.dim() != 4:
        raise ValueError(
            "expected images of the shape N x C x height x width to crop or flip, got "
            f"{tuple(images.shape)}; train without augmentation"
        )
    count, channels, height, width = images.shape
    rows = torch.arange(height).expand(count, height)
    columns = torch.arange(width).expand(count, width)
    if flip:
        mirrored = torch.rand(count, 1, generator=generator) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    if crop:
        shifts = torch.randint(2 * crop + 1, (2, count, 1), generator=generator)
        rows, columns = rows + shifts[0], columns + shifts[1]
        images = torch.nn.functional.pad(images, [crop] * 4)
    rows, columns = rows.to(images.device), columns.to(images.device)
    picture = torch.arange(count, device=images.device).view(-1, 1, 1, 1)
    channel = torch.arange(channels, device=images.device).view(-1, 1, 1)
    return images[picture, channel, rows[:, None, :, None], columns[:, None, None]]
