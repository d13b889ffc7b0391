"""Computing configurations in parallel; each worker writes the record it has made.

So a killed scheduler, worker or machine loses only what was being computed at that
moment, and the same command goes on from the records that are there.
"""

import contextlib
import importlib
import math
import os
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import joblib
import torch
from threadpoolctl import threadpool_limits

from experiments import cells, provenance, store, tables
from experiments.catalogue import Experiment, UsageError
from experiments.digest import key

Backend = Literal["loky", "dask"]


@dataclass(frozen=True)
class Task:
    """One configuration to compute, and where its record goes."""

    run: Callable[[Any], list[store.Row]]
    config: Any
    path: Path
    deadline: float = math.inf
    """When to stop at the next checkpoint, in seconds of `time.time`."""

    @property
    def checkpoints(self) -> Path:
        """Folder of what is not finished."""
        experiment = self.path.parent
        return experiment.parents[1] / "checkpoints" / experiment.name / self.path.stem

    def __str__(self) -> str:
        return f"{self.path.parent.name} {self.path.stem}: {self.config}"


def plan(
    experiment: Experiment,
    folder: Path,
    profile: str,
    stale: bool,
    shard: str,
    deadline: float = math.inf,
) -> list[Task]:
    """Return the configurations of a profile and shard that are still to compute.

    These are the missing ones and, with `stale` or in the profile "default", those
    whose rows were made by other code. Shards divide the profile, not what is left of
    it, so that they are the same whenever each of them starts.

    Raises:
        UsageError: The profile is unknown, or `shard` is not "i/n" with 1 <= i <= n.
    """
    part, _, parts = shard.partition("/")
    if not (part.isdigit() and parts.isdigit() and 1 <= int(part) <= int(parts)):
        raise UsageError(f"--shard must be i/n with 1 <= i <= n, got {shard!r}")
    keys = [key(config, experiment.run) for config in experiment.profile(profile)]
    keys = list(dict.fromkeys(keys))[int(part) - 1 :: int(parts)]
    held = tables.holdings(experiment, folder)
    wanted = {"missing", "stale"} if stale or profile == "default" else {"missing"}
    return [
        Task(
            experiment.run,
            held[name].config,
            store.record_path(folder, experiment.name, name),
            deadline,
        )
        for name in keys
        if held[name].state() in wanted
    ]


STOPPED = "out of time"
"""In place of a traceback: the time budget was spent before this was done."""


def compute(task: Task) -> tuple[Task, str | None]:
    """Run one configuration, write its record, and return the traceback of a failure.

    In its place STOPPED, with nothing lost, if the deadline passed. One thread only:
    the order of a sum, so its last digits, depends on their number.
    """
    if time.time() >= task.deadline:
        return task, STOPPED
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    start = time.perf_counter()
    cell = cells.Cell(task.checkpoints, task.deadline)
    try:
        with cells.opened(cell), threadpool_limits(1):
            rows = task.run(task.config)
            check(rows, task.config)
            made = provenance.collect(time.perf_counter() - start)
            record = store.Record(task.path.stem, asdict(task.config), rows, made)
            store.save(task.path, record)
    except cells.OutOfTimeError:
        return task, STOPPED
    except Exception:
        return task, traceback.format_exc()
    finally:
        torch.set_num_threads(threads)
    return task, None


def check(rows: list[store.Row], config: Any) -> None:
    """Check what an experiment's `run` returned.

    Raises:
        ValueError: There are no rows, or a column is named like a configuration field.
        TypeError: A value is not a plain Python string, int or float.
    """
    if not rows:
        raise ValueError("run must return at least one row, got none")
    taken = {"key", *(field.name for field in fields(config))}
    for number, row in enumerate(rows):
        if clash := taken & row.keys():
            raise ValueError(
                f"row {number}: the store adds the columns {sorted(clash)} itself; "
                "leave them out or rename them"
            )
        for name, value in row.items():
            if not isinstance(value, str | int | float):
                raise TypeError(
                    f"row {number}, column {name!r}: expected str, int or float, got "
                    f"{type(value).__name__}; convert it with .item() or float()"
                )


def sweep(
    tasks: Sequence[Task], workers: int | None, backend: Backend
) -> Iterator[tuple[Task, str | None]]:
    """Yield each task when it is done, with the traceback if it failed.

    Args:
        tasks: What to compute.
        workers: Tasks at a time; None for all CPUs that this process may use (its
            affinity and the container's quota counted), or all that the cluster has.
        backend: "loky" for processes of this machine, "dask" for a cluster.

    Raises:
        UsageError: There are no workers, or the cluster's engine or address is missing.
    """
    if workers is not None and workers < 1:
        raise UsageError(f"--workers must be at least 1, got {workers}")
    if not tasks:
        return
    with contextlib.ExitStack() as stack:
        if backend == "dask":
            stack.enter_context(_cluster())
        everything = joblib.cpu_count() if backend == "loky" else -1
        stack.enter_context(joblib.parallel_config(backend=backend))
        pool = joblib.Parallel(
            n_jobs=workers or everything, return_as="generator_unordered"
        )
        yield from pool(joblib.delayed(compute)(task) for task in tasks)


def _cluster() -> Any:
    """Return a client of the dask scheduler, once it has a worker."""
    address = os.environ.get("DASK_SCHEDULER_ADDRESS")
    if not address:
        raise UsageError(
            "--backend dask needs a running scheduler: set DASK_SCHEDULER_ADDRESS to "
            "its address, for instance tcp://10.0.0.1:8786"
        )
    try:
        distributed = importlib.import_module("distributed")
    except ModuleNotFoundError as error:
        raise UsageError(
            f"--backend dask needs a package that is not installed ({error.name}): run "
            "pip install --group cluster"
        ) from error
    client = distributed.Client(address)
    print(f"waiting for the first worker of {address}")
    client.wait_for_workers(1)
    return client
