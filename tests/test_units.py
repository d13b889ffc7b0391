"""Units: labels through every kind of operation, and sums against plain loops."""

from random import Random

import pytest
import torch
from hypothesis import given
from strategies import Case, cases
from tolerance import tolerance
from torch import Tensor, nn

from theory import random_networks
from theory.graph import Graph
from theory.network_conservation import network_sides
from theory.networks import Network
from theory.neuron_conservation import neuron_sides
from theory.random_networks import Concat, Residual
from theory.units import Layer, Sums, Units, columns


def units_of(model: nn.Module, *shape: int) -> Units:
    return Units.of(Graph.of(Network.of(model), torch.ones(2, *shape)))


def reads(units: Units, name: str) -> list[int] | None:
    (layer,) = [layer for layer in units.layers if layer.name == name]
    return None if layer.reads is None else layer.reads.tolist()


def test_chain() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Dropout(), nn.Linear(3, 1))
    units = units_of(model, 2)
    assert units.owners == ("_0",) * 3 + ("_3",)
    assert reads(units, "0") == [-1, -1] and reads(units, "3") == [0, 1, 2]
    assert [layer.makes.tolist() for layer in units.layers] == [[0, 1, 2], [3]]
    assert units.hidden().tolist() == [True] * 3 + [False]
    assert units.bare == (("_3", "output"),) and units.joined == {}


def test_flatten_repeats_each_channel_for_its_positions() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 1), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 1)
    )
    units = units_of(model, 1, 4, 4)
    assert reads(units, "3") == [0] * 4 + [1] * 4
    assert units.labels["_1"].shape == (2, 2, 2)


def test_adaptive_pooling_keeps_channels_where_the_shape_changes() -> None:
    model = nn.Sequential(
        nn.Conv1d(1, 3, 1), nn.AdaptiveMaxPool1d(2), nn.Flatten(), nn.Linear(6, 1)
    )
    assert reads(units_of(model, 1, 5), "3") == [0, 0, 1, 1, 2, 2]


def test_concatenation_is_side_by_side() -> None:
    joined = Concat(nn.Linear(2, 1), nn.Identity(), nn.Linear(2, 2))
    model = nn.Sequential(nn.Linear(3, 2), joined, nn.Linear(5, 1))
    units = units_of(model, 3)
    assert reads(units, "2") == [2, 0, 1, 3, 4]
    assert units.hidden().tolist() == [True] * 5 + [False]


class Split(nn.Module):
    """Exchanges the halves of the channels."""

    def forward(self, x: Tensor) -> Tensor:
        first, second = x.chunk(2, dim=1)
        return torch.cat([second, first], dim=1)


class Moves(nn.Module):
    """Transposes four entries seen as a square."""

    def forward(self, x: Tensor) -> Tensor:
        y = x.view(x.size(0), 2, 2).transpose(1, 2).contiguous()
        return y.reshape(y.shape[0], -1)


def test_moving_entries_moves_their_labels() -> None:
    for move, order in ((Split(), [2, 3, 0, 1]), (Moves(), [0, 2, 1, 3])):
        units = units_of(nn.Sequential(nn.Linear(1, 4), move, nn.Linear(4, 1)), 1)
        assert reads(units, "2") == order


def test_sums_are_units_of_their_own() -> None:
    model = nn.Sequential(nn.Linear(1, 2), Residual(nn.Linear(2, 2)), nn.Linear(2, 1))
    units = units_of(model, 1)
    assert units.owners == ("_0",) * 2 + ("_1_body",) * 2 + ("add",) * 2 + ("_2",)
    assert reads(units, "2") == [4, 5] and units.joined == {"add": ""}
    assert units.bare == (("_0", "add"), ("_1_body", "add"), ("_2", "output"))
    assert not bool(units.hidden().any())


def test_operations_that_mix_are_one_unit_with_their_bias() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3), nn.Linear(3, 1))
    units = units_of(model, 2)
    assert units.owners == ("_0",) * 3 + ("_1", "_2")
    assert reads(units, "2") == [3, 3, 3] and units.joined == {"_1": "1.bias"}


def test_softmax_and_channelwise_look_alikes_mix() -> None:
    for mixing in (nn.Softmax(dim=1), nn.GLU(), nn.LogSoftmax(dim=1)):
        model = nn.Sequential(nn.Linear(2, 4), mixing)
        assert units_of(model, 2).owners == ("_0",) * 4 + ("_1",)


def test_broadcast_sum_is_one_unit() -> None:
    class Broadcast(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + x.mean(1, keepdim=True)

    units = units_of(nn.Sequential(nn.Linear(2, 3), Broadcast()), 2)
    assert units.owners == ("_0",) * 3 + ("mean", "add")


def test_a_layer_that_reads_many_units_in_one_column_is_not_separable() -> None:
    """A convolution along the units: each of its columns sees all of them."""

    class Across(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(1, 1, 2)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.conv(x.unsqueeze(1))
            return y.flatten(1)

    model = nn.Sequential(nn.Linear(2, 4), Across(), nn.Linear(3, 1))
    units = units_of(model, 2)
    assert reads(units, "1.conv") is None and ("unsqueeze", "_1_conv") in units.bare
    assert units.hidden().tolist()[:4] == [False] * 4


def test_a_tuple_of_tensors_is_one_unit() -> None:
    class Attend(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attend = nn.MultiheadAttention(2, 1, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.attend(x, x, x)[0]
            return y

    model = nn.Sequential(nn.Linear(1, 2), Attend(), nn.Linear(2, 1))
    units = units_of(model, 3, 1)
    assert units.owners == ("_0",) * 2 + ("_1_attend", "_2")
    assert reads(units, "2") == [2, 2]


def test_tokens_are_positions_of_a_linear_layer() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    units = units_of(model, 5, 2)
    assert reads(units, "2") == [0, 1, 2] and bool(units.hidden()[:3].all())


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_columns_are_the_inputs_of_a_grouped_convolution(groups: int) -> None:
    """An input channel set to 0 is what removes its column, and no other."""
    conv = nn.Conv1d(4, 8, 1, groups=groups, bias=False).double()
    ones = torch.ones_like(conv.weight)
    conv.weight.data = torch.arange(1.0, 1 + ones.numel()).double().view_as(ones)
    sums = columns(conv.weight.detach(), groups).flatten(1).sum(1)
    for channel in range(4):
        x = torch.zeros(1, 4, 1, dtype=torch.float64)
        x[0, channel] = 1.0
        assert float(conv(x).detach().sum()) == float(sums[channel])


def test_columns_of_a_table_and_of_a_vector() -> None:
    assert columns(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), 1).tolist() == [
        [1, 4],
        [2, 5],
        [3, 6],
    ]
    assert columns(torch.tensor([1.0, 2.0]), 1).tolist() == [1, 2]
    assert columns(torch.zeros(2, 3, 5, 7), 1).shape == (3, 2, 5, 7)


def test_add_leaves_out_the_input_and_counts_absolutes() -> None:
    sums = Sums(*(torch.zeros(2) for _ in range(3)))
    sums.add(
        sums.into,
        torch.tensor([1, -1, 1]),
        torch.tensor([[1.0, -3.0], [9.0, 9.0], [4.0, 0.0]]),
    )
    assert sums.into.tolist() == [0.0, 2.0] and sums.out_of.tolist() == [0.0, 0.0]
    assert sums.scale.tolist() == [0.0, 8.0]


def test_layer_names_its_parameters() -> None:
    layer = Layer("a.b", 1, None, torch.tensor([0]))
    assert layer.parameter("bias") == "a.b.bias"


@given(cases(random_networks.mlp))
def test_sums_of_an_mlp_by_loops(case: Case) -> None:
    """Any scores will do; here they are the parameters themselves, with signs."""
    units = Units.of(Graph.of(case.network, case.x))
    theta = case.network.parameters
    sums = units.sums(theta)
    weights = [theta[name] for name in case.network.prunable]
    at = 0
    for layer, (name, weight) in enumerate(
        zip(case.network.prunable, weights, strict=True)
    ):
        bias = theta.get(name.replace("weight", "bias"))
        for i in range(weight.shape[0]):
            into = [float(w) for w in weight[i]] + (
                [] if bias is None else [float(bias[i])]
            )
            last = layer + 1 == len(weights)
            out = [] if last else [float(w) for w in weights[layer + 1][:, i]]
            size = sum(map(abs, into + out))
            bound = tolerance(20, size)
            assert abs(float(sums.into[at]) - sum(into)) <= bound
            assert abs(float(sums.out_of[at]) - sum(out)) <= bound
            assert abs(float(sums.scale[at]) - size) <= bound
            assert bool(units.hidden()[at]) == (layer + 1 < len(weights))
            at += 1
    assert at == len(units.owners)


@given(cases())
def test_sums_without_flows_are_complete_for_hidden_units(case: Case) -> None:
    graph = Graph.of(case.network, case.x)
    units, flows = Units.of(graph), graph.flows(case.x, case.readout)
    alone, whole = units.sums(flows.saliency), units.sums(flows.saliency, flows)
    hidden = units.hidden()
    assert torch.equal(alone.into[hidden], whole.into[hidden])
    assert torch.equal(alone.out_of[hidden], whole.out_of[hidden])


@given(cases())
def test_every_entry_has_the_label_of_its_maker(case: Case) -> None:
    graph = Graph.of(case.network, case.x)
    units = Units.of(graph)
    for name, labels in units.labels.items():
        assert tuple(labels.shape) == graph.shapes[name]
        assert int(labels.min()) >= -1 and int(labels.max()) < len(units.owners)
    for number, owner in enumerate(units.owners):
        assert bool((units.labels[owner] == number).any())


class Shifted(nn.Module):
    """Adds a parameter of its own, and takes an argument with a default."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 3)
        self.shift = nn.Parameter(torch.tensor([1.0, -2.0, 4.0]))

    def forward(self, x: Tensor, axis: int = 1) -> Tensor:
        joined: Tensor = self.layer(x) + self.shift.view(1, 3)
        return joined.flatten(axis)


def test_parameters_that_the_graph_reads_enter_a_unit_of_the_sum() -> None:
    network, x = Network.of(Shifted()), torch.ones(2, 2)
    graph = Graph.of(network, x)
    units, flows = Units.of(graph), graph.flows(x, torch.sum)
    assert units.owners == ("layer",) * 3 + ("add",) * 3
    assert units.labels["shift"].tolist() == [-1] * 3
    assert units.labels["view"].tolist() == [-1] * 3
    sums = units.sums(flows.saliency, flows)
    shift = sums.into[3:] - sums.into[:3]
    assert torch.allclose(
        shift, torch.tensor([2.0, -4.0, 8.0]).double(), rtol=tolerance(100)
    )
    assert torch.allclose(sums.into, sums.out_of, rtol=tolerance(100))


def test_the_input_itself_may_be_concatenated() -> None:
    model = nn.Sequential(Concat(nn.Identity(), nn.Linear(2, 1)), nn.Linear(3, 1))
    assert reads(units_of(model, 2), "1") == [-1, -1, 0]


def test_a_mixing_operation_with_one_output_keeps_its_bias() -> None:
    model = nn.Sequential(nn.Linear(2, 1), nn.LayerNorm(1), nn.Linear(1, 1))
    network, x = Network.of(random_networks.fill(model, Random(1))), torch.ones(1, 2)
    graph = Graph.of(network, x)
    flows = graph.flows(x, torch.sum)
    sums = Units.of(graph).sums(flows.saliency, flows)
    assert abs(float(sums.into[1] - flows.saliency["1.bias"].sum())) <= tolerance(100)
    assert float(flows.saliency["1.bias"].abs().sum()) > 0


def test_an_activation_of_a_mixed_unit_stays_that_unit_and_pooling_joins() -> None:
    """Pooling that changes the number of channels joins them."""
    model = nn.Sequential(nn.Linear(2, 4), nn.AdaptiveAvgPool1d(2), nn.Linear(2, 1))
    units = units_of(model, 3, 2)
    assert reads(units, "2") is not None
    mixing = nn.Sequential(nn.Linear(2, 4), nn.Softmax(1), nn.ReLU(), nn.Linear(4, 1))
    assert reads(units_of(mixing, 2), "3") == [4] * 4


def test_messages_and_labels_have_no_batch_axis() -> None:
    units = units_of(nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3)), 2)
    assert {name: tuple(labels.shape) for name, labels in units.labels.items()} == {
        "input_1": (2,),
        "_0": (3,),
        "_1": (3,),
    }


class SequenceFirst(nn.Module):
    """A layer that sees (time, batch, features)."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, x):  # type: ignore[no-untyped-def]  # torch.fx: a Proxy
        """Return the layer's output, batch first again."""
        return self.layer(x.transpose(0, 1)).transpose(0, 1)


class Folded(nn.Module):
    """A layer that sees (batch * time, features)."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, x):  # type: ignore[no-untyped-def]  # torch.fx: a Proxy
        """Return the layer's output, unfolded."""
        return self.layer(x.reshape(-1, 2)).view(x.size(0), -1, 2)


@pytest.mark.parametrize("model", [SequenceFirst(), Folded()])
@pytest.mark.parametrize("time", [2, 3])
def test_an_axis_0_that_is_not_the_batch_is_refused(
    model: nn.Module, time: int
) -> None:
    """Also where it is as long as the batch."""
    with pytest.raises(ValueError, match=r"is not the batch.*or audit the network$"):
        units_of(model, time, 2)


class Squeezed(nn.Module):
    """A convolution with one position left, squeezed, and a layer."""

    def __init__(self, *axes: int) -> None:
        super().__init__()
        self.axes = axes
        self.first, self.last = nn.Conv2d(1, 3, 2), nn.Linear(3, 2)

    def forward(self, x):  # type: ignore[no-untyped-def]  # torch.fx: a Proxy
        """Return the last layer's output."""
        return self.last(torch.relu(self.first(x)).squeeze(*self.axes))


def test_squeezing_everything_would_take_the_batch_of_one() -> None:
    with pytest.raises(ValueError, match="name the axes that squeeze removes; audit"):
        units_of(Squeezed(), 1, 2, 2)


def test_pooling_over_features_mixes_them() -> None:
    """MaxPool1d takes (batch, features) for channels, (batch, tokens, ...) for both."""
    flat = nn.Sequential(nn.Linear(4, 6), nn.MaxPool1d(3, 1, 1), nn.Linear(6, 2))
    tokens = nn.Sequential(nn.Linear(4, 6), nn.AvgPool1d(3, 1, 1), nn.Linear(6, 2))
    for model, shape in ((flat, (4,)), (tokens, (3, 4))):
        units = units_of(model, *shape)
        assert set(units.joined) == {"_1"}
        x = torch.randn(5, *shape, dtype=torch.float64)
        sides = neuron_sides(Network.of(model), x, lambda y: (y**2).sum())
        assert sides.defect() < 1e-12


class Tokens(nn.Module):
    """An embedding, ReLU and a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.last = nn.Embedding(5, 4), nn.Linear(4, 2, bias=False)

    def forward(self, x):  # type: ignore[no-untyped-def]  # torch.fx: a Proxy
        """Return the last layer's output."""
        return self.last(torch.relu(self.table(x)))


def test_an_embedding_is_a_source() -> None:
    network, x = Network.of(Tokens()), torch.tensor([[0, 1], [2, 3]])
    units = Units.of(Graph.of(network, x))
    assert set(units.labels["table"].flatten().tolist()) == {-1}
    assert neuron_sides(network, x, lambda y: (y**2).sum()).defect() < 1e-12
    with pytest.raises(ValueError, match=r"real numbers, got torch.int64: tokens"):
        network_sides(network, x, torch.sum, ["x", "table"])


class Shuffle(nn.Module):
    """Two groups of channels, interleaved as ShuffleNet does."""

    def forward(self, x):  # type: ignore[no-untyped-def]  # torch.fx: a Proxy
        """Return the channels 0, 2, 1, 3 of four."""
        n, c, h, w = x.size(0), x.size(1), x.size(2), x.size(3)
        split = x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous()
        return split.view(n, c, h, w)


def test_shuffled_channels_keep_their_units() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 1), Shuffle(), nn.Conv2d(4, 1, 1))
    assert reads(units_of(model, 1, 2, 2), "2") == [0, 2, 1, 3]
