"""Provenance: complete, anonymous, and quiet where git is missing."""

import getpass
import json
import platform
import subprocess
from pathlib import Path

import pytest
import torch

from experiments import provenance


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "a checkout"
    for name in ("theory", "experiments/results"):
        (folder / name).mkdir(parents=True)
    (folder / "theory" / "a.py").write_text("X = 1\n")
    (folder / "experiments" / "results" / "a.csv").write_text("key\n")
    git(tmp_path, "init", "-q", str(folder))
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def state(folder: Path) -> dict[str, str | bool | None]:
    return provenance.git_state.__wrapped__(folder)


def test_provenance_is_complete_and_json() -> None:
    made = provenance.collect(1.23456)
    assert json.loads(json.dumps(made)) == made
    assert made["wall_seconds"] == 1.235
    assert made["torch"] == torch.__version__
    assert made["threads"] == torch.get_num_threads()
    assert made["machine"] == platform.machine()
    assert len(made["lock"]) == 16


def test_provenance_names_nobody_and_no_machine() -> None:
    text = json.dumps(provenance.collect(1.0))
    assert str(Path.home()) not in text
    for name in (platform.node(), getpass.getuser()):
        assert f'"{name}"' not in text


def test_clean_and_dirty(repository: Path) -> None:
    clean = state(repository)
    assert len(str(clean["commit"])) == 40 and clean["dirty"] is False
    (repository / "experiments" / "results" / "a.csv").write_text("key,x\n")
    (repository / "README.md").write_text("not code")
    assert state(repository) == clean  # output and prose are not code
    (repository / "experiments" / "new.py").write_text("")
    assert state(repository) == {"commit": clean["commit"], "dirty": True}


def test_an_edit_is_dirty(repository: Path) -> None:
    (repository / "theory" / "a.py").write_text("X = 2\n")
    assert state(repository)["dirty"] is True


def test_without_git(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    unknown = {"commit": None, "dirty": None}
    assert state(repository / "theory") == unknown  # inside another repository
    assert state(tmp_path) == unknown
    monkeypatch.setenv("PATH", "")
    assert state(repository) == unknown
    assert provenance.lock_digest(tmp_path / "requirements.lock") is None
