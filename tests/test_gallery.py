"""The page of all figures: what LaTeX becomes, and that it is complete and current."""

import re

import pytest

from figures import common, gallery
from theory.ledger import CLAIMS

LABELS = {"fig:stability": "b3_stability_table"}


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        (r"up to $5\,\%$ or 5\,\% of it", r"up to $`5\,\%`$ or 5 % of it"),
        (r"claim \ref{network-conservation}.", "claim `network-conservation`."),
        (r"as in Figure~\ref{fig:stability}", "as in Figure `b3_stability_table`"),
        ("Clopper--Pearson\nintervals", "Clopper–Pearson intervals"),
        ("$a$ and $b$", "$`a`$ and $`b`$"),
        (
            "breaks ``prune size'', twice",
            "breaks \N{LEFT DOUBLE QUOTATION MARK}prune "
            "size\N{RIGHT DOUBLE QUOTATION MARK}, twice",
        ),
    ],
)
def test_latex_becomes_markdown(latex: str, expected: str) -> None:
    assert gallery.markdown(latex, LABELS) == expected


@pytest.mark.parametrize("latex", [r"\emph{new}", r"\ref{fig:nothing}", "`so"])
def test_what_cannot_be_written_is_refused(latex: str) -> None:
    with pytest.raises(ValueError, match=r"cannot write|no figure of the paper"):
        gallery.markdown(latex, LABELS)


def test_every_figure_of_the_paper_has_its_label() -> None:
    labels = gallery.figures_of(gallery.PAPER.read_text("utf-8"))
    drawn = [drawing.name for drawing in common.discover()]
    assert sorted(labels.values()) == sorted(drawn)
    assert labels["fig:stability"] == "b3_stability_table"


def test_the_page_is_complete_and_current() -> None:
    drawings = common.discover()
    page = gallery.gallery(drawings, common.read_tables())
    assert (common.OUTPUT / "README.md").read_text("utf-8") == page
    headings = re.findall(r"^## (\w+)$", page, re.M)
    assert sorted(headings) == [d.name for d in drawings]
    first = [name.partition("_")[0] for name in headings]
    assert first[:3] == ["a1", "a2", "a3"] and first.index("a9") < first.index("a10")
    for file in re.findall(r"\]\(([^)]+)\)", page):
        assert (common.OUTPUT / file).exists(), file
    claims = {claim.label for claim in CLAIMS}
    named = set(re.findall(r"`([a-z-]+)`(?!\$)", page))
    assert named and named <= claims
