"""b14: LeNet's row of the stability table when IMP leaves the output layer whole (new).

Paper B does not say how IMP divides a round among LeNet's layers. b3 does what arXiv
1803.03635 does: a fifth of each layer, a tenth of the output layer. Here each round
removes a fifth of each layer but the output layer, which stays whole, as it does there
in convolutional networks. After ten rounds 11.1 % of the weights remain, 10.7 %
of those of the pruned layers. The output layer is part of the masks, and thereby of the
distances. All else is as in b3, but for 2 data orders in the place of 4.
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
    steps, masks = case.recipe.epochs, dense(samples[0].weights)
    study = Study.rewound(samples, trainer(case, found), first=0, last=steps)
    *hidden, output = masks
    rates = {**dict.fromkeys(hidden, RATE), output: 0.0}
    imp = tickets(study, masks, rates, config.rounds)
    trained = controlled(study, imp, orders=config.orders, dense_orders=1, floor=False)
    return list(rows(study, imp, trained, accuracy_on_test(case, found)))
