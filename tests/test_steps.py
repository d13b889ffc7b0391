"""Pieces of a run: each step once, saved after each piece, taken up where it ended."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments import cells, checkpoints, steps
from experiments.cells import Cell, OutOfTimeError


class Toy:
    """Each step s maps x to 3 x + s: the result tells which were taken, and when."""

    def __init__(self) -> None:
        self.x = torch.zeros((), dtype=torch.float64)
        self.pieces: list[tuple[int, int]] = []

    def advance(self, first: int, last: int) -> None:
        self.pieces.append((first, last))
        for step in range(first, last):
            self.x = 3 * self.x + step

    def state(self) -> dict[str, Any]:
        return {"x": self.x}

    def restore(self, state: dict[str, Any]) -> None:
        self.x = state["x"]


def expected(first: int, last: int) -> float:
    run = Toy()
    run.advance(first, last)
    return float(run.x)


def identity() -> checkpoints.Identity:
    return checkpoints.identity(toy="mine")


@pytest.fixture(autouse=True)
def four_steps_a_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "EVERY", 4)


@pytest.mark.parametrize("file", [True, False])
@pytest.mark.parametrize(
    ("first", "last", "pieces"),
    [
        (0, 10, [(0, 4), (4, 8), (8, 10)]),
        (3, 11, [(3, 7), (7, 11)]),
        (2, 3, [(2, 3)]),
        (5, 5, []),
    ],
)
def test_pieces(
    tmp_path: Path, file: bool, first: int, last: int, pieces: list[tuple[int, int]]
) -> None:
    run, path = Toy(), tmp_path / "run.pt" if file else None
    steps.take(run, first, last, path, identity)
    assert run.pieces == pieces
    assert float(run.x) == expected(first, last)
    assert bool(list(tmp_path.iterdir())) == (file and bool(pieces))


def test_the_time_is_looked_at_after_each_saved_piece(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    for start, end in ((0, 4), (4, 8), (8, 10)):
        run = Toy()
        cell = Cell(tmp_path, deadline=-math.inf)
        with pytest.raises(OutOfTimeError), cells.opened(cell):
            steps.take(run, 0, 10, path, identity)
        assert run.pieces == [(start, end)]
        saved = checkpoints.load(path, identity())
        assert saved is not None
        assert saved["step"] == end and float(saved["run"]["x"]) == expected(0, end)
    run = Toy()
    with cells.opened(Cell(tmp_path, deadline=-math.inf)):
        steps.take(run, 0, 10, path, identity)  # nothing is left, so nothing to stop
    assert run.pieces == [] and float(run.x) == expected(0, 10)


def test_without_a_file_nothing_stops_the_run(tmp_path: Path) -> None:
    """What was computed would be lost."""
    run = Toy()
    with cells.opened(Cell(tmp_path / "cell", deadline=-math.inf)):
        steps.take(run, 0, 10, None, identity)
    assert float(run.x) == expected(0, 10)


def test_the_identity_is_computed_once_and_only_for_a_file(tmp_path: Path) -> None:
    """It hashes all images, which takes as long as a hundred steps."""
    asked: list[int] = []

    def counted() -> checkpoints.Identity:
        asked.append(1)
        return identity()

    steps.take(Toy(), 0, 10, None, counted)
    assert not asked
    steps.take(Toy(), 0, 10, tmp_path / "run.pt", counted)
    assert len(asked) == 1


def test_the_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    steps.take(Toy(), 0, 4, path, identity)
    before, run = path.read_bytes(), Toy()
    with pytest.raises(ValueError, match="another training run: not the same toy;"):
        steps.take(run, 0, 8, path, lambda: checkpoints.identity(toy="theirs"))
    assert run.pieces == [] and path.read_bytes() == before


def test_a_failure_keeps_the_piece_before(tmp_path: Path) -> None:
    class Failing(Toy):
        def advance(self, first: int, last: int) -> None:
            if first == 4:
                raise FloatingPointError
            super().advance(first, last)

    path, run = tmp_path / "run.pt", Toy()
    with pytest.raises(FloatingPointError):
        steps.take(Failing(), 0, 10, path, identity)
    steps.take(run, 0, 10, path, identity)
    assert run.pieces == [(4, 8), (8, 10)]
    assert float(run.x) == expected(0, 10)
