"""Dead parameters: exactly those of dead units and dead inputs, and the spectrum."""

from random import Random

import numpy as np
import pytest
import torch
from tolerance import tolerance
from torch import nn
from torch.nn import functional

from theory import random_networks
from theory.curvature import Hessian
from theory.dead_parameters import dead_coordinates
from theory.operators import dense

LABELS = torch.arange(9) % 3


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def with_dead_parts() -> Hessian:
    """4-5-3: input 2 is always 0, unit 1 never active, unit 3 always."""
    layers = (nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    model = random_networks.fill(nn.Sequential(*layers), Random(2))
    for parameter in model.parameters():
        parameter.data[parameter == 0] = 0.5
    x = torch.randn(9, 4, generator=generator(3))
    x[:, 2] = 0.0
    model[0].bias.data[1] = -100.0  # type: ignore[index]
    model[0].bias.data[3] = 100.0  # type: ignore[index]
    data = list(zip(x.double().split(4), LABELS.split(4), strict=True))
    return Hessian(model, functional.cross_entropy, data)


def test_dead_units_and_inputs() -> None:
    hessian = with_dead_parts()
    dead = dead_coordinates(hessian, generator=generator())
    tensors = hessian.coordinates.unpack(dead.double())
    weight = torch.zeros(5, 4)
    weight[:, 2] = weight[1, :] = 1.0
    assert torch.equal(tensors["0.weight"], weight.double())
    assert tensors["0.bias"].tolist() == [0, 1, 0, 0, 0]
    assert tensors["2.weight"].tolist() == [[0, 1, 0, 0, 0]] * 3
    assert tensors["2.bias"].tolist() == [0, 0, 0]


def test_the_spectrum_is_that_of_the_live_part_and_zeros() -> None:
    hessian = with_dead_parts()
    dead = dead_coordinates(hessian, generator=generator(), probes=1)
    live = hessian.restricted(~dead)
    whole, part = (torch.linalg.eigvalsh(dense(h)).numpy() for h in (hessian, live))
    expected = np.sort(np.append(part, np.zeros(int(dead.sum()))))
    assert np.abs(whole - expected).max() <= tolerance(1000, whole.max())
    assert live.size == hessian.size - int(dead.sum()) == 43 - 12


class Given:
    """A matrix with a gradient."""

    def __init__(self, matrix: torch.Tensor, slope: torch.Tensor) -> None:
        self.matrix, self.slope, self.size = matrix, slope, len(slope)

    def product(self, vectors: torch.Tensor) -> torch.Tensor:
        return self.matrix @ vectors

    def gradient(self) -> torch.Tensor:
        return self.slope


def test_slope_or_curvature_keeps_a_coordinate_alive() -> None:
    matrix = torch.diag(torch.tensor([1.0, 0.0, 0.0, 1e-300], dtype=torch.float64))
    operator = Given(matrix, torch.tensor([0.0, 1e-300, 0.0, 0.0], dtype=torch.float64))
    for probes in (1, 2, 5):
        found = dead_coordinates(operator, generator=generator(), probes=probes)
        assert found.tolist() == [False, False, True, False]


def test_one_probe_that_is_not_zero_is_enough() -> None:
    class Sometimes(Given):
        def product(self, vectors: torch.Tensor) -> torch.Tensor:
            return torch.tensor([[0.0, 1.0], [0.0, 0.0]]).double()

    operator = Sometimes(torch.zeros(2, 2), torch.zeros(2).double())
    found = dead_coordinates(operator, generator=generator())
    assert found.tolist() == [False, True]


def test_the_global_generator_is_left_alone() -> None:
    hessian, own = with_dead_parts(), generator()
    state = torch.get_rng_state()
    dead_coordinates(hessian, generator=own)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(own.get_state(), generator().get_state())


def test_no_probes() -> None:
    with pytest.raises(ValueError, match=r"^expected at least one probe, got 0$"):
        dead_coordinates(with_dead_parts(), generator=generator(), probes=0)
