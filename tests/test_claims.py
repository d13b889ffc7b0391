"""Nothing drifts apart: claims, paper, README, tests, and figures."""

import re
from pathlib import Path

import pytest

from theory import (
    critical_compression,
    exact_limit,
    gaussian_width,
    gradient_flow,
    layer_collapse,
    layer_scaling,
    network_conservation,
    neuron_conservation,
    predicted_threshold,
    pruning_lower_bound,
    pruning_upper_bound,
    slq,
    stability_to_data_order,
    stability_to_pruning,
    statistical_dimension,
    synflow,
)
from theory.claim import Claim
from theory.ledger import CLAIMS

ROOT = Path(__file__).parents[1]
MODULES = (
    neuron_conservation,
    network_conservation,
    layer_scaling,
    synflow,
    layer_collapse,
    critical_compression,
    gradient_flow,
    stability_to_pruning,
    stability_to_data_order,
    gaussian_width,
    statistical_dimension,
    exact_limit,
    pruning_lower_bound,
    pruning_upper_bound,
    slq,
    predicted_threshold,
)

FIGURES = {
    "neuron-conservation": "a3_neuron_conservation",
    "network-conservation": "a4_layer_size",  # layers are cuts
    "layer-size-scaling": "a4_layer_size",
    "one-shot-collapse": "a8_critical_compression",
    "maximal-critical-compression": "a9_dropping_hypotheses",
    "gradient-flow-conservation": "a10_gradient_flow",
    "stability-to-pruning": "b3_stability_table",
    "stability-to-data-order": "b4_rewinding",
    "statistical-dimension": "c1_phase_transition",
    "exact-statistical-dimension": "c2_bound_tightness",
    "pruning-lower-bound": "c2_bound_tightness",
    "pruning-upper-bound": "c5_threshold_table",
    "slq": "c7_slq_accuracy",
    "predicted-threshold": "c4_predicted_threshold",
}
WITHOUT_FIGURE = {
    "synflow-factorisation": "an identity that holds to the last digit",
    "gaussian-width": "an integral that agrees with closed forms to the last digits",
}


def paper_labels() -> set[str]:
    """Labels of theorems and corollaries; those with a colon are other things."""
    source = (ROOT / "paper" / "main.tex").read_text("utf-8")
    return {
        name for name in re.findall(r"\\label\{([^}]*)\}", source) if ":" not in name
    }


def readme_row(claim: Claim) -> str:
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    (row,) = [line for line in lines if line.startswith(f"| `{claim.label}` |")]
    return row


def test_the_paper_states_exactly_the_claims_of_the_ledger() -> None:
    assert paper_labels() == {claim.label for claim in CLAIMS}


def test_every_module_with_a_claim_is_in_the_ledger() -> None:
    stated = {
        path.stem
        for path in (ROOT / "theory").glob("*.py")
        if re.search(r"^CLAIM = ", path.read_text("utf-8"), re.MULTILINE)
    }
    assert stated == {module.__name__.removeprefix("theory.") for module in MODULES}
    assert [module.CLAIM for module in MODULES] == list(CLAIMS)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_claim_names_itself_its_source_and_its_hypotheses(module: object) -> None:
    claim: Claim = getattr(module, "CLAIM")  # noqa: B009
    statement = str(module.__doc__)
    assert re.match(rf"Claim `{claim.label}` \(paper [ABC], ", statement)
    assert re.search(r"arXiv \d{4}\.\d{4,5}", claim.source)
    assert claim.title.isascii(), "the paper's table of claims is set by plain LaTeX"
    assert claim.assumptions and claim.checks and claim.controls
    assert any(check.bound == 0.0 for check in claim.checks) or claim.label == (
        "layer-size-scaling"  # a corollary; its exact form is network-conservation
    )
    assert all(check.bound <= 1e-10 for check in claim.checks)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_claim_has_a_test_and_a_row_in_the_readme(module: object) -> None:
    name = str(getattr(module, "__name__")).removeprefix("theory.")  # noqa: B009
    assert (ROOT / "tests" / f"test_{name}.py").exists()
    row = readme_row(getattr(module, "CLAIM"))  # noqa: B009
    assert f"(theory/{name}.py)" in row and f"(tests/test_{name}.py)" in row


@pytest.mark.parametrize(
    "path", sorted((ROOT / "theory").glob("[a-z]*.py")), ids=lambda p: p.stem
)
def test_every_module_has_a_test_file(path: Path) -> None:
    assert (ROOT / "tests" / f"test_{path.stem}.py").exists()


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.label)
def test_every_claim_has_a_figure_or_a_reason(claim: Claim) -> None:
    assert (claim.label in FIGURES) != (claim.label in WITHOUT_FIGURE)
    if claim.label in WITHOUT_FIGURE:
        assert WITHOUT_FIGURE[claim.label] in readme_row(claim)
        return
    figure = FIGURES[claim.label]
    assert (ROOT / "figures" / f"{figure}.py").exists()
    assert f"(figures/output/README.md#{figure})" in readme_row(claim)
    source = (ROOT / "paper" / "main.tex").read_text("utf-8")
    assert f"figures/output/{figure}.pdf" in source
