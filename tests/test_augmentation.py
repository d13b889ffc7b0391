"""Augmented images are windows of the padded image, each as often as it should be."""

import pytest
import torch
from torch import Tensor

from experiments.augmentation import augmented


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def numbered(count: int) -> Tensor:
    """The same image of 2 x 3 x 4 different entries, none 0, ``count`` times."""
    return torch.arange(1.0, 25.0).view(1, 2, 3, 4).repeat(count, 1, 1, 1)


def windows(crop: int) -> dict[bytes, tuple[int, int, bool]]:
    """Every result that one image can have, cut out by hand."""
    image = numbered(1)[0]
    padded = torch.zeros(2, 3 + 2 * crop, 4 + 2 * crop)
    padded[:, crop : crop + 3, crop : crop + 4] = image
    found = {}
    for top in range(2 * crop + 1):
        for left in range(2 * crop + 1):
            window = padded[:, top : top + 3, left : left + 4]
            for mirrored in (False, True):
                result = window.flip(2) if mirrored else window
                found[result.contiguous().numpy().tobytes()] = (top, left, mirrored)
    return found


def drawn(count: int, crop: int, flip: bool) -> list[tuple[int, int, bool]]:
    result = augmented(numbered(count), crop=crop, flip=flip, generator=seeded())
    assert result.shape == (count, 2, 3, 4)
    choices = windows(crop)
    return [choices[image.contiguous().numpy().tobytes()] for image in result]


def test_all_windows_and_mirror_images_are_equally_likely() -> None:
    """18 results, 9,000 draws: each count is binomial, 500 on average.

    |z| < 4.5 fails by chance for one of the 18, or for the number of mirror images,
    with probability 1.3e-4.
    """
    found = drawn(9000, crop=1, flip=True)
    counts = {choice: found.count(choice) for choice in windows(1).values()}
    deviation = (9000 * (1 / 18) * (17 / 18)) ** 0.5
    assert len(counts) == 18
    assert all(abs(count - 500) < 4.5 * deviation for count in counts.values())
    mirrored = sum(mirrored for _, _, mirrored in found)
    assert abs(mirrored - 4500) < 4.5 * (9000 / 4) ** 0.5


def test_crop_and_flip_alone() -> None:
    assert {mirrored for _, _, mirrored in drawn(100, crop=1, flip=False)} == {False}
    assert set(drawn(100, crop=0, flip=True)) == {(0, 0, False), (0, 0, True)}
    corners = {(top, left) for top, left, _ in drawn(900, crop=2, flip=False)}
    assert corners == {(top, left) for top in range(5) for left in range(5)}


def test_nothing_asked_for_nothing_drawn() -> None:
    generator, vectors = seeded(), torch.ones(5, 6)
    assert augmented(vectors, crop=0, flip=False, generator=generator) is vectors
    assert torch.equal(generator.get_state(), seeded().get_state())


def test_images_stay_as_they_were_and_the_seed_decides() -> None:
    images = numbered(50)
    first, second, other = (
        augmented(images, crop=1, flip=True, generator=seeded(seed))
        for seed in (0, 0, 1)
    )
    assert torch.equal(images, numbered(50))
    assert torch.equal(first, second) and not torch.equal(first, other)


@pytest.mark.parametrize(
    "choice", [{"crop": 1, "flip": False}, {"crop": 0, "flip": True}]
)
def test_vectors_have_no_windows(choice: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"N x C x height x width.*got \(5, 6\)"):
        augmented(torch.ones(5, 6), **choice, generator=seeded())  # type: ignore[arg-type]
