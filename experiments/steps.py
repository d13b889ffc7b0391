"""Long runs in pieces: a checkpoint after each, a progress bar, a time to stop."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

from experiments import cells, checkpoints

EVERY = 5000
"""Steps between checkpoints (ours): some seconds' work for a small network."""


class Steps(Protocol):
    """A run that can go on from a saved state."""

    def advance(self, first: int, last: int) -> None:
        """Take the steps first, ..., last - 1; called in ascending order."""

    def state(self) -> dict[str, Any]:
        """Return all that the next step depends on."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go to a saved state."""


def take(
    run: Steps,
    first: int,
    last: int,
    checkpoint: Path | None,
    identity: Callable[[], checkpoints.Identity],
) -> None:
    """Take the steps first, ..., last - 1, or what is left of them after a checkpoint.

    Raises:
        ValueError: the checkpoint is that of another run.
        experiments.cells.OutOfTimeError: the sweep's time budget is spent.
    """
    step = first
    if checkpoint is not None:
        # computed once: hashing all images takes as long as a hundred steps
        own = identity()
        if saved := checkpoints.load(checkpoint, own):
            run.restore(saved["run"])
            step = saved["step"]
    with tqdm(total=last, initial=step, unit="step", disable=None, leave=False) as bar:
        while step < last:
            end = min(last, step + EVERY)
            run.advance(step, end)
            bar.update(end - step)
            step = end
            if checkpoint is not None:
                checkpoints.save(checkpoint, own, {"run": run.state(), "step": step})
                cells.pause()
