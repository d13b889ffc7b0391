"""Training with l1: its step, its stages, its checkpoints."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from purity import unchanged
from tiny_problem import RECIPE, images, mlp, trained

from experiments.limit_training import train

SPLIT = images(150, (6,), classes=3, seed=0)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def test_one_step_adds_the_sign_of_every_parameter() -> None:
    recipe = replace(RECIPE, epochs=1, batch_size=150, momentum=0.0, cosine=False)
    model, strength = mlp(6, 5, 3), 0.125
    with torch.no_grad():
        next(model.parameters())[0, 0] = 0.0  # sign(0) = 0
    with unchanged(model):
        plain, pulled = (
            train(model, SPLIT, recipe, strength=value, generator=generator()).model
            for value in (0.0, strength)
        )
    for start, left, right in zip(
        model.parameters(), plain.parameters(), pulled.parameters(), strict=True
    ):
        step = 0.1 * strength * start.detach().sign()
        torch.testing.assert_close(left - right, step, rtol=0, atol=1e-6)


def test_l1_makes_weights_small() -> None:
    sizes = [
        sum(float(p.detach().abs().sum()) for p in trained(value).model.parameters())
        for value in (0.0, 0.02)
    ]
    assert sizes[1] < 0.8 * sizes[0]


def test_stages() -> None:
    run = trained(0.0)
    short = replace(RECIPE, epochs=2, cosine=False)
    flat = replace(RECIPE, cosine=False)
    own = train(mlp(6, 5, 3), SPLIT, flat, strength=0.0, generator=generator())
    two = train(mlp(6, 5, 3), SPLIT, short, strength=0.0, generator=generator())
    for name, value in two.model.state_dict().items():
        assert torch.equal(own.stages["early"][name], value)  # 2 of 20 epochs
    for stage in ("start", "early", "final"):
        state = run.at(stage).state_dict()
        assert all(torch.equal(state[n], v) for n, v in run.stages[stage].items())
    start = mlp(6, 5, 3).state_dict()
    assert all(torch.equal(run.stages["start"][n], v) for n, v in start.items())
    assert not run.at("early").training


def test_resumed_run_is_the_same(tmp_path: Path) -> None:
    path, recipe = tmp_path / "run.pt", replace(RECIPE, epochs=4, cosine=False)
    whole = train(mlp(6, 5, 3), SPLIT, recipe, strength=0.01, generator=generator())
    path.parent.mkdir(exist_ok=True)
    saved: list[bytes] = []

    class StoppedError(Exception):
        pass

    def stop() -> None:
        saved.append(path.read_bytes())
        if len(saved) == 2:
            raise StoppedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("experiments.limit_training.cells.pause", stop)
        with pytest.raises(StoppedError):
            train(
                mlp(6, 5, 3),
                SPLIT,
                recipe,
                strength=0.01,
                generator=generator(),
                checkpoint=path,
            )
    again = train(
        mlp(6, 5, 3),
        SPLIT,
        recipe,
        strength=0.01,
        generator=generator(),
        checkpoint=path,
    )
    for stage, weights in whole.stages.items():
        for name, value in weights.items():
            assert torch.equal(again.stages[stage][name], value)
    with pytest.raises(ValueError, match="another training run: not the same recipe"):
        train(
            mlp(6, 5, 3),
            SPLIT,
            recipe,
            strength=0.02,
            generator=generator(),
            checkpoint=path,
        )


def test_bad_arguments() -> None:
    for strength, epochs in ((-0.1, 1), (float("nan"), 1), (0.1, 0)):
        with pytest.raises(ValueError, match="expected an l1 strength >= 0 and epochs"):
            train(
                mlp(6, 5, 3),
                SPLIT,
                replace(RECIPE, epochs=epochs),
                strength=strength,
                generator=generator(),
            )
    hot = replace(RECIPE, learning_rate=1e30, epochs=3)
    with pytest.raises(FloatingPointError, match="not finite in epoch"):
        train(mlp(6, 5, 3), SPLIT, hot, strength=0.0, generator=generator())
