"""Numbers and the ledger as LaTeX."""

import pytest
from test_ledger import toy

from theory.latex import scientific, table
from theory.ledger import verify


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "$0$"),
        (2.63e-15, r"$2.6\cdot 10^{-15}$"),
        (-1.13e34, r"$-1.1\cdot 10^{34}$"),
    ],
)
def test_scientific(value: float, shown: str) -> None:
    assert scientific(value) == shown


def test_rows_for_latex() -> None:
    verdicts = [verify(toy([d], [1.0]), cases=2, seed=0) for d in (0.0, 2.5e-11, 1.0)]
    assert table(verdicts).splitlines() == [
        r"\claimrow{toy}{A toy}{verified}{2}{$0$}{1}",
        r"\claimrow{toy}{A toy}{verified}{2}{$2.5\cdot 10^{-11}$}{1}",
        r"\claimrow{toy}{A toy}{refuted}{2}{$1.0\cdot 10^{0}$}{1}",
    ]
