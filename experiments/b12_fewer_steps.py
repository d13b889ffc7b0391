"""b12: LeNet's row of the stability table after fewer steps of training (new).

Paper B prints 50,000 steps. At ours the distances of random subnetworks, which go on
growing while IMP's have come to rest, are larger than the authors'. Interpolated
between 10,000 and 50,000 steps of b10 (both logarithms), theirs lie at 39,900 (pruning)
and 37,800 (data order). Here the whole row is measured again, IMP included, after
40,000, which are 40 epochs of all 60,000 images; the first author's later public code
trains this network for 40 epochs. So two numbers are fitted by one, and the rest of the
row is the test, and IMP's subnetworks fail it: they come out too near. All else is as
in b3, but for 3 data orders in the place of 4.
"""

from dataclasses import dataclass, replace

from experiments.lottery_cases import CASES
from experiments.lottery_training import stability_rows
from experiments.stability import Row


@dataclass(frozen=True)
class Config:
    """A network and its steps, all initialisations together."""

    case: str
    """Name in `lottery_cases.CASES`."""
    steps: int
    """T: of training, in the place of the case's own."""
    rounds: int = 10
    """Of iterative magnitude pruning."""
    initialisations: tuple[int, ...] = (0, 1, 2)
    """Seeds of the samples, as in b3."""
    orders: int = 3
    """Data orders of each subnetwork."""


GRID = {
    "default": (Config("lenet-digits", 800),),
    "published": (Config("lenet-mnist", 40_000),),
}


def run(config: Config) -> list[Row]:
    """Return the rows of `stability.rows`, rewound to step 0."""
    case = CASES[config.case]
    recipe = replace(case.recipe, epochs=config.steps)
    return stability_rows(
        replace(case, recipe=recipe),
        rounds=config.rounds,
        initialisations=config.initialisations,
        orders=config.orders,
    )
