"""From a case, a strength of l1 and a seed to a trained network and its problem.

What the experiments of paper C begin with. From one seed come four independent ones:
of the first weights and the training, of probes and random subspaces, of the order of
images when survivors are trained, and of the images of L where these are not all.
"""

from dataclasses import dataclass

import torch

from experiments import cells, data
from experiments.limit_cases import CASES, Case
from experiments.limit_networks import network
from experiments.limit_problem import Problem
from experiments.limit_training import Trained, train
from experiments.seeds import seeds


@dataclass(frozen=True)
class Study:
    """A trained network with its images."""

    case: Case
    train: data.Split
    """L is the loss of the first `case.images` of them; in random order unless of all,
    as some data sets are sorted by class."""
    test: data.Split
    trained: Trained
    probes: int
    """Seed of what is drawn to predict."""
    order: int
    """Seed of the survivors' training."""

    def problem(self, stage: str) -> Problem:
        """Return L around the weights of a stage."""
        return Problem.of(
            self.trained.at(stage),
            self.train,
            self.test,
            images=self.case.images,
            double=self.case.dense,
        )


def study(name: str, strength: float, seed: int, device: str = "cpu") -> Study:
    """Train the network of a case; long trainings use the sweep's checkpoint.

    Raises:
        ValueError: there is no such case.
    """
    if name not in CASES:
        raise ValueError(f"unknown case {name!r}: choose from {list(CASES)}")
    case = CASES[name]
    weights, probes, order, drawn = seeds(seed, 4)
    found = data.load(case.dataset)
    images = _moved(found.train, device)
    generator = torch.Generator().manual_seed(weights)
    shape = tuple(images.images.shape[1:])
    model = network(case.architecture, shape, found.classes, generator).to(device)
    trained = train(
        model,
        images,
        case.recipe,
        strength=strength,
        generator=generator,
        checkpoint=None if case.dense else cells.checkpoint("training"),
    )
    if case.images is not None:
        images = _shuffled(images, torch.Generator().manual_seed(drawn))
    return Study(case, images, _moved(found.test, device), trained, probes, order)


def _shuffled(split: data.Split, generator: torch.Generator) -> data.Split:
    order = torch.randperm(len(split.labels), generator=generator)
    return data.Split(split.images[order], split.labels[order], split.indices[order])


def _moved(split: data.Split, device: str) -> data.Split:
    images, labels = split.images.to(device), split.labels.to(device)
    return data.Split(images, labels, split.indices)
