"""The experiments of this package: every module that binds Config, GRID and run."""

import ast
import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import experiments
from experiments.store import Row


class UsageError(ValueError):
    """A name or option that does not exist; the message lists those that do."""


@dataclass(frozen=True)
class Experiment:
    """What the module of an experiment binds, and the first line of its docstring."""

    name: str
    summary: str
    grid: Mapping[str, tuple[Any, ...]]
    run: Callable[[Any], list[Row]]

    def configs(self) -> list[Any]:
        """Return the configurations of all profiles: default first, repeats kept."""
        order = sorted(self.grid, key=lambda profile: profile != "default")
        return [config for profile in order for config in self.grid[profile]]

    def profile(self, name: str) -> tuple[Any, ...]:
        """Return the configurations of one profile.

        Raises:
            UsageError: The experiment has no such profile.
        """
        if name not in self.grid:
            raise UsageError(
                f"experiment {self.name} has no profile {name!r}; its profiles are: "
                + ", ".join(self.grid)
            )
        return self.grid[name]


def experiment_names() -> list[str]:
    """Return the names of all experiments, without importing any."""
    return [
        module.name
        for folder in experiments.__path__
        for module in pkgutil.iter_modules([folder])
        if {"Config", "GRID", "run"} <= _bound(Path(folder, f"{module.name}.py"))
    ]


def _bound(path: Path) -> set[str]:
    """Return the names that a module's own statements define at its top level."""
    if not path.is_file():
        return set()
    names: set[str] = set()
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        match statement:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                names.add(name)
            case ast.Assign(targets=[ast.Name(id=name)]):
                names.add(name)
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
    return names


def load(names: Sequence[str]) -> list[Experiment]:
    """Return the named experiments, or all of them when no name is given.

    Raises:
        UsageError: There is no experiment of that name.
    """
    known = experiment_names()
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(
            f"unknown experiment {', '.join(unknown)}; the experiments are: "
            + (", ".join(known) or "none yet")
        )
    return [_imported(name) for name in dict.fromkeys(names or known)]


def _imported(name: str) -> Experiment:
    module = importlib.import_module(f"experiments.{name}")
    summary = (module.__doc__ or "").strip().partition("\n")[0]
    return Experiment(name, summary, module.GRID, module.run)
