"""Hessians over data sets: oracles, coordinates, batches, what must stay untouched."""

import gc
import resource
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from random import Random
from typing import Any

import pytest
import torch
from purity import unchanged
from test_batch_curvature import by_reverse_mode
from tolerance import tolerance
from torch import Tensor, nn
from torch.nn import functional

from theory import known_hessians, random_networks
from theory.coordinates import Coordinates
from theory.curvature import MEMORY, Hessian
from theory.networks import Network
from theory.operators import dense

LABELS = torch.tensor([0, 1, 2, 1, 0, 2, 2])


def draw(*shape: int, seed: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def convnet() -> nn.Module:
    """Every kind of layer with a derivative of its own; activations in place."""
    layers = (
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 3, stride=2, groups=2, bias=False),
        nn.LeakyReLU(0.1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(4, 3),
        nn.Tanh(),
        nn.Linear(3, 3),
    )
    return random_networks.fill(nn.Sequential(*layers), Random(1))


def mlp() -> nn.Module:
    layers = (nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    return random_networks.fill(nn.Sequential(*layers), Random(2))


def batches(x: Tensor, y: Tensor, size: int) -> list[tuple[Tensor, Tensor]]:
    return list(zip(x.split(size), y.split(size), strict=True))


def gap(left: Tensor, right: Tensor) -> float:
    return float((left - right).abs().max() / (right.abs().max() or 1.0))


# oracles ----------------------------------------------------------------------------


@pytest.mark.parametrize("newton", [False, True])
def test_a_convnet_in_uneven_batches(newton: bool) -> None:
    network, x = Network.of(convnet()), draw(7, 1, 8, 8)
    oracle = by_reverse_mode(network, functional.cross_entropy, x, LABELS)[newton]
    hessian = Hessian(
        network,
        functional.cross_entropy,
        batches(x, LABELS, 3),
        gauss_newton=newton,
    )
    matrix = dense(hessian)
    assert hessian.size == len(oracle) == len(matrix)
    assert gap(matrix, oracle) <= tolerance(1000)
    assert gap(matrix, matrix.T) <= tolerance(1000)
    again = torch.stack([hessian.product(v) for v in torch.eye(hessian.size)[:5]], 1)
    assert again.dtype == torch.float64 and gap(again, oracle[:, :5]) <= tolerance(1000)


def test_gradients_are_those_of_plain_backward_passes() -> None:
    model, x = convnet().double(), draw(7, 1, 8, 8)
    hessian = Hessian(model, functional.cross_entropy, batches(x, LABELS, 3))
    found = hessian.gradient()
    network = Network.of(model)
    slopes = network.gradient(x, lambda y: functional.cross_entropy(y, LABELS))
    assert gap(found, hessian.coordinates.pack(slopes)) <= tolerance(1000)
    assert found.dtype == torch.float64


@pytest.mark.parametrize("newton", [False, True])
def test_closed_forms_and_reductions(newton: bool) -> None:
    """Linear models: H is the Gauss-Newton matrix, and sums are n times means."""
    x, y = draw(7, 3), draw(7, 2, seed=5)
    network = Network.of(nn.Linear(3, 2))
    out = network(network.parameters, x)
    known = known_hessians.softmax(x, out)
    labels = LABELS % 2
    mean = Hessian(
        network, functional.cross_entropy, batches(x, labels, 4), gauss_newton=newton
    )
    assert gap(dense(mean), known) <= tolerance(100)
    total = Hessian(
        network,
        lambda o, t: functional.cross_entropy(o, t, reduction="sum"),
        batches(x, labels, 4),
        reduction="sum",
        gauss_newton=newton,
    )
    assert gap(dense(total), 7 * known) <= tolerance(100)
    assert gap(total.gradient(), 7 * mean.gradient()) <= tolerance(100)
    squared = Hessian(
        network, functional.mse_loss, batches(x, y, 7), gauss_newton=newton
    )
    assert gap(dense(squared), known_hessians.squares(x, 2)) <= tolerance(100)


def test_memory_changes_time_only() -> None:
    network, x = Network.of(mlp()), draw(8, 4)
    y = torch.arange(8) % 3
    data = batches(x, y, 2)
    oracle = by_reverse_mode(network, functional.cross_entropy, x, y)[0]
    v, each = draw(43, 3), 0
    for kept in (4, 0, 2):
        memory = MEMORY if kept == 4 else (kept + 1) * each - 1
        hessian = Hessian(network, functional.cross_entropy, data, memory=memory)
        for _ in range(2):
            assert gap(hessian.product(v), oracle @ v) <= tolerance(1000)
        assert len(hessian._kept) == kept
        each = each or (memory - hessian._room[0]) // 4
        assert hessian._room[0] == memory - kept * each and each > 0
    exact = Hessian(network, functional.cross_entropy, data, memory=4 * each)
    exact.product(v)
    assert exact._room == [0] and len(exact._kept) == 4


def test_what_is_kept_is_counted_without_data_and_parameters() -> None:
    """Hidden layer and its sign, logits' softmax ...: below 100 numbers a sample."""
    layers = (nn.Linear(1000, 4), nn.ReLU(), nn.Linear(4, 3))
    network = Network.of(random_networks.fill(nn.Sequential(*layers), Random(1)))
    data = batches(draw(7, 1000), LABELS, 7)
    hessian = Hessian(network, functional.cross_entropy, data)
    hessian.product(torch.ones(hessian.size))
    assert 7 * 4 * 8 < MEMORY - hessian._room[0] < 7 * 100 * 8


def test_float32_networks() -> None:
    model, x = mlp(), draw(7, 4)
    oracle = by_reverse_mode(Network.of(model), functional.cross_entropy, x, LABELS)[0]
    network = Network.of(model, dtype=torch.float32)
    hessian = Hessian(network, functional.cross_entropy, batches(x, LABELS, 3))
    found = dense(hessian)
    assert found.dtype == torch.float64
    assert 1e-12 < gap(found, oracle) <= tolerance(100, dtype=torch.float32)


def test_buffers_and_constants_of_a_network() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 3)
            self.register_buffer("factor", torch.tensor([1.0, 2.0, 3.0]))
            self.shift = torch.tensor([0.5, 0.25, 0.125]).double()

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = torch.tanh(self.layer(x) * self.factor + self.shift)
            return out

    network, x = Network.of(random_networks.fill(Scaled(), Random(1))), draw(7, 4)
    oracle = by_reverse_mode(network, functional.cross_entropy, x, LABELS)[0]
    hessian = Hessian(network, functional.cross_entropy, batches(x, LABELS, 7))
    assert gap(dense(hessian), oracle) <= tolerance(1000)


def test_batch_statistics() -> None:
    """Normalised by its own batch: still one fixed function of the parameters."""
    layers = (nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 3))
    model = random_networks.fill(nn.Sequential(*layers), Random(2))
    network, x = Network.of(model, batch_statistics=True), draw(7, 4)
    oracle = by_reverse_mode(network, functional.cross_entropy, x, LABELS)[0]
    hessian = Hessian(network, functional.cross_entropy, batches(x, LABELS, 7))
    assert gap(dense(hessian), oracle) <= tolerance(10**4)


# coordinates ------------------------------------------------------------------------


def test_named_masked_and_restricted() -> None:
    network, x = Network.of(mlp()), draw(7, 4)
    data = batches(x, LABELS, 4)
    oracle = by_reverse_mode(network, functional.cross_entropy, x, LABELS)[0]
    mask = draw(5, 4) > 0
    some = Coordinates.of(network.parameters, masks={"0.weight": mask})
    names = ["2.bias", "0.weight"]
    hessian = Hessian(
        network, functional.cross_entropy, data, names=names, masks={"0.weight": mask}
    )
    places = torch.cat([torch.arange(40, 43), mask.flatten().nonzero().flatten()])
    expected = oracle[places][:, places]
    assert hessian.size == 3 + int(mask.sum()) < some.size
    assert gap(dense(hessian), expected) <= tolerance(1000)
    live = torch.arange(hessian.size) % 2 == 0
    part = hessian.restricted(live)
    assert part.size == int(live.sum()) and hessian.size == len(expected)
    assert gap(dense(part), expected[live][:, live]) <= tolerance(1000)
    assert gap(part.gradient(), hessian.gradient()[live]) <= tolerance(100)
    assert part._programs is hessian._programs


def test_unused_and_frozen_parameters_are_zeros() -> None:
    class Partly(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.spare = nn.Linear(4, 3), nn.Linear(2, 1)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.used(x)
            return out

    model = random_networks.fill(Partly(), Random(1))
    model.used.bias.requires_grad_(False)  # type: ignore[union-attr]
    x = draw(7, 4)
    hessian = Hessian(model, functional.cross_entropy, batches(x, LABELS, 4))
    matrix, slope = dense(hessian), hessian.gradient()
    out = Network.of(model)(Network.of(model).parameters, x)
    known = known_hessians.softmax(x, out)[:12, :12]
    assert hessian.size == 18
    assert gap(matrix[:12, :12], known) <= tolerance(1000)
    assert not matrix[12:].any() and not matrix[:, 12:].any() and not slope[12:].any()
    alone = Hessian(
        model, functional.cross_entropy, batches(x, LABELS, 4), names=["used.bias"]
    )
    assert dense(alone).tolist() == [[0.0] * 3] * 3
    assert alone.gradient().tolist() == [0.0] * 3
    spare = Hessian(
        model, functional.cross_entropy, batches(x, LABELS, 4), names=["spare.bias"]
    )
    assert dense(spare).tolist() == [[0.0]] and spare.gradient().tolist() == [0.0]


# symmetry ---------------------------------------------------------------------------


def test_columns_are_single_products() -> None:
    hessian = Hessian(mlp(), functional.cross_entropy, batches(draw(7, 4), LABELS, 3))
    vectors = draw(hessian.size, 3)
    together = hessian.product(vectors)
    alone = torch.stack([hessian.product(v) for v in vectors.T], 1)
    assert torch.equal(together, alone) and together.shape == vectors.shape
    assert hessian.product(vectors[:, :1]).shape == (hessian.size, 1)


def scaled(factor: float, out: Tensor, y: Tensor) -> Tensor:
    return factor * functional.cross_entropy(out, y)


@pytest.mark.parametrize("power", [-26, 26])
def test_the_scale_of_the_loss(power: int) -> None:
    data = batches(draw(7, 4), LABELS, 3)
    one, other = (
        Hessian(mlp(), partial(scaled, factor), data) for factor in (1.0, 2.0**power)
    )
    v = draw(one.size)
    assert gap(other.product(v), 2.0**power * one.product(v)) <= tolerance(100)


def test_neither_order_nor_size_of_batches_matters() -> None:
    x = draw(7, 4)
    v = draw(43)
    products = [
        Hessian(mlp(), functional.cross_entropy, data).product(v)
        for data in (
            batches(x, LABELS, 7),
            batches(x, LABELS, 1),
            batches(x, LABELS, 3)[::-1],
        )
    ]
    for a, b in pairwise(products):
        assert gap(a, b) <= tolerance(100)


# odd networks and data --------------------------------------------------------------


class Shared(nn.Module):
    """One weight in two layers, one of them transposed in memory; no biases."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.last = nn.Linear(4, 3, bias=False)
        self.second.weight = self.first.weight
        self.last.weight = nn.Parameter(torch.ones(4, 3).t())

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.tanh(self.second(torch.tanh(self.first(x))))
        out: Tensor = hidden @ self.last.weight.t().contiguous().view(4, 3)
        return out


class Words(nn.Module):
    """Integers as inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.layer = nn.Embedding(5, 4), nn.Linear(4, 3)

    def forward(self, words: Tensor) -> Tensor:
        out: Tensor = self.layer(torch.tanh(self.table(words)).mean(1))
        return out


class Viewed(nn.Module):
    """As many write it: `view` fails where the channels lie last."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.layer = nn.Conv2d(2, 3, 3), nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(torch.tanh(self.conv(x)).view(len(x), -1))
        return out


def grouped() -> nn.Module:
    """The second derivative of GroupNorm fails where the channels lie last."""
    layers = (nn.Conv2d(2, 4, 3), nn.GroupNorm(2, 4), nn.Tanh(), nn.Flatten())
    return nn.Sequential(*layers, nn.Linear(16, 3))


IMAGES = draw(7, 2, 4, 4)
ODD: dict[str, tuple[Callable[[], nn.Module], Tensor]] = {
    "shared": (Shared, draw(7, 4)),
    "words": (Words, torch.arange(14).view(7, 2) % 5),
    "views": (Viewed, IMAGES),
    "groups": (grouped, IMAGES.to(memory_format=torch.channels_last)),
    "one sample": (mlp, draw(1, 4)),
    "columns in memory": (mlp, draw(4, 7).t()),
    "one row in memory": (mlp, draw(1, 4).expand(7, 4)),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_networks_and_inputs(name: str) -> None:
    make_model, x = ODD[name]
    network = Network.of(random_networks.fill(make_model(), Random(3)))
    labels = LABELS[: len(x)]
    oracle = by_reverse_mode(network, functional.cross_entropy, x, labels)[0]
    hessian = Hessian(network, functional.cross_entropy, batches(x, labels, 4))
    assert gap(dense(hessian), oracle) <= tolerance(1000)
    slopes = network.gradient(x, lambda y: functional.cross_entropy(y, labels))
    assert gap(hessian.gradient(), hessian.coordinates.pack(slopes)) <= tolerance(1000)


@pytest.mark.parametrize("kind", ["last", "first"])
def test_channels_are_last_where_that_works(kind: str) -> None:
    """Seen by the second layer with several channels; a single one says nothing."""
    model, x, place = {
        "last": (convnet(), draw(7, 1, 8, 8), 4),
        "first": (grouped(), IMAGES, 1),
    }[kind]
    seen: list[Tensor] = []
    network = Network.of(model)
    network.module[place].register_forward_pre_hook(  # type: ignore[index, operator]
        lambda _, inputs: seen.append(inputs[0])
    )
    data = batches(x, LABELS, 7)
    Hessian(network, functional.cross_entropy, data).gradient()
    assert seen[-1].is_contiguous() == (kind == "first")


def test_a_layer_norm() -> None:
    """By double backward: torch.func.hessian is wrong here, see test_peers."""
    layers = (nn.Linear(4, 5), nn.LayerNorm(5), nn.Tanh(), nn.Linear(5, 3))
    model = random_networks.fill(nn.Sequential(*layers), Random(2)).double()
    x, parameters = draw(7, 4), tuple(model.parameters())
    value = functional.cross_entropy(model(x), LABELS)
    slopes = torch.autograd.grad(value, parameters, create_graph=True)
    flat = torch.cat([slope.flatten() for slope in slopes])
    rows = [torch.autograd.grad(s, parameters, retain_graph=True) for s in flat]
    oracle = torch.stack([torch.cat([r.flatten() for r in row]) for row in rows])
    hessian = Hessian(model, functional.cross_entropy, batches(x, LABELS, 4))
    assert gap(dense(hessian), oracle) <= tolerance(1000)


def test_a_dead_network_has_a_corner_of_curvature() -> None:
    """Only the last biases matter: softmax at equal outputs of all samples."""
    model = mlp()
    model[0].bias.data.fill_(-1000.0)  # type: ignore[index, union-attr]
    matrix = dense(
        Hessian(model, functional.cross_entropy, batches(draw(7, 4), LABELS, 3))
    )
    p = torch.softmax(model[2].bias.detach().double(), 0)  # type: ignore[index]
    expected = torch.zeros(43, 43, dtype=torch.float64)
    expected[40:, 40:] = torch.diag(p) - p.outer(p)
    assert gap(matrix, expected) <= tolerance(1000)


def test_batches_of_equal_shapes_may_lie_in_memory_in_their_own_ways() -> None:
    class Products(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight, self.layer = nn.Parameter(torch.ones(2, 5)), nn.Linear(10, 3)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.layer(torch.tanh(x * self.weight).flatten(1))
            return out

    network, x = Network.of(random_networks.fill(Products(), Random(3))), draw(6, 2, 5)
    y = torch.arange(6) % 3
    other = x.transpose(1, 2).contiguous().transpose(1, 2)
    oracle = by_reverse_mode(network, functional.cross_entropy, x, y)[0]
    pairs = torch.stack([y, y], 1)
    data = [(x[:3], y[:3]), (other[3:], pairs[3:, 0])]
    for order in (data, data[::-1]):
        hessian = Hessian(network, functional.cross_entropy, order)
        assert gap(dense(hessian), oracle) <= tolerance(1000)


@pytest.mark.parametrize(
    "kind", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]
)
def test_labels_of_any_integer_type(kind: torch.dtype) -> None:
    data = batches(draw(7, 4), LABELS.to(kind), 4)
    one = Hessian(mlp(), functional.cross_entropy, batches(draw(7, 4), LABELS, 4))
    other, v = Hessian(mlp(), functional.cross_entropy, data), draw(43)
    assert torch.equal(one.product(v), other.product(v))
    assert torch.equal(one.gradient(), other.gradient())


@pytest.mark.parametrize("kind", [torch.bool, torch.float32, torch.float64])
def test_real_targets_have_the_networks_precision(kind: torch.dtype) -> None:
    """Those that are neither labels nor real keep their type."""

    def loss(out: Tensor, y: Tensor) -> Tensor:
        assert y.dtype == (torch.bool if kind == torch.bool else torch.float64)
        return functional.binary_cross_entropy(torch.sigmoid(out), y.to(out))

    x, y = draw(7, 4), draw(7, 3) > 0
    network = Network.of(mlp())
    oracle = by_reverse_mode(network, loss, x, y if kind == torch.bool else y.double())
    hessian = Hessian(network, loss, batches(x, y.to(kind), 4))
    assert gap(dense(hessian), oracle[0]) <= tolerance(1000)


def test_a_loss_in_another_precision_is_refused() -> None:
    loss = nn.CrossEntropyLoss(weight=torch.ones(3))
    with pytest.raises(
        ValueError, match=r"the network computes in torch\.float64; give"
    ):
        make(loss=loss)
    assert make(loss=loss.double()).size == 43


class Prompted(nn.Module):
    """A product of one row, added to every sample's."""

    def __init__(self) -> None:
        super().__init__()
        self.prompt = nn.Parameter(torch.ones(1, 2))
        self.first, self.second = nn.Linear(2, 3, bias=False), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Return three outputs."""
        return self.first(self.prompt) + torch.tanh(self.second(x))


@pytest.mark.parametrize(
    ("build", "shape"),
    [
        (Prompted, (4,)),
        (
            lambda: nn.Sequential(
                *(nn.Conv2d(1, 2, 3), nn.LogSigmoid(), nn.Flatten(), nn.Linear(8, 3))
            ),
            (1, 4, 4),
        ),
    ],
    ids=["a row added to all", "LogSigmoid between images and vectors"],
)
def test_shapes_and_layouts_that_the_simplified_program_must_keep(
    build: Callable[[], nn.Module], shape: tuple[int, ...]
) -> None:
    network, x = Network.of(random_networks.fill(build(), Random(3))), draw(7, *shape)
    oracle = by_reverse_mode(network, functional.cross_entropy, x, LABELS)[0]
    hessian = Hessian(network, functional.cross_entropy, batches(x, LABELS, 4))
    assert gap(dense(hessian), oracle) <= tolerance(1000)


def test_samples_selected_by_a_condition_are_refused_and_weighed_ones_not() -> None:
    """Traced once, a selection is as long for every batch as for the first."""
    x, y = draw(6, 4), draw(6, 3)
    y[[1, 2]] = torch.nan

    def selected(out: Tensor, y: Tensor) -> Tensor:
        return functional.mse_loss(out[~y.isnan()], y[~y.isnan()])

    def weighed(out: Tensor, y: Tensor) -> Tensor:
        known = ~y.isnan()
        return ((out - y.nan_to_num()) ** 2 * known).sum() / known.sum()

    network = Network.of(mlp())
    with pytest.raises(ValueError, match=r"shape of a result depends on values \(aten"):
        Hessian(network, selected, batches(x, y, 3))
    parts = [by_reverse_mode(network, weighed, *b)[0] / 2 for b in batches(x, y, 3)]
    hessian = Hessian(network, weighed, batches(x, y, 3))
    assert gap(dense(hessian), sum(parts)) <= tolerance(1000)


@pytest.mark.usefixtures("unchecked_types")
def test_batches_are_pairs() -> None:
    x, y = draw(7, 4), LABELS
    for wrong in ((x, y), [x], [[x]], [(x, y, y)], x):
        message = r"pairs \(inputs, targets\), got .*; write \[\(x, y\)\] for a single"
        with pytest.raises(ValueError, match=message):
            make(batches=wrong)
    with pytest.raises(ValueError, match="at least one batch, got none"):
        make(batches=iter([]))


def test_losses_that_the_outputs_do_not_move() -> None:
    for loss in (lambda o, y: 0 * o.sum(), lambda o, y: y.double().sum()):
        hessian = Hessian(mlp(), loss, batches(draw(7, 4), LABELS, 4))
        assert not hessian.product(draw(43, 2)).any()
        assert hessian.gradient().tolist() == [0.0] * 43


def test_torch_differentiates_the_same() -> None:
    network, x = Network.of(mlp()), draw(7, 4)
    coordinates = Coordinates.of(network.parameters)

    def value(vector: Tensor) -> Tensor:
        out = network(coordinates.unpack(vector), x)
        return functional.cross_entropy(out, LABELS)

    oracle = torch.func.hessian(value)(coordinates.pack(network.parameters))
    hessian = Hessian(network, functional.cross_entropy, batches(x, LABELS, 3))
    assert gap(dense(hessian), oracle) <= tolerance(1000)


def test_no_columns_and_vectors_of_integers() -> None:
    hessian = Hessian(mlp(), functional.cross_entropy, batches(draw(7, 4), LABELS, 3))
    none = hessian.product(torch.ones(43, 0))
    assert none.shape == (43, 0) and none.dtype == torch.float64
    rows = draw(3, 43)
    expected = torch.stack([hessian.product(row) for row in rows], 1)
    assert torch.equal(hessian.product(rows.t()), expected)


# what stays untouched ---------------------------------------------------------------


def test_the_callers_model_and_data_stay_as_they_are() -> None:
    model, x, y = convnet().train(), draw(7, 1, 8, 8), LABELS.clone()
    model[0].weight.grad = torch.ones_like(model[0].weight)  # type: ignore[index]
    before = x.clone()
    with unchanged(model):
        hessian = Hessian(model, functional.cross_entropy, batches(x, y, 7))
        hessian.product(torch.ones(hessian.size))
        hessian.gradient()
    assert torch.equal(x, before) and x.grad is None
    first = hessian.product(torch.ones(hessian.size))
    x.zero_(), y.zero_()
    fresh = hessian._kept.pop(0)
    assert torch.equal(hessian.product(torch.ones(hessian.size)), first)
    assert len(fresh) == len(hessian._kept[0])


def test_memory_stays_flat_over_100_products() -> None:
    network = Network.of(mlp(), dtype=torch.float32)
    x = draw(2000, 4).float()
    y = torch.arange(2000) % 3
    for memory in (0, MEMORY):
        hessian = Hessian(
            network, functional.cross_entropy, batches(x, y, 500), memory=memory
        )
        v = draw(hessian.size, 4)
        hessian.product(v)
        gc.collect()
        tensors = sum(issubclass(type(o), Tensor) for o in gc.get_objects())
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(100):
            hessian.product(v)
        gc.collect()
        assert sum(issubclass(type(o), Tensor) for o in gc.get_objects()) <= tensors
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak
        assert grown < 4096  # KiB; what one product keeps is 200 KiB


# errors -----------------------------------------------------------------------------


def make(**changes: Any) -> Hessian:
    options: dict[str, Any] = {
        "network": mlp(),
        "loss": functional.cross_entropy,
        "batches": batches(draw(7, 4), LABELS, 7),
    }
    return Hessian(**{**options, **changes})


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match=r"^expected at least one batch, got none$"):
        make(batches=[])
    with pytest.raises(ValueError, match="expected a non-empty batch"):
        make(batches=[(torch.zeros(0, 4), LABELS[:0])])
    with pytest.raises(ValueError, match="expected different names among"):
        make(names=["x"])
    with pytest.raises(ValueError, match=r"must return one number, got shape \(7,\)"):
        make(loss=lambda o, y: o.sum(1)).product(torch.ones(43))
    with pytest.raises(ValueError, match=r"must return one number, got shape \(7,\)"):
        make(loss=lambda o, y: o.sum(1)).gradient()


@pytest.mark.usefixtures("unchecked_types")
def test_bad_reduction() -> None:
    with pytest.raises(
        ValueError, match=r"^expected reduction 'mean' or 'sum', got 'x'"
    ):
        make(reduction="x")


@pytest.mark.parametrize("shape", [(42,), (43, 2, 1), (42, 43)])
def test_bad_vectors(shape: tuple[int, ...]) -> None:
    message = r"expected vectors of 43 coordinates as one vector .*, got shape \(4"
    with pytest.raises(ValueError, match=message):
        make().product(torch.ones(shape))


def test_networks_that_draw_random_numbers() -> None:
    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return functional.dropout(self.layer(x), 0.5, training=True)

    with pytest.raises(ValueError, match="draws random numbers"):
        make(network=Noisy()).product(torch.ones(15))


def test_networks_that_branch_on_values() -> None:
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.layer(x)
            return out if out.sum() > 0 else -out

    with pytest.raises(ValueError, match=r"leave the branch or the \.item\(\) out"):
        make(network=Branching())


@pytest.mark.parametrize("targets", [LABELS[:5], LABELS[0]])
def test_another_number_of_targets(targets: Tensor) -> None:
    message = r"^expected one target for each of 7 inputs, got shape \((5,)?\); batches"
    with pytest.raises(ValueError, match=message):
        make(batches=[(draw(7, 4), targets)])


def test_torchs_own_errors_are_passed_on() -> None:
    with pytest.raises(IndexError, match="Target 9 is out of bounds"):
        make(batches=[(draw(7, 4), LABELS + 9)])
    with pytest.raises(RuntimeError, match="mat1 and mat2 shapes cannot be multiplied"):
        make(batches=[(draw(7, 5), LABELS)])
