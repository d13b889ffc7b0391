"""The paper's source: numbers come from generated files, labels from the claims."""

import re
from pathlib import Path

import pytest

from theory.ledger import CLAIMS

PAPER = Path(__file__).parents[1] / "paper"


def hand_typed_numbers(source: str) -> list[str]:
    r"""Numbers in LaTeX text that are no label, file, option, year or small index.

    Allowed: arguments of \cite, \label, \ref, \input, \includegraphics, \url and of
    the preamble's commands, lengths, columns of tables; in mathematics the single
    digits 0, 1, 2.
    """
    text = re.sub(r"(?<!\\)%.*", "", source)
    columns = r"multicolumn\{\d+\}|cmidrule\(\w+\)\{[\d-]+\}|begin\{tabular\}.*"
    text = re.sub(rf"\\(?:{columns}|setlength.*)", "", text)
    text = re.sub(r"[\d.]+\\linewidth", "", text)
    names = r"cite[a-z]*|label|(?:eq|page)?ref|input|includegraphics|url|href"
    names += r"|documentclass|usepackage|generatedcaption|mathbf"
    text = re.sub(rf"\\(?:{names})\*?(?:\[[^]]*\])*(?:\{{[^}}]*\}})*", "", text)
    math = r"\$[^$]*\$|\\\[.*?\\\]|\\begin\{(equation|align)\*?\}.*?\\end\{\1\*?\}"
    inside = " ".join(m.group() for m in re.finditer(math, text, re.DOTALL))
    outside = re.sub(math, "", text, flags=re.DOTALL)
    return re.findall(r"\d[\d.]*", outside) + re.findall(r"\d[\d.]+|[3-9]", inside)


@pytest.mark.parametrize("name", ["main.tex", "macros.tex"])
def test_paper_has_no_number_typed_by_hand(name: str) -> None:
    source = (PAPER / name).read_text("utf-8")
    source = source.replace(r"\pdfsuppressptexinfo15", "")  # a bit mask, see there
    source = re.sub(r"\[[1-9]\]", "", source)  # number of arguments of a macro
    assert hand_typed_numbers(re.sub(r"#\d", "", source)) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("slope 0.97 and 3 layers", ["0.97", "3"]),
        (r"an error of $10^{-10}$", ["10", "10"]),
        (r"\[ x = 7 \] and \begin{equation} 64 \end{equation}", ["7", "64"]),
        (r"% 12" + "\n" + r"\cite{tanaka2020} \input{generated/a4} $\frac{1}{2}$", []),
        (
            r"\multicolumn{3}{c}{12} \cmidrule(lr){5-7} \setlength{\tabcolsep}{3pt}",
            ["12"],
        ),
        (r"\includegraphics[width=0.5\linewidth]{../a3.pdf} \label{eq:1}", []),
    ],
)
def test_hand_typed_numbers_are_seen(source: str, found: list[str]) -> None:
    assert hand_typed_numbers(source) == found


def test_paper_inputs_a_caption_for_every_figure_it_shows() -> None:
    source = (PAPER / "main.tex").read_text("utf-8")
    shown = set(re.findall(r"figures/output/(\w+)\.pdf", source))
    assert shown == set(re.findall(r"\\generatedcaption\{(\w+)\}", source))
    assert {"a3_neuron_conservation", "a4_layer_size"} <= shown


def test_every_claim_is_stated_under_its_label() -> None:
    source = (PAPER / "main.tex").read_text("utf-8")
    stated = re.findall(
        r"\\begin\{(?:theorem|corollary)\}\[[^]]*\]\s*\\label\{([^}]*)\}", source
    )
    assert sorted(stated) == sorted(claim.label for claim in CLAIMS)
