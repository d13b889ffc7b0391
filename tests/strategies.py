"""Hypothesis strategies for networks, cuts, scores and densities; all of them shrink.

Random networks take their choices from hypothesis's own `random.Random`.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor, nn

from theory import random_networks
from theory.graph import Graph
from theory.network_conservation import random_side
from theory.networks import Network, Readout


@contextmanager
def python_state_kept() -> Iterator[None]:
    """Undo beartype's draws from the global state, which hypothesis forbids here."""
    state = random.getstate()
    yield
    random.setstate(state)


@dataclass(frozen=True)
class Case:
    """A random network with a batch and a readout."""

    model: nn.Module
    network: Network
    x: Tensor
    readout: Readout


def sources() -> st.SearchStrategy[Random]:
    """Sources of randomness whose choices hypothesis makes and shrinks."""
    return st.randoms(use_true_random=False)


def cases(*builders: Callable[[Random], nn.Module]) -> st.SearchStrategy[Case]:
    """Random networks of any of the builders, by default MLPs, convnets and DAGs."""

    @st.composite
    def case(draw: st.DrawFn) -> Case:
        rng = draw(sources())
        kinds = (random_networks.mlp, random_networks.convnet, random_networks.dag)
        build = draw(st.sampled_from(builders or kinds))
        with python_state_kept():
            model = build(rng)
            x, readout = (
                random_networks.inputs(model, rng),
                random_networks.readout(rng),
            )
            return Case(model, Network.of(model), x, readout)

    return case()


@st.composite
def cuts(draw: st.DrawFn, case: Case) -> set[str]:
    """Upstream sides of cuts of the case's graph."""
    rng = draw(sources())
    with python_state_kept():
        return random_side(Graph.of(case.network, case.x), rng)


@st.composite
def scores(draw: st.DrawFn) -> dict[str, Tensor]:
    """Scores of 1 to 4 layers with many ties, zeros of both signs and infinities."""
    tied = st.sampled_from([0.0, -0.0, 1.0, -1.0, 5e-324, float("inf"), -float("inf")])
    elements = draw(st.sampled_from([tied, tied | st.floats(allow_nan=False)]))
    shapes = arrays.array_shapes(min_dims=1, max_dims=4, max_side=4)
    return {
        f"layer{i}.weight": torch.from_numpy(
            draw(arrays.arrays(np.float64, draw(shapes), elements=elements))
        )
        for i in range(draw(st.integers(1, 4)))
    }


def densities() -> st.SearchStrategy[float]:
    """Fractions in [0, 1]: both ends, ratios of small integers, and any other."""
    ratios = st.integers(1, 50).flatmap(
        lambda n: st.integers(0, n).map(lambda k: k / n)
    )
    return st.sampled_from([0.0, 1.0]) | ratios | st.floats(0, 1)
