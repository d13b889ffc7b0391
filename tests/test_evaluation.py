"""Accuracy is a count of right answers; three choices of the epoch that reports it."""

import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from experiments.data import Split
from experiments.evaluation import CHUNK, accuracies, accuracy


def split(images: Tensor, labels: Tensor) -> Split:
    return Split(images, labels, torch.arange(len(labels)))


def test_counts_right_answers_in_all_chunks() -> None:
    """The identity answers with the largest of the inputs."""
    size = 2 * CHUNK + 3
    answers = torch.arange(size) % 5
    labels = answers.clone()
    labels[[0, CHUNK, 2 * CHUNK + 2]] += 1  # one wrong in each chunk
    images = nn.functional.one_hot(answers, 6).float()
    assert accuracy(nn.Identity(), split(images, labels)) == (size - 3) / size


def test_sees_running_statistics_and_gives_every_mode_back() -> None:
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.9), nn.BatchNorm1d(2)).train()
    model[2].eval()
    before = [tensor.clone() for tensor in model.state_dict().values()]
    images = torch.tensor([[2.0, 1.0], [3.0, 1.0], [1.0, 4.0]])
    assert accuracy(model, split(images, torch.tensor([0, 0, 1]))) == 1.0
    assert [part.training for part in model.modules()] == [True, True, True, False]
    after = model.state_dict().values()
    assert all(torch.equal(*pair) for pair in zip(before, after, strict=True))


@pytest.mark.parametrize("labels", [0, 2])
def test_no_images_or_other_labels_are_refused(labels: int) -> None:
    part = split(torch.zeros(0, 2), torch.zeros(labels, dtype=torch.long))
    message = f"the evaluated split has {labels} labels and 0 images"
    with pytest.raises(ValueError, match=message):
        accuracy(nn.Identity(), part)


def rows(*pairs: tuple[float, float]) -> list[dict[str, int | float]]:
    return [
        {"epoch": epoch, "validation_accuracy": validation, "test_accuracy": test}
        for epoch, (validation, test) in enumerate(pairs, 1)
    ]


def test_three_choices_of_the_epoch() -> None:
    found = accuracies(rows((0.1, 0.9), (0.8, 0.6), (0.8, 0.7), (0.3, 0.5)))
    assert found == {
        "final_accuracy": 0.5,
        "validated_accuracy": 0.6,  # the first of equals
        "best_test_accuracy": 0.9,
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "got 0 with []"),
        ([{"epoch": 1, "test_accuracy": 1.0}], "got 1 with ['epoch', 'test_accuracy']"),
        ([{"validation_accuracy": 1.0}], "got 1 with ['validation_accuracy']"),
    ],
)
def test_rows_that_do_not_tell_are_refused(given: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        accuracies(given)
