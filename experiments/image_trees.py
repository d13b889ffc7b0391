"""Images in folders, one a class, decoded when they are needed: never all in memory.

What a training run sees is a function of its data order u alone: which image each place
of each batch has is `data_order`'s choice, and every such visit has a seed of its own
for the crop and the mirror image. So neither the number of decoding processes nor where
a run was interrupted or rewound to changes a single pixel.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from experiments.data import STANDARD
from experiments.data_order import batches
from experiments.sources import FILES, data_root, missing
from experiments.vision import torchvision

Visit = tuple[int, int]
"""Position of an image, seed of what is drawn for it."""

SHOWN = 0.875
"""Share of the shorter side that a test image shows: 224 of 256 pixels."""


class Tree(Dataset[tuple[Tensor, int]]):
    """The images of an ImageFolder tree and their classes, standardised as ImageNet.

    Training images: a random part (8 to 100 % of the area, sides 3:4 to 4:3) enlarged
    or reduced to size x size pixels, and perhaps mirrored. Test images: their centre.
    """

    def __init__(self, folder: Path, size: int, *, augment: bool) -> None:
        """Find the files below ``folder``; FileNotFoundError if a class has none."""
        transforms = torchvision.transforms
        centre = [transforms.Resize(round(size / SHOWN)), transforms.CenterCrop(size)]
        part = [
            transforms.RandomResizedCrop(size),
            transforms.RandomHorizontalFlip(),
        ]
        finish = [transforms.ToTensor(), transforms.Normalize(*STANDARD["imagenet"])]
        self.folder, self.size = folder, size
        self._tree: Any = torchvision.datasets.ImageFolder(folder)
        self._view = transforms.Compose([*(part if augment else centre), *finish])

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the folders; their order numbers the classes."""
        return tuple(self._tree.classes)

    @property
    def listing(self) -> str:
        """One line for each image: its path below the folder and its class."""
        lines = (
            f"{Path(path).relative_to(self.folder).as_posix()} {label}\n"
            for path, label in self._tree.samples
        )
        return "".join(lines)

    def __len__(self) -> int:
        return len(self._tree.samples)

    def __getitem__(self, visit: Visit) -> tuple[Tensor, int]:
        position, seed = visit
        path, label = self._tree.samples[position]
        try:
            image = self._tree.loader(path)
        except (OSError, SyntaxError) as error:  # what Pillow raises for broken files
            raise ValueError(
                f"{path} cannot be read as an image ({error}): unpack it again"
            ) from error
        # torchvision draws from the global state: seed that, and give it back. Only the
        # CPU's: torch.manual_seed would also change what a GPU draws.
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            return self._view(image), label


def imagenet(size: int, root: Path | None = None) -> tuple[Tree, Tree]:
    """Return training and test images: ``imagenet/train`` and ``imagenet/val``.

    Args:
        size: height and width of what the network sees, in pixels.
        root: folder of the data, else PRUNING_DATA, else ./data.

    Raises:
        FileNotFoundError: ImageNet is not there; says how to get it.
        ValueError: other than ImageNet's classes or numbers of files.
    """
    root = data_root(root)
    for part in ("train", "val"):
        if not (root / "imagenet" / part).is_dir():
            raise missing("imagenet", root / "imagenet" / part, root)
    train, test = trees(root / "imagenet", size)
    found = (len(train.classes), len(train), len(test))
    if found != FILES["imagenet"]:
        raise ValueError(
            f"{root / 'imagenet'} holds {found} classes, training and test images, "
            f"expected {FILES['imagenet']}: unpack the archives again"
        )
    return train, test


def trees(folder: Path, size: int) -> tuple[Tree, Tree]:
    """Return the training images in ``train`` and the test images in ``val``.

    Raises:
        ValueError: the two have not the same classes.
    """
    train = Tree(folder / "train", size, augment=True)
    test = Tree(folder / "val", size, augment=False)
    if train.classes != test.classes:
        odd = sorted({*train.classes} ^ {*test.classes})
        raise ValueError(
            f"{folder} has classes in only one of train and val: {odd[:3]} and "
            f"{len(odd[3:])} more; unpack the archives again"
        )
    return train, test


def visits(
    size: int, batch_size: int, order: int, first: int, last: int
) -> Iterator[list[Visit]]:
    """Yield the visits of each of the steps first, ..., last - 1.

    Arguments and errors are those of `data_order.batches`.
    """
    steps = batches(size, batch_size, order, first=first)
    for step, chosen in enumerate(islice(steps, last - first), first):
        places = range(step * batch_size, (step + 1) * batch_size)
        draws = (child(order, place, 2) for place in places)
        yield list(zip(chosen.tolist(), draws, strict=True))


def child(*key: int) -> int:
    """Return a seed of 63 bits; keys differ from those of `data_order` in length."""
    state = np.random.SeedSequence(key).generate_state(1, np.uint64)
    return int(state[0]) >> 1


def stream(
    tree: Tree, plan: Iterable[list[Visit]], *, workers: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield images (N x 3 x size x size, float32) and labels, on the device.

    Args:
        tree: where the images are.
        plan: the visits of each batch.
        workers: processes that decode ahead; 0 decodes here.
        device: where the batches are wanted.

    Raises:
        ValueError: an image cannot be decoded; names the file.
    """
    pinned = device.type == "cuda"
    loader = DataLoader(
        tree,
        batch_sampler=plan,
        num_workers=workers,
        pin_memory=pinned,
        # never used, but without it the global state is: it would move
        generator=torch.Generator(),
    )
    for images, labels in loader:
        yield (
            images.to(device, non_blocking=pinned),
            labels.to(device, non_blocking=pinned),
        )
