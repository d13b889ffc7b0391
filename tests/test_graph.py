"""The traced graph: its flows by hand, its edges, and what it refuses to trace."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from strategies import Case, cases
from tolerance import tolerance
from torch import Tensor, nn

from theory import random_networks
from theory.graph import Flows, Graph, apply, evaluate, within
from theory.networks import Network
from theory.random_networks import Concat, Residual


def close(ours: Tensor, theirs: Tensor) -> bool:
    bound = tolerance(1000, float(theirs.abs().max()))
    return ours.shape == theirs.shape and bool(((ours - theirs).abs() <= bound).all())


def squares(y: Tensor) -> Tensor:
    return (y**2).sum()


@given(cases())
def test_evaluation_gives_the_networks_own_output(case: Case) -> None:
    graph = Graph.of(case.network, case.x)
    theta = case.network.parameters
    values, output = evaluate(case.network, graph.nodes, theta, case.x, {})
    assert torch.equal(output, case.network(theta, case.x))
    for node, value in values.items():
        if isinstance(value, Tensor) and node.op != "get_attr":
            assert tuple(value.shape[1:]) == graph.shapes[node.name]


@given(cases())
def test_saliency_agrees_with_the_scores_without_a_graph(case: Case) -> None:
    flows = Graph.of(case.network, case.x).flows(case.x, case.readout)
    slopes = case.network.gradient(case.x, case.readout)
    assert list(flows.saliency) == list(case.network.parameters)
    for name, value in flows.saliency.items():
        assert close(value, slopes[name] * case.network.parameters[name])


@given(cases())
def test_flows_at_both_ends_are_input_and_output_gradients(case: Case) -> None:
    graph = Graph.of(case.network, case.x)
    flows = graph.flows(case.x, case.readout)
    x = case.x.clone().requires_grad_(True)
    y = case.network(case.network.parameters, x)
    (into,) = torch.autograd.grad(case.readout(y), x)
    last = y.detach().requires_grad_(True)
    (out,) = torch.autograd.grad(case.readout(last), last)
    name, end = graph.nodes[0].name, graph.nodes[-1].name
    leaving = [f for (p, _), f in flows.edges.items() if p == name]
    reaching = [f for (_, c), f in flows.edges.items() if c == end]
    scale = tolerance(10**4, float(1 + sum(f.abs().sum() for f in leaving)))
    total = torch.stack(leaving).sum(0)
    assert bool(((total - (into * x).sum(0)).abs() <= scale).all())
    assert len(reaching) == 1 and close(reaching[0], (out * last).sum(0).detach())


def residual() -> tuple[Network, Tensor]:
    body = nn.Linear(2, 2)
    model = nn.Sequential(Residual(body), nn.ReLU(), nn.Linear(2, 1, bias=False))
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    return Network.of(model), torch.randn(3, 2, generator=generator).double()


def test_flows_of_a_residual_net_by_hand() -> None:
    """Every edge's alpha is written out as a variable of its own."""
    network, x = residual()
    theta = network.parameters
    weight, bias, head = (
        theta[k] for k in ("0.body.weight", "0.body.bias", "2.weight")
    )
    alphas = [torch.ones(n, dtype=torch.float64, requires_grad=True) for n in (2,) * 5]
    to_body, skip, from_body, total, relu = alphas
    end = torch.ones(1, dtype=torch.float64, requires_grad=True)
    z = (x * to_body) @ weight.T + bias
    a = torch.relu((x * skip + z * from_body) * total) * relu
    value = squares((a @ head.T) * end)
    slopes = torch.autograd.grad(value, [*alphas, end])
    graph = Graph.of(network, x)
    assert graph.edges == (
        ("input_1", "_0_body"),
        ("input_1", "add"),
        ("_0_body", "add"),
        ("add", "_1"),
        ("_1", "_2"),
        ("_2", "output"),
    )
    flows = graph.flows(x, squares)
    for edge, slope in zip(graph.edges, slopes, strict=True):
        assert close(flows.edges[edge], slope)


def test_names_of_weights_and_biases() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 1, bias=False), nn.BatchNorm2d(2), nn.ReLU(), nn.PReLU()
    )
    graph = Graph.of(Network.of(model), torch.ones(1, 1, 2, 2))
    assert graph.weights == {"_0": "0.weight", "_1": "1.weight"}
    assert graph.biases == {"_1": "1.bias"}
    assert graph.shapes["_0"] == (2, 2, 2)
    kinds = [type(graph.layer(node)).__name__ for node in graph.nodes]
    assert kinds == ["NoneType", "Conv2d", "Affine", "ReLU", "PReLU", "NoneType"]
    assert not graph.is_parameter("_0")


class Free(nn.Module):
    """Reads a parameter and a buffer by themselves; has a default argument."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.tensor([1.0, 2.0]))
        self.scale: Tensor
        self.register_buffer("scale", torch.tensor([3.0, 4.0]))

    def forward(self, x: Tensor, power: int = 1) -> Tensor:
        y: Tensor = torch.add(x * self.scale, other=self.shift)
        return y**power


def test_parameters_and_buffers_that_are_read_by_themselves() -> None:
    network, x = Network.of(Free()), torch.ones(2, 2)
    graph = Graph.of(network, x)
    assert graph.shapes["shift"] == (2,) and graph.is_parameter("shift")
    flows = graph.flows(x, torch.sum)
    assert flows.saliency["shift"].tolist() == [2.0, 4.0]
    assert flows.edges["shift", "add"].tolist() == [2.0, 4.0]
    assert flows.edges["scale", "mul"].tolist() == [6.0, 8.0]
    assert len(graph.nodes[0].args) == 0 and "power" not in graph.shapes


def test_integer_inputs_have_no_flow() -> None:
    model = nn.Sequential(nn.Embedding(4, 3), nn.Linear(3, 2))
    graph = Graph.of(Network.of(model), torch.tensor([[0, 1]]))
    assert graph.edges == (("_0", "_1"), ("_1", "output"))
    flows = graph.flows(torch.tensor([[0, 1]]), torch.sum)
    assert float(flows.edges["_0", "_1"].sum()) == pytest.approx(
        float(flows.saliency["1.weight"].sum()), rel=tolerance(100)
    )


def test_within_strips_only_the_modules_own_prefix() -> None:
    tensors = {k: torch.ones(1) for k in ("a.w", "a.b.w", "ab.w", "b.a.w")}
    assert set(within(tensors, "a")) == {"w", "b.w"}


def test_apply_refuses_what_it_does_not_know() -> None:
    network = Network.of(nn.Linear(1, 1))
    node = Graph.of(network, torch.ones(1, 1)).nodes[1]
    node.op, node.target = "call_function", "nonsense"
    with pytest.raises(
        ValueError, match="unknown graph operation 'call_function' at _0"
    ):
        apply(network, node, network.parameters, [torch.ones(1, 1)])


class Control(nn.Linear):
    """Branches on its data."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if x.sum() > 0 else x


class Loop(nn.Linear):
    """Loops over its data."""

    def forward(self, x: Tensor) -> Tensor:
        for row in x:
            x = x + row
        return super().forward(x)


class Two(nn.Module):
    """Needs two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        result: Tensor = self.layer(x + y)
        return result


class Pair(nn.Linear):
    """Returns a tuple."""

    def forward(self, x: Tensor) -> Tensor:
        return x, x  # type: ignore[return-value]


class Twice(nn.Module):
    """Calls one layer twice."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.layer(torch.relu(self.layer(x)))
        return result


class Aliased(nn.Module):
    """Changes a tensor in place that it reads again."""

    def __init__(self, factor: float = 2.0) -> None:
        super().__init__()
        self.factor = factor
        self.first, self.last = nn.Linear(2, 2), nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        kept = y + 0
        y.mul_(
            self.factor
        )  # kept is safe, but the next line reads what mul_ has changed
        z = self.first.bias + y
        result: Tensor = self.last(kept + z)
        return result


class Tied(nn.Module):
    """Two layers of one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(2, 2), nn.Linear(2, 2)
        self.last.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.last(self.first(x))
        return result


REFUSED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "branch on data": (
        lambda: Control(2, 2),
        "cannot trace Sequential: .*control flow.*; the scores need no graph, "
        "but the conservation audit does$",
    ),
    "loop over data": (lambda: Loop(2, 2), "torch.fx cannot trace"),
    "length of the batch": (lambda: Sized(2, 2), "torch.fx cannot trace"),
    "two inputs": (Two, r"one input, got \['x', 'y'\]"),
    "tuple": (lambda: Pair(2, 2), "^the network must return one tensor$"),
    "used twice": (
        lambda: Twice(nn.Linear(2, 2)),
        "^layer 'layer' is used twice: the saliency of a shared weight belongs to no "
        "single place; give each use a layer of its own$",
    ),
    "tied": (
        Tied,
        r"^'last\.weight' is tied to another layer's parameter; "
        r"give each layer one of its own$",
    ),
    "aliased": (Aliased, "in-place operation changes a tensor that another branch"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_networks_are_named(what: str) -> None:
    build, message = REFUSED[what]
    network = Network.of(build())
    with pytest.raises(ValueError, match=message):
        Graph.of(network, torch.ones(1, 2))


class Sized(nn.Linear):
    """A layer that asks for the length of the batch."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs, times the number of samples."""
        return super().forward(x) * len(x)


class Constant(nn.Module):
    """A layer, a number written in the code and a tensor that is no buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.shift = nn.Linear(2, 2), torch.ones(2)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scaled and shifted output."""
        result: Tensor = self.layer(x) * torch.tensor(2.0) + self.shift
        return result


def test_constants_of_the_code_are_read() -> None:
    model, x = Constant(), torch.ones(3, 2, dtype=torch.float64)
    network = Network.of(model)
    graph = Graph.of(network, x)
    _, output = evaluate(network, graph.nodes, network.parameters, x, {})
    assert output.dtype == torch.float64
    assert torch.allclose(output, 2 * model.double().layer(x) + 1)


@pytest.mark.parametrize("factor", [1 + 1e-7, 1 + 1e-12])
def test_the_smallest_change_in_place_is_seen(factor: float) -> None:
    model = Aliased(factor)
    with pytest.raises(ValueError, match="in-place operation"):
        Graph.of(Network.of(model), 1e-3 * torch.ones(1, 2))


def test_layers_with_statistics_and_with_named_arguments() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 3)
            self.norm = nn.InstanceNorm1d(4, affine=True, track_running_stats=True)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.norm(self.layer(input=x))
            return y

    model = Named().eval()
    assert model.norm.running_mean is not None
    model.norm.running_mean += 1 / 3
    x = torch.ones(2, 4, 2)
    network = Network.of(model)
    flows = Graph.of(network, x).flows(x, squares)
    slopes = network.gradient(x, squares)
    for name, value in flows.saliency.items():
        assert close(value, slopes[name] * network.parameters[name])


def test_layers_without_parameters_may_be_used_twice() -> None:
    graph = Graph.of(
        Network.of(nn.Sequential(nn.Linear(2, 2), Twice(nn.ReLU()))), torch.ones(1, 2)
    )
    assert len(graph.nodes) == 6


@pytest.mark.parametrize("x", [torch.ones(0, 2), torch.full((1, 2), torch.nan)])
def test_bad_batches_are_refused_before_and_after_tracing(x: Tensor) -> None:
    network = Network.of(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="batch"):
        Graph.of(network, x)
    with pytest.raises(ValueError, match="batch"):
        Graph.of(network, torch.ones(1, 2)).flows(x, torch.sum)


def test_in_place_activations_in_a_chain_and_beside_a_branch() -> None:
    """Y is read by an in-place ReLU and, before that, by nothing else: allowed."""
    model = nn.Sequential(
        nn.Linear(2, 2), nn.ReLU(inplace=True), Concat(nn.Linear(2, 2), nn.Identity())
    )
    x = torch.tensor([[1.0, -1.0]])
    graph = Graph.of(Network.of(model), x)
    outside = nn.Sequential(
        model[0], nn.ReLU(), Concat(*model[2].get_submodule("branches").children())
    )
    expected = Graph.of(Network.of(outside), x).flows(x, squares)
    ours: Flows = graph.flows(x, squares)
    assert all(torch.equal(ours.edges[e], f) for e, f in expected.edges.items())


def test_one_edge_even_if_read_twice() -> None:
    class Square(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(1, 1, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.layer(x)
            return y * y

    network = Network.of(Square())
    graph = Graph.of(network, torch.ones(1, 1))
    assert graph.edges == (("x", "layer"), ("layer", "mul"), ("mul", "output"))
    flow = graph.flows(torch.ones(1, 1), torch.sum).edges["layer", "mul"]
    assert flow.item() == pytest.approx(
        2 * float(network.parameters["layer.weight"]) ** 2, rel=tolerance(10)
    )


def test_random_dag_edges_are_those_of_the_module() -> None:
    model = random_networks.Dag(
        [1, 2, 2], [(0, 1), (0, 2)], [(1, 2)], [nn.ReLU(), nn.ReLU()], [False] * 3
    )
    graph = Graph.of(Network.of(model), torch.ones(1, 1))
    assert ("x", "maps_0_1") in graph.edges and ("x", "maps_0_2") in graph.edges
    assert ("activations_0", "add") in graph.edges
