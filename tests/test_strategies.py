"""The strategies reach the cases that the tests are meant for."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import Phase, find, settings
from hypothesis import strategies as st
from strategies import Case, cases, cuts, densities, scores
from torch import Tensor, nn

from theory import random_networks
from theory.graph import Graph

SEARCH = settings(
    max_examples=3000, database=None, derandomize=True, phases=[Phase.generate]
)
SHRINK = settings(max_examples=3000, database=None, derandomize=True)


def has(kind: type[nn.Module]) -> Callable[[Case], bool]:
    return lambda case: any(isinstance(m, kind) for m in case.model.modules())


def convolution(test: Callable[[nn.Conv2d], bool]) -> Callable[[Case], bool]:
    return lambda case: any(
        isinstance(m, nn.Conv2d) and test(m) for m in case.model.modules()
    )


def dead_unit(case: Case) -> bool:
    weights = [case.network.parameters[name] for name in case.network.prunable[:-1]]
    return any(bool((w.flatten(1) == 0).all(1).any()) for w in weights)


REACHED: dict[str, Callable[[Case], bool]] = {
    "max pooling": has(nn.MaxPool2d),
    "average pooling": has(nn.AvgPool2d),
    "adaptive average": has(nn.AdaptiveAvgPool2d),
    "adaptive max": has(nn.AdaptiveMaxPool2d),
    "residual": has(random_networks.Residual),
    "concat": has(random_networks.Concat),
    "BatchNorm": has(nn.BatchNorm2d),
    "dropout": has(nn.Dropout),
    "leaky ReLU": has(nn.LeakyReLU),
    "PReLU": has(nn.PReLU),
    "identity": has(nn.Identity),
    "in-place ReLU": lambda c: any(
        isinstance(m, nn.ReLU) and m.inplace for m in c.model.modules()
    ),
    "stride": convolution(lambda m: m.stride == (2, 2)),
    "padding": convolution(lambda m: m.padding == (1, 1)),
    "no padding": convolution(lambda m: m.padding == (0, 0)),
    "groups": convolution(lambda m: m.groups == 2),
    "no bias anywhere": lambda c: not any("bias" in n for n in c.network.parameters),
    "bias in the first layer": lambda c: "0.bias" in c.network.parameters,
    "zero weights": lambda c: any(
        (p == 0).any() for p in c.network.parameters.values()
    ),
    "dead unit": dead_unit,
    "width 1": lambda c: any(
        isinstance(m, nn.Linear) and m.in_features == m.out_features == 1
        for m in c.model.modules()
    ),
    "batch of 1": lambda c: len(c.x) == 1,
    "batch of 3": lambda c: len(c.x) == 3,
    "identity branch of a DAG": lambda c: (
        isinstance(c.model, random_networks.Dag) and bool(c.model.skips)
    ),
    "several readers of a node": lambda c: (
        isinstance(c.model, random_networks.Dag)
        and len({i for i, _ in c.model.edges}) < len(c.model.edges)
    ),
}


@pytest.mark.parametrize("what", REACHED)
def test_networks_reach(what: str) -> None:
    find(cases(), REACHED[what], settings=SEARCH)


def test_networks_shrink_to_a_small_one() -> None:
    smallest = find(cases(random_networks.mlp), lambda case: True, settings=SHRINK)
    assert sum(p.numel() for p in smallest.network.parameters.values()) <= 4


def flat(tensors: dict[str, Tensor]) -> Tensor:
    return torch.cat([t.flatten() for t in tensors.values()])


def distinct(values: Tensor) -> int:
    return len(set(values.tolist()))


SCORES: dict[str, Callable[[dict[str, Tensor]], bool]] = {
    "ties": lambda s: distinct(flat(s)) < len(flat(s)),
    "all equal": lambda s: len(flat(s)) > 3 and distinct(flat(s)) == 1,
    "ties between layers": lambda s: (
        len(s) > 1 and all(bool((t == 1).any()) for t in s.values())
    ),
    "zeros of both signs": lambda s: distinct(flat(s)[flat(s) == 0].signbit()) == 2,
    "infinity": lambda s: bool((flat(s) == math.inf).any()),
    "minus infinity": lambda s: bool((flat(s) == -math.inf).any()),
    "subnormal": lambda s: bool((flat(s) == 5e-324).any()),
    "no ties": lambda s: len(flat(s)) > 3 and distinct(flat(s)) == len(flat(s)),
    "one parameter": lambda s: len(flat(s)) == 1,
    "four dimensions": lambda s: any(t.dim() == 4 for t in s.values()),
}


@pytest.mark.parametrize("what", SCORES)
def test_scores_reach(what: str) -> None:
    find(scores(), SCORES[what], settings=SEARCH)


@pytest.mark.parametrize("density", [0.0, 1.0, 0.5, 1 / 3])
def test_densities_reach(density: float) -> None:
    find(densities(), lambda d: d == density, settings=SEARCH)


def test_cuts_reach_the_first_edge_and_a_cut_of_several_edges() -> None:
    pairs = cases(random_networks.dag).flatmap(
        lambda case: st.tuples(st.just(case), cuts(case))
    )

    def crossing(pair: tuple[Case, set[str]]) -> int:
        case, inside = pair
        edges = Graph.of(case.network, case.x).edges
        return sum(p in inside and c not in inside for p, c in edges)

    find(pairs, lambda pair: len(pair[1]) == 1, settings=SEARCH)
    find(pairs, lambda pair: crossing(pair) >= 3, settings=SEARCH)
