"""Figure c6 (paper C, on heuristics): what moves the limit, and gradual pruning.

In the quadratic model of a trained small network: weights times t, or the Hessian times
c. Both enter the limits only by c t^2 / epsilon (theorem: R^2, s0 and s1 scale with
t^2, 1 / r^2 with c), so one scale c t^2 serves both, and epsilon too. On the network
itself: cycles of pruning and training, against pruning at once with one cycle of it.

Deviations from the paper: its larger weights are weights times 2 to 5 in the network,
whose loss then changes, too; its gradual pruning trains for a fixed time, here until
L <= L(w*) + epsilon, which keeps the comparison within S.
"""

from dataclasses import dataclass, replace

from experiments.limit_dense import DenseModel
from experiments.limit_readings import gradual, retrained
from experiments.limit_rows import Row
from experiments.limit_study import study
from theory.reoptimised import largest_removal


@dataclass(frozen=True)
class Config:
    """One network, trained once."""

    case: str
    """Name in `limit_cases.CASES`, of a small network."""
    strength: float
    """lambda: of l1."""
    seed: int
    """As in figure c5."""


GRID = {
    name: tuple(
        Config("mlp-digits", strength, seed) for strength in strengths for seed in seeds
    )
    for name, strengths, seeds in (
        ("default", (0.0, 5e-4), range(3)),
        ("published", (0.0, 1e-4, 5e-4, 2e-3), range(10)),
    )
}
SCALES = tuple(4.0**power for power in range(-4, 5))
"""c t^2."""
SHARES = (0.05, 0.2)
"""Of the remaining weights that a cycle removes."""


def run(config: Config) -> list[Row]:
    """Return weights removed: predicted at every scale, and by gradual pruning.

    reading: "paper", "exact", "orthogonal", and "re-optimised" in the quadratic model
    at the scale; "retrained" at once; "gradual" with the share of a cycle in `share`
    and the number of its cycles in `cycles`.
    """
    found = study(config.case, config.strength, config.seed)
    problem = found.problem("final")
    model = DenseModel.of(problem)
    losses = model.losses("positive")
    rows: list[Row] = []
    for scale in SCALES:
        epsilon = problem.epsilon / scale
        limits = model.limits(epsilon, "positive")
        limits["re-optimised"] = largest_removal(losses, epsilon)
        rows += [_row(reading, n, scale=scale) for reading, n in limits.items()]
    recipe = replace(found.case.recipe, epochs=found.case.retraining)
    at_once = retrained(problem, recipe, problem.epsilon, seed=found.order)
    rows.append(_row("retrained", at_once))
    for share in SHARES:
        path = gradual(problem, recipe, problem.epsilon, share, seed=found.order)
        rows.append(_row("gradual", path[-1], share=share, cycles=len(path) - 1))
    return [{"prunable": len(problem.order), **row} for row in rows]


def _row(
    reading: str,
    removed: int,
    *,
    scale: float = 1.0,
    share: float = 0.0,
    cycles: int = 0,
) -> Row:
    return {
        "reading": reading,
        "removed": removed,
        "scale": scale,
        "share": share,
        "cycles": cycles,
    }
