"""Training on images from folders: a function of weights, masks and data order."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tolerance import tolerance
from torch import Tensor, nn

from experiments import cells, imagenet_training
from experiments.cells import Cell, OutOfTimeError
from experiments.generated_images import write_tree
from experiments.image_trees import child, trees
from experiments.imagenet_networks import Network, network
from experiments.imagenet_recipes import INCEPTION_V3, RESNET50, SQUEEZENET
from experiments.imagenet_task import Task
from experiments.imagenet_training import loss_of, top1, train_epochs
from experiments.stacked_training import Run

RECIPES = {
    "resnet8": RESNET50.shortened(3, 4),
    "resnet50": RESNET50.shortened(2, 2),
    "inception_v3": INCEPTION_V3.shortened(1, 2),
    "squeezenet": SQUEEZENET.shortened(3, 4),
}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 training and 8 test images."""
    place = tmp_path_factory.mktemp("tree")
    write_tree(place, train=2, test=2, seed=0)
    return place


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4 images of each: for the large networks."""
    place = tmp_path_factory.mktemp("few")
    write_tree(place, train=1, test=1, seed=0)
    return place


def task(folder: Path, name: Network = "resnet8", size: int = 32) -> Task:
    train, test = trees(folder, size)
    return Task(name, RECIPES[name], train, test, CPU)


def run_of(found: Task, order: int = 5, share: float = 0.5) -> Run:
    """Return first weights, and masks of every layer with a share of ones."""
    weights = found.model(1).state_dict()
    generator = torch.Generator().manual_seed(2)
    masks = {
        name: torch.rand(p.shape, generator=generator) < share
        for name, p in weights.items()
        if p.ndim > 1
    }
    return Run(weights, masks, order)


def equal(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> bool:
    """Bit for bit: -0.0 is not 0.0 here."""
    return first.keys() == second.keys() and all(
        first[name].numpy().tobytes() == second[name].numpy().tobytes()
        for name in first
    )


def check_frozen(run: Run, trained: Mapping[str, Tensor]) -> None:
    for name, mask in run.masks.items():
        assert torch.equal(trained[name] != 0, mask), name
        moved = trained[name][mask] != run.weights[name][mask]
        assert moved.any(), f"{name} has not been trained"


def test_sizes_are_the_published_ones() -> None:
    sizes: dict[Network, int] = {
        "resnet50": 25_557_032,
        "inception_v3": 27_161_264,
        "squeezenet": 1_248_424,
    }
    for name, size in sizes.items():
        model = network(name, 1000, generator=None)
        assert sum(p.numel() for p in model.parameters()) == size
    small = network("resnet8", 4, generator=None)
    assert sum(p.numel() for p in small.parameters()) == 19_756


def test_first_weights_depend_on_the_seed_only(folder: Path) -> None:
    found = task(folder, "squeezenet")
    first, again, other = (found.model(seed).state_dict() for seed in (1, 1, 2))
    assert equal(first, again) and not equal(first, other)
    weight = first["features.0.weight"]
    variance = 2 / (49 * (3 + 96))  # Glorot
    # z = 4: the variance of n Gaussians has the relative deviation sqrt(2 / n)
    bound = 4 * math.sqrt(2 / weight.numel()) * variance
    assert abs(float(weight.var()) - variance) < bound


@pytest.mark.parametrize("name", ["resnet8", "squeezenet"])
def test_a_run_is_a_function_of_its_arguments(folder: Path, name: Network) -> None:
    found = task(folder, name)
    run = run_of(found)
    before = {name: p.clone() for name, p in run.weights.items()}
    state = torch.get_rng_state()
    first = train_epochs(found, run, 0, 3)
    assert torch.equal(torch.get_rng_state(), state), "the global state has moved"
    assert equal(run.weights, before)
    torch.manual_seed(17)  # nothing may depend on the global state
    assert equal(train_epochs(found, run, 0, 3), first)
    assert not equal(train_epochs(found, replace(run, order=6), 0, 3), first)
    check_frozen(run, first)


def test_pruned_weights_stay_zero_after_every_epoch(folder: Path) -> None:
    names: tuple[Network, ...] = ("resnet8", "squeezenet")
    for name in names:
        found = task(folder, name)
        run = run_of(found, share=0.3)
        weights: Mapping[str, Tensor] = run.weights
        for epoch in range(3):
            weights = train_epochs(
                found, replace(run, weights=weights), epoch, epoch + 1
            )
            for layer, mask in run.masks.items():
                assert int(torch.count_nonzero(weights[layer])) == int(mask.sum())


@pytest.mark.parametrize(
    ("name", "size"), [("resnet50", 32), ("inception_v3", 299), ("squeezenet", 64)]
)
def test_the_published_networks_train(few: Path, name: Network, size: int) -> None:
    """Two steps (SqueezeNet: one) end to end; then the test images are classified."""
    found = task(few, name, size)
    run = run_of(found)
    trained = train_epochs(found, run, 0, 1)
    check_frozen(run, trained)
    if name == "inception_v3":
        assert any(layer.startswith("AuxLogits") for layer in run.masks)
    else:
        assert top1(found, trained) in (0, 0.25, 0.5, 0.75, 1)


def test_batches_are_those_of_the_epoch(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    plan = imagenet_training.visits

    def spy(*arguments: int) -> Any:
        seen.extend(found := list(plan(*arguments)))
        return iter(found)

    monkeypatch.setattr(imagenet_training, "visits", spy)
    found = task(folder)
    run = run_of(found)
    train_epochs(found, run, 0, 3)
    whole, seen[:] = list(seen), []
    assert whole == list(plan(8, 4, 5, 0, 6))
    train_epochs(found, run, 1, 3)
    assert seen == whole[2:]


def test_rates_are_those_of_the_steps(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float] = []
    step = torch.optim.SGD.step

    def spy(self: Any, *arguments: Any) -> Any:
        rates.append(self.param_groups[0]["lr"])
        assert {group["lr"] for group in self.param_groups} == {rates[-1]}
        return step(self, *arguments)

    monkeypatch.setattr(torch.optim.SGD, "step", spy)
    found = task(folder)
    train_epochs(found, run_of(found), 1, 3)
    assert rates == [found.recipe.rate(number, 2) for number in range(2, 6)]
    assert len(set(rates)) > 1


@pytest.mark.parametrize("name", ["resnet8", "squeezenet"])
def test_resumed_after_every_epoch(folder: Path, tmp_path: Path, name: Network) -> None:
    found = task(folder, name)
    run = run_of(found)
    whole = train_epochs(found, run, 0, 3)
    path, stops = tmp_path / "run.pt", 0
    for _ in range(4):
        try:
            with cells.opened(Cell(tmp_path / "none", deadline=0)):
                resumed = train_epochs(found, run, 0, 3, checkpoint=path)
        except OutOfTimeError:
            stops += 1
        else:
            break
    assert stops == 3 and equal(resumed, whole)
    path.unlink()
    assert equal(train_epochs(found, run, 0, 3, checkpoint=path), whole)


def test_a_checkpoint_of_another_run_is_refused(folder: Path, tmp_path: Path) -> None:
    found = task(folder)
    run, path = run_of(found), tmp_path / "run.pt"
    train_epochs(found, run, 0, 1, checkpoint=path)
    masks = {name: ~mask for name, mask in run.masks.items()}
    weights = {name: p + 1 for name, p in run.weights.items()}
    others = {
        "order": (found, replace(run, order=6), 1),
        "masks": (found, replace(run, masks=masks), 1),
        "weights": (found, replace(run, weights=weights), 1),
        "epochs": (found, run, 2),
        "size": (task(folder, size=16), run, 1),
        "recipe": (replace(found, recipe=RECIPES["squeezenet"]), run, 1),
    }
    for what, (other, own, last) in others.items():
        with pytest.raises(ValueError, match=f"not the same {what};"):
            train_epochs(other, own, 0, last, checkpoint=path)
    train, test = trees(folder, 32)
    train._tree.samples = train._tree.samples[:4]
    fewer = replace(found, train=train, test=test)
    with pytest.raises(ValueError, match="not the same files;"):
        train_epochs(fewer, run, 0, 1, checkpoint=path)


def test_nothing_to_train(folder: Path) -> None:
    found = task(folder)
    run = run_of(found)
    trained = train_epochs(found, run, 2, 2)
    for name, p in trained.items():
        mask = run.masks.get(name)
        expected = run.weights[name] if mask is None else run.weights[name] * mask
        assert torch.equal(p, expected)


def test_loss_by_hand() -> None:
    """Logits (0, log 3) have the probabilities 1/4 and 3/4."""
    logits = torch.tensor([[0.0, math.log(3)]], dtype=torch.float64)
    label = torch.tensor([1])
    plain = -math.log(0.75)
    smooth = -0.95 * math.log(0.75) - 0.05 * math.log(0.25)
    even = math.log(2)
    flat = torch.zeros(1, 2, dtype=torch.float64)
    bound = tolerance(8, 1.0)
    assert abs(float(loss_of(logits, label, 0.0)) - plain) <= bound
    assert abs(float(loss_of(logits, label, 0.1)) - smooth) <= bound
    both = float(loss_of((logits, flat), label, 0.1))
    assert abs(both - (smooth + 0.4 * even)) <= bound


def test_top1_by_hand(folder: Path) -> None:
    found = task(folder)
    weights = train_epochs(found, run_of(found), 0, 3)
    model = found.loaded(dict(weights)).eval()
    hits = 0
    for position in range(8):
        image, label = found.test[position, 0]
        with torch.no_grad():
            hits += int(model(image[None]).argmax()) == label
    assert top1(found, weights) == hits / 8
    right = dict(weights)  # a network that always says class 2
    right["fc.weight"] = torch.zeros_like(weights["fc.weight"])
    right["fc.bias"] = torch.tensor([0.0, 0.0, 1.0, 0.0])
    assert top1(found, right) == 2 / 8


def test_top1_in_chunks_and_in_eval_mode(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = task(folder)
    weights = run_of(found).weights
    whole = top1(found, dict(weights))
    calls: list[tuple[bool, int]] = []

    def spy(self: Task, weights: dict[str, Tensor]) -> nn.Module:
        model = loaded(self, weights)
        model.register_forward_pre_hook(
            lambda module, inputs: calls.append((module.training, len(inputs[0])))
        )
        return model

    loaded = Task.loaded
    monkeypatch.setattr(Task, "loaded", spy)
    monkeypatch.setattr(imagenet_training, "CHUNK", 3)
    assert top1(found, dict(weights)) == whole
    assert calls == [(False, 3), (False, 3), (False, 2)]


def test_a_broken_loss_is_named(folder: Path) -> None:
    found = task(folder)
    run = run_of(found)
    weights = {n: p.clone() for n, p in run.weights.items()}
    weights["fc.bias"][0] = math.nan
    message = r"loss is nan in epoch 1, step 2 \(from 0\)"
    with pytest.raises(FloatingPointError, match=message):
        train_epochs(found, replace(run, weights=weights), 1, 2)


@pytest.mark.parametrize(("first", "last"), [(-1, 1), (2, 1), (0, 4)])
def test_epochs_out_of_range(folder: Path, first: int, last: int) -> None:
    found = task(folder)
    message = rf"0 <= first <= last <= 3 epochs, got {first}, {last}"
    with pytest.raises(ValueError, match=message):
        train_epochs(found, run_of(found), first, last)


def test_masks_and_batches_that_do_not_fit(folder: Path) -> None:
    found = task(folder)
    run = run_of(found)
    with pytest.raises(ValueError, match=r"mask 'x' of shape \(1,\)"):
        train_epochs(found, replace(run, masks={"x": torch.ones(1)}), 0, 1)
    large = replace(found, recipe=RESNET50.shortened(3, 9))
    with pytest.raises(ValueError, match="8 images has no batch of 9"):
        train_epochs(large, run, 0, 1)


def test_dropout_is_drawn_anew_in_each_step(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[int] = []
    dropout = nn.functional.dropout

    def spy(*arguments: Any, **options: Any) -> Tensor:
        seeds.append(torch.initial_seed())
        return dropout(*arguments, **options)

    monkeypatch.setattr(nn.functional, "dropout", spy)
    found = task(folder, "squeezenet")
    run = run_of(found)
    train_epochs(found, run, 0, 2)
    whole, seeds[:] = list(seeds), []
    assert whole == [child(run.order, step, 3) for step in range(4)]
    assert len(set(whole)) == 4
    train_epochs(found, run, 1, 2)
    assert seeds == whole[2:]
