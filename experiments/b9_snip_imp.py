"""b9: IMP, other first weights, SNIP and random masks (paper B, figure 9).

All rewound to step 0; random masks, with IMP's count in each layer, are ours.

Deviations from the paper: by default LeNet on digits in place of VGG-19 and Resnet-18
on CIFAR-10 with warm-up (profile "published", on a GPU); others as in b1. SNIP's masks
keep the first weights; the paper does not say whether its own do.
"""

from dataclasses import dataclass
from itertools import product

from experiments.lottery_cases import CASES
from experiments.stability import Row
from experiments.ticket_curves import curves


@dataclass(frozen=True)
class Config:
    """A network, some initialisations together."""

    case: str
    """Name in `lottery_cases.CASES`."""
    initialisations: tuple[int, ...]
    """Seeds of the samples."""
    rounds: int
    """Of iterative magnitude pruning."""
    every: int = 1
    """Rounds between two with controls."""


ROUNDS = {"resnet20-cifar10-warmup": 12, "vgg19-cifar10-warmup": 24}

GRID = {
    "default": (Config("lenet-digits", (0, 1, 2, 3, 4), 18, 3),),
    "published": tuple(
        Config(case, (seed,), rounds)
        for (case, rounds), seed in product(ROUNDS.items(), range(3))
    ),
}


def run(config: Config) -> list[Row]:
    """Return the rows of `ticket_curves.curves`."""
    return curves(
        CASES[config.case],
        initialisations=config.initialisations,
        rewind=0,
        rounds=config.rounds,
        controls=("reinitialised", "random", "snip"),
        every=config.every,
    )
