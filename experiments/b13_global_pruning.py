"""b13: LeNet's row of the stability table when IMP ranks all layers together (new).

Paper B does not say how IMP divides a round among LeNet's layers. b3 does what arXiv
1803.03635 does: a fifth of each layer, a tenth of the output layer, which leaves 10.8 %
of the weights after ten rounds. Read to the letter, paper B's algorithm 1 prunes "the
remaining entries with the lowest magnitudes" of all. So here each round removes a fifth
of all weights that are left, whatever their layer; 0.8^10 = 10.7 % remain, which is
what the table prints (it rounds 0.8^8 down for ResNet, so this says little by itself).
Random subnetworks again have IMP's count in each layer. All else is as in b3, but for 2
data orders in the place of 4.
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
