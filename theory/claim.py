"""Records that a claim is made of, and the one measure of how far it fails.

A claim computes both sides of its identity by different routes and returns them as
`Sides`; what is printed, tested and drawn is their defect

    defect = max_i |left_i - right_i| / scale_i,

where scale_i is the sum of the absolute values of all the terms that were added to make
the two sides. Dividing by |left| + |right| instead would be ill-posed: a hidden unit
whose terms cancel has both sides near 0, and a relative error that says nothing.
Entries whose scale is 0 (dead units: no term at all) have defect 0.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from random import Random

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Sides:
    """Both sides of an identity in float64, with the scale of their terms."""

    left: Float[Tensor, "*entries"]
    right: Float[Tensor, "*entries"]
    scale: Float[Tensor, "*entries"]
    case: str

    def defects(self) -> Float[Tensor, "..."]:
        """Return |left - right| / scale per entry, 0 where no term contributed."""
        gap = (self.left - self.right).abs()
        return torch.where(self.scale > 0, gap / self.scale, gap)

    def defect(self) -> float:
        """Return the largest defect (0 for an empty identity, inf if any is NaN)."""
        defects = self.defects()
        if not defects.numel():
            return 0.0
        return float("inf") if defects.isnan().any() else float(defects.max())


@dataclass(frozen=True)
class ExactSides:
    """Both sides of an identity in rational arithmetic: equality has no tolerance."""

    left: tuple[Fraction, ...]
    right: tuple[Fraction, ...]
    case: str

    def defect(self) -> float:
        """Return 0.0 if and only if the two sides are equal, else their largest gap."""
        gaps = [abs(a - b) for a, b in zip(self.left, self.right, strict=True)]
        worst = max(gaps, default=Fraction(0))
        return max(float(worst), 5e-324) if worst else 0.0


@dataclass(frozen=True)
class Check:
    """A claim on one family of random cases: the defect must stay within `bound`."""

    family: str
    draw: Callable[[Random], Sides | ExactSides]
    bound: float


@dataclass(frozen=True)
class Control:
    """The claim with one hypothesis dropped: some case must have a large defect."""

    dropped: str
    draw: Callable[[Random], Sides | ExactSides]


@dataclass(frozen=True)
class Claim:
    """A statement of the literature with its hypotheses, checks and controls.

    `label` is the ledger's id and the paper's LaTeX label.
    """

    label: str
    title: str
    statement: str
    source: str
    assumptions: tuple[str, ...]
    checks: tuple[Check, ...]
    controls: tuple[Control, ...]


def total(terms: list[Tensor]) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Return the sum of all entries of all terms, and the sum of their absolutes."""
    entries = [term.reshape(-1).double().cpu() for term in terms]
    every = torch.cat(entries) if entries else torch.zeros(1, dtype=torch.float64)
    return every.sum(), every.abs().sum()
