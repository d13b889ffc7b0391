"""Digits are scikit-learn's, the splits do not overlap, batches are what was asked."""

from itertools import chain

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from experiments import data


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_digits_are_scikit_learns_split_by_class() -> None:
    loaded, source = data.load("digits"), load_digits()
    assert (loaded.name, loaded.classes) == ("digits", 10)
    parts = (loaded.train, loaded.validation, loaded.test)
    indices = chain.from_iterable(part.indices.tolist() for part in parts)
    assert sorted(indices) == list(range(1797))  # disjoint and complete
    (mean,), (deviation,) = data.STANDARD["digits"]
    for part in parts:
        positions = part.indices.numpy()
        images = (source.images[positions] / 16 - mean) / deviation
        assert part.images.dtype == torch.float32
        assert np.abs(part.images[:, 0].numpy() - images).max() < 1e-6
        assert (part.labels.numpy() == source.target[positions]).all()
    counts = np.bincount(source.target)
    held_out = np.round(counts * 0.1).astype(int)
    for part, expected in (
        (loaded.validation, held_out),
        (loaded.test, 2 * held_out),
        (loaded.train, counts - 3 * held_out),
    ):
        assert part.labels.bincount().tolist() == expected.tolist()


def test_digits_constants_are_the_mean_and_deviation() -> None:
    images = load_digits().images / 16
    (mean,), (deviation,) = data.STANDARD["digits"]
    assert (round(images.mean(), 4), round(images.std(), 4)) == (mean, deviation)


def test_the_seed_chooses_the_split() -> None:
    first, again, other = (data.load("digits", split_seed=seed) for seed in (0, 0, 1))
    for part in ("train", "validation", "test"):
        indices = getattr(first, part).indices
        assert torch.equal(indices, getattr(again, part).indices)
        assert not torch.equal(indices, getattr(other, part).indices)


def test_per_class_limits_every_split() -> None:
    loaded = data.load("digits", per_class=3)
    for part in (loaded.train, loaded.validation, loaded.test):
        assert part.labels.bincount().tolist() == [3] * 10
    whole = data.load("digits")
    assert set(loaded.train.indices.tolist()) < set(whole.train.indices.tolist())


def test_loading_leaves_global_random_states_alone() -> None:
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    split = data.load("digits").train
    data.batch(split, 10, balanced=True, generator=seeded())
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()


def test_unknown_names_and_limits_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown data set 'cifar'"):
        data.load("cifar")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="per_class must be at least 1"):
        data.load("digits", per_class=0)


def test_batches_are_drawn_without_replacement_by_the_generator() -> None:
    split = data.load("digits").train
    for balanced in (True, False):
        images, labels = data.batch(split, 50, balanced=balanced, generator=seeded())
        same, _ = data.batch(split, 50, balanced=balanced, generator=seeded())
        other, _ = data.batch(split, 50, balanced=balanced, generator=seeded(1))
        assert torch.equal(images, same) and not torch.equal(images, other)
        assert (labels.bincount().tolist() == [5] * 10) is balanced
    whole, labels = data.batch(
        split, len(split.labels), balanced=False, generator=seeded()
    )
    assert torch.equal(labels.bincount(), split.labels.bincount())
    assert torch.equal(whole.unique(dim=0), split.images.unique(dim=0))


def test_batch_images_belong_to_their_labels() -> None:
    split = data.load("digits").train
    for balanced in (True, False):
        images, labels = data.batch(split, 20, balanced=balanced, generator=seeded())
        for image, label in zip(images, labels, strict=True):
            same = (split.images == image).flatten(1).all(1)
            assert label in split.labels[same]


def test_impossible_batches_are_refused() -> None:
    split = data.load("digits", per_class=3).train
    for size, balanced in ((0, False), (31, False), (0, True), (15, True), (40, True)):
        with pytest.raises(ValueError, match=f"cannot draw {size} images"):
            data.batch(split, size, balanced=balanced, generator=seeded())
