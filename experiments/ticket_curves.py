"""Accuracy against density: the tickets of IMP beside their controls (paper B).

For each initialisation W_0 with data order u, rewound to W_k = A(W_0, u) at step k,
and the mask m of each round of IMP:

    imp           : A(m * W_k, u), in round 0 the whole network
    reinitialised : A(m * V_0, u) from step 0 on, V_0 another initialisation
    random        : A(r * W_k, u), r a random mask with m's count in each layer
    snip          : A(s * W_k, u), s the largest SNIP scores of W_k, m's count in all

All have the same data order. A winning ticket is a subnetwork that is at least as
accurate as the whole network. Sources: paper B, section 2 and appendix A; SNIP: Lee et
al. 2019, arXiv 1810.02340, on one class-balanced batch, BatchNorm in its train mode.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from experiments import data
from experiments.evaluation import accuracy
from experiments.lottery_cases import Case, dense, images, network, rates
from experiments.lottery_training import trainer
from experiments.seeds import seeds
from experiments.stability import Row, tickets
from experiments.stacked_training import Run
from experiments.study import Initialisation, Study
from theory import scores
from theory.lottery_tickets import Ticket, Weights, random_masks
from theory.masks import Masks, collapsed, counts, keep_largest
from theory.networks import Network, cross_entropy

Control = Literal["reinitialised", "random", "snip"]

PER_CLASS = 10
"""Training images of each class that SNIP sees (ours; paper B: "one mini-batch")."""


def curves(
    case: Case,
    *,
    initialisations: Sequence[int],
    rewind: int,
    rounds: int,
    controls: Sequence[Control],
    every: int,
) -> list[Row]:
    """Return a row for each kind, round and initialisation.

    Columns: kind (imp or a control); round; initialisation (its seed); kept, the number
    of weights left of those that can be pruned, and density, their share; empty_layers;
    validation_accuracy and test_accuracy of the last weights, as shares of 1.

    Args:
        case: network, images and training.
        initialisations: seeds, as of `study.Initialisation`; LeNets are trained
            together.
        rewind: k.
        rounds: of IMP.
        controls: kinds to train beside IMP's.
        every: controls are trained in the rounds every, 2 every, ... only.
    """
    bench = _Bench(case, images(case))
    samples = [Initialisation.of(seed, 1, bench.weights) for seed in initialisations]
    train, last = trainer(case, bench.found), case.recipe.epochs
    study = Study.rewound(samples, train, first=rewind, last=last)
    whole = dense(samples[0].weights)
    found = tickets(study, whole, rates(case, whole), rounds)
    rows = [
        bench.row("imp", number, sample.seed, ticket.masks, ticket.weights)
        for number, tickets_ in enumerate(found)
        for sample, ticket in zip(samples, tickets_, strict=True)
    ]
    numbers = range(every, rounds + 1, every)
    for kind in controls:
        rows += _controlled(bench, kind, study, {n: found[n] for n in numbers})
    return rows


def _controlled(
    bench: "_Bench", kind: Control, study: Study, found: Mapping[int, list[Ticket]]
) -> list[Row]:
    """Return the rows of one control of IMP's tickets, which come by round."""
    controls = [
        bench.control(kind, sample, start)
        for sample, start in zip(study.samples, study.starts, strict=True)
    ]
    planned = [
        (number, sample, *control(ticket.masks))
        for number, tickets_ in found.items()
        for sample, control, ticket in zip(
            study.samples, controls, tickets_, strict=True
        )
    ]
    first = 0 if kind == "reinitialised" else study.first
    runs = [Run(start, masks, s.orders[0]) for _, s, start, masks in planned]
    trained = study.train(runs, first, study.last, kind)
    return [
        bench.row(kind, number, sample.seed, masks, weights)
        for (number, sample, _, masks), weights in zip(planned, trained, strict=True)
    ]


@dataclass(frozen=True)
class _Bench:
    """A case with its images: networks are made, scored and measured here."""

    case: Case
    found: data.DataSet

    def weights(self, seed: int) -> Weights:
        """Return the first weights that a seed draws."""
        return network(self.case, self.found, seed).state_dict()

    def control(
        self, kind: Control, sample: Initialisation, start: Weights
    ) -> Callable[[Masks], tuple[Weights, Masks]]:
        """Return the function from IMP's mask to weights and mask of its control."""
        # the first two children are the sample's own generators
        _, _, other, batch = seeds(seeds(sample.seed, 1)[0], 4)
        if kind == "reinitialised":
            weights = self.weights(other)
            return lambda masks: (weights, masks)
        if kind == "random":
            return lambda masks: (start, random_masks(masks, sample.ranking))
        scored = self.snip(start, batch)

        def most_salient(masks: Masks) -> tuple[Weights, Masks]:
            return start, keep_largest(scored, _density(masks))

        return most_salient

    def snip(self, weights: Weights, seed: int) -> dict[str, Tensor]:
        """Return the SNIP scores of the weights that can be pruned, on a batch."""
        images, labels = data.batch(
            self.found.train,
            PER_CLASS * self.found.classes,
            balanced=True,
            generator=torch.Generator().manual_seed(seed),
        )
        model = Network.of(self._model(weights), batch_statistics=True)
        scored = scores.snip(model, images, cross_entropy(labels))
        return {name: scored[name].cpu() for name in dense(weights)}

    def row(
        self, kind: str, number: int, seed: int, masks: Masks, weights: Weights
    ) -> Row:
        """Return the row of one trained subnetwork."""
        model = self._model(weights)
        return {
            "kind": kind,
            "round": number,
            "initialisation": seed,
            "kept": sum(counts(masks).values()),
            "density": _density(masks),
            "empty_layers": len(collapsed(masks)),
            "validation_accuracy": accuracy(model, self.found.validation),
            "test_accuracy": accuracy(model, self.found.test),
        }

    def _model(self, weights: Weights) -> nn.Module:
        model = network(self.case, self.found, 0)
        model.load_state_dict(dict(weights))
        return model.to(self.case.device)


def _density(masks: Masks) -> float:
    size = sum(mask.numel() for mask in masks.values())
    return sum(counts(masks).values()) / size
