"""Theorem 2, in the order: identity, oracle, symmetry, edge cases, controls."""

from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import Case, cases, sources
from tolerance import tolerance
from torch import Tensor, nn

from theory import random_networks
from theory.claim import Sides
from theory.graph import Graph
from theory.ledger import COUNTER_EXAMPLE
from theory.network_conservation import (
    CLAIM,
    biases_ignored,
    boundary_flows,
    crossing_sides,
    edge_saliency,
    missing_edge,
    network_sides,
    random_side,
)
from theory.networks import Network, Readout, describe

BOUND = max(check.bound for check in CLAIM.checks)


def seeded(*layers: nn.Module) -> nn.Module:
    return random_networks.fill(nn.Sequential(*layers), Random(7))


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3)).double()


def squares(y: Tensor) -> Tensor:
    return (y**2).sum()


# identity ---------------------------------------------------------------------------


@pytest.mark.parametrize("check", CLAIM.checks, ids=lambda check: check.family)
@given(rng=sources())
def test_every_check_holds(check: Any, rng: Random) -> None:
    assert check.draw(rng).defect() <= check.bound


@given(cases(), sources())
def test_random_cuts(case: Case, rng: Random) -> None:
    graph = Graph.of(case.network, case.x)
    upstream = random_side(graph, rng)
    sides = network_sides(case.network, case.x, case.readout, upstream)
    assert sides.defect() <= BOUND and sides.left.shape == (2,)
    assert graph.nodes[-1].name not in upstream
    for producer, consumer in graph.edges:
        assert consumer not in upstream or producer in upstream


@given(cases(), st.data())
def test_every_prefix_of_the_graph_is_a_cut(case: Case, data: st.DataObject) -> None:
    nodes = [node.name for node in Graph.of(case.network, case.x).nodes[:-1]]
    upstream = nodes[: data.draw(st.integers(0, len(nodes)))]
    sides = network_sides(case.network, case.x, case.readout, upstream)
    assert sides.defect() <= BOUND


def test_the_cut_of_a_residual_block_takes_the_shortcut_too() -> None:
    body = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 3))
    model = seeded(nn.Linear(2, 3), random_networks.Residual(body), nn.Linear(3, 2))
    network, x = Network.of(model), draw(4, 2)
    upstream = {"input_1", "_0", "_1_body_0", "_1_body_1"}
    assert network_sides(network, x, squares, upstream).defect() <= BOUND


def test_parameters_that_the_graph_reads_are_inputs() -> None:
    class Shifted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(2, 2), nn.Linear(2, 2)
            self.shift = nn.Parameter(torch.zeros(2))

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.last(torch.relu(self.first(x) + self.shift))
            return y

    network = Network.of(random_networks.fill(Shifted(), Random(3)))
    assert bool(network.parameters["shift"].any())
    x = draw(3, 2)
    for upstream in (
        ["x"],
        ["x", "first"],
        ["x", "first", "add"],
        ["x", "first", "add", "relu"],
    ):
        assert network_sides(network, x, squares, upstream).defect() <= BOUND


# oracle -----------------------------------------------------------------------------


def test_layers_of_a_biased_chain_by_autograd() -> None:
    """Sum S(W_l) = <dR/dx, x> + sum_{k<l} S(b_k), all from a plain backward pass."""
    model = seeded(
        nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2)
    )
    model = model.double()
    x = draw(6, 3).requires_grad_(True)
    squares(model(x)).backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    at_input = float((x.grad * x.detach()).sum())
    theta = dict(model.named_parameters())
    saliency = {
        k: float((p.grad * p.detach()).sum())
        for k, p in theta.items()
        if p.grad is not None
    }
    network, scale = Network.of(model), sum(map(abs, saliency.values()))
    for layer, before in ((0, []), (2, [0]), (4, [0, 2])):
        expected = at_input + sum(saliency[f"{k}.bias"] for k in before)
        upstream = ["input_1", *(f"_{k}" for k in range(layer))]
        sides = network_sides(network, x.detach(), squares, upstream)
        cut = saliency[f"{layer}.weight"]
        for ours, theirs in (
            (sides.left[0], cut),
            (sides.right[0], expected),
            (sides.right[1], expected),
        ):
            assert abs(float(ours) - theirs) <= tolerance(10**4, scale)


def test_a_linear_chain_carries_its_own_output() -> None:
    """R = sum of y of a bias-free net: every cut carries R itself (Euler)."""
    model = seeded(nn.Linear(3, 4, bias=False), nn.ReLU(), nn.Linear(4, 2, bias=False))
    network, x = Network.of(model), draw(5, 3)
    value = float(network(network.parameters, x).sum())
    for upstream in (["input_1"], ["input_1", "_0"], ["input_1", "_0", "_1"]):
        sides = network_sides(network, x, torch.sum, upstream)
        assert abs(float(sides.left[0]) - value) <= tolerance(
            1000, float(sides.scale[0])
        )


def test_boundary_flows_by_hand() -> None:
    model = nn.Linear(1, 1)
    model.weight.data.fill_(3.0)
    model.bias.data.fill_(1.0)
    graph = Graph.of(Network.of(model), torch.full((1, 1), 2.0))
    at_input, at_output = boundary_flows(graph, torch.full((1, 1), 2.0), squares)
    assert (at_input.item(), at_output.item()) == (2 * 7 * 3 * 2, 2 * 7 * 7)


def test_edges_into_layers_carry_their_weights() -> None:
    model = seeded(
        nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 1)
    )
    network, x = Network.of(model), draw(2, 1, 3, 3)
    graph = Graph.of(network, x)
    flows = graph.flows(x, torch.sum)
    for edge, name in zip(
        graph.edges, ["0.weight", "1.weight", None, None, "4.weight", None], strict=True
    ):
        ours = edge_saliency(graph, flows, edge)
        theirs = flows.edges[edge] if name is None else flows.saliency[name]
        assert ours is theirs


# symmetry ---------------------------------------------------------------------------


@given(cases(), st.sampled_from([1e-8, 1e8]), sources())
def test_the_defect_does_not_depend_on_the_scale_of_the_loss(
    case: Case, factor: float, rng: Random
) -> None:
    upstream = random_side(Graph.of(case.network, case.x), rng)
    one = network_sides(case.network, case.x, case.readout, upstream)
    scaled = network_sides(
        case.network, case.x, lambda y: factor * case.readout(y), upstream
    )
    assert scaled.defect() <= BOUND
    bound = tolerance(10**4) * factor * one.scale
    assert bool(((scaled.right - factor * one.right).abs() <= bound).all())


@pytest.mark.parametrize("factor", [2.0**-20, 2.0**20])
def test_rescaling_adjacent_layers_changes_no_cut(factor: float) -> None:
    model = seeded(nn.Linear(3, 4, bias=False), nn.ReLU(), nn.Linear(4, 2, bias=False))
    network, x = Network.of(model), draw(5, 3)
    moved = {
        "0.weight": factor * network.parameters["0.weight"],
        "2.weight": network.parameters["2.weight"] / factor,
    }
    other = Network(network.module, moved, network.buffers)
    for upstream in (["input_1"], ["input_1", "_0"]):
        a, b = (network_sides(n, x, squares, upstream) for n in (network, other))
        assert torch.equal(a.left, b.left) and torch.equal(a.right, b.right)


# edge cases -------------------------------------------------------------------------


def test_an_empty_upstream_is_the_cut_at_the_input() -> None:
    network, x = Network.of(seeded(nn.Linear(3, 2))), draw(2, 3)
    empty = network_sides(network, x, squares, [])
    named = network_sides(network, x, squares, ["input_1"])
    assert torch.equal(empty.left, named.left) and torch.equal(empty.right, named.right)


@pytest.mark.parametrize("x", [torch.zeros(1, 2), torch.ones(1, 2)])
def test_zero_inputs_and_zero_weights(x: Tensor) -> None:
    network = Network.of(seeded(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)))
    zeros = {k: torch.zeros_like(p) for k, p in network.parameters.items()}
    for theta in (network.parameters, zeros):
        for upstream in (["input_1"], ["input_1", "_0"]):
            sides = network_sides(
                Network(network.module, theta, {}), x, squares, upstream
            )
            assert sides.defect() <= BOUND


def test_sides_that_are_not_closed_are_refused() -> None:
    network = Network.of(seeded(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)))
    with pytest.raises(ValueError, match="holds _1 but not _0, which feeds it: a path"):
        network_sides(network, draw(1, 2), squares, ["_1"])


# controls ---------------------------------------------------------------------------


@pytest.mark.parametrize("control", CLAIM.controls, ids=lambda c: c.dropped)
def test_every_control_fails(control: Any) -> None:
    worst = max(control.draw(Random(seed)).defect() for seed in range(40))
    assert worst > COUNTER_EXAMPLE


FAMILIES: dict[str, set[str]] = {
    "a path crosses the set twice": {"ReLU, ReLU, ReLU" + ", Linear 2x2" * 5},
    "a layer of a residual block alone": {
        f"Linear {w}x2, Linear {w}x{w}, ReLU, Linear 2x{w}" for w in range(1, 5)
    },
}


@pytest.mark.parametrize("dropped", FAMILIES)
def test_the_families_of_the_controls(dropped: str) -> None:
    (control,) = [c for c in CLAIM.controls if c.dropped == dropped]
    assert {control.draw(Random(s)).case for s in range(60)} == FAMILIES[dropped]


@pytest.mark.parametrize(
    "draws", [*CLAIM.checks, *CLAIM.controls], ids=lambda draws: str(vars(draws))[:40]
)
def test_the_scale_bounds_both_sides(draws: Any) -> None:
    for seed in range(5):
        sides = draws.draw(Random(seed))
        assert len(sides.case) > 3
        if isinstance(sides, Sides):
            both = sides.left.abs() + sides.right.abs()
            assert bool((both <= sides.scale * (1 + tolerance(100))).all())


@pytest.mark.parametrize(
    ("dropped", "inside", "crossing"),
    [
        (
            "a path crosses the set twice",
            {"x", "maps_0_2", "maps_1_2", "add", "activations_1"},
            {("x", "maps_0_1"), ("activations_1", "maps_2_3")},
        ),
        (
            "a layer of a residual block alone",
            {"input_1", "_0"},
            {("_0", "_1_body_0"), ("_0", "add")},
        ),
    ],
)
def test_the_cuts_of_the_controls(
    dropped: str,
    inside: set[str],
    crossing: set[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is cut, that nothing else is dropped, and that the claim holds otherwise."""
    seen: list[tuple[Graph, Tensor, Readout, set[str], int]] = []

    def spy(
        graph: Graph, x: Tensor, readout: Readout, inside: set[str], skipped: int = 0
    ) -> Sides:
        seen.append((graph, x, readout, inside, skipped))
        return crossing_sides(graph, x, readout, inside, skipped)

    monkeypatch.setattr("theory.network_conservation.crossing_sides", spy)
    (control,) = [c for c in CLAIM.controls if c.dropped == dropped]
    for seed in range(10):
        control.draw(Random(seed))
        graph, x, readout, used, skipped = seen[-1]
        assert used == inside
        assert {
            (p, c) for p, c in graph.edges if p in used and c not in used
        } == crossing
        inner = [n for n in graph.network.parameters if n != "2.bias"]
        assert not any(name.endswith("bias") for name in inner)
        if dropped.startswith("a layer"):
            assert skipped == 1
            assert crossing_sides(graph, x, readout, used).defect() <= BOUND
        else:
            assert len(graph.network.module.get_submodule("activations")._modules) == 3
            closed = {"x", "maps_0_1", "activations_0"}
            assert crossing_sides(graph, x, readout, closed).defect() <= BOUND


def test_controls_on_random_networks_change_nothing_else() -> None:
    for seed in range(10):
        rng = Random(seed)
        model = random_networks.dag(rng, bias=False)
        network, x = Network.of(model), random_networks.inputs(model, rng)
        readout = random_networks.readout(rng)
        graph = Graph.of(network, x)
        inside = random_side(graph, rng)
        expected = crossing_sides(graph, x, readout, inside, skipped=1)
        assert torch.equal(missing_edge(Random(seed)).left, expected.left)
        rng = Random(seed)
        biased = describe(Network.of(random_networks.mlp(rng, bias=True)))
        assert biases_ignored(Random(seed)).case == biased


def test_random_sides_reach_every_closed_set_of_a_diamond() -> None:
    model = seeded(nn.Linear(1, 2), random_networks.Residual(nn.Linear(2, 2)))
    graph = Graph.of(Network.of(model), torch.ones(1, 1))
    drawn = [random_side(graph, Random(seed)) for seed in range(400)]
    assert {frozenset(side) for side in drawn} == {
        frozenset(("input_1",)),
        frozenset(("input_1", "_0")),
        frozenset(("input_1", "_0", "_1_body")),
        frozenset(("input_1", "_0", "_1_body", "add")),
    }
    # each node is taken with probability 0.8: 2 comparisons, p < 1e-5
    for size, share in ((1, 0.2), (4, 0.8**3)):
        count = sum(len(side) == size for side in drawn)
        deviation = (400 * share * (1 - share)) ** 0.5
        assert abs(count - 400 * share) < 4.5 * deviation


def test_the_scale_is_the_sum_of_all_terms() -> None:
    class Shifted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(2, 2), nn.Linear(2, 2)
            self.shift = nn.Parameter(torch.zeros(2))

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.last(self.first(x) + self.shift)
            return y

    network, x = Network.of(random_networks.fill(Shifted(), Random(3))), draw(3, 2)
    sides = network_sides(network, x, squares, ["x", "first"])
    graph = Graph.of(network, x)
    flows = graph.flows(x, squares)
    terms = [
        flows.edges["first", "add"],
        flows.edges["shift", "add"],  # crosses the cut
        flows.edges["shift", "add"],  # is an input
        flows.saliency["first.bias"],
        flows.saliency["last.bias"],
    ]
    size = torch.stack([term.abs().sum() for term in terms]).sum()
    expected = size + sides.right.abs()
    assert torch.allclose(sides.scale, expected, rtol=tolerance(100))


def test_skipping_an_edge_leaves_exactly_its_saliency_out() -> None:
    body = nn.Linear(3, 3, bias=False)
    model = seeded(nn.Linear(2, 3, bias=False), random_networks.Residual(body))
    network, x = Network.of(model), draw(2, 2)
    graph = Graph.of(network, x)
    whole = crossing_sides(graph, x, squares, {"input_1", "_0"})
    part = crossing_sides(graph, x, squares, {"input_1", "_0"}, skipped=1)
    body_flow = graph.flows(x, squares).saliency["1.body.weight"].sum()
    gap = float(whole.left[0] - part.left[0] - body_flow)
    assert abs(gap) <= tolerance(100, float(whole.scale[0]))
    assert abs(float(body_flow)) > COUNTER_EXAMPLE * float(whole.scale[0])
    assert whole.defect() <= BOUND < part.defect()
