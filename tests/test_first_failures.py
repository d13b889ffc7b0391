"""Figure a9: critical counts of runs and of schedules, by hand and against scans."""

import pytest
import torch
from torch import Tensor, nn

from experiments import a9_dropping_hypotheses, sweep
from experiments.a9_dropping_hypotheses import GRID, Config, run
from experiments.first_failures import FAILURES, boundaries, failures, first_failures
from theory import scores
from theory.networks import Network
from theory.pruning import prune
from theory.pruning_steps import masks_after, one_at_a_time, schedule
from theory.synflow_pruning import prune_synflow


def dense(*weights: list[list[float]]) -> Network:
    layers = [nn.Linear(len(w[0]), len(w), bias=False) for w in weights]
    for layer, values in zip(layers, weights, strict=True):
        layer.weight.data = torch.tensor(values)
    return Network.of(nn.Sequential(*layers))


CROSSED = dense([[4.0], [1.0]], [[2.0, 3.0]])
ONES = dense([[1.0], [1.0]], [[1.0, 1.0], [1.0, 1.0]], [[1.0, 1.0]])


def masks(first: list[int], second: list[int]) -> dict[str, Tensor]:
    return {
        "0.weight": torch.tensor(first).bool()[:, None],
        "1.weight": torch.tensor(second).bool()[None],
    }


def test_what_fails() -> None:
    assert failures(CROSSED, (1,), masks([1, 0], [1, 0])) == set()
    assert failures(CROSSED, (1,), masks([1, 0], [0, 1])) == {"no path"}
    assert failures(CROSSED, (1,), masks([1, 1], [0, 0])) == {"collapse", "no path"}


def test_magnitude_loses_its_path_before_a_layer() -> None:
    """4 and 3 are the last two, and on different paths."""
    walk = prune(CROSSED, scores.magnitude, one_at_a_time(CROSSED))
    assert first_failures(CROSSED, (1,), walk) == {"collapse": 2, "no path": 3}


def test_a_run_that_never_fails_counts_to_its_end() -> None:
    walk = prune_synflow(ONES, (1,), [0.0], safe=True)
    assert first_failures(ONES, (1,), walk) == dict.fromkeys(FAILURES, 3)
    assert first_failures(ONES, (1,), []) == dict.fromkeys(FAILURES, 8)


@pytest.mark.parametrize("steps", [1, 2, 3, 100])
def test_boundaries_are_where_a_scan_first_fails(steps: int) -> None:
    scan = []
    for count in range(7, 0, -1):
        walk = prune_synflow(ONES, (1,), schedule(count / 8, steps))
        scan.append((count, failures(ONES, (1,), masks_after(ONES, walk))))
    for failure, found in boundaries(ONES, (1,), steps).items():
        assert found == 1 + next(count for count, failed in scan if failure in failed)


def critical(config: Config) -> dict[str, list[tuple[int, int]]]:
    """The distinct (layers, critical count), for each failure."""
    rows = run(config)
    sweep.check(rows, config)
    cases = sum(int(row["cases"]) for row in rows)
    assert cases == 2 * (1032 if config.networks == "chains" else 1)
    for row in rows:
        assert row["ratio"] == int(row["layers"]) / int(row["critical_count"]) <= 1
        assert row["revived"] == (-1 if config.networks == "convnet" else 0)
    return {
        failure: [
            (int(row["layers"]), int(row["critical_count"]))
            for row in rows
            if row["failure"] == failure
        ]
        for failure in FAILURES
    }


@pytest.mark.parametrize("pruning", ["one at a time", "safe steps"])
def test_the_theorem_on_all_chains(pruning: a9_dropping_hypotheses.Run) -> None:
    for found in critical(Config("chains", pruning)).values():
        assert found == [(layers, layers) for layers in range(1, 13)]


@pytest.mark.parametrize("pruning", ["one-shot", "signed", "snip", "magnitude"])
def test_without_a_hypothesis_some_chains_fail(
    pruning: a9_dropping_hypotheses.Run,
) -> None:
    for found in critical(Config("chains", pruning)).values():
        assert any(count > layers for layers, count in found)


def test_layer_by_layer_only_the_path_is_lost() -> None:
    chains = critical(Config("chains", "local"))
    assert all(layers == count for layers, count in chains["collapse"])
    assert any(layers < count for layers, count in chains["no path"])
    convnet = critical(Config("convnet", "local"))
    assert convnet["collapse"] == [(4, 4)] and convnet["no path"][0][1] > 4


@pytest.mark.parametrize("seed", range(2))
def test_safe_steps_on_a_convnet(seed: int) -> None:
    found = critical(Config("convnet", "safe steps", seed))
    assert found == {key: [(4, 4)] for key in FAILURES}
    assert critical(Config("convnet", "one-shot", seed))["collapse"][0][1] > 20


def test_every_way_has_its_seeds_once() -> None:
    assert len(set(GRID["default"])) == len(GRID["default"]) == 9 * (3 + 5)
    assert len(set(GRID["published"])) == len(GRID["published"]) == 9 * 2 * 20
    assert set(GRID["default"]) <= set(GRID["published"])
