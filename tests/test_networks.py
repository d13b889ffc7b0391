"""Networks as pure functions: nothing of the caller's changes, bad input is named."""

import copy
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from purity import snapshot, unchanged
from strategies import Case, cases
from tolerance import tolerance
from torch import Tensor, nn
from torch.nn.utils import prune
from torch.nn.utils.parametrizations import weight_norm

from theory import log_synflow, scores, synflow
from theory.graph import Graph
from theory.networks import Affine, Network, cross_entropy, describe, scalar
from theory.neuron_conservation import audit


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Busy(nn.Module):
    """Everything that a call could disturb: modes, frozen and unused parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)
        self.unused = nn.Linear(3, 3)
        self.head = nn.Linear(4, 3)
        self.register_buffer("constant", torch.ones(3), persistent=False)
        self.norm.eval()
        self.conv.weight.requires_grad_(False)
        self.head.weight.grad = torch.full((3, 4), 7.0)

    def forward(self, x: Tensor) -> Tensor:
        x = self.drop(torch.relu(self.norm(self.conv(x))))
        logits: Tensor = self.head(x.mean((2, 3)))
        return logits


X, LABELS = torch.randn(2, 1, 5, 5, generator=generator()), torch.tensor([0, 2])
LOSS = cross_entropy(LABELS)

CALLS: dict[str, Callable[[nn.Module], object]] = {
    "of": Network.of,
    "batch statistics": lambda m: Network.of(m, batch_statistics=True),
    "forward": lambda m: (n := Network.of(m))(n.parameters, n.batch(X)),
    "gradient": lambda m: Network.of(m).gradient(X, LOSS),
    "random": lambda m: scores.random(Network.of(m), generator=generator()),
    "magnitude": lambda m: scores.magnitude(Network.of(m)),
    "saliency": lambda m: scores.saliency(Network.of(m), X, LOSS),
    "snip": lambda m: scores.snip(Network.of(m), X, LOSS),
    "taylor_fo": lambda m: scores.taylor_fo(Network.of(m), X, LOSS),
    "grasp": lambda m: scores.grasp(Network.of(m), X, LOSS),
    "synflow": lambda m: synflow.synflow(Network.of(m), (1, 5, 5)),
    "graph": lambda m: Graph.of(Network.of(m), X).flows(X, LOSS),
    "audit": lambda m: audit(Network.of(m), X, LOSS),
}


@pytest.mark.parametrize("call", CALLS)
def test_nothing_of_the_caller_changes(call: str) -> None:
    model = Busy().train()
    model.norm.eval()
    batch = X.clone()
    with unchanged(model):
        CALLS[call](model)
    assert torch.equal(X, batch)


def test_log_synflow_changes_nothing() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Linear(4, 2))
    with unchanged(model):
        log_synflow.log_synflow(Network.of(model), (3,))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("call", CALLS)
def test_nothing_returned_shares_memory_with_the_caller(
    call: str, dtype: torch.dtype
) -> None:
    """In float64 no conversion makes the copy by itself."""
    model = Busy().to(dtype)
    before = snapshot(model)
    result = CALLS[call](model)
    if isinstance(result, Network):
        result = {
            **result.parameters,
            **{f"b {k}": b for k, b in result.buffers.items()},
        }
    if isinstance(result, dict):
        for tensor in result.values():
            tensor.zero_()
    assert snapshot(model) == before


def test_the_snapshot_sees_every_kind_of_change() -> None:
    def shift(tensor: Tensor) -> None:
        tensor.data.add_(1)

    changes: list[Callable[[Busy], object]] = [
        lambda m: shift(m.conv.weight),
        lambda m: shift(m.norm.running_mean),  # type: ignore[arg-type]
        lambda m: m.drop.eval(),
        lambda m: m.head.zero_grad(),
        lambda m: m.conv.weight.requires_grad_(True),
        lambda m: m.head.register_forward_hook(lambda *_: None),
        lambda m: torch.rand(1),
        lambda m: setattr(m, "extra", 1),
    ]
    for change in changes:
        model = Busy()
        with pytest.raises(AssertionError, match="changed"), unchanged(model):
            change(model)


SCRIPT = """
import random
import torch
from torch import nn
from theory import scores, synflow
from theory.networks import Network
from theory.neuron_conservation import audit
from theory.ledger import CLAIMS, verify
model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
state, torchs = random.getstate(), torch.get_rng_state()
network, x = Network.of(model), torch.ones(1, 3)
scores.grasp(network, x, torch.sum)
synflow.synflow(network, (3,))
audit(network, x, torch.sum)
for claim in CLAIMS:
    verify(claim, cases=1, seed=0)
assert random.getstate() == state and torch.equal(torch.get_rng_state(), torchs)
"""


def test_pythons_random_state_stays_where_no_type_checker_uses_it() -> None:
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@given(cases())
def test_the_function_is_the_model_in_eval_mode(case: Case) -> None:
    model = copy.deepcopy(case.model).double().eval()
    ours = case.network(case.network.parameters, case.x)
    with torch.no_grad():
        theirs = model(case.x)
    bound = tolerance(10**4, float(1 + theirs.abs().max()))
    assert bool(((ours - theirs).abs() <= bound).all())


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("affine", [True, False])
def test_affine_is_batchnorm_in_eval_mode(dim: int, affine: bool) -> None:
    kind = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[dim - 1]
    norm = kind(4, affine=affine, eps=0.1).double().eval()
    for tensor in norm.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(4, generator=generator()) + 0.5)
    x = torch.randn(2, 4, *[3] * dim, generator=generator()).double()
    ours = Affine(norm)(x)
    assert bool(((ours - norm(x)).abs() <= tolerance(20, 10.0)).all())


def test_affine_of_a_plain_table() -> None:
    norm = nn.BatchNorm1d(2).eval()
    x = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    expected = x / math.sqrt(1 + norm.eps)
    assert torch.allclose(Affine(norm)(x), expected, rtol=tolerance(10), atol=0)


def test_frozen_batchnorm_keeps_its_name_and_folds_all_of_the_shift() -> None:
    norm = nn.BatchNorm1d(1, eps=0.0)
    norm.weight.data.fill_(6.0)
    norm.bias.data.fill_(1.0)
    assert norm.running_mean is not None and norm.running_var is not None
    norm.running_mean.fill_(5.0)
    norm.running_var.fill_(4.0)
    network = Network.of(nn.Sequential(nn.Linear(1, 1), norm))
    assert network.parameters["1.weight"].tolist() == [3.0]
    assert network.parameters["1.bias"].tolist() == [1.0 - 15.0]


def test_batch_statistics_normalise_by_the_batch() -> None:
    norm = nn.BatchNorm1d(3)
    network = Network.of(norm, batch_statistics=True)
    x = torch.randn(5, 3, generator=generator()).double()
    y = network(network.parameters, x)
    assert bool((y.mean(0).abs() <= tolerance(100)).all())
    assert norm.running_mean is not None and norm.running_mean.tolist() == [0, 0, 0]
    frozen = Network.of(norm)
    assert torch.allclose(
        frozen(frozen.parameters, x), x / math.sqrt(1 + norm.eps), rtol=tolerance(10)
    )


def test_a_layer_alone_is_a_network() -> None:
    for layer in (nn.Linear(3, 2), nn.Conv1d(3, 2, 1), nn.BatchNorm1d(3)):
        assert set(Network.of(layer).parameters) == {"0.weight", "0.bias"}
    assert Network.of(nn.Linear(3, 2)).prunable == ("0.weight",)


def test_prunable_are_the_weights_of_linear_and_convolution_layers_in_order() -> None:
    model = nn.Sequential(
        nn.Conv1d(1, 2, 1),
        nn.BatchNorm1d(2),
        nn.PReLU(),
        nn.Sequential(nn.Conv2d(2, 2, 1), nn.LayerNorm(3)),
        nn.Conv3d(1, 1, 1, bias=False),
        nn.Linear(2, 2),
    )
    names = ("0.weight", "3.0.weight", "4.weight", "5.weight")
    assert Network.of(model).prunable == names


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_precision_is_the_networks_own(dtype: torch.dtype) -> None:
    network = Network.of(nn.Linear(2, 2).to(dtype))
    assert {p.dtype for p in network.parameters.values()} == {torch.float64}
    single = Network.of(nn.Linear(2, 2).to(dtype), dtype=torch.float32)
    assert {p.dtype for p in single.parameters.values()} == {torch.float32}
    x = torch.ones(1, 2, dtype=torch.float16)
    assert network.batch(x).dtype == torch.float64
    assert single.gradient(x, torch.sum)["0.weight"].dtype == torch.float32


def test_integer_buffers_and_batches_keep_their_type() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(5, 3)
            self.offset: Tensor
            self.register_buffer("offset", torch.tensor(1))

        def forward(self, x: Tensor) -> Tensor:
            vectors: Tensor = self.embed(x + self.offset)
            return vectors

    network = Network.of(Tokens())
    assert network.buffers["offset"].dtype == torch.int64
    gradient = network.gradient(torch.tensor([[1, 2]]), torch.sum)["embed.weight"]
    assert gradient[:, 0].tolist() == [0, 0, 1, 1, 0]


def test_the_copy_does_not_follow_the_model() -> None:
    model = nn.Linear(2, 1)
    network = Network.of(model)
    before = network.parameters["0.weight"].clone()
    model.weight.data.zero_()
    assert torch.equal(network.parameters["0.weight"], before)
    ones = torch.ones(1, 2, dtype=torch.float64)
    value = network(network.parameters, ones)
    bias = network.parameters["0.bias"]
    assert torch.allclose(value, before.sum() + bias, rtol=tolerance(10))


def test_batch_is_a_copy() -> None:
    network, x = Network.of(nn.Linear(2, 1)), torch.ones(1, 2, dtype=torch.float64)
    network.batch(x).zero_()
    assert x.tolist() == [[1.0, 1.0]]


def test_frozen_parameters_have_a_gradient_and_unused_ones_zero() -> None:
    model = Busy()
    gradient = Network.of(model).gradient(X, LOSS)
    assert bool((gradient["conv.weight"] != 0).any())
    assert bool((gradient["unused.weight"] == 0).all())
    model.conv.weight.requires_grad_(True)
    again = Network.of(model).gradient(X, LOSS)
    assert all(torch.equal(again[name], gradient[name]) for name in gradient)


def test_gradient_without_grad_mode() -> None:
    network = Network.of(nn.Linear(2, 1))
    with torch.no_grad():
        gradient = network.gradient(torch.ones(1, 2), torch.sum)
    assert gradient["0.weight"].tolist() == [[1.0, 1.0]]


@given(cases())
def test_gradient_agrees_with_autograd(case: Case) -> None:
    model = copy.deepcopy(case.network.module)
    for parameter in model.parameters():
        parameter.data = parameter.data.double()
    for name, value in case.network.parameters.items():
        model.get_parameter(name).data = value.clone()
    value = case.readout(model(case.x))
    theirs = torch.autograd.grad(value, list(model.parameters()), allow_unused=True)
    ours = case.network.gradient(case.x, case.readout)
    for name, slope in zip(dict(model.named_parameters()), theirs, strict=True):
        expected = torch.zeros_like(ours[name]) if slope is None else slope
        bound = tolerance(10**4, float(1 + expected.abs().max()))
        assert bool(((ours[name] - expected).abs() <= bound).all())


def test_cross_entropy_divides_by_the_temperature() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 4.0]], dtype=torch.float64)
    value = cross_entropy(torch.tensor([0, 0]), temperature=2.0)(logits)
    terms = [math.log(1 + math.exp(-1.0)), math.log(1 + math.exp(2.0))]
    assert abs(float(value) - sum(terms) / 2) <= tolerance(10, 2.0)
    hot = cross_entropy(torch.tensor([0, 0]))(logits)
    assert abs(
        float(hot) - (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(4))) / 2
    ) <= (tolerance(10, 4.0))


def test_describe_names_leaves_and_their_sizes() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU(), nn.BatchNorm1d(3)))
    assert describe(Network.of(model)) == "Linear 3x2, ReLU, Affine 3"


def test_shared_weights_have_one_name() -> None:
    first, last = nn.Linear(2, 2), nn.Linear(2, 2)
    last.weight = first.weight
    model = nn.Sequential(first, nn.ReLU(), last)
    network = Network.of(model)
    assert network.prunable == ("0.weight",)
    x = torch.ones(1, 2)
    both = torch.autograd.grad(model.double()(x.double()).sum(), first.weight)[0]
    ours = network.gradient(x, torch.sum)["0.weight"]
    assert torch.allclose(ours, both, rtol=tolerance(100))


def bad(name: str, value: float) -> nn.Module:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    model.state_dict()[name].view(-1)[0] = value
    return model


def half_statistics() -> nn.Module:
    norm = nn.BatchNorm1d(2)
    norm.running_mean = None
    return nn.Sequential(nn.Linear(2, 2), norm)


def pruned() -> nn.Module:
    layer = nn.Linear(2, 2)
    prune.random_unstructured(layer, "weight", amount=1)  # type: ignore[no-untyped-call]
    return nn.Sequential(layer)


def mixed() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2, device="meta"))


MODELS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "NaN weight": (lambda: bad("0.weight", math.nan), r"0\.weight has NaN or infinite"),
    "inf bias": (
        lambda: bad("0.bias", math.inf),
        r"^0\.bias has NaN or infinite entries; check the training run or the "
        r"initialisation that made it$",
    ),
    "NaN statistics": (
        lambda: bad("1.running_var", math.nan),
        r"1\.running_var has NaN",
    ),
    "no parameters": (
        nn.ReLU,
        "^the model has no parameters: there is nothing to score$",
    ),
    "meta": (
        lambda: nn.Linear(2, 2, device="meta"),
        r"one real device, got \['meta'\]",
    ),
    "two devices": (
        mixed,
        r"one real device, got \['cpu', 'meta'\]; move the model with "
        r"model\.to\(device\) \(meta tensors hold no numbers\)$",
    ),
    "no statistics": (
        lambda: nn.Sequential(nn.BatchNorm1d(2, track_running_stats=False)),
        "^BatchNorm layer without running statistics has no eval mode; train it with "
        "track_running_stats=True or use batch_statistics=True$",
    ),
    "half of the statistics": (half_statistics, "without running statistics"),
    "weight norm": (
        lambda: nn.Sequential(weight_norm(nn.Linear(2, 2))),
        "layer '0' computes its weight from other tensors.*remove_parametrizations",
    ),
    "nn.utils.prune": (
        pruned,
        "layer '0' computes its weight from other tensors .weight norm, "
        "torch.nn.utils.prune.; make it permanent with remove_parametrizations "
        "or prune.remove$",
    ),
}


@pytest.mark.parametrize("what", MODELS)
def test_bad_models_are_named(what: str) -> None:
    build, message = MODELS[what]
    with pytest.raises(ValueError, match=message):
        Network.of(build())


BATCHES = {
    "empty": (
        torch.ones(0, 2),
        r"non-empty batch, got shape \(0, 2\); pass at least one sample$",
    ),
    "no features": (torch.ones(2, 0), r"non-empty batch, got shape \(2, 0\)"),
    "a number": (torch.tensor(1.0), r"non-empty batch, got shape \(\)"),
    "NaN": (
        torch.tensor([[1.0, math.nan]]),
        "^the batch has NaN or infinite entries; clean the data$",
    ),
    "infinite": (torch.tensor([[1.0, -math.inf]]), "batch has NaN or infinite entries"),
    "elsewhere": (
        torch.ones(1, 2, device="meta"),
        r"batch is on meta but the network is on cpu; move one",
    ),
}


@pytest.mark.parametrize("what", BATCHES)
def test_bad_batches_are_named(what: str) -> None:
    x, message = BATCHES[what]
    network = Network.of(nn.Linear(2, 2))
    for call in (
        lambda: network.batch(x),
        lambda: network.gradient(x, torch.sum),
        lambda: scores.grasp(network, x, torch.sum),
        lambda: audit(network, x, torch.sum),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_readouts_that_are_no_number_are_named() -> None:
    network, x = Network.of(nn.Linear(2, 2)), torch.ones(3, 2)
    with pytest.raises(
        ValueError,
        match=r"got shape \(3, 2\); reduce it with \.sum\(\) or \.mean\(\)$",
    ):
        network.gradient(x, lambda y: y)
    with pytest.raises(ValueError, match=r"one number, got shape \(1,\)"):
        scalar(lambda y: y.sum().view(1), x)
    assert scalar(torch.sum, x).item() == 6.0


def test_networks_that_return_a_tuple_are_named() -> None:
    class Pair(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return x, x  # type: ignore[return-value]

    network = Network.of(nn.Sequential(Pair(2, 2)))
    with pytest.raises(ValueError, match="one tensor, got tuple; wrap it in a module"):
        network.gradient(torch.ones(1, 2), torch.sum)


def test_a_norm_layer_with_two_names_is_frozen_at_both() -> None:
    norm = nn.BatchNorm1d(2)
    norm(torch.randn(9, 2, generator=torch.Generator().manual_seed(0)) + 3)
    model = nn.Sequential(nn.Linear(2, 2), norm, nn.ReLU(), nn.Linear(2, 2), norm)
    network = Network.of(model.eval())
    assert isinstance(network.module, nn.Sequential)
    kinds = [type(layer).__name__ for layer in network.module]
    assert kinds == ["Linear", "Affine", "ReLU", "Linear", "Affine"]
    x = torch.ones(1, 2)
    expected = copy.deepcopy(model).double()(x.double())
    torch.testing.assert_close(network(network.parameters, x.double()), expected)


def test_the_callers_hooks_do_not_see_our_calls() -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    calls: list[str] = []
    model[0].register_forward_hook(lambda *_: calls.append("after"))
    model[0].register_forward_pre_hook(lambda *_: calls.append("before"))
    network = Network.of(model)
    network(network.parameters, torch.ones(1, 2, dtype=torch.float64))
    assert calls == []
    model(torch.ones(1, 2))
    assert calls == ["before", "after"]


class BareDropout(nn.Module):
    """Calls dropout without saying whether it trains: PyTorch's default is yes."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(20, 20)

    def forward(self, x: Tensor) -> Tensor:
        """Return half of the entries."""
        return nn.functional.dropout(self.layer(x))


def test_a_bare_dropout_is_one_function_and_moves_no_random_state() -> None:
    network = Network.of(BareDropout())
    x = torch.ones(1, 20, dtype=torch.float64)
    state = torch.random.get_rng_state()
    first, second = network(network.parameters, x), network(network.parameters, x)
    assert torch.equal(first, second) and (first == 0).any()
    assert torch.equal(torch.random.get_rng_state(), state)
    Graph.of(network, x)


def test_an_operation_in_place_on_the_input_leaves_it_alone() -> None:
    model = nn.Sequential(nn.LeakyReLU(0.5, inplace=True), nn.Linear(2, 2))
    x = torch.tensor([[-1.0, 1.0]], dtype=torch.float64)
    network = Network.of(model)
    network(network.parameters, x)
    assert x.tolist() == [[-1.0, 1.0]]
    network.gradient(x, torch.sum)


def test_nor_those_of_a_backward_pass() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    seen: list[str] = []
    model[0].register_full_backward_hook(lambda *_: seen.append("after"))
    model[0].register_full_backward_pre_hook(lambda *_: seen.append("before"))
    network = Network.of(model)
    theta = {n: p.requires_grad_() for n, p in network.parameters.items()}
    network(theta, torch.ones(1, 3).double()).sum().backward()  # type: ignore[no-untyped-call]
    assert not seen
    model(torch.ones(1, 3).requires_grad_()).sum().backward()
    assert seen == ["before", "after"]
