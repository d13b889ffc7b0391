"""Figure c4 (paper C, figure 3): loss and accuracy against sparsity, one-shot.

The networks of figure c5, trained in the same way from the same seeds, so that the
limits in c5's table belong to these curves. Deviations as there; the loss is drawn as
it is, not shifted or transformed by hand.
"""

from dataclasses import dataclass

from experiments import c5_threshold_table as c5
from experiments.limit_cases import CASES
from experiments.limit_readings import OneShot
from experiments.limit_rows import Row
from experiments.limit_study import study


@dataclass(frozen=True)
class Config:
    """One network, trained once."""

    case: str
    """Name in `limit_cases.CASES`."""
    strength: float
    """lambda: of l1."""
    seed: int
    """As in figure c5."""
    device: str = "cpu"


DRAWN = {"mlp-digits": (0.0, 5e-4), "fc5-digits": (0.0, 5e-4)}
"""Of the small networks: strengths of l1."""

GRID = {
    "default": tuple(
        Config(name, strength, seed)
        for name, strengths in DRAWN.items()
        for strength in strengths
        for seed in c5.SEEDS
    ),
    "published": tuple(
        Config(name, strength, seed, "cuda" if name in c5.GPU else "cpu")
        for name in (*c5.CPU, *c5.GPU)
        for strength in CASES[name].strengths
        for seed in c5.SEEDS
    ),
}


def run(config: Config) -> list[Row]:
    """Return a row for each number of removed weights: loss and test accuracy.

    prunable: N. Those of w* are in the row with 0 removed.
    """
    found = study(config.case, config.strength, config.seed, config.device)
    one_shot = OneShot(found.problem("final"), min(found.case.levels, 250))
    return [
        {
            "prunable": one_shot.count,
            "removed": n,
            "loss": one_shot.loss(n),
            "test_accuracy": one_shot.accuracy(n),
        }
        for n in one_shot.grid
    ]
