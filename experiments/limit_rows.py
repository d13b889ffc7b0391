"""Rows of a table of limits: predicted and measured numbers of weights that can go.

A row is one number, `removed`, with the ends of its interval (equal to it where there
is no error of its own). Columns that say which:

    stage      weights after a tenth of the training ("early") or at its end ("final")
    kind       "predicted" or "measured"
    reading    predicted: "paper", "exact" (random subspaces), "orthogonal" (survivors);
               measured: "one-shot loss", "retrained", "one-shot accuracy", each first
               and last (`limit_readings`); in the quadratic model "re-optimised" and
               "random subspace"
    matrix     "hessian" or "gauss-newton" where the quadratic model is used, else ""
    treatment  of its eigenvalues below 0
    noise      the stage whose epsilon is taken: S at an early stage can be that of
               its own, larger, epsilon or of the last one
    epsilon    that of the stage `noise`
    factor     of epsilon
    draw       of random subspaces: a row each
"""

from collections.abc import Iterator
from dataclasses import replace

from experiments.limit_dense import DenseModel
from experiments.limit_lanczos import LanczosModel
from experiments.limit_readings import OneShot, retrained
from experiments.limit_study import Study
from theory.measure import Treatment
from theory.reoptimised import largest_removal

Row = dict[str, str | int | float]

FACTORS = (1.0, 0.25, 4.0)
"""Of epsilon: how sensitive everything is to its choice."""
DRAWS = 2


def dense_rows(study: Study, stage: str) -> list[Row]:
    """Return the rows of the quadratic model for a small network, without error.

    At the end of the training also: both treatments, the Gauss-Newton matrix, other
    factors of epsilon, random subspaces.
    """
    model, rows = DenseModel.of(study.problem(stage)), []
    for noise, epsilon in _noises(study, stage).items():
        factors = FACTORS if stage == "final" else (1.0,)
        found = _quadratic(model, epsilon, "positive", factors)
        rows += [row | {"noise": noise, "epsilon": epsilon} for row in found]
    if stage == "final":
        rows += _quadratic(model, epsilon, "absolute")
        draws = model.random_subspaces(epsilon, "positive", DRAWS, seed=study.probes)
        rows += [
            _row("measured", "random subspace", n, matrix="hessian", draw=draw)
            for draw, n in enumerate(draws)
        ]
        if study.case.gauss_newton:
            other = DenseModel.of(model.problem, gauss_newton=True)
            rows += _quadratic(other, epsilon, "positive")
    return [row | {"stage": stage} for row in rows]


def lanczos_rows(study: Study, stage: str) -> list[Row]:
    """Return the rows of the quadratic model from products, with intervals.

    Survivors are re-optimised with the Gauss-Newton matrix: that of an indefinite
    Hessian has no least loss.
    """
    problem, rows = study.problem(stage), []
    noises = _noises(study, stage)
    for gauss_newton in (False, True) if stage == "final" else (False,):
        model = LanczosModel.of(
            problem,
            gauss_newton=gauss_newton,
            probes=study.case.probes,
            steps=study.case.steps,
            seed=study.probes,
        )
        rows += [
            _row("predicted", form, n, low, high, matrix=_name(gauss_newton))
            | {"noise": noise, "epsilon": epsilon}
            for noise, epsilon in noises.items()
            for form, (low, n, high) in model.limits(epsilon).items()
        ]
        if gauss_newton:
            n = model.reoptimised(problem.epsilon)
            rows.append(_row("measured", "re-optimised", n, matrix=_name(True)))
    return [row | {"stage": stage} for row in rows]


def readings(study: Study) -> Iterator[Row]:
    """Yield what can be removed from the trained network itself."""
    problem = study.problem("final")
    one_shot = OneShot(problem, study.case.levels)
    for factor in FACTORS:
        found = one_shot.loss_crossing(factor * problem.epsilon)
        for end, n in found._asdict().items():
            yield _row("measured", f"one-shot loss, {end}", n, factor=factor)
    for end, n in one_shot.accuracy_crossing()._asdict().items():
        yield _row("measured", f"one-shot accuracy, {end}", n)
    recipe = replace(study.case.recipe, epochs=study.case.retraining)
    n = retrained(problem, recipe, problem.epsilon, seed=study.order)
    yield _row("measured", "retrained", n)


def _noises(study: Study, stage: str) -> dict[str, float]:
    """Return epsilon of the stage, and of the last one."""
    return {name: study.problem(name).epsilon for name in (stage, "final")}


def _quadratic(
    model: DenseModel,
    epsilon: float,
    treatment: Treatment,
    factors: tuple[float, ...] = (1.0,),
) -> list[Row]:
    matrix, losses, rows = _name(model.gauss_newton), model.losses(treatment), []
    for factor in factors:
        found = model.limits(factor * epsilon, treatment)
        readings = [("predicted", form, n) for form, n in found.items()]
        least = largest_removal(losses, factor * epsilon)
        readings.append(("measured", "re-optimised", least))
        rows += [
            _row(*reading, matrix=matrix, treatment=treatment, factor=factor)
            for reading in readings
        ]
    return rows


def _name(gauss_newton: bool) -> str:
    return "gauss-newton" if gauss_newton else "hessian"


def _row(
    kind: str,
    reading: str,
    removed: int,
    low: int | None = None,
    high: int | None = None,
    *,
    matrix: str = "",
    treatment: str = "",
    factor: float = 1.0,
    draw: int = 0,
) -> Row:
    return {
        "stage": "final",
        "kind": kind,
        "reading": reading,
        "matrix": matrix,
        "treatment": treatment or ("positive" if matrix else ""),
        "noise": "final",
        "factor": factor,
        "draw": draw,
        "removed": removed,
        "low": removed if low is None else low,
        "high": removed if high is None else high,
    }
