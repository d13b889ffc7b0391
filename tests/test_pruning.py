"""Algorithm 1: exact counts at every step, pruned stays pruned, re-scored each time."""

import math
from dataclasses import replace
from functools import partial
from random import Random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from purity import unchanged
from strategies import Case, cases
from torch import Tensor, nn

from theory import random_networks, scores
from theory.masks import counts, keep_largest, kept, masked
from theory.networks import Network, Parameters
from theory.pruning import Score, prune
from theory.pruning_steps import Step, layer_sizes, masks_after, schedule
from theory.synflow import absolute, synflow

DESCENTS = st.lists(st.floats(0, 1), min_size=1, max_size=5).map(
    lambda found: sorted(found, reverse=True)
)


def score_of(case: Case, kind: str) -> Score:
    if kind == "magnitude":
        return scores.magnitude
    function = {"snip": scores.snip, "signed": scores.saliency}[kind]
    return lambda network: function(network, case.x, case.readout)


def naive(
    network: Network, score: Score, densities: list[float], scope: str
) -> list[dict[str, Tensor]]:
    """Algorithm 1 word by word."""
    masks = {n: torch.ones_like(network.parameters[n]).bool() for n in network.prunable}
    result = []
    for density in densities:
        now = replace(network, parameters=masked(network.parameters, masks))
        values = score(now)
        prunable = {name: values[name] for name in network.prunable}
        masks = keep_largest(prunable, density, scope=scope, among=masks)  # type: ignore[arg-type]
        result.append(masks)
    return result


@given(
    cases(),
    DESCENTS,
    st.sampled_from(["magnitude", "snip", "signed"]),
    st.sampled_from(["global", "layer"]),
)
def test_the_steps_are_algorithm_1(
    case: Case, densities: list[float], kind: str, scope: str
) -> None:
    network, score = case.network, score_of(case, kind)
    with unchanged(case.model):
        steps = list(prune(network, score, densities, scope=scope))  # type: ignore[arg-type]
    expected = naive(network, score, densities, scope)
    assert len(steps) == len(densities)
    for number, (step, masks) in enumerate(zip(steps, expected, strict=True), start=1):
        found = masks_after(network, steps[:number])
        assert all(torch.equal(found[name], masks[name]) for name in masks)
        assert step.number == number and step.counts == counts(masks)
        assert step.remaining == sum(counts(masks).values())
        assert step.collapsed == tuple(n for n, m in masks.items() if not m.any())


@given(cases(), DESCENTS)
def test_a_step_reports_the_scores_it_saw(case: Case, densities: list[float]) -> None:
    network = case.network
    alive = {n: torch.ones_like(network.parameters[n]).bool() for n in network.prunable}
    for step in prune(network, scores.magnitude, densities):
        values = {n: network.parameters[n].abs() for n in alive}
        before = torch.cat([values[n][alive[n]] for n in alive])
        gone = []
        for name, mask in alive.items():
            assert step.totals[name] == pytest.approx(float(values[name][mask].sum()))
            taken = values[name].flatten()[step.gone[name]]
            assert step.removed[name] == pytest.approx(float(taken.sum()))
            assert bool(mask.flatten()[step.gone[name]].all())
            assert step.gone[name].dtype == torch.int64
            gone.append(taken)
            mask.view(-1)[step.gone[name]] = False
        after, taken = torch.cat([values[n][alive[n]] for n in alive]), torch.cat(gone)
        assert step.lowest == min(before.tolist(), default=float("inf"))
        assert step.highest_removed == max(taken.tolist(), default=-float("inf"))
        assert step.lowest_kept == min(after.tolist(), default=float("inf"))
        assert step.prune_size == sum(step.removed.values())
        assert step.cut_size == max(step.totals.values())


def test_pruned_weights_are_zero_when_the_next_step_scores() -> None:
    network = Network.of(nn.Linear(4, 2))
    seen: list[int] = []

    def score(now: Network) -> Parameters:
        seen.append(int((now.parameters["0.weight"] == 0).sum()))
        # The zeros score highest: were they not excluded, they would come back.
        return {name: -p.abs() for name, p in now.parameters.items()}

    steps = list(prune(network, score, [0.75, 0.5, 0.25]))
    assert seen == [0, 2, 4] and steps[-1].remaining == 2
    assert sum(len(step.gone["0.weight"]) for step in steps) == 6


def safe_run(rng: Random, densities: list[float]) -> tuple[Network, list[Step]]:
    network = absolute(Network.of(random_networks.mlp(rng, bias=False)))
    shape = (network.parameters[network.prunable[0]].shape[1],)
    score = partial(synflow, shape=shape)
    return network, list(prune(network, score, densities, safe=True))


@given(st.randoms(use_true_random=False), DESCENTS)
def test_a_safe_run_keeps_prune_size_below_cut_size(
    rng: Random, densities: list[float]
) -> None:
    network, steps = safe_run(rng, densities)
    assert all(step.prune_size < step.cut_size or not step.prune_size for step in steps)
    # It reached every density in turn, or ends with a step that could remove nothing.
    reached = {step.remaining for step in steps}
    size = sum(layer_sizes(network).values())
    wanted = [kept(size, density) for density in densities]
    stuck = not any(len(p) for p in steps[-1].gone.values())
    assert steps[-1].remaining == wanted[-1] or stuck
    assert {target for target in wanted if target > steps[-1].remaining} <= reached
    assert [step.number for step in steps] == list(range(1, len(steps) + 1))


def test_a_safe_run_to_nothing_leaves_one_weight_a_layer() -> None:
    model = nn.Sequential(*(nn.Linear(5, 5, bias=False) for _ in range(4)))
    network = absolute(Network.of(model))
    for safe, remaining in ((True, 4), (False, 0)):
        score = partial(synflow, shape=(5,))
        *_, last = prune(network, score, [0.5, 0.0], safe=safe)
        assert last.remaining == remaining
        assert bool(last.collapsed) is not safe
        assert last.counts == dict.fromkeys(network.prunable, remaining // 4)


def test_refuses_what_it_cannot_do() -> None:
    network = Network.of(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1)))
    with pytest.raises(ValueError, match=r"step 2 must keep 6 of the 3 parameters"):
        list(prune(network, scores.magnitude, [0.5, 1.0]))
    with pytest.raises(ValueError, match=r"step 2 must keep 4 of the 2 parameters"):
        list(prune(network, scores.magnitude, [0.5, 1.0], scope="layer"))
    with pytest.raises(ValueError, match="got 'layer' and safe=True"):
        list(prune(network, scores.magnitude, [0.5], scope="layer", safe=True))
    with pytest.raises(ValueError, match=r"density in \[0, 1\]"):
        list(prune(network, scores.magnitude, [1.5]))

    def invalid(now: Network) -> Parameters:
        return {name: p * float("nan") for name, p in now.parameters.items()}

    with pytest.raises(
        ValueError, match=r"step 1: the scores of 0\.weight, 1\.weight have NaN"
    ):
        list(prune(network, invalid, [0.5]))


@pytest.mark.usefixtures("unchecked_types")
def test_unknown_scope_is_refused() -> None:
    network = Network.of(nn.Linear(2, 2))
    message = "^expected scope .* 'global' only; got 'row' and safe=False$"
    with pytest.raises(ValueError, match=message):
        list(prune(network, scores.magnitude, [0.5], scope="row"))  # type: ignore[arg-type]


def test_what_is_pruned_has_no_score() -> None:
    """1 / 0 at a pruned weight is neither counted nor ranked."""
    network = Network.of(nn.Linear(4, 1, bias=False))
    network.parameters["0.weight"].copy_(torch.tensor([[1.0, 2.0, 4.0, 8.0]]))

    def score(now: Network) -> Parameters:
        return {name: 1 / p for name, p in now.parameters.items()}

    first, second = prune(network, score, [0.75, 0.5])
    assert first.gone["0.weight"].tolist() == [3]
    assert second.totals == {"0.weight": 1.75} and second.lowest == 0.25
    assert second.gone["0.weight"].tolist() == [2]


def signed(*values: float, dtype: torch.dtype = torch.float64) -> Score:
    return lambda _: {"0.weight": torch.tensor([values], dtype=dtype)}


INF = float("inf")


def test_infinite_scores_are_ranked_and_no_safe_step_takes_them() -> None:
    network = Network.of(nn.Linear(3, 1, bias=False))
    (step,) = prune(network, signed(INF, -INF, 1.0), [1 / 3])
    assert step.gone["0.weight"].tolist() == [1, 2]
    assert math.isnan(step.totals["0.weight"])
    for score in (signed(INF, 1.0, 2.0), signed(0.0, -INF, 2.0)):
        with pytest.raises(ValueError, match=r"of 0\.weight have infinite .*safe=True"):
            list(prune(network, score, [1 / 3], safe=True))


def test_what_was_pruned_may_have_any_score() -> None:
    network = Network.of(nn.Linear(3, 1, bias=False))
    runs = iter([signed(1.0, 2.0, 3.0), signed(INF, 2.0, 3.0)])
    densities = [2 / 3, 1 / 3]
    steps = list(prune(network, lambda n: next(runs)(n), densities, safe=True))
    assert [step.counts["0.weight"] for step in steps] == [2, 1]


@pytest.mark.parametrize(
    "dtype", [torch.int64, torch.bfloat16, torch.float16, torch.bool]
)
def test_scores_of_any_type_are_ranked(dtype: torch.dtype) -> None:
    network = Network.of(nn.Linear(3, 1, bias=False))
    (step,) = prune(network, signed(1, 0, 1, dtype=dtype), [2 / 3])
    assert step.gone["0.weight"].tolist() == [1] and step.lowest_kept == 1.0


@pytest.mark.parametrize(
    ("score", "found"),
    [
        (lambda _: {"0.weight": torch.tensor(1.0)}, r"\(1, 3\), got \(\)"),
        (lambda _: {"weight": torch.ones(1, 3)}, r"\(1, 3\), got none"),
    ],
)
def test_every_weight_needs_a_score(score: Score, found: str) -> None:
    network = Network.of(nn.Linear(3, 1, bias=False))
    with pytest.raises(ValueError, match="each entry of 0.weight, shape " + found):
        list(prune(network, score, [0.5]))


@pytest.mark.filterwarnings("ignore:Initializing zero-element:UserWarning")
def test_a_network_without_weights_cannot_be_pruned() -> None:
    for model, layers in (
        (nn.BatchNorm1d(3), "no such layer"),
        (nn.Linear(0, 3), r"\['0\.weight'\]"),
    ):
        network = Network.of(model)
        with pytest.raises(ValueError, match=f"weights to prune.* of {layers} there"):
            list(prune(network, scores.magnitude, [0.5]))


def test_a_step_is_the_callers_own() -> None:
    network = Network.of(nn.Linear(8, 4, bias=False))
    densities = schedule(0.1, 4)
    expected = [s.counts for s in prune(network, scores.magnitude, densities)]
    found = []
    for step in prune(network, scores.magnitude, densities):
        found.append(dict(step.counts))
        step.gone.clear()
        step.counts.clear()
    assert found == expected
