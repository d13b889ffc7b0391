"""Each rule: where it applies, where it must not, and that no value changes."""

from collections.abc import Callable

import pytest
import torch
from tolerance import tolerance
from torch import Tensor, fx
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn import functional

from theory.graph_simplification import operation, simplify

aten = torch.ops.aten
GENERATOR = torch.Generator().manual_seed(0)
A, B, C = (
    torch.randn(n, m, generator=GENERATOR).double() for n, m in ((2, 3), (3, 4), (2, 4))
)


def simplified(
    function: Callable[..., object], *arguments: Tensor
) -> tuple[fx.GraphModule, list[object]]:
    """Return the simplified graph, checked on other values, and its operations."""
    module = make_fx(function)(*arguments)
    simplify(module.graph)
    module.recompile()
    others = [argument + 1 for argument in arguments]
    ours, theirs = module(*others), function(*others)
    if isinstance(theirs, Tensor):
        ours, theirs = [ours], [theirs]
    for left, right in zip(ours, theirs, strict=True):  # type: ignore[call-overload]
        assert left.shape == right.shape and left.dtype == right.dtype
        bound = tolerance(100, float(right.abs().max()))
        assert float((left - right).abs().max()) <= bound
    nodes = [n for n in module.graph.nodes if n.op == "call_function"]
    return module, [operation(node) or node.target for node in nodes]


def test_copies_are_what_they_copy() -> None:
    assert simplified(lambda a: aten.alias(a.clone()) * 2, A)[1] == [aten.mul]
    kept = simplified(lambda a: a.clone(memory_format=torch.contiguous_format) * 2, A)
    assert kept[1] == [aten.clone, aten.mul]
    assert simplified(lambda a, b: aten.copy(a, b) * 2, A, A)[1] == [aten.mul]
    wider = simplified(lambda a, b: aten.copy(a, b) * 2, A, A[:1])
    assert wider[1] == [aten.copy, aten.mul]
    other = simplified(lambda a, b: aten.copy(a, b) * 2, A, A.float())
    assert other[1] == [aten.copy, aten.mul]
    assert simplified(lambda a: aten.copy(a, a) * 2, A)[1][-1] is aten.mul


def test_zeros_are_not_added() -> None:
    zeros = torch.zeros_like
    assert simplified(lambda a: (a + zeros(a)) * 2, A)[1] == [aten.mul]
    assert simplified(lambda a: (zeros(a).t().t() + a) * 2, A)[1] == [aten.mul]
    assert simplified(lambda a, b, c: (c + zeros(a) @ b) * 2, A, B, C)[1] == [aten.mul]
    assert simplified(lambda a, b, c: (zeros(a) * a) @ b + c, A, B, C)[1] == []
    wide = simplified(lambda a: (a[0] + zeros(a)) * 2, A)[1]
    assert wide == [aten.select, aten.expand, aten.mul]
    scaled = simplified(lambda a: torch.add(a, zeros(a), alpha=2) * 2, A)[1]
    assert scaled == [aten.zeros_like, aten.add, aten.mul]
    promoted = simplified(lambda a: (a + zeros(a).float()) * 2, A)[1]
    assert aten.add in promoted
    both = simplified(lambda a: zeros(a) + zeros(a), A)[1]
    assert both == [aten.zeros_like, aten.zeros_like, aten.add]
    assert simplified(lambda a: (a + 0) * 2, A)[1] == [aten.add, aten.mul]
    assert simplified(lambda a: a + a.new_zeros(2, 3), A)[1] == []
    assert simplified(lambda a: a + torch.zeros(2, 3).double(), A)[1][-1:] != [aten.mul]


def test_what_is_linear_in_zeros_is_zero_and_what_is_affine_is_not() -> None:
    def total(a: Tensor) -> Tensor:
        zero = torch.zeros_like(a)
        parts = (
            zero.view(6),
            -zero,
            zero.transpose(0, 1),
            zero.sum(0),
            zero.expand(2, 3),
        )
        return sum((part.sum() for part in parts), a)

    assert simplified(total, A)[1].count(aten.add) == 0
    exponential = simplified(lambda a: a + torch.zeros_like(a).exp(), A)[1]
    assert exponential == [aten.zeros_like, aten.exp, aten.add]
    image, kernel = torch.ones(1, 2, 4, 4).double(), torch.ones(3, 2, 3, 3).double()
    out = torch.ones(1, 3, 2, 2).double()

    def convolved(x: Tensor, w: Tensor, o: Tensor) -> Tensor:
        return functional.conv2d(torch.zeros_like(x), w) + o

    def biased(x: Tensor, w: Tensor, o: Tensor) -> Tensor:
        return functional.conv2d(torch.zeros_like(x), w, o[0, :, 0, 0]) + o

    assert simplified(convolved, image, kernel, out)[1] == []
    assert aten.convolution in simplified(biased, image, kernel, out)[1]


def test_products_are_added_in_one_step() -> None:
    assert simplified(lambda a, b, c: a @ b + c, A, B, C)[1] == [aten.addmm]
    assert simplified(lambda a, b, c: c + a @ b, A, B, C)[1] == [aten.addmm]
    two = simplified(lambda a, b: a @ b + a @ b, A, B)[1]
    assert two == [aten.mm, aten.addmm]
    twice = simplified(lambda a, b, c: (a @ b + c, a @ b), A, B, C)[1]
    assert sorted(map(str, twice)) == ["aten.addmm", "aten.mm"]

    def shared(a: Tensor, b: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        product = a @ b
        return product + c, product

    assert simplified(shared, A, B, C)[1] == [aten.mm, aten.add]

    def doubled(a: Tensor, b: Tensor) -> Tensor:
        product = a @ b
        return product + product

    assert aten.mm in simplified(doubled, A, B)[1]
    scaled = simplified(lambda a, b, c: torch.add(c, a @ b, alpha=2), A, B, C)[1]
    assert scaled == [aten.mm, aten.add]
    mixed = simplified(lambda a, b, c: a @ b + c.float(), A, B, C)[1]
    assert aten.addmm not in mixed
    assert simplified(lambda a, b: a @ b + 1, A, B)[1] == [aten.mm, aten.add]


def backward(mask: tuple[bool, bool, bool], padding: int = 0) -> Callable[..., Tensor]:
    def function(slope: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, ...]:
        found: tuple[Tensor, ...] = aten.convolution_backward(
            slope, x, w, [3], [1, 1], [padding] * 2, [1, 1], False, [0, 0], 1, mask
        )
        return found

    return function  # type: ignore[return-value]


def wanted(module: fx.GraphModule) -> list[object]:
    return [
        node.args[-1]
        for node in module.graph.nodes
        if operation(node) is aten.convolution_backward
    ]


def test_backward_passes_are_joined_and_trimmed() -> None:
    image, kernel = torch.ones(1, 2, 4, 4).double(), torch.ones(3, 2, 3, 3).double()
    slope = torch.ones(1, 3, 2, 2).double()
    dx, dw = backward((True, False, False)), backward((False, True, False))

    def apart(s: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        return dx(s, x, w)[0], dw(s, x, w)[1]

    def different(s: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        return dx(s, x, w)[0], dw(2 * s, x, w)[1]

    def only_bias(s: Tensor, x: Tensor, w: Tensor) -> Tensor:
        return backward((True, True, True))(s, x, w)[2]

    arguments = (slope, image, kernel)
    assert wanted(simplified(apart, *arguments)[0]) == [[True, True, False]]
    one = [[True, False, False], [False, True, False]]
    assert wanted(simplified(different, *arguments)[0]) == one
    assert wanted(simplified(only_bias, *arguments)[0]) == [[False, False, True]]


@pytest.mark.parametrize("unused", [lambda a: a.exp(), lambda a: a @ a.t()])
def test_what_nobody_reads_is_not_computed(unused: Callable[[Tensor], Tensor]) -> None:
    def function(a: Tensor) -> Tensor:
        unused(a)
        return a * 2

    assert simplified(function, A)[1] == [aten.mul]
