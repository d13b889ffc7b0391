"""Images in folders: the same pixels for the same visit, whoever decodes them."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tolerance import tolerance

from experiments import sources
from experiments.data import STANDARD
from experiments.data_order import batches
from experiments.generated_images import write_tree
from experiments.image_trees import Tree, imagenet, stream, trees, visits

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("tree")
    write_tree(place, train=4, test=2, seed=0)
    return place


@pytest.fixture
def loose(tmp_path: Path) -> Path:
    """A tree of its own, to be damaged."""
    write_tree(tmp_path, train=2, test=1, seed=0)
    return tmp_path


def files(place: Path) -> dict[str, bytes]:
    found = sorted(place.rglob("*.JPEG"))
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in found}


def test_generated_tree(folder: Path, tmp_path: Path) -> None:
    train, test = trees(folder, 16)
    kinds = ("columns-blue", "columns-red", "rows-blue", "rows-red")
    assert train.classes == test.classes == kinds
    assert (len(train), len(test)) == (16, 8)
    assert len(set(files(folder).values())) == 24
    for name, seed in (("same", 0), ("other", 1)):
        write_tree(tmp_path / name, train=4, test=2, seed=seed)
        assert (files(tmp_path / name) == files(folder)) == (name == "same")


def test_classes_of_generated_images_differ(folder: Path) -> None:
    """Red less blue tells the colours; the larger change tells rows from columns."""
    for name, content in files(folder).items():
        pixels = np.asarray(Image.open(folder / name), float)
        assert content[:2] == b"\xff\xd8" and min(pixels.shape[:2]) >= 18
        assert max(pixels.shape[:2]) <= 24
        _, kind, _ = name.split("/")
        red = (pixels[..., 0] - pixels[..., 2]).mean() > 0
        assert red == kind.endswith("red")
        grey = pixels.mean(2)
        assert (grey.mean(1).std() > grey.mean(0).std()) == kind.startswith("rows")


def test_listing(folder: Path) -> None:
    lines = Tree(folder / "val", 16, augment=False).listing.splitlines()
    assert lines[:3] == [
        "columns-blue/0000.JPEG 0",
        "columns-blue/0001.JPEG 0",
        "columns-red/0000.JPEG 1",
    ]
    assert len(lines) == 8


def test_a_view_depends_on_the_visit_only(folder: Path) -> None:
    train, test = trees(folder, 16)
    before = torch.get_rng_state()
    (first, label), (again, _), (other, _) = train[3, 5], train[3, 5], train[3, 6]
    assert torch.equal(torch.get_rng_state(), before)
    assert first.shape == (3, 16, 16) and first.dtype == torch.float32
    assert label == 0 and train[15, 0][1] == 3
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert not torch.equal(train[3, 5][0], train[2, 5][0])
    assert torch.equal(test[3, 5][0], test[3, 6][0])


def test_mirror_images_and_crops_are_drawn(folder: Path) -> None:
    """Stripes in columns, dark at the left: a mirror image is dark at the right."""
    place = folder.parent / "step" / "train" / "a"
    place.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((20, 20, 3), np.uint8)
    pixels[:, 10:] = 255
    Image.fromarray(pixels).save(place / "0.png")
    tree = Tree(place.parent, 16, augment=True)
    views = [tree[0, seed][0][0] for seed in range(60)]
    leans = [float((view[:, -1] - view[:, 0]).mean()) for view in views]
    mirrored = sum(lean < 0 for lean in leans)
    shown = sum(lean != 0 for lean in leans)
    # z = 4 for a fair coin; some crops show one half only
    assert shown > 20 and abs(mirrored - shown / 2) < 4 * (shown / 4) ** 0.5
    assert len({float(view.mean()) for view in views}) > 20


def test_central_view_by_hand(tmp_path: Path) -> None:
    """The centre 7/8 of the side, standardised by ImageNet's means and deviations."""
    pixels = np.zeros((64, 128, 3), np.uint8)
    pixels[4:60, 36:92] = (200, 20, 30)
    pixels[5:59, 37:91] = (10, 20, 30)
    (tmp_path / "a").mkdir()
    Image.fromarray(pixels).save(tmp_path / "a" / "0.png")
    view, _ = Tree(tmp_path, 56, augment=False)[0, 0]
    mean, deviation = (
        torch.tensor(v, dtype=torch.float64) for v in STANDARD["imagenet"]
    )
    expected = torch.full((3, 56, 56), 10.0, dtype=torch.float64)
    expected[1:] = torch.tensor([20.0, 30.0])[:, None, None]
    expected[0, [0, -1]] = expected[0, :, [0, -1]] = 200
    expected = (expected / 255 - mean[:, None, None]) / deviation[:, None, None]
    assert view.shape == (3, 56, 56)
    bound = tolerance(4, 3.0, torch.float32)
    assert float((view.double() - expected).abs().max()) <= bound


def test_visits() -> None:
    plan = list(visits(20, 8, 7, 0, 10))
    positions = [[position for position, _ in batch] for batch in plan]
    order = islice(batches(20, 8, 7), 10)
    assert positions == [chosen.tolist() for chosen in order]
    seeds = {seed for batch in plan for _, seed in batch}
    assert len(seeds) == 80 and all(0 <= seed < 2**63 for seed in seeds)
    assert list(visits(20, 8, 7, 0, 10)) == plan
    assert list(visits(20, 8, 7, 3, 10)) == plan[3:]
    other = list(visits(20, 8, 8, 0, 10))
    assert other != plan
    assert seeds.isdisjoint(seed for batch in other for _, seed in batch)


def stacked(batches_: Iterator[Any]) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = zip(*batches_, strict=True)
    return torch.cat(images), torch.cat(labels)


def test_processes_change_no_pixel(folder: Path) -> None:
    train, _ = trees(folder, 16)
    state = torch.get_rng_state()
    found = [
        stacked(stream(train, visits(16, 4, 1, 0, 6), workers=n, device=CPU))
        for n in (0, 2)
    ]
    assert torch.equal(torch.get_rng_state(), state), "the global state has moved"
    (images, labels), (same, same_labels) = found
    assert images.shape == (24, 3, 16, 16) and labels.dtype == torch.int64
    assert torch.equal(images, same) and torch.equal(labels, same_labels)
    expected = [train[visit] for batch in visits(16, 4, 1, 0, 6) for visit in batch]
    assert torch.equal(images, torch.stack([image for image, _ in expected]))
    assert labels.tolist() == [label for _, label in expected]


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("damage", ["cut", "text"])
def test_a_broken_file_is_named(loose: Path, workers: int, damage: str) -> None:
    path = loose / "train" / "rows-red" / "0001.JPEG"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"hello")
    train, _ = trees(loose, 16)
    message = "rows-red/0001.JPEG cannot be read as an image .*: unpack it again"
    with pytest.raises(ValueError, match=message):
        list(stream(train, [[(7, 0)]], workers=workers, device=CPU))
    assert len(list(stream(train, [[(6, 0)]], workers=workers, device=CPU))) == 1


def test_classes_must_agree(loose: Path) -> None:
    (loose / "val" / "rows-red").rename(loose / "val" / "other")
    message = r"in only one of train and val: \['other', 'rows-red'\] and 0 more"
    with pytest.raises(ValueError, match=message):
        trees(loose, 16)


def test_imagenet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRUNING_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"imagenet.train.*fetch imagenet"):
        imagenet(16)
    write_tree(tmp_path / "imagenet", train=2, test=1, seed=0)
    with pytest.raises(ValueError, match=r"holds \(4, 8, 4\) classes.*1281167"):
        imagenet(16)
    monkeypatch.setitem(sources.FILES, "imagenet", (4, 8, 4))
    train, test = imagenet(16)
    assert (len(train), len(test)) == (8, 4)
    assert not torch.equal(train[0, 0][0], train[0, 1][0])
    assert torch.equal(test[0, 0][0], test[0, 1][0])
    (tmp_path / "imagenet" / "val").rename(tmp_path / "imagenet" / "test")
    with pytest.raises(FileNotFoundError, match=r"imagenet.val"):
        imagenet(16, tmp_path)
