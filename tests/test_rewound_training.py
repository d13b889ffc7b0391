"""Training from step k on by autograd: the stacked trainer's meaning, any network."""

import math
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import test_stacked_training as stacked
import torch
from test_stacked_training import EQUAL, apart, bits, seeded
from torch import Tensor, nn

from experiments import cells, rewound_training, steps, subjects
from experiments.cells import Cell, OutOfTimeError
from experiments.data import Split
from experiments.data_order import batches
from experiments.recipes import Recipe
from experiments.rewound_training import train_from
from experiments.stacked_training import Run, train_stacked

STEPS = 12
SGD = Recipe(STEPS, 6, 0.05, weight_decay=0.01, drops=(9,))
AUGMENTED = replace(SGD, crop=1, flip=True, momentum=0.0)


def network() -> nn.Module:
    """Return the smallest residual network: convolutions, BatchNorm, a linear layer."""
    return subjects.network("resnet6", (1, 8, 8), 10, seeded(1))


def split(count: int = 20) -> Split:
    images = torch.randn(count, 1, 8, 8, generator=seeded(2))
    return Split(images, torch.arange(count) % 10, torch.arange(count))


def start(seed: int = 3) -> Run:
    """Return W_k with buffers that were moved, and masks of two layers."""
    weights = {
        name: p + 0.3 * torch.rand(p.shape, generator=seeded(seed))
        if p.is_floating_point()
        else p + 17
        for name, p in network().state_dict().items()
    }
    layers = [name for name, p in weights.items() if p.ndim > 1]
    masks = {
        name: torch.rand(weights[name].shape, generator=seeded(seed)) < 0.5
        for name in (layers[1], layers[-1])
    }
    return Run(weights, masks, 5)


def train(
    run: Run | None = None, recipe: Recipe = SGD, **options: Any
) -> dict[str, Tensor]:
    model = options.pop("model", None) or network()
    return train_from(
        model, run or start(), options.pop("split", split()), recipe, **options
    )


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return bits([one]) == bits([other])


@pytest.mark.parametrize("name", stacked.RECIPES)
@pytest.mark.parametrize(("first", "last"), [(0, stacked.STEPS), (7, 25)])
def test_a_linear_network_is_trained_as_in_a_stack(
    name: str, first: int, last: int
) -> None:
    images, labels = stacked.data()
    images = images.float()  # the weights, in float64, decide the precision
    flat = Split(images.flatten(1), labels, labels)
    span = {"first": first, "last": last}
    runs = stacked.many(3)
    together = train_stacked(runs, images, labels, stacked.RECIPES[name], **span)
    for run, expected in zip(runs, together, strict=True):
        found = train_from(
            stacked.network().float(), run, flat, stacked.RECIPES[name], **span
        )
        assert {p.dtype for p in found.values()} == {torch.float64}
        assert apart(found, expected) < EQUAL


def test_buffers_are_rewound_with_the_weights() -> None:
    """BatchNorm starts from the run's statistics and counts on from there."""
    run, model = start(), network()
    model.load_state_dict(dict(run.weights))
    seen = [name for name, _ in model.named_buffers()]
    assert {name.rpartition(".")[2] for name in seen} == {
        "running_mean",
        "running_var",
        "num_batches_tracked",
    }
    model.train()
    found, order = train(run, first=3, last=4), batches(20, 6, run.order, first=3)
    with torch.no_grad():
        named = dict(model.named_parameters())
        for name, mask in run.masks.items():
            named[name] *= mask
        model(split().images[next(order)])
    for name, buffer in model.named_buffers():
        assert torch.equal(found[name], buffer), name
        assert not torch.equal(buffer, run.weights[name])
    trained = train(run)
    assert {int(trained[n]) for n in seen if n.endswith("tracked")} == {17 + STEPS}


def test_k_equal_to_t_is_the_masked_start() -> None:
    run = start()
    for step in (0, 5, STEPS):
        found = train(run, first=step, last=step)
        for name, weight in run.weights.items():
            assert torch.equal(found[name], weight * run.masks.get(name, 1)), name


@pytest.mark.parametrize("recipe", [AUGMENTED, replace(AUGMENTED, warmup=8)])
@pytest.mark.parametrize("middle", [1, 5, STEPS - 1])
def test_without_momentum_0_to_k_and_k_to_t_are_0_to_t(
    recipe: Recipe, middle: int
) -> None:
    half = train(recipe=recipe, last=middle)
    rest = train(replace(start(), weights=half), recipe, first=middle)
    assert same(rest, train(recipe=recipe))


def test_control_momentum_does_not_survive_the_rewinding() -> None:
    half = train(last=5)
    rest = train(replace(start(), weights=half), first=5)
    assert apart(rest, train()) > 1e-3


def test_pruned_weights_are_exactly_zero_and_others_move() -> None:
    run = start()
    trained = train(run)
    for name, mask in run.masks.items():
        assert torch.count_nonzero(trained[name][~mask]) == 0
        assert torch.count_nonzero(trained[name][mask]) == mask.sum()
    assert all(not torch.equal(trained[n], p) for n, p in run.weights.items())


def seen(order: int, first: int, part: Split) -> list[Tensor]:
    """Return the batches of the steps from `first` on, as the network gets them."""
    model, shown = network(), list[Tensor]()
    model.register_forward_pre_hook(lambda _, x: shown.append(x[0]))
    train(
        replace(start(), order=order), AUGMENTED, model=model, split=part, first=first
    )
    return shown


def test_what_is_drawn_depends_on_order_and_step_only() -> None:
    whole, late = seen(5, 0, split()), seen(5, 4, split())
    assert len(whole) == STEPS and len(late) == STEPS - 4
    assert all(map(torch.equal, late, whole[4:]))
    plain = split().images[torch.cat(list(islice(batches(20, 6, 5), STEPS)))]
    assert not torch.equal(torch.cat(whole), plain)


def test_each_step_and_order_augments_in_its_own_way() -> None:
    """Of twenty equal images all batches are equal before."""
    same_ = replace(split(), images=split().images[:1].expand(20, 1, 8, 8))
    drawn = [*seen(5, 0, same_), *seen(6, 0, same_)]
    # 6 images in 9 places, mirrored or not: two batches are equal once in 18^6
    assert not any(torch.equal(x, y) for i, x in enumerate(drawn) for y in drawn[:i])


def test_the_mode_of_the_given_model_does_not_matter() -> None:
    assert same(train(model=network().eval()), train())


def dropping() -> nn.Sequential:
    with torch.random.fork_rng([]):
        return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 10))


def test_dropout_is_a_part_of_the_data_order() -> None:
    model, recipe = dropping(), replace(SGD, momentum=0.0)
    run = Run(model.state_dict(), {}, 5)
    whole = train(run, recipe, model=model)
    torch.manual_seed(1)  # what else was drawn must not matter
    half = replace(run, weights=train(run, recipe, model=model, last=7))
    assert same(train(half, recipe, model=model, first=7), whole)
    plain = nn.Sequential(model[0], nn.Identity(), model[2])
    assert not same(train(run, recipe, model=plain), whole)


def test_what_the_caller_gave_stays_as_it_was() -> None:
    run, model, part = start(), dropping().eval(), split()
    run = Run(model.state_dict(), {"2.weight": torch.rand(10, 64) < 0.5}, 5)
    before = bits([model.state_dict(), run.masks, {"images": part.images}])
    torch.manual_seed(0)
    state = torch.get_rng_state()
    train(run, AUGMENTED, model=model, split=part)
    assert torch.equal(torch.get_rng_state(), state)
    assert bits([model.state_dict(), run.masks, {"images": part.images}]) == before
    assert not any(module.training for module in model.modules())
    assert all(p.grad is None for p in model.parameters())


def test_a_run_that_ran_out_of_time_goes_on_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "EVERY", 4)
    file = tmp_path / "run.pt"
    with cells.opened(Cell(tmp_path / "cell", deadline=-math.inf)):
        for step in (6, 10, STEPS):
            with pytest.raises(OutOfTimeError):
                train(first=2, checkpoint=file)
            assert torch.load(file)["state"]["step"] == step
        resumed = train(first=2, checkpoint=file)
    assert same(resumed, train(first=2))


def until_killed(file: str) -> None:
    """Train; the process is killed in the step after 9."""
    take = rewound_training.take_step
    left = iter(range(10))

    def dying(*arguments: Any) -> Any:
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return take(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps, "EVERY", 4)
        patch.setattr(rewound_training, "take_step", dying)
        train(recipe=AUGMENTED, checkpoint=Path(file))


def test_a_process_that_was_killed_goes_on_bit_for_bit(tmp_path: Path) -> None:
    file = tmp_path / "run.pt"
    code = (
        "import sys, torch; torch.set_num_threads(1); sys.path.insert(0, sys.argv[2]);"
        "import test_rewound_training as t; t.until_killed(sys.argv[1])"
    )
    here = Path(__file__).resolve().parent
    command = [sys.executable, "-c", code, str(file), str(here)]
    assert subprocess.run(command, cwd=here.parent).returncode == -signal.SIGKILL
    assert torch.load(file)["state"]["step"] == 8
    assert same(train(recipe=AUGMENTED, checkpoint=file), train(recipe=AUGMENTED))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"run": start(4)}, "masks, weights"),
        ({"run": replace(start(), masks={})}, "masks"),
        ({"run": replace(start(), order=6)}, "order"),
        ({"recipe": replace(SGD, flip=True)}, "recipe"),
        ({"split": split(19)}, "data"),
        ({"last": STEPS - 1}, "steps"),
        ({"first": 1}, "steps"),
    ],
)
def test_the_checkpoint_of_another_run_is_refused(
    changes: dict[str, Any], named: str, tmp_path: Path
) -> None:
    file = tmp_path / "run.pt"
    train(checkpoint=file)
    with pytest.raises(
        ValueError, match=f"another training run: not the same {named};"
    ):
        train(**changes, checkpoint=file)


def test_another_architecture_with_the_same_weights_is_another_run(
    tmp_path: Path,
) -> None:
    file, model = tmp_path / "run.pt", dropping()
    run = Run(model.state_dict(), {}, 5)
    train(run, model=model, checkpoint=file)
    model[1].p = 0.4
    with pytest.raises(ValueError, match="not the same architecture;"):
        train(run, model=model, checkpoint=file)


def test_weights_that_are_not_finite_are_named() -> None:
    part = split()
    part.images[int(next(batches(20, 6, 5, first=STEPS - 1))[0])] = math.nan
    message = f"NaN or infinite weights between the steps 4 and {STEPS}: lower"
    with pytest.raises(FloatingPointError, match=message):  # in the last step, too
        train(replace(start(), order=5), split=part, first=4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"first": -1}, "expected 0 <= first <= last <= 12 steps, got -1, 12"),
        ({"first": 6, "last": 5}, "got 6, 5"),
        ({"last": 13}, "got 0, 13"),
        (
            {"split": Split(torch.zeros(2, 1, 8, 8), torch.zeros(1), torch.zeros(2))},
            "the training split has 1 labels and 2 images",
        ),
        (
            {"run": Run({"a": torch.zeros(1)}, {}, 0)},
            r"they differ in \['a', 'bn1.bias', 'bn1.num_b",
        ),
        ({"run": replace(start(), masks={"no": torch.ones(1)})}, "fits no parameter"),
        ({"run": replace(start(), order=-1)}, "order >= 0"),
    ],
)
def test_bad_arguments_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train(**changes)
