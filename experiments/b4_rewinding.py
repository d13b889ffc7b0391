"""b4: stabilities and accuracy against the rewinding step (paper B, figures 4, 11).

The published profile is the paper's: LeNet on two cores, the others on a GPU; step 0 is
in the table of b3. Deviations: as in b3; 3 data orders, so 3 pairs an initialisation.
"""

from dataclasses import dataclass

from experiments.lottery_cases import CASES
from experiments.lottery_training import stability_rows
from experiments.stability import Row


@dataclass(frozen=True)
class Config:
    """A network and the step it is rewound to, all its initialisations together."""

    case: str
    """Name in `lottery_cases.CASES`."""
    rewind: int
    """k: the step whose weights the subnetworks start from."""
    rounds: int = 10
    """Of iterative magnitude pruning."""
    initialisations: tuple[int, ...] = (0, 1, 2)
    """Seeds of the samples."""
    orders: int = 3
    """Data orders of each subnetwork."""


GRID = {
    "default": tuple(
        Config("lenet-digits", step) for step in (10, 25, 50, 100, 250, 500)
    ),
    "published": tuple(
        Config("lenet-mnist", step) for step in (1000, 5000, 100, 25000, 500, 10000)
    )
    + tuple(
        Config(case, step, rounds)
        for case, rounds in (
            ("resnet20-cifar10-standard", 8),
            ("vgg19-cifar10-standard", 17),
        )
        for step in (100, 500, 1000, 2000, 5000, 10000)
    ),
}


def run(config: Config) -> list[Row]:
    """Return the rows of `stability.rows`."""
    return stability_rows(
        CASES[config.case],
        rounds=config.rounds,
        initialisations=config.initialisations,
        orders=config.orders,
        rewind=config.rewind,
    )
