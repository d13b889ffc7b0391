"""The order u in which a training run sees its images: a function of seed and step.

One permutation of all images after the other, each from a generator of its own, cut
into batches of equal size that run across the ends of the permutations. So the batch of
any step is known without those before it: a run that begins at step k, or is resumed
there, sees what the uninterrupted run sees from step k on.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor


def permutation(size: int, order: int, epoch: int) -> Tensor:
    """Return the positions 0, ..., size - 1 as visited in an epoch, counted from 0."""
    child = np.random.SeedSequence((order, epoch)).generate_state(1, np.uint64)
    generator = torch.Generator().manual_seed(int(child[0]) >> 1)
    return torch.randperm(size, generator=generator)


def batches(
    size: int, batch_size: int, order: int, *, first: int = 0
) -> Iterator[Tensor]:
    """Yield the positions of the images of steps first, first + 1, ..., without end.

    Args:
        size: number of training images.
        batch_size: positions a step, always so many.
        order: seed of the order u.
        first: step to begin with, counted from 0.

    Raises:
        ValueError: no images, an empty batch or a negative seed or step.
    """
    if size < 1 or batch_size < 1 or order < 0 or first < 0:
        raise ValueError(
            "expected size >= 1, batch_size >= 1, order >= 0, first >= 0; got "
            f"{size}, {batch_size}, {order}, {first}"
        )
    epoch, seen = divmod(first * batch_size, size)
    ahead = permutation(size, order, epoch)[seen:]
    while True:
        while len(ahead) < batch_size:
            epoch += 1
            ahead = torch.cat([ahead, permutation(size, order, epoch)])
        yield ahead[:batch_size]
        ahead = ahead[batch_size:]
