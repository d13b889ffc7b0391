"""Records: whole or absent, checked when read, never lost for want of room."""

import errno
import json
import math
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments import store
from experiments.store import Record

RECORD = Record(
    "0123abcd-89ab",
    {"size": 1},
    [{"x": 0.1, "y": float("nan"), "name": "é,\n"}, {"x": float("-inf"), "n": 2**70}],
    {"commit": None, "wall_seconds": 1.5},
)


def full_disk(monkeypatch: pytest.MonkeyPatch, folder: Path, code: int) -> None:
    """Let every replacement below a folder fail with an error code."""
    replace = os.replace

    def failing(source: Path, target: Path) -> None:
        if target.is_relative_to(folder):
            raise OSError(code, os.strerror(code))
        replace(source, target)

    monkeypatch.setattr(os, "replace", failing)


def test_a_record_comes_back_with_every_digit(tmp_path: Path) -> None:
    path = store.record_path(tmp_path, "toy", RECORD.key)
    store.save(path, RECORD)
    loaded = store.load(path)
    assert loaded is not None
    assert repr(loaded) == repr(RECORD)  # repr, for NaN is not equal to itself
    assert isinstance(loaded.rows[0]["y"], float) and math.isnan(loaded.rows[0]["y"])
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_missing_record_is_none(tmp_path: Path) -> None:
    assert store.load(tmp_path / "a.json") is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "not JSON",
        lambda text: "[]",
        lambda text: "3",
        lambda text: "{}",
        lambda text: text.replace("0.1", "0.2"),
        lambda text: text.replace("NaN", "1.0"),
        lambda text: text.replace('"size": 1', '"size": 2'),
        lambda text: text.replace('"rows"', '"lines"'),
        lambda text: json.dumps({**json.loads(text), "extra": 1}),
        lambda text: text.encode("utf-16").decode("latin-1"),
    ],
)
def test_a_corrupted_record_is_named_and_counts_as_missing(
    tmp_path: Path, spoil: Callable[[str], str]
) -> None:
    path = tmp_path / f"{RECORD.key}.json"
    store.save(path, RECORD)
    spoiled = spoil(path.read_text())
    assert spoiled != path.read_text()
    path.write_text(spoiled)
    with pytest.warns(UserWarning, match=f"{path} is corrupted"):
        assert store.load(path) is None


def test_a_record_under_another_name_is_corrupted(tmp_path: Path) -> None:
    store.save(tmp_path / "0123abcd-0000.json", RECORD)
    with pytest.warns(UserWarning, match=f"it is the record of {RECORD.key}"):
        assert store.load(tmp_path / "0123abcd-0000.json") is None


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
def test_a_failed_write_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    path = tmp_path / "a.csv"
    store.write_atomic(path, b"old")
    full_disk(monkeypatch, tmp_path, code)
    with pytest.raises(OSError, match=os.strerror(code)):
        store.write_atomic(path, b"new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_record_that_does_not_fit_is_kept_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuge = tmp_path / "temporary"
    monkeypatch.setattr(tempfile, "tempdir", str(refuge))
    path = store.record_path(tmp_path / "full", "toy", RECORD.key)
    full_disk(monkeypatch, tmp_path / "full", errno.ENOSPC)
    with pytest.raises(OSError, match="Nothing is lost") as caught:
        store.save(path, RECORD)
    kept = refuge / f"toy-{RECORD.key}.json"
    assert str(kept) in str(caught.value)
    assert str(caught.value).endswith(f"copy it to {path}")
    monkeypatch.undo()
    path.write_bytes(kept.read_bytes())  # what the message says
    assert repr(store.load(path)) == repr(RECORD)


def test_probing_leaves_nothing_behind(tmp_path: Path) -> None:
    store.probe(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_probing_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"cannot write in .*; nothing was computed"):
        store.probe(tmp_path / "file" / "toy")


def test_the_root_is_this_package_unless_the_environment_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PRUNING_RESULTS", raising=False)
    assert store.root() == Path(store.__file__).parent
    monkeypatch.setenv("PRUNING_RESULTS", "")
    assert store.root() == Path(store.__file__).parent
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRUNING_RESULTS", "elsewhere")
    assert store.root() == (tmp_path / "elsewhere").resolve()
