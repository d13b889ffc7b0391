"""b10: what the distances of LeNet's subnetworks owe to the recipe of training (new).

Paper B prints neither how pixels are scaled nor all of its optimiser. Here one thing at
a time differs from the recipe of b3, and the stabilities of random subnetworks are
measured again (they have, in each layer, the count that IMP leaves, which is known
without IMP). Everything else is the same: first weights, masks, data orders.

Sources of the changes: the public code of arXiv 1803.03635 divides each image by its
length and draws Glorot's normal numbers truncated; TensorFlow's Adam adds epsilon
before the second moment's bias is removed, Keras's has 1e-7; 1e-3 is the rate that
Adam has where none is given; He's weights (He et al. 2015, arXiv 1502.01852) are those
of the first author's later public code. The others are ours.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn

from experiments import data
from experiments.lottery_cases import CASES, RATE, Case, dense, images, network, rates
from experiments.lottery_training import accuracy_on_test, trainer
from experiments.recipes import Recipe
from experiments.stability import Row
from experiments.study import Initialisation, Study
from theory.lottery_tickets import Weights, random_masks, stay
from theory.masked_distance import angle, distance
from theory.masks import Masks

CHANGES = (
    "none",
    "pixels of mean 0",
    "pixels of mean 0 and variance 1",
    "pixels from -1/2 to 1/2",
    "images of length 1",
    "truncated first weights",
    "He's first weights",
    "output layer at the full rate",
    "images of validation too",
    "Adam's epsilon 1e-7",
    "epsilon as in TensorFlow",
    "rate 1e-3",
    "biases in the distance",
)


@dataclass(frozen=True)
class Config:
    """One change, all initialisations together."""

    case: str
    """Name in `lottery_cases.CASES`."""
    change: str
    """One of CHANGES."""
    steps: int
    """T: of training."""
    rounds: int = 10
    """Of IMP, whose counts the random subnetworks have."""
    initialisations: tuple[int, ...] = (0, 1, 2)
    """Seeds of the samples, as in b3."""
    orders: int = 2
    """Data orders of each subnetwork."""


LONG = (
    ("none", 25_000),
    ("none", 37_500),
    ("none", 50_000),
    ("pixels of mean 0", 50_000),
    ("rate 1e-3", 50_000),
    ("Adam's epsilon 1e-7", 50_000),
)
"""At the published 50,000 steps, and ours stopped earlier."""

GRID = {
    "default": tuple(Config("lenet-digits", change, 1000) for change in CHANGES),
    "published": (
        *(Config("lenet-mnist", change, 10_000) for change in CHANGES),
        *(Config("lenet-mnist", change, steps) for change, steps in LONG),
    ),
}


class TensorFlowAdam(torch.optim.Adam):
    """Adam with epsilon added before the second moment's bias is removed.

    The step is η m_t √(1 - β₂^t) / ((1 - β₁^t) (√v_t + ε)): torch's with the epsilon
    ε / √(1 - β₂^t), which is larger in the first steps. Source: Kingma & Ba 2015
    (arXiv 1412.6980), end of section 2, the "epsilon hat" of TensorFlow's reference.
    """

    def step(self, closure: Any = None) -> Any:
        """Take one step."""
        group = self.param_groups[0]
        taken = float(self.state[group["params"][0]].get("step", 0))
        hat = group.setdefault("hat", group["eps"])
        group["eps"] = hat / math.sqrt(1 - group["betas"][1] ** (taken + 1))
        return super().step(closure)


@dataclass(frozen=True)
class AdamRecipe(Recipe):
    """A recipe whose Adam has an epsilon of its own."""

    epsilon: float = 1e-8
    tensorflow: bool = False
    """Add it as TensorFlow does."""

    def build(
        self, parameters: Iterable[nn.Parameter], *, fused: bool = False
    ) -> torch.optim.Optimizer:
        """Return the optimizer of the parameters."""
        make = TensorFlowAdam if self.tensorflow else torch.optim.Adam
        betas = (self.momentum, 0.999)
        return make(
            list(parameters), self.learning_rate, betas, self.epsilon, fused=fused
        )


def run(config: Config) -> list[Row]:
    """Return one row for each distance, angle and accuracy of random subnetworks.

    Columns as in `stability.rows`.

    Raises:
        ValueError: an unknown change.
    """
    if config.change not in CHANGES:
        raise ValueError(
            f"expected a change from {CHANGES}, got {config.change!r}; add what it "
            "does to this module"
        )
    change, case = config.change, CASES[config.case]
    case = replace(case, recipe=_recipe(change, case.recipe, config.steps))
    found = _images(change, case)

    def weights(seed: int) -> Weights:
        return _first_weights(change, network(case, found, seed).state_dict(), seed)

    samples = [
        Initialisation.of(seed, config.orders, weights)
        for seed in config.initialisations
    ]
    whole = dense(samples[0].weights)
    like = left_by_imp(whole, _rates(change, case, whole), config.rounds)
    masks = [random_masks(like, sample.ranking) for sample in samples]
    study = Study.rewound(samples, trainer(case, found), first=0, last=config.steps)
    (wholes,) = study.trained([whole] * len(samples), [0], "dense").values()
    runs = study.trained(masks, range(config.orders), "random")
    accuracy = accuracy_on_test(case, found)
    rows: list[Row] = []
    for index, (sample, mask) in enumerate(zip(samples, masks, strict=True)):
        own = {order: trained[index] for order, trained in runs.items()}
        head: Row = {"initialisation": sample.seed, "subnetwork": "random"}
        for order, one in own.items():
            rows.append(head | _row("accuracy", order, order, "share", accuracy(one)))
        counted = _counted(change, wholes[index], mask)
        rows += [head | row for row in _distances(wholes[index], own, counted)]
    return rows


def _distances(
    whole: Weights, runs: Mapping[int, Weights], mask: Masks
) -> Iterator[Row]:
    """Yield both stabilities of a subnetwork; its runs go by number of data order."""
    pairs = [("pruning", 0, 0, whole, runs[0])]
    pairs += [("data order", u, v, runs[u], runs[v]) for u, v in combinations(runs, 2)]
    for quantity, u, v, a, b in pairs:
        for unit, measure in (("L2", distance), ("degrees", angle)):
            yield _row(quantity, u, v, unit, measure(a, b, mask))


def _counted(change: str, weights: Weights, masks: Masks) -> Masks:
    """Return what the distance counts: the masked layers, or the biases as well."""
    if change != "biases in the distance":
        return masks
    return {
        name: torch.ones_like(p, dtype=torch.bool) for name, p in weights.items()
    } | masks


def left_by_imp(whole: Masks, rates: dict[str, float], rounds: int) -> Masks:
    """Return masks with the count that IMP leaves in each layer, the first weights.

    What a round keeps does not depend on the weights (`lottery_tickets.stay`).
    """
    left = {}
    for name, mask in whole.items():
        count = mask.numel()
        for _ in range(rounds):
            count = stay(count, rates[name])
        left[name] = (torch.arange(mask.numel()) < count).view(mask.shape)
    return left


def _rates(change: str, case: Case, whole: Masks) -> dict[str, float]:
    found = rates(case, whole)
    if not isinstance(found, dict) or change == "output layer at the full rate":
        return dict.fromkeys(whole, RATE)
    return found


def _recipe(change: str, recipe: Recipe, steps: int) -> Recipe:
    recipe = replace(recipe, epochs=steps)
    adam = AdamRecipe(
        steps, recipe.batch_size, recipe.learning_rate, optimizer=recipe.optimizer
    )
    match change:
        case "rate 1e-3":
            return replace(recipe, learning_rate=1e-3)
        case "Adam's epsilon 1e-7":
            return replace(adam, epsilon=1e-7)
        case "epsilon as in TensorFlow":
            return replace(adam, tensorflow=True)
    return recipe


def _images(change: str, case: Case) -> data.DataSet:
    """Return the images, all parts scaled by what the training images say."""
    found = images(case)
    if change == "images of validation too":
        parts = (found.train, found.validation)
        train = data.Split(
            torch.cat([part.images for part in parts]),
            torch.cat([part.labels for part in parts]),
            torch.cat([part.indices for part in parts]),
        )
        return replace(found, train=train)
    scaled = _scaling(change, found.train.images)
    train, validation, test = (
        replace(part, images=scaled(part.images))
        for part in (found.train, found.validation, found.test)
    )
    return replace(found, train=train, validation=validation, test=test)


def _scaling(change: str, train: Tensor) -> Callable[[Tensor], Tensor]:
    mean, deviation = train.mean(), train.std()
    match change:
        case "pixels of mean 0":
            return lambda x: x - mean
        case "pixels of mean 0 and variance 1":
            return lambda x: (x - mean) / deviation
        case "pixels from -1/2 to 1/2":
            return lambda x: x - 0.5
        case "images of length 1":
            return lambda x: x / x.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    return lambda x: x


def _first_weights(change: str, weights: Weights, seed: int) -> Weights:
    match change:
        case "truncated first weights":
            return _truncated(weights, seed)
        case "He's first weights":
            return _with_variance_of_he(weights)
    return weights


def _truncated(weights: Weights, seed: int) -> Weights:
    """Return normal weights of Glorot's variance that stop at two deviations.

    The factor 1.3 makes up for the variance that the tails had.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = {name: p.clone() for name, p in weights.items()}
    for p in drawn.values():
        if p.ndim == 2:
            s = math.sqrt(1.3 * 2 / sum(p.shape))
            nn.init.trunc_normal_(p, 0.0, s, -2 * s, 2 * s, generator=generator)
    return drawn


def _with_variance_of_he(weights: Weights) -> Weights:
    """Return Glorot's weights, of variance 2 / (in + out), with He's, 2 / in."""
    return {
        name: p * math.sqrt(sum(p.shape) / p.shape[1]) if p.ndim == 2 else p
        for name, p in weights.items()
    }


def _row(quantity: str, u: int, v: int, unit: str, value: float) -> Row:
    return {
        "quantity": quantity,
        "first": u,
        "second": v,
        "unit": unit,
        "value": value,
    }
