"""Prune a network at initialisation to an exact count, train what is left, measure it.

The same initial weights are scored, masked and trained. All methods of one seed share
weights, scoring images and the order of training; so do all compressions of a method.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from experiments.data import DataSet
from experiments.evaluation import accuracies, accuracy
from experiments.recipes import PAPER_A_FIGURE_1, PAPER_A_FIGURE_5A, Recipe
from experiments.subjects import Subject
from experiments.training import train
from theory import scores
from theory.critical_count import critical_count, ranks
from theory.masks import Masks, collapsed, counts, keep_largest, masked
from theory.networks import Network, cross_entropy
from theory.pruning_steps import masks_after, schedule
from theory.synflow import absolute, connected, ones
from theory.synflow_pruning import prune_synflow

Method = Literal["random", "magnitude", "snip", "grasp", "grasp-reversed", "synflow"]
Row = dict[str, str | int | float]

ITERATIONS = 100
"""Of SynFlow, with the exponential schedule (paper A, section 7); the others have 1."""

TEMPERATURE = 200.0
"""That GraSP divides the logits by (Wang et al., arXiv 2002.07376)."""

RECIPES = {
    "digits": Recipe(5, 64, 0.1, weight_decay=5e-4, cosine=True),
    "digits-resnet": Recipe(5, 64, 0.2, weight_decay=5e-4, cosine=True),
    "digits-vgg5": Recipe(5, 64, 0.05, weight_decay=5e-4, cosine=True),
    "vgg-cifar": PAPER_A_FIGURE_1,
    "resnet-cifar": replace(
        PAPER_A_FIGURE_1, learning_rate=0.01, weight_decay=5e-4, drop=0.2
    ),
    "tiny-imagenet": replace(
        PAPER_A_FIGURE_1, epochs=100, learning_rate=0.01, drops=(30, 60, 80)
    ),
    "imp-cifar": PAPER_A_FIGURE_5A,
}
"""Those for digits are ours: 100 steps, at the rate of 0.05, 0.1 and 0.2 that is best
for the whole network on the validation images (mean of five other initialisations). The
others are paper A's: tables in the README of its code's first release, whose runs were
stored with the same numbers for figures 1 and 5a."""


def pruner(subject: Subject, method: Method) -> Callable[[float], Masks]:
    """Return the function from density to masks, by global ranking and exact count.

    SynFlow prunes again from the start for each density; the others rank once, so that
    their masks are nested.
    """
    if method == "synflow":
        network = Network.of(subject.model)
        shape = tuple(subject.images.shape[1:])
        return lambda density: masks_after(
            network, prune_synflow(network, shape, schedule(density, ITERATIONS))
        )
    ranked = ranking(subject, method)
    return lambda density: keep_largest(ranked, density)


def ranking(subject: Subject, method: Method) -> dict[str, Tensor]:
    """Return the scores of the prunable weights, for a method that ranks once.

    `grasp-reversed` keeps what GraSP removes first: very probably the criterion behind
    the published GraSP curves.
    """
    network = Network.of(subject.model)
    images, labels = subject.images, subject.labels
    match method:
        case "random":
            generator = torch.Generator().manual_seed(subject.ranking)
            score = scores.random(network, generator=generator)
        case "magnitude":
            score = scores.magnitude(network)
        case "snip":
            score = scores.snip(network, images, cross_entropy(labels))
        case _:
            loss = cross_entropy(labels, temperature=TEMPERATURE)
            score = scores.grasp(network, images, loss)
    sign = -1 if method == "grasp-reversed" else 1
    return {name: sign * score[name] for name in network.prunable}


def curve(
    subject: Subject, method: Method, recipe: Recipe, compressions: Iterable[float]
) -> list[Row]:
    """Return one row for each log10 of the compression: what is left, and how it does.

    Without a path from input to output there is nothing to train: see `constant`.
    """
    masks_at = pruner(subject, method)
    rows = []
    for compression in compressions:
        masks = masks_at(10**-compression)
        left = remains(subject, masks)
        if left["path"]:
            order = torch.Generator().manual_seed(subject.order)
            _, measured = fit(
                subject.model, subject.dataset, recipe, masks, generator=order
            )
        else:
            measured = constant(subject.dataset)
        rows.append({"compression_log10": compression, **left, **measured})
    return rows


def critical(subject: Subject, method: Method) -> int:
    """Return the number of weights kept at the critical compression.

    With it no layer is empty, with one weight less a layer is. From ranks for methods
    that rank once; by bisection for SynFlow, whose masks are not nested.
    """
    if method != "synflow":
        return max(ranks(ranking(subject, method)).values())
    masks_at = pruner(subject, method)
    size = sum(mask.numel() for mask in masks_at(1.0).values())
    return critical_count(lambda count: masks_at(count / size), size)


def fit(
    model: nn.Module,
    dataset: DataSet,
    recipe: Recipe,
    masks: Masks,
    *,
    generator: torch.Generator,
) -> tuple[nn.Module, dict[str, float]]:
    """Return the masked model trained, and its test accuracies, as shares of 1.

    Those of `evaluation.accuracies`, and `initial_accuracy` before training; the best
    on test images may be that, as in the published tables.
    """
    splits = {"validation": dataset.validation, "test": dataset.test}
    untrained, _ = train(
        model,
        dataset.train,
        replace(recipe, epochs=0),
        masks=masks,
        generator=torch.Generator(),
    )
    initial = accuracy(untrained, dataset.test)
    trained, rows = train(
        model, dataset.train, recipe, masks=masks, evaluate=splits, generator=generator
    )
    measured = {"initial_accuracy": initial, **accuracies(rows)}
    measured["best_test_accuracy"] = max(initial, measured["best_test_accuracy"])
    return trained, measured


def constant(dataset: DataSet) -> dict[str, float]:
    """Return the same accuracies for a network without a path, which is not trained.

    Its logits do not depend on the image: training can but teach its biases to name the
    most frequent class of the training images (the first of equals).
    """
    guess = dataset.train.labels.bincount().argmax()
    share = float((dataset.test.labels == guess).double().mean())
    names = ("initial", "final", "validated", "best_test")
    return {f"{name}_accuracy": share for name in names}


def remains(subject: Subject, masks: Masks) -> Row:
    """Return what is left: counts, empty layers, and whether a path leads through.

    `path` is 1 if a chain of kept weights leads from the input to the output. Without
    one the logits do not depend on the image, though each layer may have weights.
    """
    empty = collapsed(masks)
    positive = absolute(Network.of(subject.model))
    weights = masked(positive.parameters, masks)
    x = ones(positive, tuple(subject.images.shape[1:]))
    return {
        "remaining_weights": sum(counts(masks).values()),
        "prunable_weights": sum(mask.numel() for mask in masks.values()),
        "layers": len(masks),
        "empty_layers": len(empty),
        "first_empty_layer": empty[0] if empty else "",
        "path": int(connected(positive, weights, x)),
    }
