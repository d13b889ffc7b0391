"""A small ImageFolder tree of generated pictures, to run ImageNet's code without it."""

from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"blue": (-1.0, 0.0, 1.0), "red": (1.0, 0.0, -1.0)}
SIDES = ("columns", "rows")


def write_tree(folder: Path, *, train: int, test: int, seed: int) -> None:
    """Write ``train`` and ``val``, each with a folder of JPEG files for 4 classes.

    A class is the direction of stripes (columns or rows) and their colour (blue or
    red): a crop or a mirror image keeps both. Width, phase, contrast and size of the
    picture (18 to 24 pixels a side) are drawn, and noise hides most of it.

    Args:
        folder: where; made if it is not there.
        train: training pictures of each class.
        test: test pictures of each class.
        seed: of all that is drawn.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    for part, count in (("train", train), ("val", test)):
        for side, colour in product(SIDES, COLOURS):
            place = folder / part / f"{side}-{colour}"
            place.mkdir(parents=True)
            for number in range(count):
                picture = _picture(side, colour, rng)
                picture.save(place / f"{number:04}.JPEG", quality=95)


def _picture(side: str, colour: str, rng: np.random.Generator) -> Image.Image:
    height, width = rng.integers(18, 25, 2)
    rows, columns = np.mgrid[:height, :width]
    across = rows if side == "rows" else columns
    period, phase = rng.uniform(4, 8), rng.uniform(0, 2 * np.pi)
    stripes = np.sin(2 * np.pi * across / period + phase)
    tint = rng.uniform(20, 60) * np.array(COLOURS[colour]) * (stripes > 0)[..., None]
    grey = rng.uniform(20, 60) * stripes[..., None]
    noise = rng.normal(0, 40, (height, width, 3))
    return Image.fromarray((128 + grey + tint + noise).clip(0, 255).astype(np.uint8))
