"""Rewinding and stability of paper B on images in folders: its section 5."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from experiments import cells
from experiments.architectures import prunable_weights
from experiments.imagenet_task import Task
from experiments.imagenet_training import top1, train_epochs
from experiments.seeds import seeds
from experiments.stability import Row, Trained, controlled, rows, tickets
from experiments.stacked_training import Run
from experiments.study import Initialisation, Study, Train
from theory.lottery_tickets import Weights
from theory.masks import Masks


def stability_rows(
    task: Task, *, seed: int, rewind: int, rate: float, rounds: int, orders: int
) -> list[Row]:
    """Return the rows of `stability.rows` for one initialisation, k in epochs.

    One kind of subnetwork more: "reinitialised", IMP's masks with new first weights,
    trained from epoch 0.

    Args:
        task: network, images, recipe.
        seed: of first weights, data orders, random masks.
        rewind: k.
        rate: share of the survivors that a round removes, of all layers together.
        rounds: 1 prunes in one shot.
        orders: data orders of IMP's and the random subnetwork.
    """

    def weights(drawn: int) -> Weights:
        return task.model(drawn).state_dict()

    sample = Initialisation.of(seed, orders, weights)
    last = task.recipe.epochs
    study = Study.rewound([sample], trainer(task), first=rewind, last=last)
    imp = tickets(study, dense(task), rate, rounds)
    trained = controlled(study, imp, orders=orders, dense_orders=1, floor=False)
    # a child of the order's seed: a new one, whatever the number of orders
    new = replace(study, first=0, starts=[weights(seeds(sample.orders[0], 1)[0])])
    masks = trained["imp"].masks
    again = Trained(masks, new.trained(masks, [0], "reinitialised"), [])

    def accuracy(weights: Weights) -> float:
        return top1(task, dict(weights))

    return list(rows(study, imp, {**trained, "reinitialised": again}, accuracy))


def trainer(task: Task) -> Train:
    """Return A as a function of runs, epochs and a name for its checkpoints."""

    def train(runs: Sequence[Run], first: int, last: int, name: str) -> list[Weights]:
        return [
            train_epochs(
                *(task, run, first, last),
                checkpoint=cells.checkpoint(f"{name}-{number}"),
            )
            for number, run in enumerate(runs)
        ]

    return train


def dense(task: Task) -> Masks:
    """Return masks that keep all weights of convolutions and linear layers.

    Those of an auxiliary classifier too, as the paper's numbers of parameters.
    """
    model = task.model()
    parameters = dict(model.named_parameters())
    return {
        name: torch.ones(parameters[name].shape, dtype=torch.bool)
        for name in prunable_weights(model)
    }
