"""What makes a descent fast changes nothing that it finds."""

import pytest
import torch
from torch import Tensor, nn

from theory import descent, scores
from theory.descent import Places, descend, pick
from theory.networks import Network
from theory.pruning import Score, prune
from theory.pruning_steps import Positions, Step, schedule


def random_steps(densities: list[float], score: Score) -> list[Step]:
    generator = torch.Generator().manual_seed(0)
    network = Network.of(nn.Sequential(nn.Linear(40, 30), nn.Linear(30, 20)))
    for name in network.prunable:
        network.parameters[name].normal_(generator=generator)
    return list(prune(network, score, densities))


@pytest.mark.parametrize(("constant", "value"), [("CHUNK", 7), ("SPARSE", 1.0)])
def test_chunks_and_leaving_out_only_make_it_faster(
    monkeypatch: pytest.MonkeyPatch, constant: str, value: float
) -> None:
    densities = schedule(0.02, 8)
    expected = random_steps(densities, scores.magnitude)
    monkeypatch.setattr(descent, constant, value)
    for ours, theirs in zip(
        random_steps(densities, scores.magnitude), expected, strict=True
    ):
        assert ours.counts == theirs.counts and ours.removed == theirs.removed
        assert ours.totals == pytest.approx(theirs.totals, rel=1e-14)
        assert all(torch.equal(ours.gone[k], theirs.gone[k]) for k in ours.gone)
        assert ours.lowest_kept == theirs.lowest_kept


def test_of_a_layer_mostly_pruned_only_live_weights_are_measured() -> None:
    network = Network.of(nn.Linear(10, 10))
    weights = torch.arange(100.0)
    measured: list[int] = []

    def measure(gone: Positions, places: Places) -> dict[str, Tensor]:
        for positions in gone.values():
            weights[positions] = 0
        found = pick(weights, places["0.weight"])
        measured.append(len(found))
        return {"0.weight": found}

    steps = list(descend(network, measure, [0.5, 0.49, 0.3, 0.2, 0.0]))
    assert measured == [100, 100, 49, 49, 20]
    taken = torch.cat([step.gone["0.weight"] for step in steps])
    assert torch.equal(taken, torch.arange(100))


@pytest.mark.parametrize("low", [0.0, 1.0])
def test_a_sample_that_misleads_is_found_out(
    monkeypatch: pytest.MonkeyPatch, low: float
) -> None:
    """Every sampled score is lower than all others, or higher."""
    monkeypatch.setattr(descent, "SAMPLE", 60)
    network = Network.of(nn.Linear(30, 10, bias=False))
    values = torch.linspace(0.2, 0.8, 300).double()
    values[::5] = low + values[::5] / 100
    score = {"0.weight": values.view(10, 30)}
    (step,) = prune(network, lambda _: score, [0.5])
    expected = values.argsort()[:150].sort().values
    assert torch.equal(step.gone["0.weight"], expected)
    assert step.lowest_kept == values.sort().values[150]
