"""Closed forms against automatic differentiation of torch's own losses."""

import pytest
import torch
from tolerance import tolerance
from torch import Tensor
from torch.nn import functional

from theory import known_hessians


def differentiated(
    x: Tensor, outputs: int, value: object, at: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the Hessian of value(x W^T + b), and the outputs."""

    def loss(theta: Tensor) -> Tensor:
        return value(model(theta))  # type: ignore[no-any-return, operator]

    def model(theta: Tensor) -> Tensor:
        weight = theta[: outputs * x.shape[1]].view(outputs, x.shape[1])
        return x @ weight.T + theta[outputs * x.shape[1] :]

    return torch.func.jacrev(torch.func.grad(loss))(at), model(at)


@pytest.mark.parametrize(("samples", "inputs", "outputs"), [(5, 3, 2), (1, 1, 4)])
def test_all_three(samples: int, inputs: int, outputs: int) -> None:
    draws = torch.Generator().manual_seed(0)
    x = torch.randn(samples, inputs, generator=draws, dtype=torch.float64)
    y = torch.randn(samples, outputs, generator=draws, dtype=torch.float64)
    labels = torch.arange(samples) % outputs
    at = torch.randn((inputs + 1) * outputs, generator=draws, dtype=torch.float64)
    close = tolerance(100, 10.0)
    auto, out = differentiated(x, outputs, lambda o: ((o - y) ** 2).mean(), at)
    assert float((auto - known_hessians.squares(x, outputs)).abs().max()) <= close
    auto, out = differentiated(
        x, outputs, lambda o: functional.cross_entropy(o, labels), at
    )
    assert float((auto - known_hessians.softmax(x, out)).abs().max()) <= close
    bits = (torch.arange(samples) % 2).double().view(-1, 1)
    auto, out = differentiated(
        x,
        1,
        lambda o: functional.binary_cross_entropy_with_logits(o, bits),
        at[: inputs + 1],
    )
    assert float((auto - known_hessians.logistic(x, out)).abs().max()) <= close


def test_a_single_number_by_hand() -> None:
    """One input 3, one output 0: p = 1/2, so (x, 1)(x, 1)^T / 4."""
    x, out = torch.tensor([[3.0]]).double(), torch.zeros(1, 1).double()
    assert known_hessians.logistic(x, out).tolist() == [[2.25, 0.75], [0.75, 0.25]]
    assert known_hessians.squares(x, 1).tolist() == [[18, 6], [6, 2]]
    two = known_hessians.softmax(x, torch.zeros(1, 2).double())
    assert two[0].tolist() == [2.25, -2.25, 0.75, -0.75]
