"""Training is reproducible, has no side effects and keeps pruned weights at zero."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from experiments.training import train


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def two_layers(dropout: float = 0.0) -> nn.Sequential:
    with torch.random.fork_rng([]):
        torch.manual_seed(1)
        return nn.Sequential(
            nn.Linear(6, 16),
            nn.BatchNorm1d(16),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(16, 3),
        )


def blobs(n: int = 96) -> tuple[Tensor, Tensor]:
    """Three well separated classes in six dimensions."""
    labels = torch.arange(n) % 3
    noise = torch.randn(n, 6, generator=seeded(5))
    return noise + 4 * nn.functional.one_hot(labels, 6), labels


def run(model: nn.Module | None = None, **changes: Any) -> Any:
    images, labels = blobs()
    settings: dict[str, Any] = {
        "images": images,
        "labels": labels,
        "epochs": 3,
        "batch_size": 20,
        "learning_rate": 0.05,
        "momentum": 0.9,
        "weight_decay": 0.01,
        "generator": seeded(),
    }
    return train(model or two_layers(), **{**settings, **changes})


def state_bytes(model: nn.Module) -> bytes:
    return b"".join(t.numpy().tobytes() for t in model.state_dict().values())


def test_learns_separated_classes() -> None:
    model, rows = run(epochs=10)
    images, labels = blobs()
    assert not model.training
    assert [row["epoch"] for row in rows] == list(range(1, 11))
    assert rows[-1]["loss"] < rows[0]["loss"]
    # chance is 1/3; classes 4 sqrt(2) standard deviations apart overlap in < 1 %
    assert rows[-1]["accuracy"] > 0.9
    assert (model(images).argmax(1) == labels).double().mean() > 0.9


def test_one_seed_one_result_another_seed_another() -> None:
    first, rows = run(two_layers(0.5))
    torch.rand(3)  # the global random state must not matter
    second, again = run(two_layers(0.5))
    other, _ = run(two_layers(0.5), generator=seeded(1))
    assert state_bytes(first) == state_bytes(second)
    assert rows == again
    assert state_bytes(first) != state_bytes(other)


def test_the_order_of_the_images_depends_on_the_generator_alone() -> None:
    seen: list[list[Tensor]] = []
    for dropout in (0.0, 0.5):
        model, batches = two_layers(dropout), list[Tensor]()
        model[0].register_forward_pre_hook(lambda _, x, b=batches: b.append(x[0]))
        run(model)
        seen.append(batches)
    assert all(torch.equal(*pair) for pair in zip(*seen, strict=True))
    first, second = torch.cat(seen[0][:5]), torch.cat(seen[0][5:10])
    assert not torch.equal(first, second)  # a new order in each epoch
    assert torch.equal(first.sort(0).values, second.sort(0).values)


def test_model_images_masks_and_random_state_stay_as_they_were() -> None:
    model, (images, labels) = two_layers(0.5).eval(), blobs()
    masks = {"0.weight": torch.rand(16, 6, generator=seeded()) < 0.5}
    kept = [
        state_bytes(model),
        images.clone(),
        labels.clone(),
        masks["0.weight"].clone(),
    ]
    random_state = torch.get_rng_state()
    run(model, images=images, labels=labels, masks=masks)
    assert torch.equal(torch.get_rng_state(), random_state)
    assert state_bytes(model) == kept[0]
    assert not any(module.training for module in model.modules())
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(images, kept[1]) and torch.equal(labels, kept[2])
    assert torch.equal(masks["0.weight"], kept[3])


@pytest.mark.parametrize("dtype", [torch.bool, torch.float32])
def test_pruned_weights_are_exactly_zero_after_100_steps(dtype: torch.dtype) -> None:
    shapes = {"0.weight": (16, 6), "4.weight": (3, 16)}
    masks = {
        name: (torch.rand(shape, generator=seeded()) < 0.5).to(dtype)
        for name, shape in shapes.items()
    }
    model, _ = run(epochs=20, masks=masks)  # 20 epochs of 5 steps
    trained = dict(model.named_parameters())
    for name, mask in masks.items():
        assert torch.count_nonzero(trained[name][mask == 0]) == 0
        assert torch.count_nonzero(trained[name][mask == 1]) == mask.count_nonzero()


def test_forward_passes_see_the_masked_network() -> None:
    seen: list[Tensor] = []
    model = two_layers()
    model[4].register_forward_pre_hook(
        lambda layer, inputs: seen.append(layer.weight.detach().clone())
    )
    mask = torch.rand(3, 16, generator=seeded()) < 0.5
    run(model, masks={"4.weight": mask})
    assert len(seen) == 15  # 3 epochs of ceil(96 / 20) steps
    assert all(not weight[~mask].any() for weight in seen)


def linear() -> nn.Linear:
    layer = nn.Linear(6, 3).double()
    with torch.no_grad():
        layer.weight.normal_(generator=seeded(2))
        layer.bias.normal_(generator=seeded(3))
    return layer


def test_masked_training_is_the_training_of_the_smaller_network() -> None:
    """Inputs masked off and inputs left out give the same network."""
    large, cut = linear(), nn.Linear(4, 3).double()
    with torch.no_grad():
        cut.weight.copy_(large.weight[:, :4])
        cut.bias.copy_(large.bias)
    images = blobs()[0].double()
    mask = torch.ones(3, 6)
    mask[:, 4:] = 0
    masked, _ = run(large, images=images, masks={"weight": mask})
    smaller, _ = run(cut, images=images[:, :4])
    # the same sums in another order: 15 steps of a few roundings each
    tolerance = 1000 * torch.finfo(torch.float64).eps
    assert (masked.weight[:, :4] - smaller.weight).abs().max() < tolerance
    assert (masked.bias - smaller.bias).abs().max() < tolerance


def test_one_step_is_gradient_descent_with_momentum_and_decay() -> None:
    model, (images, labels) = linear(), blobs(8)
    images, before = images.double(), model.weight.detach().clone()
    loss = nn.functional.cross_entropy(model(images), labels)
    (gradient,) = torch.autograd.grad(loss, [model.weight])
    trained, rows = run(
        model, images=images, labels=labels, epochs=1, batch_size=8, weight_decay=0.25
    )
    expected = before - 0.05 * (gradient + 0.25 * before)
    tolerance = 100 * torch.finfo(torch.float64).eps
    assert (trained.weight - expected).abs().max() < tolerance
    assert abs(rows[0]["loss"] - loss.item()) < tolerance


def test_rates_of_both_schedules() -> None:
    _, constant = run()
    assert [row["learning_rate"] for row in constant] == [0.05] * 3
    _, cosine = run(cosine=True)  # last steps of the epochs: 4, 9 and 14 of 15
    expected = [0.05 * (1 + math.cos(math.pi * step / 15)) / 2 for step in (4, 9, 14)]
    assert [row["learning_rate"] for row in cosine] == expected
    assert cosine[0]["loss"] != constant[0]["loss"]


def test_no_epoch_only_prunes() -> None:
    mask = torch.zeros(3, 16)
    model, rows = run(epochs=0, masks={"4.weight": mask})
    expected = two_layers().state_dict() | {"4.weight": mask}
    assert rows == []
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


def test_frozen_parameters_stay_put() -> None:
    model = two_layers()
    model[0].requires_grad_(False)
    trained, _ = run(model)
    assert torch.equal(trained[0].weight, model[0].weight)
    assert not torch.equal(trained[4].weight, model[4].weight)


def test_a_loss_that_is_not_finite_is_named() -> None:
    images, _ = blobs()
    images[:] = math.nan
    with pytest.raises(FloatingPointError, match=r"loss is nan in epoch 1, step 0"):
        run(images=images)
    with pytest.raises(FloatingPointError, match=r"epoch \d+, step [1-9]"):
        run(learning_rate=1e30, epochs=20)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": torch.zeros(5, dtype=torch.long)}, "as many labels as images"),
        ({"images": torch.zeros(0, 6), "labels": torch.zeros(0)}, "at least one"),
        ({"epochs": -1}, "epochs >= 0"),
        ({"batch_size": 0}, "batch_size >= 1"),
        ({"learning_rate": -1.0}, "learning rate"),
        ({"masks": {"5.weight": torch.ones(3, 16)}}, "mask '5.weight' .* no parameter"),
        ({"masks": {"4.weight": torch.ones(16, 3)}}, r"shape \(16, 3\) fits no"),
    ],
)
def test_bad_arguments_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(**changes)
