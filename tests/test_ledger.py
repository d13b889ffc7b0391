"""The ledger can say no: sabotaged claims, empty controls, and broken code."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import count
from pathlib import Path
from random import Random

import pytest
import torch
from torch import Tensor

from theory import ledger, network_conservation, neuron_conservation, synflow
from theory.__main__ import Options, main, text
from theory.claim import Check, Claim, Control, ExactSides, Sides
from theory.ledger import CLAIMS, COUNTER_EXAMPLE, verify
from theory.networks import Affine
from theory.units import columns


def constant(defect: float) -> Callable[[Random], Sides]:
    sides = [torch.tensor([v], dtype=torch.float64) for v in (defect, 0.0, 1.0)]
    return lambda rng: Sides(sides[0], sides[1], sides[2], f"defect {defect}")


def toy(checks: list[float], controls: list[float]) -> Claim:
    return Claim(
        label="toy",
        title="A toy",
        statement="0 = 0",
        source="ours",
        assumptions=(),
        checks=tuple(Check(f"check {d}", constant(d), 1e-10) for d in checks),
        controls=tuple(Control(f"control {d}", constant(d)) for d in controls),
    )


@pytest.mark.parametrize(
    ("checks", "controls", "word"),
    [
        ([0.0], [1.0], "VERIFIED"),
        ([1e-10], [], "VERIFIED"),  # the bound itself still holds
        ([1.1e-10], [1.0], "REFUTED"),
        ([0.0, 1.0], [1.0], "REFUTED"),
        ([float("nan")], [1.0], "REFUTED"),
        ([float("inf")], [1.0], "REFUTED"),
        ([0.0], [1.0, 1e-9], "UNTESTED HYPOTHESIS"),
        ([0.0], [COUNTER_EXAMPLE], "UNTESTED HYPOTHESIS"),
        ([1.0], [0.0], "REFUTED"),  # a broken claim says so first
    ],
)
def test_words(checks: list[float], controls: list[float], word: str) -> None:
    assert verify(toy(checks, controls), cases=3, seed=0).word == word


def test_verdicts_count_cases_and_name_the_worst() -> None:
    numbers: Iterator[int] = count()
    defects = [0.25, 0.75, 0.5]

    def draw(rng: Random) -> ExactSides:
        number = next(numbers)
        return ExactSides(
            (Fraction(defects[number]),), (Fraction(0),), f"case {number}"
        )

    claim = replace(
        toy([0.0], []), checks=(Check("a", draw, 1.0), Check("b", constant(0.1), 1.0))
    )
    verdict = verify(claim, cases=3, seed=0)
    first, second = verdict.tried
    assert (first.cases, first.worst, first.case) == (3, 0.75, "case 1")
    assert (second.worst, second.case) == (0.1, "defect 0.1")
    assert (verdict.cases, verdict.worst, verdict.word) == (6, 0.75, "VERIFIED")


def test_controls_stop_at_the_first_counter_example() -> None:
    numbers = count(1)

    def draw(rng: Random) -> Sides:
        number = next(numbers)
        return constant(0.0005 * number)(rng)

    claim = replace(toy([0.0], []), controls=(Control("x", draw),))
    (broken,) = verify(claim, cases=10, seed=0).broken
    assert (broken.cases, broken.defect, broken.case) == (3, 0.0015, "defect 0.0015")
    (empty,) = verify(toy([0.0], [1e-4]), cases=7, seed=0).broken
    assert (empty.cases, empty.defect, empty.case) == (7, 1e-4, None)


def test_cases_have_independent_sources_that_the_seed_decides() -> None:
    drawn: list[list[float]] = []

    def draw(rng: Random) -> Sides:
        drawn[-1].append(rng.random())
        return constant(0.0)(rng)

    claim = replace(toy([], []), checks=(Check("x", draw, 0.0),))
    for cases, seed in ((5, 1), (5, 1), (3, 1), (5, 2)):
        drawn.append([])
        verify(claim, cases=cases, seed=seed)
    one, again, shorter, other = drawn
    assert one == again and one[:3] == shorter and len(set(one + other)) == 10


def test_verification_leaves_torchs_random_state() -> None:
    before = torch.get_rng_state()
    verify(CLAIMS[0], cases=1, seed=0)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.label)
def test_every_claim_is_verified(claim: Claim) -> None:
    verdict = verify(claim, cases=10, seed=1)
    assert verdict.word == "VERIFIED", text(verdict)


def test_a_claim_whose_check_drops_the_bias_is_refuted() -> None:
    claim = neuron_conservation.CLAIM
    sabotaged = Check("no bias", neuron_conservation.without_bias, 1e-10)
    verdict = verify(
        replace(claim, checks=(*claim.checks, sabotaged)), cases=10, seed=0
    )
    assert verdict.word == "REFUTED"
    assert [tried.check.family for tried in verdict.tried if not tried.holds] == [
        "no bias"
    ]
    assert "FAILS no bias" in text(verdict) and "          at Linear" in text(verdict)


def test_a_control_that_cannot_fail_is_an_untested_hypothesis() -> None:
    claim = network_conservation.CLAIM
    harmless = Control("nothing", network_conservation.random_layer_cut)
    verdict = verify(replace(claim, controls=(harmless,)), cases=5, seed=0)
    assert verdict.word == "UNTESTED HYPOTHESIS"
    assert "DROPPED HYPOTHESIS: nothing" in text(verdict)
    assert "NO COUNTER-EXAMPLE in 5 cases" in text(verdict)


def test_text_of_a_verdict() -> None:
    lines = text(verify(toy([1e-12], [0.5]), cases=2, seed=0)).splitlines()
    assert lines == [
        "VERIFIED  toy: 0 = 0",
        "          ours; 2 cases, worst defect 1.0e-12",
        "    holds check 1e-12: 2 cases, worst 1.0e-12 (bound 1e-10)",
        "    fails without its hypothesis, as it must: control 0.5",
        "          defect 5.0e-01, case 1: defect 0.5",
    ]


def test_main_verifies_all_and_writes_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "new" / "claims.tex"
    assert main(Options(cases=8, seed=3, tex=table)) == 0
    assert table.read_text().count(r"\claimrow") == len(CLAIMS)
    shown = capsys.readouterr().out
    assert f"{len(CLAIMS)} of {len(CLAIMS)} claims verified (seed 3)" in shown
    assert shown.count("VERIFIED") == len(CLAIMS)


def test_main_tries_only_what_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(Options(cases=8, only=("synflow-factorisation",))) == 0
    shown = capsys.readouterr().out
    assert "1 of 1 claims verified (seed 20260101)" in shown
    assert "neuron-conservation" not in shown


def test_main_refuses_an_unknown_label(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(Options(only=("synflow-factorisation", "theorem-7"))) == 2
    shown = capsys.readouterr().out
    assert "unknown claim 'theorem-7'; the claims are neuron-conservation, " in shown


def test_main_reports_an_untested_hypothesis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("theory.__main__.CLAIMS", (toy([0.0], [0.0]),))
    assert main(Options(cases=2)) == 1


# sabotage of the code itself --------------------------------------------------------


def transposed(weight: Tensor, groups: int) -> Tensor:
    """Forget that a grouped convolution's rows read their own block only."""
    whole = columns(weight, 1)
    return whole.repeat(groups, *[1] * (whole.dim() - 1)) / groups


def unshifted(self: Affine, x: Tensor) -> Tensor:
    shape = (1, -1) + (1,) * (x.dim() - 2)
    return x * self.weight.view(shape) + self.bias.detach().view(shape)


def without_paths(weights: list[Tensor]) -> list[Tensor]:
    return [weight.abs() for weight in weights]


SABOTAGE: dict[str, tuple[str, object, str]] = {
    "columns of a grouped convolution": (
        "theory.units.columns",
        transposed,
        "neuron-conservation",
    ),
    "shift of a frozen BatchNorm has no gradient": (
        "theory.networks.Affine.forward",
        unshifted,
        "neuron-conservation",
    ),
    "biases are dropped from the flow": (
        "theory.graph.Graph.biases",
        property(lambda self: {}),
        "network-conservation",
    ),
    "one branch of a cut is forgotten": (
        "theory.network_conservation.boundary_flows",
        lambda graph, x, readout: (torch.tensor(0.0), torch.tensor(0.0)),
        "network-conservation",
    ),
    "means of layers are sums": (
        "theory.layer_scaling.layer_means",
        lambda network, score: (
            [score[n].numel() for n in network.prunable],
            [float(score[n].sum()) for n in network.prunable],
        ),
        "layer-size-scaling",
    ),
    "equation 5 without its paths": (
        "theory.synflow.chain_factors",
        without_paths,
        "synflow-factorisation",
    ),
    "SynFlow keeps its biases": (
        "theory.synflow.absolute",
        lambda network: replace(
            network, parameters={k: p.abs() for k, p in network.parameters.items()}
        ),
        "synflow-factorisation",
    ),
}


@pytest.mark.filterwarnings("ignore:SynFlow is not conserved")
@pytest.mark.parametrize("what", SABOTAGE)
def test_broken_code_makes_the_ledger_fail(
    what: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target, replacement, label = SABOTAGE[what]
    assert main(Options(cases=25, only=(label,))) == 0
    monkeypatch.setattr(target, replacement)
    assert main(Options(cases=25, only=(label,))) == 1
    assert "REFUTED" in capsys.readouterr().out


def test_the_claims_of_the_ledger_are_those_of_their_modules() -> None:
    modules = (neuron_conservation, network_conservation, synflow)
    assert {module.CLAIM.label for module in modules} <= {
        c.label for c in ledger.CLAIMS
    }
    assert len({claim.label for claim in CLAIMS}) == len(CLAIMS)
