"""b13: LeNet's row of the stability table when IMP ranks all layers together (new).

Paper B prints that 10.7 % of LeNet's weights remain. That is 0.8^10, of every weight;
with the output layer at half the rate, as in arXiv 1803.03635 and in b3, 10.8 % do. So
here each round of IMP removes a fifth of all weights that are left, whatever their
layer, as paper B does in its other networks. Random subnetworks again have IMP's count
in each layer. All else is as in b3, but for 2 data orders in the place of 4.
"""

from dataclasses import dataclass

from experiments.lottery_cases import CASES, RATE, dense, images, network
from experiments.lottery_training import accuracy_on_test, trainer
from experiments.stability import Row, controlled, rows, tickets
from experiments.study import Initialisation, Study
from theory.lottery_tickets import Weights


@dataclass(frozen=True)
class Config:
    """A network, all its initialisations together."""

    case: str
    """Name in `lottery_cases.CASES`."""
    rounds: int = 10
    """Of iterative magnitude pruning."""
    initialisations: tuple[int, ...] = (0, 1, 2)
    """Seeds of the samples, as in b3."""
    orders: int = 2
    """Data orders of each subnetwork."""


GRID = {
    "default": (Config("lenet-digits"),),
    "published": tuple(
        Config("lenet-mnist", initialisations=(seed,)) for seed in range(3)
    ),
}


def run(config: Config) -> list[Row]:
    """Return the rows of `stability.rows`, rewound to step 0."""
    case = CASES[config.case]
    found = images(case)

    def weights(seed: int) -> Weights:
        return network(case, found, seed).state_dict()

    samples = [
        Initialisation.of(seed, config.orders, weights)
        for seed in config.initialisations
    ]
    steps = case.recipe.epochs
    study = Study.rewound(samples, trainer(case, found), first=0, last=steps)
    imp = tickets(study, dense(samples[0].weights), RATE, config.rounds)
    trained = controlled(study, imp, orders=config.orders, dense_orders=1, floor=False)
    return list(rows(study, imp, trained, accuracy_on_test(case, found)))
