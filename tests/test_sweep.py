"""Sweeps: kills, failures, shards and full disks lose nothing."""

import errno
import itertools
import os
import signal
import time

import pytest
from test_store import full_disk
from toy_checkout import Checkout, make_checkout

checkout = pytest.fixture(make_checkout)

SIXTEEN = ("(1, 2)", "range(16)")


def wait_for_records(checkout: Checkout, count: int) -> None:
    limit = time.monotonic() + 60
    while len(list(checkout.records.glob("*.json"))) < count:
        assert time.monotonic() < limit, "the sweep made no records"
        time.sleep(0.01)


def test_kill_9_in_the_middle_then_only_the_missing(checkout: Checkout) -> None:
    checkout.replace("toy", *SIXTEEN)
    process = checkout.start("run", "--workers", "2", TOY_SLEEP="0.2")
    wait_for_records(checkout, 3)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    kept = {path.stem: path.stat() for path in checkout.records.glob("*.json")}
    assert 3 <= len(kept) < 16
    assert not checkout.results.exists() or not list(checkout.results.glob("*.csv"))
    begun = checkout.computed()
    again = checkout.start("run", "--workers", "2")
    output, _ = again.communicate(timeout=60)
    assert again.returncode == 0, output
    computed = checkout.computed()
    assert len(computed) == len(set(computed)) == 16 - len(kept)
    assert set(computed) | set(begun) == set(range(16))
    for name, stat in kept.items():  # records are never edited
        assert (checkout.records / f"{name}.json").stat().st_ino == stat.st_ino
    expected = checkout.table()
    checkout.monkeypatch.setenv("PRUNING_RESULTS", str(checkout.folder / "new"))
    assert checkout.run() == list(range(16))
    uninterrupted = checkout.folder / "new" / "results" / "toy.csv"
    assert uninterrupted.read_bytes() == expected


def test_control_c_keeps_the_records_and_says_how_to_go_on(checkout: Checkout) -> None:
    checkout.replace("toy", *SIXTEEN)
    process = checkout.start("run", "--workers", "2", TOY_SLEEP="1.5")
    wait_for_records(checkout, 2)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: workers as well
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    kept = len(list(checkout.records.glob("*.json")))
    assert f"interrupted: {kept} of 16 configurations" in output
    assert "the same command computes the rest" in output
    assert checkout.table().count(b",u\n") == 3 * kept
    checkout.computed()
    assert len(checkout.run()) == 16 - kept


def test_a_killed_worker_is_reported(checkout: Checkout) -> None:
    process = checkout.start("run", "--workers", "2", TOY_KILLED="2", TOY_SLEEP="0.2")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "a worker was killed" in output
    assert "Traceback" not in output
    assert 2 in checkout.run()


def test_one_failure_does_not_stop_the_others(
    checkout: Checkout,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkout.replace("toy", *SIXTEEN)
    monkeypatch.setenv("TOY_FAILS", "3")
    assert checkout.command("run", "--workers", "1") == 1
    errors = capsys.readouterr().err
    assert "Config(size=3" in errors and "ZeroDivisionError: toy failure" in errors
    assert "1 of 16 configurations failed" in errors
    assert checkout.computed() == list(range(16))
    assert checkout.table().count(b",u\n") == 3 * 15
    monkeypatch.delenv("TOY_FAILS")
    assert checkout.run() == [3]


def test_shards_divide_the_grid_whatever_is_done(checkout: Checkout) -> None:
    checkout.replace("toy", *SIXTEEN)
    parts = [checkout.run("--shard", f"{i}/3") for i in (1, 2, 3)]
    assert sorted(itertools.chain(*parts)) == list(range(16))
    assert sorted(map(len, parts)) == [5, 5, 6]
    assert checkout.run("--shard", "2/3") == [] and checkout.run() == []


@pytest.mark.parametrize("name", ["out", "out/records", "out/results"])
def test_a_folder_that_refuses_files_is_noticed_before_computing(
    checkout: Checkout, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path = checkout.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("a file where a folder should be")
    assert checkout.command("run", "--workers", "1") == 1
    errors = capsys.readouterr().err
    assert "nothing was computed" in errors and "PRUNING_RESULTS" in errors
    assert checkout.computed() == []


def test_a_read_only_folder_with_nothing_to_compute_is_fine(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.run()
    full_disk(monkeypatch, checkout.folder, errno.EROFS)
    assert checkout.run() == []


def test_a_disk_that_fills_while_computing_loses_nothing(
    checkout: Checkout,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    refuge = checkout.folder / "temporary"
    monkeypatch.setattr("tempfile.tempdir", str(refuge))
    monkeypatch.setattr("experiments.store.probe", lambda folder: None)
    with monkeypatch.context() as patch:
        full_disk(patch, checkout.folder / "out", errno.ENOSPC)
        assert checkout.command("run", "--workers", "1") == 1
    errors = capsys.readouterr().err
    assert errors.count("OSError: cannot write") == 2 and "No space left" in errors
    assert checkout.computed() == [1, 2]
    for path in refuge.glob("toy-*.json"):  # what the message says
        path.rename(checkout.records / path.name.removeprefix("toy-"))
    assert checkout.run() == []
    assert checkout.table().count(b",u\n") == 6


def test_two_processes_write_the_same_table(checkout: Checkout) -> None:
    process = checkout.start("run", "--workers", "2")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "toy: 2 done, 0 stale, 1 missing" in output
    expected = checkout.table()
    checkout.monkeypatch.setenv("PRUNING_RESULTS", str(checkout.folder / "new"))
    checkout.run()
    new = checkout.folder / "new" / "results" / "toy.csv"
    assert new.read_bytes() == expected


PIECES = """
    from experiments import cells
    done = cells.checkpoint("pieces")
    done.parent.mkdir(parents=True, exist_ok=True)
    for piece in range(4):
        if piece < (int(done.read_text()) if done.exists() else 0):
            continue
        with open(os.environ["TOY_LOG"], "a") as log:
            log.write(f"{10 * config.size + piece}\\n")
        cells.time.sleep(1)
        done.write_text(str(piece + 1))
        cells.pause()
"""
"""In place of the toy's sleep: four pieces of a second, each written down."""


class Clock:
    """A second passes when somebody sleeps for a second."""

    def __init__(self) -> None:
        self.now = 1e9

    def time(self) -> float:
        return self.now

    perf_counter = time

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let the toy compute in pieces, in a time of its own."""
    made = Clock()
    for module in ("__main__", "cells", "sweep"):
        monkeypatch.setattr(f"experiments.{module}.time", made)
    checkout.replace(
        "toy", '    time.sleep(float(os.environ.get("TOY_SLEEP", 0)))\n', PIECES
    )
    checkout.replace("toy", 'log.write(f"{config.size}\\n")', "pass")
    return made


def test_a_time_budget_stops_between_checkpoints_and_loses_nothing(
    checkout: Checkout,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkpoints = checkout.folder / "out" / "checkpoints" / "toy"
    begin = clock.now
    assert checkout.run("--time-budget", "2.5") == [10, 11, 12]
    assert clock.now == begin + 3  # the piece that was begun is finished
    stopped = capsys.readouterr()
    assert "time is up: 2 of 2 configurations are not done" in stopped.err
    assert "the same command goes on from their checkpoints" in stopped.err
    assert "failed" not in stopped.err and "0 done" in stopped.out
    assert len(list(checkpoints.iterdir())) == 1
    assert checkout.run("--time-budget", "2") == [13, 20]
    assert "1 of 2 configurations are not done" in capsys.readouterr().err
    assert set(checkout.scores()) == {1}
    assert checkout.run("--time-budget", "1e9") == [21, 22, 23]
    assert "time is up" not in capsys.readouterr().err
    assert not list(checkpoints.iterdir())
    expected = checkout.table()
    monkeypatch.setenv("PRUNING_RESULTS", str(checkout.folder / "new"))
    assert checkout.run() == [10, 11, 12, 13, 20, 21, 22, 23]
    assert (checkout.folder / "new" / "results" / "toy.csv").read_bytes() == expected


def test_a_spent_budget_begins_nothing(
    checkout: Checkout, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checkout.run("--time-budget", "0") == []
    captured = capsys.readouterr()
    assert "time is up: 2 of 2 configurations are not done" in captured.err
    assert "toy: 0 done, 0 stale, 3 missing" in captured.out
    assert clock.now == 1e9


@pytest.mark.usefixtures("clock")
def test_a_failure_leaves_its_checkpoints_until_it_is_done(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOY_FAILS", "2")
    assert checkout.command("run", "--workers", "1") == 1
    (left,) = (checkout.folder / "out" / "checkpoints" / "toy").iterdir()
    assert (left / "pieces.pt").read_text() == "4"
    assert checkout.computed() == [10, 11, 12, 13, 20, 21, 22, 23]
    monkeypatch.delenv("TOY_FAILS")
    assert checkout.run() == []
    assert not left.exists() and set(checkout.scores()) == {1, 2}
