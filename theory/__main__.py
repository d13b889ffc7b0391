"""`python -m theory`: try every claim and print the ledger; exit 1 if one is broken."""

import sys
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from tqdm import tqdm

from theory.latex import table
from theory.ledger import CLAIMS, Verdict, verify


@dataclass(frozen=True)
class Options:
    """Try every claim on random cases."""

    cases: int = 200
    """Random cases for each check, and at most for each control."""
    seed: int = 20260101
    """Seed of the sequence from which every case has its own source."""
    only: tuple[str, ...] = ()
    """Labels of the claims to try; all if none is given."""
    tex: Path | None = None
    """Also write the ledger as a LaTeX table to this file."""


def text(verdict: Verdict) -> str:
    """Return one claim's entry of the ledger."""
    claim = verdict.claim
    lines = [
        f"{verdict.word:9} {claim.label}: {claim.statement}",
        f"          {claim.source}; {verdict.cases} cases, "
        f"worst defect {verdict.worst:.1e}",
    ]
    for tried in verdict.tried:
        mark = "holds" if tried.holds else "FAILS"
        lines.append(
            f"    {mark} {tried.check.family}: {tried.cases} cases, "
            f"worst {tried.worst:.1e} (bound {tried.check.bound:.0e})"
        )
        if not tried.holds:
            lines.append(f"          at {tried.case}")
    for broken in verdict.broken:
        found = f"defect {broken.defect:.1e}, case {broken.cases}: {broken.case}"
        nothing = f"NO COUNTER-EXAMPLE in {broken.cases} cases ({broken.defect:.1e})"
        lines.append(
            f"    fails without its hypothesis, as it must: {broken.control.dropped}"
            if broken.case is not None
            else f"    DROPPED HYPOTHESIS: {broken.control.dropped}"
        )
        lines.append(f"          {nothing if broken.case is None else found}")
    return "\n".join(lines)


def main(options: Options) -> int:
    """Print the ledger; return 1 if any claim is not verified, 2 for a bad label."""
    torch.set_num_threads(1)
    known = [claim.label for claim in CLAIMS]
    unknown = sorted(set(options.only) - set(known))
    if unknown:
        print(f"unknown claim {unknown[0]!r}; the claims are {', '.join(known)}")
        return 2
    chosen = [c for c in CLAIMS if not options.only or c.label in options.only]
    verdicts = []
    for claim in tqdm(chosen, desc="claims", unit="claim", disable=None):
        verdicts.append(verify(claim, cases=options.cases, seed=options.seed))
        tqdm.write(text(verdicts[-1]))
    if options.tex is not None:
        options.tex.parent.mkdir(parents=True, exist_ok=True)
        options.tex.write_text(table(verdicts))
    good = sum(v.word == "VERIFIED" for v in verdicts)
    print(f"{good} of {len(verdicts)} claims verified (seed {options.seed})")
    return 0 if good == len(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options)))
