"""A run that was killed goes on bit for bit; nothing else takes its checkpoint up."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from experiments import checkpoints, store
from experiments.data import Split
from experiments.recipes import Recipe
from experiments.training import train

STEPS = 5
"""Of an epoch: 36 images in batches of 8, the last one of 4."""

RECIPES = {
    "adam": Recipe(4, 8, 0.01, weight_decay=0.1, optimizer="adam", cosine=True),
    "nesterov": Recipe(4, 8, 0.05, optimizer="nesterov", warmup=7, drops=(1, 3)),
    "augmented": Recipe(4, 8, 0.05, weight_decay=0.01, crop=1, flip=True),
}


class KilledError(Exception):
    """Stands for a signal."""


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network(seed: int = 1) -> nn.Sequential:
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Flatten(),
            nn.Linear(64, 3),
        )


def images(seed: int, count: int) -> Split:
    drawn = torch.randn(count, 1, 4, 4, generator=seeded(seed))
    positions = torch.arange(count)
    return Split(drawn, positions % 3, positions)


def mask(seed: int = 2) -> dict[str, Tensor]:
    return {"5.weight": torch.rand(3, 64, generator=seeded(seed)) < 0.5}


def run(name: str, checkpoint: Path | None, **changes: Any) -> tuple[Any, ...]:
    """Return all bits of a run's result: weights, rows and the generator's state."""
    settings: dict[str, Any] = {
        "model": network(),
        "split": images(3, 36),
        "recipe": RECIPES[name],
        "masks": mask(),
        "evaluate": {"validation": images(4, 9), "test": images(5, 9)},
        "generator": seeded(6),
    }
    settings |= changes
    model, rows = train(**settings, checkpoint=checkpoint)
    weights = {k: t.numpy().tobytes() for k, t in model.state_dict().items()}
    return weights, rows, settings["generator"].get_state().tolist()


def dying(after: int, how: Any) -> nn.Module:
    """Return the network; after so many training steps its next forward pass dies."""
    model, steps = network(), iter(range(after))

    def count(layer: nn.Module, _: Any) -> None:
        if layer.training and next(steps, None) is None:
            how()

    model[3].register_forward_pre_hook(count)
    return model


def throw() -> None:
    raise KilledError


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("after", [2, STEPS, 2 * STEPS + 3, 4 * STEPS - 1])
def test_2n_epochs_are_n_epochs_a_crash_and_n_epochs(
    name: str, after: int, tmp_path: Path
) -> None:
    file = tmp_path / "run"
    with pytest.raises(KilledError):
        run(name, file, model=dying(after, throw))
    assert file.exists() == (after >= STEPS)
    torch.manual_seed(7)  # what the process drew before must not matter
    assert run(name, file) == run(name, None)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_process_killed_in_an_epoch_goes_on_bit_for_bit(tmp_path: Path) -> None:
    file = tmp_path / "run"
    code = (
        "import sys; from pathlib import Path; import torch; torch.set_num_threads(1);"
        "sys.path.insert(0, sys.argv[2]);"
        "import test_checkpoints as t;"
        "t.run('augmented', Path(sys.argv[1]), model=t.dying(13, t.kill))"
    )
    here = Path(__file__).resolve().parent
    command = [sys.executable, "-c", code, str(file), str(here)]
    assert subprocess.run(command, cwd=here.parent).returncode == -signal.SIGKILL
    assert len(torch.load(file)["state"]["rows"]) == 2  # 13 steps: killed in epoch 3
    assert run("augmented", file) == run("augmented", None)


def test_a_run_can_be_killed_after_every_epoch(tmp_path: Path) -> None:
    file = tmp_path / "run"
    for _ in range(3):
        with pytest.raises(KilledError):
            run("adam", file, model=dying(STEPS + 1, throw))
    assert run("adam", file) == run("adam", None)


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    file = tmp_path / "run"
    first = run("adam", file)
    assert run("adam", file, model=dying(0, throw)) == first
    assert file.exists()


def test_a_failed_write_leaves_the_epoch_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "run"
    replaced: Iterator[int] = iter(range(2))
    move = os.replace

    def failing(source: Path, target: Path) -> None:
        if next(replaced, None) is None:
            raise OSError("disk full")
        move(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(store.os, "replace", failing)
        with pytest.raises(OSError, match="disk full"):
            run("adam", file)
    assert len(torch.load(file)["state"]["rows"]) == 2
    assert run("adam", file) == run("adam", None)


def changed_dropout() -> nn.Module:
    model = network()
    model[3].p = 0.4
    return model


def frozen_layer() -> nn.Module:
    model = network()
    model[0].requires_grad_(False)
    return model


def changed_pixel() -> Split:
    part = images(3, 36)
    part.images[35, 0, 3, 3] += 1
    return part


def changed_label() -> Split:
    part = images(3, 36)
    part.labels[0] = 2
    return part


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"recipe": replace(RECIPES["adam"], epochs=5)}, "recipe"),
        ({"recipe": replace(RECIPES["adam"], flip=True)}, "recipe"),
        ({"model": network(8)}, "weights"),
        ({"model": changed_dropout()}, "architecture"),
        ({"model": frozen_layer()}, "architecture"),
        ({"split": changed_pixel()}, "data"),
        ({"split": changed_label()}, "data"),
        ({"evaluate": {"test": images(5, 9)}}, "data"),
        ({"masks": mask(9)}, "masks"),
        ({"masks": None, "generator": seeded(0)}, "generator, masks"),
    ],
)
def test_the_checkpoint_of_another_run_is_refused(
    changes: dict[str, Any], named: str, tmp_path: Path
) -> None:
    file = tmp_path / "run"
    with pytest.raises(KilledError):
        run("adam", file, model=dying(STEPS, throw))
    before = file.read_bytes()
    message = f"{file} is the checkpoint of another training run: not the same {named};"
    with pytest.raises(ValueError) as caught:
        run("adam", file, **changes)
    assert str(caught.value).startswith(message)
    assert file.read_bytes() == before


def test_masks_are_the_same_whatever_their_order_and_type(tmp_path: Path) -> None:
    file = tmp_path / "run"
    both = {**mask(), "0.weight": torch.ones(4, 1, 3, 3, dtype=torch.bool)}
    turned = {name: both[name].float() for name in reversed(both)}
    first = run("adam", file, masks=both)
    assert run("adam", file, masks=turned, model=dying(0, throw)) == first


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\3\4 half"])
def test_a_file_of_another_kind_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "run"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=f"{file} is no checkpoint .* delete it"):
        run("adam", file)
    assert file.read_bytes() == content


@pytest.mark.parametrize("content", [[1, 2], {"state": {}}, torch.zeros(2)])
def test_other_things_that_torch_saved_are_refused(
    content: Any, tmp_path: Path
) -> None:
    file = tmp_path / "run"
    torch.save(content, file)
    with pytest.raises(ValueError, match="is no checkpoint"):
        checkpoints.load(file, {})


def test_no_code_in_a_file_is_run(tmp_path: Path) -> None:
    file = tmp_path / "run"
    torch.save({"identity": {}, "state": Path("a")}, file)  # a class of the library
    with pytest.raises(ValueError, match="is no checkpoint"):
        checkpoints.load(file, {})


def test_an_identity_tells_types_shapes_and_names_apart() -> None:
    zeros = torch.zeros(4, dtype=torch.int32)
    tensors = [
        {"a": zeros},
        {"b": zeros},
        {"a": zeros.view(2, 2)},
        {"a": zeros.float()},
        {"a": zeros, "b": zeros},
        {"a": zeros + 1},
        {"a": torch.tensor(0)},
        {},
    ]
    found = [checkpoints.identity(part=part)["part"] for part in tensors]
    assert len(set(found)) == len(tensors)
    again = torch.zeros(8, dtype=torch.int32)[::2]  # not contiguous
    assert checkpoints.identity(part={"a": again})["part"] == found[0]
    assert checkpoints.identity(x="text").keys() == {"torch", "x"}
    assert checkpoints.identity()["torch"] == torch.__version__


def test_missing_file_is_none(tmp_path: Path) -> None:
    assert checkpoints.load(tmp_path / "none", {}) is None
