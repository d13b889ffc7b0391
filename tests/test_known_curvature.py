"""Networks with a known Hessian: against autograd, and what each state is."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from tolerance import tolerance
from torch.func import functional_call, hessian
from torch.nn import functional

from experiments import known_curvature
from experiments.known_curvature import KnownCurvature, State, batch_deviation

CLOSE = 1e-10
HIDDEN = 5


@pytest.fixture(scope="module")
def small() -> Iterator[dict[State, KnownCurvature]]:
    """A network of 415 parameters in four states, trained for 5 epochs at most."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(known_curvature, "HIDDEN", HIDDEN)
        epochs = {s: min(e, 5) for s, e in known_curvature.EPOCHS.items()}
        patch.setattr(known_curvature, "EPOCHS", epochs)
        made = known_curvature.known_curvature.__wrapped__
        states: tuple[State, ...] = ("initial", "trained", "sharp", "dead")
        yield {state: made(state, 3) for state in states}


def exact(known: KnownCurvature) -> np.ndarray:
    """The Hessian by torch.func in one piece, images in parts."""
    images, labels = known.batch
    parameters = dict(known.model.named_parameters())
    shapes = {name: p.shape for name, p in parameters.items()}
    flat = torch.cat([p.detach().flatten() for p in parameters.values()])

    def loss(theta: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        parts = torch.split(theta, [s.numel() for s in shapes.values()])
        named = {n: q.view(shapes[n]) for n, q in zip(shapes, parts, strict=True)}
        out = functional_call(known.model, named, (x,))
        return functional.cross_entropy(out, y, reduction="sum")

    total = torch.zeros(len(flat), len(flat), dtype=torch.float64)
    for x, y in zip(torch.split(images, 100), torch.split(labels, 100), strict=True):
        total += hessian(loss)(flat, x, y).detach()
    return np.asarray(total / len(labels))


def test_matrix_and_eigenvalues_by_automatic_differentiation(
    small: dict[State, KnownCurvature],
) -> None:
    for state in ("initial", "sharp", "dead"):
        known = small[state]
        expected = exact(known)
        scale = np.abs(expected).max()
        assert np.abs(known.matrix.numpy() - expected).max() <= CLOSE * scale
        values = np.linalg.eigvalsh((expected + expected.T) / 2)
        assert np.abs(np.sort(known.spectrum) - values).max() <= CLOSE * scale
        assert (expected[known.dead] == 0).all()
        live = known.matrix[~known.dead][:, ~known.dead]
        turned = known.vectors * torch.from_numpy(known.eigenvalues)
        assert float((live @ known.vectors - turned).abs().max()) <= CLOSE * scale


def test_sharp_is_the_same_function_and_more_curved(
    small: dict[State, KnownCurvature],
) -> None:
    trained, sharp = small["trained"], small["sharp"]
    x = trained.batch[0]
    gap = (trained.model(x) - sharp.model(x)).detach()
    assert float(gap.abs().max()) <= CLOSE * 100
    assert sharp.spectrum.max() > 2 * trained.spectrum.max()
    assert sharp.epsilon == pytest.approx(trained.epsilon, rel=1e-6)
    assert sharp.accuracy == trained.accuracy


def test_silent_units_are_dead(small: dict[State, KnownCurvature]) -> None:
    """Two of five: their 64 weights and bias, and the weights that read them."""
    known = small["dead"]
    assert known.dead.sum() >= 2 * (64 + 1 + HIDDEN)
    assert len(known.eigenvalues) + known.dead.sum() == len(known.spectrum)
    assert small["initial"].spectrum.min() < 0
    assert len(known.spectrum) == 65 * HIDDEN + (HIDDEN + 1) * (HIDDEN + 10)


def test_weights_prunable_and_losses(small: dict[State, KnownCurvature]) -> None:
    known = small["trained"]
    parameters = list(known.model.parameters())
    flat = torch.cat([p.detach().flatten() for p in parameters]).numpy()
    assert known.weights.tolist() == flat.tolist()
    assert known.prunable.sum() == 64 * HIDDEN + HIDDEN**2 + 10 * HIDDEN
    assert known.prunable[: 64 * HIDDEN].all() and not known.prunable[64 * HIDDEN]
    images, labels = known.batch
    losses = [
        float(functional.cross_entropy(known.model(x).detach(), y))
        for x, y in zip(torch.split(images, 128), torch.split(labels, 128), strict=True)
    ]
    assert known.epsilon == pytest.approx(np.std(losses[:-1]), rel=CLOSE)
    assert known.accuracy == (known.model(images).argmax(1) == labels).double().mean()


def test_the_products(small: dict[State, KnownCurvature]) -> None:
    known = small["trained"]
    v = torch.ones(len(known.weights), 2, dtype=torch.float64)
    assert torch.equal(known.product(v), known.matrix @ v)
    product = known_curvature.diagonal(np.array([2.0, 3.0]))
    two = torch.tensor([[1.0, 4.0], [1.0, 5.0]], dtype=torch.float64)
    assert product(two).tolist() == [[2.0, 8.0], [3.0, 15.0]]
    assert product(two[:, 1]).tolist() == [8.0, 15.0]


def test_a_deviation_needs_two_whole_batches() -> None:
    outputs = torch.zeros(300, 2, dtype=torch.float64)
    outputs[128:256, 0] = 1.0
    labels = torch.zeros(300, dtype=torch.long)
    gap = np.log(2) - np.log1p(np.exp(-1))
    found = batch_deviation(outputs, labels)
    assert found == pytest.approx(gap / 2, rel=tolerance(1000))
    message = r"^expected at least 256 images for two batches, got 255$"
    with pytest.raises(ValueError, match=message):
        batch_deviation(outputs[:255], labels[:255])
