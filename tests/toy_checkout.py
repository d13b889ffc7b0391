"""A checkout in miniature: the real machinery, with a toy experiment and its helper."""

import io
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import experiments
from experiments.__main__ import main

ROOT = Path(__file__).parent.parent
MACHINERY: tuple[str, ...] = (
    "__init__",
    "__main__",
    "cells",
    "catalogue",
    "comparison",
    "digest",
)
MACHINERY += ("provenance", "store", "sweep", "tables")

TOY = '''
"""A toy.

Not measured.
"""
import os, signal, time
from dataclasses import dataclass
from experiments.helper import measure

@dataclass(frozen=True)
class Config:
    """What is varied."""
    size: int
    widths: tuple[int, ...] = (3, 1)
    label: str = "a, \\"b\\""

GRID: dict[str, tuple[Config, ...]] = {
    "default": tuple(Config(size) for size in (1, 2)),
    "published": tuple(Config(size) for size in (2, 3)),
}

def run(config):
    with open(os.environ["TOY_LOG"], "a") as log:
        log.write(f"{config.size}\\n")
    time.sleep(float(os.environ.get("TOY_SLEEP", 0)))
    if str(config.size) == os.environ.get("TOY_KILLED"):
        os.kill(os.getpid(), signal.SIGKILL)
    if str(config.size) == os.environ.get("TOY_FAILS"):
        raise ZeroDivisionError("toy failure")
    return [
        {"layer": layer, "score": measure(config.size, layer), "unit": "u"}
        for layer in (0, 1, 2)
    ]
'''

HELPER = '''
"""Local code that the toy imports."""

def measure(size, layer):
    """Return a number."""
    return [0.1 * size / 3, float("nan"), float("-inf")][layer]
'''


# An edit of the helper's code, for `Checkout.replace`.
DOUBLE = ("0.1 * size / 3", "0.2 * size / 3")


class Checkout:
    """The folder, and the commands that a user would run in it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.monkeypatch = monkeypatch
        self.package = folder / "experiments"
        self.results = folder / "out" / "results"
        self.records = folder / "out" / "records" / "toy"
        self.log = folder / "log"
        self.package.mkdir(parents=True)
        self.edit("toy", TOY)
        self.edit("helper", HELPER)

    def edit(self, module: str, text: str) -> None:
        (self.package / f"{module}.py").write_text(text)

    def replace(self, module: str, old: str, new: str) -> None:
        text = (self.package / f"{module}.py").read_text()
        assert text.count(old) == 1, old
        self.edit(module, text.replace(old, new))

    def command(self, *arguments: str) -> int:
        """Run the command line in this process, on the toy's present source."""
        forget()
        self.monkeypatch.setattr(sys, "argv", ["experiments", *arguments])
        state = random.getstate()  # tyro draws from it, to empty its cache at times
        try:
            return main()
        finally:
            random.setstate(state)

    def run(self, *arguments: str) -> list[int]:
        """Run the sweep in this process and return the sizes it computed."""
        assert self.command("run", "--workers", "1", *arguments) == 0
        return self.computed()

    def published(self) -> list[int]:
        return self.run("--profile", "published")

    def computed(self) -> list[int]:
        """Return the sizes that were begun since the last call."""
        text = self.log.read_text() if self.log.exists() else ""
        self.log.unlink(missing_ok=True)
        return sorted(map(int, text.split()))

    def table(self) -> bytes:
        return (self.results / "toy.csv").read_bytes()

    def scores(self) -> dict[int, float]:
        """Return the first measurement of each size in the table."""
        table = pd.read_csv(io.BytesIO(self.table())).query("layer == 0")
        return dict(zip(table["size"], table["score"], strict=True))

    def record(self, size: int) -> Path:
        """Return the newest record of a size."""
        found = [
            path
            for path in self.records.glob("*.json")
            if json.loads(path.read_text())["config"]["size"] == size
        ]
        return max(found, key=lambda path: path.stat().st_mtime_ns)

    def start(self, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        """Start the command line in a process, and process group, of its own."""
        for name in MACHINERY:
            shutil.copy(ROOT / "experiments" / f"{name}.py", self.package)
        return subprocess.Popen(
            [sys.executable, "-m", "experiments", *arguments],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(self.folder)} | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


def forget() -> None:
    """Make the next import read the toy's source again."""
    for name in ("toy", "helper"):
        sys.modules.pop(f"experiments.{name}", None)
        vars(experiments).pop(name, None)


def make_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Checkout]:
    """Be the fixture `checkout` of the modules that say so."""
    made = Checkout(tmp_path / "checkout", monkeypatch)
    monkeypatch.setattr(experiments, "__path__", [str(made.package)])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PRUNING_RESULTS", str(made.folder / "out"))
    monkeypatch.setenv("TOY_LOG", str(made.log))
    yield made
    forget()
