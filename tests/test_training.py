"""Training is reproducible, has no side effects and keeps pruned weights at zero."""

import math
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from experiments.data import Split
from experiments.evaluation import accuracy
from experiments.recipes import Optimizer, Recipe
from experiments.training import train

EPS = torch.finfo(torch.float64).eps


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


def split(images: Tensor, labels: Tensor) -> Split:
    return Split(images, labels, torch.arange(len(labels)))


RECIPE = Recipe(epochs=3, batch_size=20, learning_rate=0.05, weight_decay=0.01)
FIELDS = {field.name for field in fields(Recipe)}


def run(model: nn.Module | None = None, **changes: Any) -> Any:
    """Train on blobs; each change is one of the recipe, the data or the arguments."""
    images, labels = blobs()
    images = changes.pop("images", images)
    labels = changes.pop("labels", labels)
    recipe = replace(RECIPE, **{k: changes.pop(k) for k in FIELDS & changes.keys()})
    changes.setdefault("generator", seeded())
    return train(model or two_layers(), split(images, labels), recipe, **changes)


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


def test_the_mode_of_the_given_model_does_not_matter() -> None:
    first, rows = run(two_layers(0.5).eval())
    second, again = run(two_layers(0.5).train())
    assert state_bytes(first) == state_bytes(second)
    assert rows == again


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


@pytest.mark.parametrize("optimizer", ["sgd", "nesterov", "adam"])
@pytest.mark.parametrize("dtype", [torch.bool, torch.float32])
def test_pruned_weights_and_their_momenta_are_exactly_zero_after_100_steps(
    dtype: torch.dtype, optimizer: Optimizer, tmp_path: Path
) -> None:
    shapes = {"0.weight": (16, 6), "4.weight": (3, 16)}
    masks = {
        name: (torch.rand(shape, generator=seeded()) < 0.5).to(dtype)
        for name, shape in shapes.items()
    }
    file = tmp_path / "run"
    model, _ = run(  # 20 epochs of 5 steps
        epochs=20, masks=masks, optimizer=optimizer, checkpoint=file
    )
    trained = dict(model.named_parameters())
    moments = torch.load(file)["state"]["optimizer"]["state"]
    buffers = {"adam": ["exp_avg", "exp_avg_sq"]}.get(optimizer, ["momentum_buffer"])
    for name, mask in masks.items():
        tensors = [moments[list(trained).index(name)][buffer] for buffer in buffers]
        for tensor in [trained[name], *tensors]:
            assert torch.count_nonzero(tensor[mask == 0]) == 0
            assert torch.count_nonzero(tensor[mask == 1]) == mask.count_nonzero()


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


def after_the_seed(generator: torch.Generator) -> torch.Generator:
    """Skip the draw that seeds dropout."""
    torch.randint(2**62, (), generator=generator)
    return generator


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
    tolerance = 1000 * EPS
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
    tolerance = 100 * EPS
    assert (trained.weight - expected).abs().max() < tolerance
    assert abs(rows[0]["loss"] - loss.item()) < tolerance


def test_adam_takes_a_first_step_of_the_learning_rate() -> None:
    """With m / (1 - β₁) = g, v / (1 - β₂) = g² step 1 is -η g / (|g| + ε)."""
    model, (images, labels) = linear(), blobs(8)
    images, before = images.double(), model.weight.detach().clone()
    loss = nn.functional.cross_entropy(model(images), labels)
    (gradient,) = torch.autograd.grad(loss, [model.weight])
    gradient = gradient + 0.25 * before
    changes = {"epochs": 1, "batch_size": 8, "weight_decay": 0.25, "optimizer": "adam"}
    trained, _ = run(model, images=images, labels=labels, **changes)
    expected = before - 0.05 * gradient / (gradient.abs() + 1e-8)
    assert (trained.weight - expected).abs().max() < 100 * EPS


def test_each_step_has_the_rate_of_its_recipe() -> None:
    _, constant = run()
    assert [row["learning_rate"] for row in constant] == [0.05] * 3
    _, cosine = run(cosine=True)  # last steps of the epochs: 4, 9 and 14 of 15
    expected = [0.05 * (1 + math.cos(math.pi * step / 15)) / 2 for step in (4, 9, 14)]
    assert [row["learning_rate"] for row in cosine] == expected
    assert cosine[0]["loss"] != constant[0]["loss"]
    _, dropped = run(drops=(1,), warmup=10)
    assert [row["learning_rate"] for row in dropped] == [
        0.05 * 0.5,  # step 5 of 10 of warm-up
        0.05 * 0.1,
        0.05 * 0.1,
    ]


def test_a_rate_of_zero_in_one_epoch_moves_nothing() -> None:
    """The optimiser uses the rate of the recipe, not only the row."""
    model = two_layers()
    trained, _ = run(model, learning_rate=0.0)
    assert torch.equal(trained[4].weight, model[4].weight)
    warmed, _ = run(model, epochs=1, batch_size=96, warmup=1000)
    plain, _ = run(model, epochs=1, batch_size=96)
    moved = [(m[4].weight - model[4].weight).norm() for m in (warmed, plain)]
    assert 0.0009 < moved[0] / moved[1] < 0.0011


def test_every_epoch_evaluates_every_split_in_eval_mode() -> None:
    images, labels = blobs()
    splits = {
        "validation": split(images[:30], labels[:30]),
        "test": split(
            images[30:] + 3 * torch.randn(66, 6, generator=seeded()), labels[30:]
        ),
    }
    plain, rows = run(two_layers(0.5))
    model, evaluated = run(two_layers(0.5), evaluate=splits)
    assert state_bytes(model) == state_bytes(plain)  # looking changes nothing
    names = ["epoch", "learning_rate", "loss", "accuracy"]
    assert [list(row) for row in rows] == [names] * 3
    names += ["validation_accuracy", "test_accuracy"]
    assert [list(row) for row in evaluated] == [names] * 3
    for name, part in splits.items():
        assert evaluated[-1][f"{name}_accuracy"] == accuracy(model, part)
        for epochs in (1, 2):  # constant rate: the first epochs of the longer run
            shorter, _ = run(two_layers(0.5), epochs=epochs)
            expected = accuracy(shorter, part)
            assert evaluated[epochs - 1][f"{name}_accuracy"] == expected


def test_augmented_images_are_drawn_from_the_generator() -> None:
    images = torch.randn(24, 2, 4, 4, generator=seeded())
    labels = torch.arange(24) % 3
    seen: list[Tensor] = []

    def trained(seed: int, **changes: Any) -> bytes:
        network = nn.Sequential(nn.Flatten(), nn.Linear(32, 3))
        with torch.no_grad():
            network[1].weight.normal_(generator=seeded())
            network[1].bias.zero_()
        network[0].register_forward_pre_hook(lambda _, x: seen.append(x[0]))
        data = {"images": images, "labels": labels, "generator": seeded(seed)}
        return state_bytes(run(network, **data, **changes)[0])

    plain, again = trained(0), trained(0)
    assert plain == again
    assert all(any(torch.equal(x, y) for y in images) for x in seen[0])
    for change in ({"crop": 1}, {"flip": True}):
        seen.clear()
        assert trained(0, **change) == trained(0, **change) != plain
        assert trained(1, **change) != trained(0, **change)
        assert not all(any(torch.equal(x, y) for y in images) for x in seen[0])


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
    images, labels = blobs()
    images[80] = math.nan  # one of 20 images, met in some step of the first epoch
    with pytest.raises(FloatingPointError) as caught:
        run(linear(), images=images.double(), labels=labels)
    order = torch.randperm(96, generator=after_the_seed(seeded()))
    step = int((order == 80).nonzero()) // 20
    assert f"epoch 1, step {step} (from 0)" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": torch.zeros(5, dtype=torch.long)}, "as many labels as images"),
        ({"images": torch.zeros(0, 6), "labels": torch.zeros(0)}, "at least one"),
        ({"learning_rate": -1.0}, "learning rate"),
        (
            {"evaluate": {"test": split(torch.zeros(0, 6), torch.zeros(0))}},
            "test split",
        ),
        ({"crop": 1}, "N x C x height x width"),
        ({"masks": {"5.weight": torch.ones(3, 16)}}, "mask '5.weight' .* no parameter"),
        ({"masks": {"4.weight": torch.ones(16, 3)}}, r"shape \(16, 3\) fits no"),
    ],
)
def test_bad_arguments_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(**changes)
