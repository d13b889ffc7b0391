"""Programs in two halves: the same function, nothing done twice, errors."""

import pytest
import torch
from tolerance import tolerance
from torch import Tensor, nn
from torch.nn import functional

from theory.graph_simplification import operation
from theory.tangent_program import Program

aten = torch.ops.aten
GENERATOR = torch.Generator().manual_seed(0)
X, W, V, U = (torch.randn(3, 3, generator=GENERATOR).double() for _ in range(4))


def function(moving: list[Tensor], fixed: list[Tensor]) -> list[Tensor]:
    """Linear in (v, u), with (x, w) fixed; writes in place, as networks may."""
    (v, u), (x, w) = moving, fixed
    hidden = (x @ w).tanh_()
    slope = 1 - hidden * hidden
    change = slope * (x @ v)
    change.mul_(2)
    return [change, change.sum() + u.sum(), hidden * u.clone(), u]


def operations(module: torch.fx.GraphModule) -> list[str]:
    return [
        str(operation(node)).removeprefix("aten.")
        for node in module.graph.nodes
        if node.op == "call_function"
    ]


def test_the_halves_make_the_function() -> None:
    program = Program.of(function, [V, U], [X, W])
    for x, w, v, u in ((X, W, V, U), (W, U, X, V)):
        expected = function([v, u], [x.clone(), w])
        found = program.linear(*program.before(x, w), v, u)
        for left, right in zip(found, expected, strict=True):
            bound = tolerance(100, float(right.abs().max()))
            assert float((left - right).abs().max()) <= bound


def test_nothing_that_is_fixed_is_computed_later() -> None:
    program = Program.of(function, [V, U], [X, W])
    assert operations(program.before) == ["mm", "tanh", "mul", "rsub"]
    assert "tanh" not in operations(program.linear)
    assert operations(program.linear).count("mm") == 1
    saved = program.before(X, W)
    first = [t.clone() for t in saved]
    for _ in range(3):
        program.linear(*saved, V, U)
    assert all(torch.equal(a, b) for a, b in zip(saved, first, strict=True))
    assert len(saved) == 3  # x, the slope, the hidden layer


def test_linear_in_the_moving_tensors() -> None:
    program = Program.of(function, [V, U], [X, W])
    saved = program.before(X, W)
    both = program.linear(*saved, V + 2 * X, U + 2 * W)
    parts = program.linear(*saved, V, U), program.linear(*saved, X, W)
    for whole, one, two in zip(both, *parts, strict=True):
        gap = whole - one - 2 * two
        assert float(gap.abs().max()) <= tolerance(100, 10.0)


def test_results_that_do_not_move() -> None:
    program = Program.of(lambda moving, fixed: [fixed[0].exp(), moving[0]], [V], [X])
    found = program.linear(*program.before(X), V)
    assert torch.equal(found[0], X.exp()) and torch.equal(found[1], V)
    assert operations(program.linear) == []


def test_bound_methods_and_tensors_that_are_closed_over() -> None:
    class Holder(nn.Module):
        factor = 3 * W

        def apply_to(self, moving: list[Tensor], fixed: list[Tensor]) -> list[Tensor]:
            return [self.factor * moving[0] + fixed[0] * 0 * moving[0]]

    program = Program.of(Holder().apply_to, [V], [X])
    (found,) = program.linear(*program.before(X), V)
    assert float((found - 3 * W * V).abs().max()) <= tolerance(10, 10.0)


def test_random_numbers_are_refused() -> None:
    def noisy(moving: list[Tensor], fixed: list[Tensor]) -> list[Tensor]:
        return [functional.dropout(moving[0], 0.5, training=True) * fixed[0]]

    message = r"^the function draws random numbers \(aten.*\), so it has no one derivat"
    with pytest.raises(ValueError, match=message):
        Program.of(noisy, [V], [X])


def test_reading_a_value_is_refused() -> None:
    message = r"^the function reads a tensor's value as a number, which would be that"
    with pytest.raises(ValueError, match=message) as caught:
        Program.of(lambda moving, fixed: [moving[0] * float(fixed[0][0, 0])], [V], [X])
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_shapes_that_depend_on_values_are_refused() -> None:
    """An index has as many entries as its tensor, a condition as many as are true."""
    for selected in (
        lambda moving, fixed: [moving[0][fixed[0] > 0]],
        lambda moving, fixed: [moving[0].masked_select(fixed[0] > 0)],
        lambda moving, fixed: [moving[0][torch.nonzero(fixed[0][0])[:, 0]]],
    ):
        with pytest.raises(
            ValueError, match=r"^the shape of a result depends on value"
        ):
            Program.of(selected, [V], [X])
    rows = torch.tensor([1, 0, 1])
    program = Program.of(lambda moving, fixed: [moving[0][fixed[0]]], [V], [rows])
    (found,) = program.linear(*program.before(rows.flip(0)), V)
    assert torch.equal(found, V[rows.flip(0)])


def test_other_errors_are_passed_on() -> None:
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        Program.of(lambda moving, fixed: [moving[0] @ fixed[0][:2]], [V], [X])
