"""K stacked runs are K single runs: by plain PyTorch, bit for bit after a kill."""

import math
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from tolerance import tolerance
from torch import Tensor, nn

from experiments import cells, stacked_training, steps
from experiments.cells import Cell, OutOfTimeError
from experiments.data_order import batches
from experiments.recipes import Recipe
from experiments.stacked_networks import Stack
from experiments.stacked_training import Run, train_stacked
from theory.lottery_tickets import iterative_magnitude_pruning

WIDTHS = (9, 7, 6, 3)
"""Inputs, two hidden layers, classes."""
STEPS = 30
RECIPES = {
    "adam": Recipe(STEPS, 5, 0.02, weight_decay=0.1, optimizer="adam", warmup=8),
    "sgd": Recipe(STEPS, 5, 0.1, weight_decay=0.1, drops=(11, 23)),
    "nesterov": Recipe(STEPS, 5, 0.1, weight_decay=0.1, optimizer="nesterov"),
}
EQUAL = tolerance(500)
"""Below 1e-12: a gradient is some 100 operations, 30 steps of them."""

every_recipe = pytest.mark.parametrize("name", RECIPES)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network(widths: Sequence[int] = WIDTHS) -> nn.Sequential:
    """Return the network as PyTorch has it, in float64."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1]).double()


def numbers(seed: int, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    generator = seeded(seed)
    return {
        name: torch.randn(p.shape, dtype=torch.float64, generator=generator).to(dtype)
        for name, p in network().state_dict().items()
    }


def data() -> tuple[Tensor, Tensor]:
    """23 images: batches of 5 run across the ends of the epochs."""
    images = torch.randn(23, 3, 3, dtype=torch.float64, generator=seeded(100))
    return images, torch.arange(23) % 3


def many(count: int, dtype: torch.dtype = torch.float64) -> list[Run]:
    """Return runs with weights, masks and data orders of their own."""
    runs = []
    for number in range(count):
        weights, generator = numbers(number, dtype), seeded(number)
        masks = {  # the second layer is whole and has no mask
            name: torch.rand(weights[name].shape, generator=generator) < 0.5
            for name in ("4.weight", "0.weight")
        }
        runs.append(Run(weights, masks, 1000 + number))
    return runs


def train(
    runs: Sequence[Run], recipe: Recipe, **options: Any
) -> list[dict[str, Tensor]]:
    images, labels = data()
    images = options.pop("images", images)
    labels = options.pop("labels", labels)
    return train_stacked(runs, images, labels, recipe, **options)


def plain(
    run: Run, recipe: Recipe, *, first: int = 0, last: int = STEPS, freeze: bool = True
) -> dict[str, Tensor]:
    """Return what the loop of any PyTorch tutorial makes of one run."""
    model = network()
    model.load_state_dict(run.weights)
    named = dict(model.named_parameters())
    with torch.no_grad():
        for name, mask in run.masks.items():
            named[name] *= mask
    images, labels = data()
    optimizer: torch.optim.Optimizer
    decay, rate = recipe.weight_decay, recipe.learning_rate
    if recipe.optimizer == "adam":
        optimizer = torch.optim.Adam(model.parameters(), rate, weight_decay=decay)
    else:
        nesterov = recipe.optimizer == "nesterov"
        optimizer = torch.optim.SGD(
            model.parameters(), rate, 0.9, weight_decay=decay, nesterov=nesterov
        )
    order = batches(len(labels), recipe.batch_size, run.order)
    for step, chosen in enumerate(islice(order, first, last), first):
        logits = model(images[chosen].flatten(1))
        optimizer.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(logits, labels[chosen]))
        for name, mask in run.masks.items():
            gradient = named[name].grad
            assert gradient is not None
            if freeze:
                gradient *= mask
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate(step, 1)
        optimizer.step()
    return {name: p.detach() for name, p in model.state_dict().items()}


def apart(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    assert one.keys() == other.keys()
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def bits(trained: Sequence[Mapping[str, Tensor]]) -> list[dict[str, bytes]]:
    return [{n: p.numpy().tobytes() for n, p in net.items()} for net in trained]


@every_recipe
@pytest.mark.parametrize("count", [1, 4, 16])
def test_k_stacked_runs_are_k_single_runs_of_plain_pytorch(
    name: str, count: int
) -> None:
    runs = many(count)
    for run, trained in zip(runs, train(runs, RECIPES[name]), strict=True):
        assert apart(trained, plain(run, RECIPES[name])) < EQUAL
        assert apart(trained, run.weights) > 0.01


@every_recipe
def test_a_run_does_not_depend_on_its_neighbours(name: str) -> None:
    runs = many(16)
    together = train(runs, RECIPES[name])
    for chosen in ([3], [15, 3], [9, 2, 3, 0]):
        fewer = train([runs[number] for number in chosen], RECIPES[name])
        for number, trained in zip(chosen, fewer, strict=True):
            assert apart(trained, together[number]) < EQUAL


@every_recipe
def test_rewound_runs_have_the_steps_from_k_on(name: str) -> None:
    """Their batches, their learning rates, and an optimiser that starts anew."""
    runs = many(3)
    late = train(runs, RECIPES[name], first=7, last=25)
    for run, trained in zip(runs, late, strict=True):
        assert apart(trained, plain(run, RECIPES[name], first=7, last=25)) < EQUAL
        assert apart(trained, plain(run, RECIPES[name], first=0, last=18)) > 1e-3


def test_no_step_only_prunes() -> None:
    for step in (0, 12, STEPS):
        for run, trained in zip(
            many(2), train(many(2), RECIPES["adam"], first=step, last=step), strict=True
        ):
            for name, weight in run.weights.items():
                assert torch.equal(trained[name], weight * run.masks.get(name, 1))


@every_recipe
def test_pruned_weights_are_exactly_zero_and_others_move(name: str) -> None:
    for run, trained in zip(many(4), train(many(4), RECIPES[name]), strict=True):
        for layer, mask in run.masks.items():
            assert torch.count_nonzero(trained[layer][~mask]) == 0
            assert torch.count_nonzero(trained[layer][mask]) == mask.sum()


@every_recipe
def test_moments_of_pruned_weights_are_exactly_zero(name: str, tmp_path: Path) -> None:
    runs, file = many(2), tmp_path / "run.pt"
    train(runs, RECIPES[name], checkpoint=file)
    state = torch.load(file)["state"]["run"]["optimizer"]["state"][0]
    kept = torch.cat(
        [run.masks["0.weight"].flatten() for run in runs]  # the first layer of both
    )
    buffers = ["exp_avg", "exp_avg_sq"] if name == "adam" else ["momentum_buffer"]
    for buffer in buffers:
        layer = state[buffer][: len(kept)]
        assert torch.count_nonzero(layer[~kept]) == 0
        assert torch.count_nonzero(layer[kept]) == kept.sum()


@every_recipe
def test_control_a_gradient_without_its_mask_revives_what_was_pruned(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = many(1)[0]
    masks = dict(run.masks)
    revived = plain(run, RECIPES[name], freeze=False)
    for layer, mask in masks.items():
        assert torch.count_nonzero(revived[layer][~mask]) > 0
    make = Stack.of

    def unmasked(*arguments: Any) -> Stack:
        stack = make(*arguments)
        stack.kept.fill_(1)
        return stack

    monkeypatch.setattr(Stack, "of", unmasked)
    (trained,) = train([run], RECIPES[name])
    assert apart(trained, revived) < EQUAL
    with pytest.raises(ValueError, match=r"revived \d+ pruned weights of 4\.weight"):
        list(
            iterative_magnitude_pruning(
                lambda weights, found: train(
                    [Run(weights[0], found[0], 0)], RECIPES[name]
                ),
                [run.weights],
                [masks],
                0.2,
                0,
            )
        )


def test_data_orders_differ_between_the_runs_of_a_stack() -> None:
    first = many(1)[0]
    same, other, again = train(
        [first, replace(first, order=5), replace(first)], RECIPES["adam"]
    )
    # not bit for bit: where a run lies in memory decides how its sums are rounded
    assert apart(same, again) < EQUAL
    assert apart(same, other) > 1e-3


def test_precision_is_that_of_the_weights() -> None:
    """Images are float64 here: the runs are float32, and equal up to its rounding."""
    single = train(many(2, torch.float32), RECIPES["sgd"])
    double = train(many(2), RECIPES["sgd"])
    for one, other in zip(single, double, strict=True):
        assert {p.dtype for p in one.values()} == {torch.float32}
        assert {p.dtype for p in other.values()} == {torch.float64}
        assert EQUAL < apart(one, other) < tolerance(500, dtype=torch.float32)


def test_masks_may_be_of_any_type() -> None:
    run = many(1)[0]
    numeric = {name: mask.float() for name, mask in run.masks.items()}
    recipe = RECIPES["adam"]
    assert bits(train([replace(run, masks=numeric)], recipe)) == bits(
        train([run], recipe)
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_same_seed_same_bytes_and_no_other_source(dtype: torch.dtype) -> None:
    runs = many(4, dtype)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = bits(train(runs, RECIPES["adam"]))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    assert bits(train(runs, RECIPES["adam"])) == first


def test_what_the_caller_gave_stays_as_it_was() -> None:
    runs, (images, labels) = many(3), data()
    kept = [bits([run.weights, run.masks]) for run in runs]
    trained = train_stacked(runs, images, labels, RECIPES["sgd"])
    assert [bits([run.weights, run.masks]) for run in runs] == kept
    assert torch.equal(images, data()[0]) and torch.equal(labels, data()[1])
    for name, weight in runs[0].weights.items():
        assert trained[2][name].shape == weight.shape
        # in memory of its own: to keep one result is not to keep all of the stack
        assert trained[2][name].untyped_storage().nbytes() == 8 * weight.numel()


def small_pieces(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(steps, "EVERY", 8)


@every_recipe
def test_a_run_that_ran_out_of_time_goes_on_bit_for_bit(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_pieces(monkeypatch)
    file = tmp_path / "run.pt"
    with cells.opened(Cell(tmp_path / "cell", deadline=-math.inf)):
        for step in (11, 19, 27, STEPS):
            with pytest.raises(OutOfTimeError):
                train(many(3), RECIPES[name], first=3, checkpoint=file)
            assert torch.load(file)["state"]["step"] == step
        resumed = train(many(3), RECIPES[name], first=3, checkpoint=file)
    assert bits(resumed) == bits(train(many(3), RECIPES[name], first=3))


def until_killed(file: str) -> None:
    """Train; the process is killed in the step after 19."""
    advance = stacked_training._Training.advance

    def dying(stack: stacked_training._Training, first: int, last: int) -> None:
        advance(stack, first, min(last, 20))
        if last > 20:
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.MonkeyPatch.context() as patch:
        small_pieces(patch)
        patch.setattr(stacked_training._Training, "advance", dying)
        train(many(3, torch.float32), RECIPES["adam"], checkpoint=Path(file))


def test_a_process_that_was_killed_goes_on_bit_for_bit(tmp_path: Path) -> None:
    file = tmp_path / "run.pt"
    code = (
        "import sys, torch; torch.set_num_threads(1); sys.path.insert(0, sys.argv[2]);"
        "import test_stacked_training as t; t.until_killed(sys.argv[1])"
    )
    here = Path(__file__).resolve().parent
    command = [sys.executable, "-c", code, str(file), str(here)]
    assert subprocess.run(command, cwd=here.parent).returncode == -signal.SIGKILL
    assert torch.load(file)["state"]["step"] == 16
    runs = many(3, torch.float32)
    resumed = train(runs, RECIPES["adam"], checkpoint=file)
    assert bits(resumed) == bits(train(runs, RECIPES["adam"]))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"recipe": replace(RECIPES["adam"], learning_rate=0.03)}, "recipe"),
        ({"runs": many(3)[::-1]}, "masks, orders, weights"),
        ({"runs": [replace(run, masks={}) for run in many(3)]}, "masks"),
        ({"runs": [replace(run, order=run.order + 1) for run in many(3)]}, "orders"),
        ({"runs": many(2)}, "masks, orders, weights"),
        ({"runs": many(3, torch.float32)}, "data, weights"),
        ({"images": data()[0] + 1}, "data"),
        ({"labels": (data()[1] + 1) % 3}, "data"),
        ({"first": 1}, "steps"),
        ({"last": STEPS - 1}, "steps"),
    ],
)
def test_the_checkpoint_of_other_runs_is_refused(
    changes: dict[str, Any], named: str, tmp_path: Path
) -> None:
    file = tmp_path / "run.pt"
    train(many(3), RECIPES["adam"], checkpoint=file)
    settings = {"runs": many(3), "recipe": RECIPES["adam"], **changes}
    with pytest.raises(
        ValueError, match=f"another training run: not the same {named};"
    ):
        train(**settings, checkpoint=file)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_finite_are_named(value: float) -> None:
    runs = many(4)
    for number in (1, 3):
        runs[number].weights["0.bias"][2] = value
    message = (
        "NaN or infinite weights in runs [1, 3] (from 0) between the steps 2 and 5"
    )
    with pytest.raises(FloatingPointError) as caught:
        train(runs, RECIPES["adam"], first=2, last=5)
    assert str(caught.value).startswith(f"{message}: lower the learning rate or look")


def test_nothing_broken_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_pieces(monkeypatch)
    file, recipe = tmp_path / "run.pt", replace(RECIPES["sgd"], warmup=0)
    images = data()[0]
    images[int(list(islice(batches(23, 5, 1000), 10))[9][0])] = math.nan
    runs = many(1)
    fine = min(
        step
        for step, chosen in enumerate(islice(batches(23, 5, 1000), STEPS))
        if images[chosen].isnan().any()
    )
    with pytest.raises(FloatingPointError):
        train(runs, recipe, images=images, checkpoint=file)
    assert file.exists() == (fine >= 8)


def without(run: Run, name: str) -> Run:
    return replace(run, weights={n: p for n, p in run.weights.items() if n != name})


SHAPES = {name: tuple(p.shape) for name, p in numbers(0).items()}
ODD = Run({**numbers(0), "0.weight": torch.zeros(7, 8)}, {}, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"runs": []}, "expected at least one run, got none"),
        (
            {"runs": [many(1)[0], without(many(1)[0], "4.bias")]},
            f"run 1 has weights .*; expected the weights {SHAPES}, those of run 0, and",
        ),
        (
            {"runs": [replace(many(1)[0], masks={"2.weight": torch.ones(7, 6)})]},
            r"run 0 has weights .* and masks {'2.weight': \(7, 6\)}; expected the",
        ),
        (
            {"runs": [replace(many(1)[0], masks={"5.weight": torch.ones(7, 6)})]},
            "masks that fit them",
        ),
        ({"runs": [without(many(1)[0], "4.bias")]}, "expected weight and bias"),
        ({"runs": [without(many(1)[0], "2.bias")]}, "expected weight and bias"),
        ({"runs": [replace(ODD, masks={})]}, r"\[\(7, 9\), .* got {'0.weight': \(7, 8"),
        ({"runs": [Run({}, {}, 0)]}, "expected weight and bias"),
        (
            {"labels": data()[1] + 1},
            r"labels from 0 to 2, .* last layer; got the labels \[1, 2, 3\]",
        ),
        ({"labels": data()[1] - 1}, r"got the labels \[-1, 0, 1\]"),
        ({"images": data()[0][:0], "labels": data()[1][:0]}, r"got the labels \[\]"),
        ({"images": data()[0][1:]}, "got 23 labels, 22 images, first 0, last 30"),
        ({"first": -1}, "0 <= first <= last <= 30 steps; .* first -1, last 30"),
        ({"first": 5, "last": 4}, "first 5, last 4"),
        ({"last": 31}, "first 0, last 31"),
        ({"recipe": replace(RECIPES["adam"], crop=1)}, "as they are; got .*crop=1"),
        ({"recipe": replace(RECIPES["adam"], flip=True)}, "as they are; got .*flip=T"),
    ],
)
def test_bad_arguments_are_named(changes: dict[str, Any], message: str) -> None:
    settings = {"runs": many(2), "recipe": RECIPES["adam"], **changes}
    # brackets of the shapes, which are quoted as they are, are no patterns
    pattern = message.replace(str(SHAPES), "{.*}")
    with pytest.raises(ValueError, match=pattern) as caught:
        train(**settings)
    assert str(SHAPES) in str(caught.value) or str(SHAPES) not in message
