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
    process = checkout.start("run", "--workers", "2", TOY_SLEEP="0.3")
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
