"""The training A of paper B for each of its networks, with checkpoints."""

from collections.abc import Callable, Sequence

from experiments import cells
from experiments.data import DataSet
from experiments.evaluation import accuracy
from experiments.lottery_cases import Case, dense, images, network, rates
from experiments.rewound_training import train_from
from experiments.stability import Row, controlled, rows, tickets
from experiments.stacked_training import Run, train_stacked
from experiments.study import Initialisation, Study, Train
from theory.lottery_tickets import Weights

AT_ONCE = 12
"""Networks stacked together: more of them fall out of the caches (ours)."""


def trainer(case: Case, found: DataSet) -> Train:
    """Return A as a function of runs, steps and a name for its checkpoints.

    LeNets are trained together, other networks one after the other.
    """
    split, model = found.train, network(case, found, 0)

    def single(runs: Sequence[Run], first: int, last: int, name: str) -> list[Weights]:
        return [
            train_from(
                model,
                run,
                split,
                case.recipe,
                first=first,
                last=last,
                checkpoint=cells.checkpoint(f"{name}-{number}"),
            )
            for number, run in enumerate(runs)
        ]

    def stacked(runs: Sequence[Run], first: int, last: int, name: str) -> list[Weights]:
        trained: list[Weights] = []
        for start in range(0, len(runs), AT_ONCE):
            trained += train_stacked(
                runs[start : start + AT_ONCE],
                split.images,
                split.labels,
                case.recipe,
                first=first,
                last=last,
                checkpoint=cells.checkpoint(f"{name}-{start}"),
            )
        return trained

    return stacked if case.architecture == "lenet" else single


def stability_rows(
    case: Case,
    *,
    rounds: int,
    initialisations: Sequence[int],
    orders: int,
    rewind: int = 0,
    dense_orders: int = 1,
    double: bool = False,
    floor: bool = False,
) -> list[Row]:
    """Return the rows of `stability.rows` for all initialisations, trained together.

    Args:
        case: network, images and training.
        rounds: of IMP.
        initialisations: seeds.
        orders: data orders of the subnetworks.
        rewind: k.
        dense_orders: data orders of the dense networks.
        double: train in float64.
        floor: measure the noise floors as well (LeNets only).
    """
    found = images(case)

    def weights(seed: int) -> Weights:
        numbers = network(case, found, seed).state_dict()
        return {
            n: p.double() if double and p.is_floating_point() else p
            for n, p in numbers.items()
        }

    samples = [Initialisation.of(seed, orders, weights) for seed in initialisations]
    train, steps = trainer(case, found), case.recipe.epochs
    study = Study.rewound(samples, train, first=rewind, last=steps)
    masks = dense(samples[0].weights)
    imp = tickets(study, masks, rates(case, masks), rounds)
    trained = controlled(
        study, imp, orders=orders, dense_orders=dense_orders, floor=floor
    )
    return list(rows(study, imp, trained, accuracy_on_test(case, found)))


def accuracy_on_test(case: Case, found: DataSet) -> Callable[[Weights], float]:
    """Return the function from weights to the share of test images that are right."""
    model = network(case, found, 0).to(found.test.images.device)

    def share(weights: Weights) -> float:
        model.load_state_dict({n: p.float() for n, p in weights.items()})
        return accuracy(model, found.test)

    return share
