"""L, epsilon and w^k of a trained network against plain computations."""

import numpy as np
import pytest
import torch
from purity import unchanged
from tiny_problem import images, mlp, problem
from tolerance import tolerance
from torch.nn.functional import cross_entropy

from experiments.data import Split
from experiments.limit_problem import BATCH, Problem


def test_numbers_of_the_network() -> None:
    own = problem()
    split = images(150, (6,), classes=3, seed=0)
    model = own.network.module.double()
    model.load_state_dict(own.network.parameters)
    with torch.no_grad():
        outputs = model(split.images.double())
        losses = [
            float(cross_entropy(outputs[rows], split.labels[rows]))
            for rows in (slice(0, BATCH), slice(BATCH, 150))
        ]
        whole = float(cross_entropy(outputs, split.labels))
    assert own.loss == pytest.approx(whole, abs=tolerance(1000))
    # population deviation of two numbers
    assert own.epsilon == pytest.approx(
        abs(losses[0] - losses[1]) / 2, abs=tolerance(1000)
    )
    test = images(150, (6,), classes=3, seed=1)
    hits = model(test.images.double()).argmax(1) == test.labels
    assert own.test_accuracy == float(hits.double().mean())
    assert own.test_accuracy > 0.8


def test_weights_and_prunable_are_in_the_order_of_the_hessian() -> None:
    own = problem()
    parts = [p.flatten() for p in own.network.parameters.values()]
    assert np.array_equal(own.weights, torch.cat(parts).numpy())
    kinds = [
        torch.full_like(p, p.dim() == 2).flatten()
        for p in map(torch.as_tensor, own.network.parameters.values())
    ]
    assert np.array_equal(own.prunable, torch.cat(kinds).numpy() > 0)
    assert own.hessian().size == len(own.weights) == 53
    assert own.prunable.sum() == len(own.order) == 45


@pytest.mark.parametrize("removed", [0, 1, 20, 45])
def test_pruned_weights_are_the_smallest(removed: int) -> None:
    own = problem()
    vector = own.coordinates.pack(own.pruned(removed)).numpy()
    gone = own.weights != vector
    assert gone.sum() == removed and not vector[gone].any()
    assert not (gone & ~own.prunable).any()
    left = np.abs(own.weights[own.prunable & ~gone])
    if 0 < removed < 45:
        assert np.abs(own.weights[gone]).max() <= left.min()
    masks = own.coordinates.pack(own.masks(removed)).numpy()
    assert np.array_equal(masks, (~gone).astype(float))


def test_fewer_images_single_precision_and_the_model_left_alone() -> None:
    model = mlp(6, 5, 3)
    split = images(150, (6,), classes=3, seed=0)
    with unchanged(model):
        own = Problem.of(model, split, split, images=40, double=False)
        assert own.loss > 0 and len(own.labels) == 40
    assert own.images.dtype == torch.float32
    whole = Problem.of(model, split, split)
    assert abs(own.loss - whole.loss) > 1e-3
    assert own.epsilon == pytest.approx(whole.epsilon, rel=1e-4)  # of all images
    few = Split(split.images[:40], split.labels[:40], split.indices[:40])
    with pytest.raises(ValueError, match=r"more than 128 images.*got 40"):
        _ = Problem.of(model, few, split).epsilon


def test_gauss_newton_is_asked_for() -> None:
    own, vector = problem(), torch.ones(53, dtype=torch.float64)
    first = own.hessian().product(vector)
    second = own.hessian(gauss_newton=True).product(vector)
    assert not torch.allclose(first, second)
