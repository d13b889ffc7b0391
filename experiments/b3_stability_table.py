"""b3: stability to data order and pruning, IMP against random (paper B, figures 3, 10).

The published profile is the paper's: LeNet on two cores, the others on a GPU.
Deviations: 54,000 training images of MNIST (6,000 are held out), batches run across the
ends of epochs, the last weights are measured. An initialisation has 4 data orders, so 6
pairs; it has a dense network for each order on digits, and one, as in the paper, else.
"""

from dataclasses import dataclass

from experiments.lottery_cases import CASES
from experiments.lottery_training import stability_rows
from experiments.stability import Row


@dataclass(frozen=True)
class Config:
    """A network, all its initialisations together."""

    case: str
    """Name in `lottery_cases.CASES`."""
    rounds: int
    """Of iterative magnitude pruning."""
    initialisations: tuple[int, ...]
    """Seeds of the samples."""
    orders: int
    """Data orders of each subnetwork."""
    dense_orders: int
    """Data orders of each dense network."""
    double: bool
    """Train in float64."""


GRID = {
    "default": tuple(
        Config("lenet-digits", 10, (0, 1, 2), 4, 4, double) for double in (False, True)
    ),
    "published": tuple(
        Config(case, rounds, (0, 1, 2), 4, 1, False)
        for case, rounds in (
            ("lenet-mnist", 10),
            ("resnet20-cifar10-standard", 8),
            ("resnet20-cifar10-low", 8),
            ("resnet20-cifar10-warmup", 8),
            ("vgg19-cifar10-standard", 17),
            ("vgg19-cifar10-low", 17),
            ("vgg19-cifar10-warmup", 17),
        )
    ),
}


def run(config: Config) -> list[Row]:
    """Return the rows of `stability.rows`, rewound to step 0."""
    case = CASES[config.case]
    return stability_rows(
        case,
        rounds=config.rounds,
        initialisations=config.initialisations,
        orders=config.orders,
        dense_orders=config.dense_orders,
        double=config.double,
        floor=case.architecture == "lenet",  # units of other networks have no names
    )
