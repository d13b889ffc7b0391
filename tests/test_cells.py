"""A cell: where checkpoints lie, when to stop, and what is left behind."""

import math
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from experiments import cells
from experiments.cells import Cell, OutOfTimeError


def test_outside_a_cell_there_is_no_checkpoint_and_no_end() -> None:
    assert cells.checkpoint("run") is None
    cells.pause()


def test_inside_each_name_has_a_file(tmp_path: Path) -> None:
    with cells.opened(Cell(tmp_path / "cell", math.inf)):
        assert cells.checkpoint("imp-3") == tmp_path / "cell" / "imp-3.pt"
        assert cells.checkpoint("v1.5") == tmp_path / "cell" / "v1.5.pt"
        cells.pause()
    assert cells.checkpoint("imp-3") is None


def test_the_end_is_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [99.9]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    with cells.opened(Cell(tmp_path / "cell", 100.0)):
        cells.pause()
        clock[0] = 100.0
        with pytest.raises(OutOfTimeError):
            cells.pause()
    cells.pause()  # and the cell is closed


def test_success_removes_its_own_checkpoints_only(tmp_path: Path) -> None:
    other = tmp_path / "other.pt"
    other.write_text("of another cell")
    with cells.opened(Cell(tmp_path / "cell", math.inf)):
        path = cells.checkpoint("run")
        assert path is not None
        path.parent.mkdir()
        path.write_text("a state")
    assert list(tmp_path.iterdir()) == [other]


def test_a_cell_without_checkpoints_has_no_folder(tmp_path: Path) -> None:
    with cells.opened(Cell(tmp_path / "cell", math.inf)):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "error", [OutOfTimeError, ZeroDivisionError, KeyboardInterrupt]
)
def test_whatever_ends_it_before_leaves_the_checkpoints(
    tmp_path: Path, error: type[BaseException]
) -> None:
    state = tmp_path / "run.pt"
    state.write_text("a state")
    with pytest.raises(error), cells.opened(Cell(tmp_path, math.inf)):
        raise error
    assert state.exists()
    assert cells.checkpoint("run") is None


def test_the_cell_outside_is_there_again(tmp_path: Path) -> None:
    with cells.opened(Cell(tmp_path / "outer", math.inf)):
        with cells.opened(Cell(tmp_path / "inner", math.inf)):
            assert cells.checkpoint("a") == tmp_path / "inner" / "a.pt"
        assert cells.checkpoint("a") == tmp_path / "outer" / "a.pt"


def test_another_thread_is_not_in_the_cell(tmp_path: Path) -> None:
    """Two configurations at once in two threads do not share their folders."""
    with cells.opened(Cell(tmp_path, math.inf)), ThreadPoolExecutor(1) as pool:
        assert pool.submit(cells.checkpoint, "a").result() is None
    # tmp_path itself was the cell's folder
    assert not tmp_path.exists()
