"""One configuration in a worker: one thread, and rows that are checked."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from experiments import store, sweep


@dataclass(frozen=True)
class Config:
    """One field."""

    size: int = 1


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([], ValueError, "at least one row"),
        ([{"size": 1}], ValueError, r"columns \['size'\] itself"),
        ([{"key": "a"}], ValueError, r"columns \['key'\] itself"),
        ([{"x": 1}, {"x": None}], TypeError, "row 1, column 'x': .* got NoneType"),
        ([{"x": np.float32(1)}], TypeError, "got float32; convert it"),
    ],
)
def test_rows_are_checked(
    rows: list[store.Row], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        sweep.check(rows, Config())


def test_compute_uses_one_thread_and_gives_the_others_back(tmp_path: Path) -> None:
    def threads(config: Config) -> list[store.Row]:
        pools = [int(pool["num_threads"]) for pool in threadpool_info()]
        return [{"torch": torch.get_num_threads(), "pools": max(pools)}]

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with threadpool_limits(2):
            made = sweep.compute(sweep.Task(threads, Config(), tmp_path / "0-0.json"))
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    record = store.load(tmp_path / "0-0.json")
    assert made[1] is None and record is not None
    assert record.rows == [{"torch": 1, "pools": 1}]
    assert record.provenance["threads"] == 1


def test_wrong_rows_are_a_failure_and_no_record(tmp_path: Path) -> None:
    task = sweep.Task(lambda config: [], Config(), tmp_path / "0-0.json")
    _, failure = sweep.compute(task)
    assert failure is not None and "at least one row" in failure
    assert list(tmp_path.iterdir()) == []
