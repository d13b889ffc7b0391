"""The experiments' command line: python -m experiments list|run|table|status|compare.

Exit codes: 0 all is well, 1 something failed or differs, 2 wrong usage, 130 Ctrl-C.
"""

import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor
from pathlib import Path

import tyro
from tqdm import tqdm

from experiments import store, tables
from experiments.catalogue import Experiment, UsageError, load
from experiments.comparison import difference
from experiments.digest import key
from experiments.sweep import STOPPED, Backend, Task, plan, sweep

Names = tyro.conf.Positional[tuple[str, ...]]


def list_experiments() -> int:
    """List the experiments and the number of configurations of each profile."""
    for experiment in load(()):
        sizes = [f"{name} {len(configs)}" for name, configs in experiment.grid.items()]
        print(f"{experiment.name} ({', '.join(sizes)}): {experiment.summary}")
    return 0


def run(
    names: Names = (),
    profile: str = "default",
    workers: int | None = None,
    stale: bool = False,
    shard: str = "1/1",
    backend: Backend = "loky",
    time_budget: float = math.inf,
) -> int:
    """Compute what neither a record nor a table holds, then write the tables.

    It may be killed at any time: the same command goes on from what is there. Rows made
    by other code are kept, except in the profile "default", where they are recomputed.

    Args:
        names: Experiments; all of them when none is named.
        profile: Which configurations: "default" fits two CPU cores, "published" has
            the papers' own sizes.
        workers: Configurations computed at a time; as many as there are CPUs if None.
        stale: Recompute rows made by other code, whatever the profile.
        shard: Compute only every n-th configuration, for job arrays: 3/40 is the third
            of 40 parts. Once all parts are done, `table` collects them.
        backend: Processes of this machine, or the dask cluster at
            DASK_SCHEDULER_ADDRESS, whose workers share this folder.
        time_budget: Seconds after which nothing new begins and long configurations
            stop at their next checkpoint; the same command goes on from there.
    """
    deadline = time.time() + time_budget
    chosen, folder = load(names), store.root()
    tasks: list[Task] = []
    for experiment in chosen:
        found = plan(experiment, folder, profile, stale, shard, deadline)
        if found:
            store.probe(folder / "records" / experiment.name)
            store.probe(folder / "results")
        tasks += found
    code = _compute(tasks, workers, backend)
    return max(code, _write(chosen, folder))


def _compute(tasks: Sequence[Task], workers: int | None, backend: Backend) -> int:
    """Compute tasks under a progress bar, report what failed, return the exit code."""
    failures: list[str] = []
    stopped = code = 0
    try:
        with tqdm(total=len(tasks), unit="configuration", disable=not tasks) as bar:
            for task, failure in sweep(tasks, workers, backend):
                bar.update()
                if failure == STOPPED:
                    stopped += 1
                elif failure:
                    failures.append(f"failed: {task}\n{failure}")
    except KeyboardInterrupt:
        kept = sum(task.path.exists() for task in tasks)
        _say(
            f"interrupted: {kept} of {len(tasks)} configurations of this run are kept "
            "as records; the same command computes the rest"
        )
        code = 130
    except BrokenExecutor:
        _say(
            "a worker was killed from outside or crashed. The records made so far are "
            "kept and the same command goes on; if memory ran out, use fewer --workers"
        )
        code = 1
    if stopped:
        _say(
            f"time is up: {stopped} of {len(tasks)} configurations are not done; the "
            "same command goes on from their checkpoints"
        )
    if failures:
        _say("\n".join(failures))
        _say(f"{len(failures)} of {len(tasks)} configurations failed, see above")
    return max(code, bool(failures))


def _write(chosen: Sequence[Experiment], folder: Path) -> int:
    """Write the tables, say what each holds, return the exit code."""
    code = 0
    for experiment in chosen:
        try:
            held = tables.write(experiment, folder)
        except OSError as error:
            _say(
                f"cannot write the table of {experiment.name}, kept as it was: {error}"
            )
            code = 1
            continue
        states = Counter(holding.state() for holding in held.values())
        print(f"{experiment.name}: {_counts(states)}")
    return code


def table(names: Names = ()) -> int:
    """Write the tables anew from the records and from the tables themselves.

    Args:
        names: Experiments; all of them when none is named.
    """
    return _write(load(names), store.root())


def status(names: Names = ()) -> int:
    """Show what is done, stale (made by other code) or missing, and the records' size.

    Args:
        names: Experiments; all of them when none is named.
    """
    folder = store.root()
    for experiment in load(names):
        records = (folder / "records" / experiment.name).glob("*.json")
        size = sum(path.stat().st_size for path in records)
        print(f"{experiment.name} (records: {size / 1e6:.2f} MB)")
        held = tables.holdings(experiment, folder)
        for profile, configs in experiment.grid.items():
            keys = {key(config, experiment.run) for config in configs}
            states = Counter(held[name].state() for name in keys)
            print(f"  {profile:<12}{_counts(states)}")
    return 0


def compare(
    names: Names = (),
    tolerance: float = 1e-6,
    floor: float = 1e-12,
    workers: int | None = None,
) -> int:
    """Recompute the default profile from scratch and compare it with the tables.

    Args:
        names: Experiments; all of them when none is named.
        tolerance: Largest relative difference of a table that passes.
        floor: Numbers that differ by no more than this count as equal.
        workers: Configurations computed at a time; as many as there are CPUs if None.
    """
    chosen = load(names)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        tasks = [t for e in chosen for t in plan(e, folder, "default", False, "1/1")]
        code = _compute(tasks, workers, "loky")
        for experiment in chosen:
            tables.write(experiment, folder)
            old = tables.read(experiment.name, store.root())
            worst = difference(old, tables.read(experiment.name, folder), floor)
            print(f"{experiment.name}: largest relative difference {worst:.3g}")
            code = max(code, int(not worst <= tolerance))
    return code


def _counts(states: Counter[tables.State]) -> str:
    names: tuple[tables.State, ...] = ("done", "stale", "missing")
    return ", ".join(f"{states[name]} {name}" for name in names)


def _say(message: str) -> None:
    print(message, file=sys.stderr)


def main() -> int:
    """Run the command line and return its exit code."""
    others = {f.__name__: f for f in (run, table, status, compare)}
    try:
        code: int = tyro.extras.subcommand_cli_from_dict(
            {"list": list_experiments, **others},
            prog="python -m experiments",
            description=__doc__,
        )
    except UsageError as error:
        _say(f"error: {error}")
        return 2
    except OSError as error:
        _say(f"error: {error}")
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
