"""b5: accuracy against density, rewound to a step after the first (paper B, figure 5).

The standard learning rate. What is rewound to step 0, and its masks with other first
weights, are in the table of b1. Here the masks of the rewound networks have other first
weights too, trained from step 0.

Deviations from the paper: as in b1; rewound to step 21 of 420, the end of the first
epoch, by default; in the published profile to the paper's steps 500 and 100.
"""

from dataclasses import dataclass
from itertools import product

from experiments.lottery_cases import CASES
from experiments.stability import Row
from experiments.ticket_curves import curves


@dataclass(frozen=True)
class Config:
    """A network and the step it is rewound to, from one initialisation."""

    case: str
    """Name in `lottery_cases.CASES`."""
    rewind: int
    """k: the step whose weights the subnetworks start from."""
    initialisations: tuple[int, ...]
    """Seeds of the samples."""
    rounds: int
    """Of iterative magnitude pruning."""
    every: int = 1
    """Rounds between two with a control."""


PUBLISHED = {
    ("resnet20-cifar10-standard", 500): 12,
    ("resnet20-cifar10-jpeg-standard", 500): 12,
    ("vgg19-cifar10-standard", 100): 24,
}
"""Rounds of each network, rewound to the step where paper B's gains saturate."""

GRID = {
    "default": tuple(
        Config("resnet6-digits-standard", 21, (seed,), 12, 4) for seed in range(3)
    ),
    "published": tuple(
        Config(case, rewind, (seed,), rounds)
        for ((case, rewind), rounds), seed in product(PUBLISHED.items(), range(3))
    ),
}


def run(config: Config) -> list[Row]:
    """Return the rows of `ticket_curves.curves`."""
    return curves(
        CASES[config.case],
        initialisations=config.initialisations,
        rewind=config.rewind,
        rounds=config.rounds,
        controls=("reinitialised",),
        every=config.every,
    )
