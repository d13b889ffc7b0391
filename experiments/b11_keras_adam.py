"""b11: LeNet's row of the stability table with Keras's Adam (new).

Paper B prints a rate of 1.2e-3 for Adam and no epsilon. In b10 the rate 1e-3 brings
the distances of random subnetworks a part of the way to the authors', and leaves their
angles alone; an epsilon of 1e-7 does nothing in the first 10,000 steps there. Together
they are the Adam of Keras where nothing is given. Here IMP's subnetworks are found and
measured with it, too: the distances of random ones come out as the authors', those of
IMP's do not. All else is as in b3, but for 3 data orders in the place of 4.
"""

from dataclasses import dataclass, replace

from experiments.b10_recipe_changes import AdamRecipe
from experiments.lottery_cases import CASES
from experiments.lottery_training import stability_rows
from experiments.stability import Row


@dataclass(frozen=True)
class Config:
    """A network with an Adam, all its initialisations together."""

    case: str
    """Name in `lottery_cases.CASES`."""
    rate: float = 1e-3
    """Of Adam, in the place of the case's own."""
    epsilon: float = 1e-7
    """Added to the root of the second moment."""
    rounds: int = 10
    """Of iterative magnitude pruning."""
    initialisations: tuple[int, ...] = (0, 1, 2)
    """Seeds of the samples, as in b3."""
    orders: int = 3
    """Data orders of each subnetwork."""


GRID = {
    "default": (Config("lenet-digits"),),
    "published": (Config("lenet-mnist"),),
}


def run(config: Config) -> list[Row]:
    """Return the rows of `stability.rows`, rewound to step 0."""
    case = CASES[config.case]
    recipe = AdamRecipe(
        case.recipe.epochs,
        case.recipe.batch_size,
        config.rate,
        optimizer="adam",
        epsilon=config.epsilon,
    )
    return stability_rows(
        replace(case, recipe=recipe),
        rounds=config.rounds,
        initialisations=config.initialisations,
        orders=config.orders,
    )
