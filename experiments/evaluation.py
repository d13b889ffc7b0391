"""How often a network is right, and which epoch's number a run reports."""

import torch
from torch import nn

from experiments.data import Split

Row = dict[str, int | float]

CHUNK = 512
"""Images at once: bounds the memory (ours)."""


@torch.no_grad()
def accuracy(model: nn.Module, split: Split) -> float:
    """Return the share of images whose largest logit is that of their label.

    In eval mode: BatchNorm with its running statistics, no dropout. The mode of every
    module is given back.

    Raises:
        ValueError: if there are no images, or not as many labels.
    """
    check(split, "evaluated")
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    batches = zip(
        torch.split(split.images, CHUNK), torch.split(split.labels, CHUNK), strict=True
    )
    hits = sum((model(images).argmax(1) == labels).sum() for images, labels in batches)
    for module, mode in modes:
        module.training = mode
    return int(hits) / len(split.labels)


def accuracies(rows: list[Row]) -> dict[str, float]:
    """Return the test accuracy of a run under three choices of the epoch.

    final_accuracy: of the last epoch. validated_accuracy: of the epoch with the best
    validation accuracy, the first of equals. best_test_accuracy: of the epoch with the
    best test accuracy, as paper A's figures 1 and 6 draw it: too high, for the test
    images chose it.

    Args:
        rows: as `train` returns them, with "validation" and "test" evaluated.

    Raises:
        ValueError: without any epoch, or without these two columns.
    """
    if not rows or not {"validation_accuracy", "test_accuracy"} <= rows[0].keys():
        raise ValueError(
            "expected rows of at least one epoch with validation_accuracy and "
            f"test_accuracy, got {len(rows)} with {sorted(rows[0]) if rows else []}; "
            'call train with evaluate={"validation": ..., "test": ...}'
        )
    validated = max(rows, key=lambda row: row["validation_accuracy"])
    return {
        "final_accuracy": rows[-1]["test_accuracy"],
        "validated_accuracy": validated["test_accuracy"],
        "best_test_accuracy": max(row["test_accuracy"] for row in rows),
    }


def check(split: Split, name: str) -> None:
    """Raise ValueError if a split has no images, or not as many labels."""
    if len(split.images) != len(split.labels) or not len(split.images):
        raise ValueError(
            f"expected as many labels as images, at least one; the {name} split has "
            f"{len(split.labels)} labels and {len(split.images)} images"
        )
