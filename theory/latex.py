"""Numbers and the ledger as LaTeX: no number in the paper is typed by hand."""

from collections.abc import Sequence

from theory.ledger import Verdict


def scientific(value: float) -> str:
    r"""Return the value with two digits in math mode, as $2.6\cdot 10^{-15}$."""
    if value == 0:
        return "$0$"
    mantissa, exponent = f"{value:.1e}".split("e")
    return rf"${mantissa}\cdot 10^{{{int(exponent)}}}$"


def table(verdicts: Sequence[Verdict]) -> str:
    r"""Return the rows of the paper's first table, one \claimrow for each claim.

    Label, title, verdict, random cases, worst defect, hypotheses dropped.
    """
    rows = [
        rf"\claimrow{{{v.claim.label}}}{{{v.claim.title}}}{{{v.word.lower()}}}"
        rf"{{{v.cases}}}{{{scientific(v.worst)}}}{{{len(v.broken)}}}"
        for v in verdicts
    ]
    return "\n".join(rows) + "\n"
