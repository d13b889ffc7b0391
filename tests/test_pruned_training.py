"""Pruning at initialisation and training: exact masks, honest accuracies."""

from dataclasses import replace
from typing import get_args

import pytest
import torch

from experiments import pruned_training
from experiments.data import DataSet
from experiments.evaluation import accuracy
from experiments.pruned_training import (
    RECIPES,
    Method,
    constant,
    critical,
    curve,
    fit,
    pruner,
    remains,
)
from experiments.recipes import Recipe
from experiments.subjects import Subject, subject
from theory import scores
from theory.masks import Masks, collapsed, counts, keep_largest
from theory.networks import Network, cross_entropy
from theory.pruning import prune
from theory.pruning_steps import masks_after, schedule
from theory.synflow import absolute, synflow

METHODS: tuple[Method, ...] = get_args(Method)
ONCE = tuple(method for method in METHODS if method != "synflow")
SHORT = Recipe(1, 256, 0.1)


@pytest.fixture(scope="module")
def small() -> Subject:
    return subject("resnet6", "digits", per_class=2, seed=3)


@pytest.fixture(scope="module")
def lenet() -> Subject:
    return subject("lenet", "digits", per_class=2, seed=3)


@pytest.fixture
def few_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruned_training, "ITERATIONS", 4)


def everything(chosen: Subject) -> Masks:
    return pruner(chosen, "magnitude")(1.0)


def equal(one: Masks, other: Masks) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(one[name], other[name]) for name in one
    )


def empty_layer(chosen: Subject, number: int) -> Masks:
    masks = everything(chosen)
    name = list(masks)[number]
    return masks | {name: torch.zeros_like(masks[name])}


@pytest.mark.usefixtures("few_iterations")
@pytest.mark.parametrize("method", METHODS)
def test_masks_keep_an_exact_count(method: Method, small: Subject) -> None:
    masks_at = pruner(small, method)
    for count in (4968, 1234, 17, 0):
        assert sum(counts(masks_at(count / 4968)).values()) == count


@pytest.mark.parametrize("method", ONCE)
def test_one_ranking_gives_nested_masks(method: Method, small: Subject) -> None:
    masks_at = pruner(small, method)
    more, fewer = masks_at(0.3), masks_at(0.1)
    assert all(bool((more[name] | ~fewer[name]).all()) for name in more)


def test_each_score_ranks_as_its_definition(small: Subject) -> None:
    network = Network.of(small.model)
    loss = cross_entropy(small.labels)
    slopes = network.gradient(small.images, loss)
    flat = cross_entropy(small.labels, temperature=200.0)
    grasp = scores.grasp(network, small.images, flat)
    generator = torch.Generator().manual_seed(small.ranking)
    drawn = scores.random(network, generator=generator)
    expected = {
        "magnitude": {k: p.abs() for k, p in network.parameters.items()},
        "snip": {k: (slopes[k] * p).abs() for k, p in network.parameters.items()},
        "grasp": grasp,
        "grasp-reversed": {k: -score for k, score in grasp.items()},
        "random": drawn,
    }
    found = {}
    for method in ONCE:
        score = {name: expected[method][name] for name in network.prunable}
        found[method] = pruner(small, method)(0.25)
        assert equal(found[method], keep_largest(score, 0.25)), method
    sharp = scores.grasp(network, small.images, loss)
    other = keep_largest({name: sharp[name] for name in network.prunable}, 0.25)
    assert not equal(found["grasp"], other), "the temperature must matter"
    both = [found["grasp"][k] & found["grasp-reversed"][k] for k in network.prunable]
    assert not any(bool(mask.any()) for mask in both)


def test_synflow_is_iterated_a_hundred_times(small: Subject) -> None:
    network = Network.of(small.model)
    slow = prune(
        absolute(network), lambda n: synflow(n, (1, 8, 8)), schedule(0.05, 100)
    )
    assert equal(pruner(small, "synflow")(0.05), masks_after(network, slow))


@pytest.mark.usefixtures("few_iterations")
@pytest.mark.parametrize("method", METHODS)
def test_critical_count_is_where_a_layer_empties(
    method: Method, small: Subject
) -> None:
    count, masks_at = critical(small, method), pruner(small, method)
    assert not collapsed(masks_at(count / 4968))
    assert collapsed(masks_at((count - 1) / 4968))


def test_pruned_weights_stay_zero_and_the_model_as_it_was(lenet: Subject) -> None:
    before = {k: v.clone() for k, v in lenet.model.state_dict().items()}
    masks = pruner(lenet, "snip")(0.1)
    recipe = replace(SHORT, weight_decay=0.1)
    trained, measured = fit(
        lenet.model, lenet.dataset, recipe, masks, generator=torch.Generator()
    )
    for name, mask in masks.items():
        weight = trained.state_dict()[name]
        assert not bool(weight[~mask].any()) and bool(weight[mask].any())
    for name, weight in lenet.model.state_dict().items():
        assert torch.equal(weight, before[name])
    assert measured["final_accuracy"] == accuracy(trained, lenet.dataset.test)
    assert measured["final_accuracy"] > measured["initial_accuracy"]


def test_initial_accuracy_is_that_of_the_masked_network(lenet: Subject) -> None:
    masks = pruner(lenet, "random")(0.2)
    model = subject("lenet", "digits", per_class=2, seed=3).model
    with torch.no_grad():
        for name, mask in masks.items():
            model.get_parameter(name).mul_(mask)
    still = replace(SHORT, learning_rate=0.0)
    _, measured = fit(
        lenet.model, lenet.dataset, still, masks, generator=torch.Generator()
    )
    assert set(measured.values()) == {accuracy(model, lenet.dataset.test)}
    assert len(measured) == 4


def test_the_best_epoch_may_be_none(lenet: Subject) -> None:
    masks = everything(lenet)
    trained, first = fit(
        lenet.model, lenet.dataset, SHORT, masks, generator=torch.Generator()
    )
    split = lenet.dataset.train
    wrong = replace(split, labels=(split.labels + 1) % 10)
    _, measured = fit(
        trained,
        replace(lenet.dataset, train=wrong),
        SHORT,
        masks,
        generator=torch.Generator(),
    )
    assert measured["initial_accuracy"] == first["final_accuracy"]
    assert measured["best_test_accuracy"] == first["final_accuracy"]
    assert measured["final_accuracy"] < first["final_accuracy"]


def test_without_a_path_training_names_one_class(lenet: Subject) -> None:
    masks = empty_layer(lenet, 1)
    whole = lenet.dataset
    recipe = Recipe(4, 64, 0.1)
    trained, measured = fit(
        lenet.model, whole, recipe, masks, generator=torch.Generator()
    )
    with torch.no_grad():
        logits = trained(whole.test.images)
    assert bool((logits == logits[0]).all())
    guess = int(whole.train.labels.bincount().argmax())
    share = float((whole.test.labels == guess).double().mean())
    assert set(constant(whole).values()) == {share}
    assert constant(whole).keys() == measured.keys()
    assert abs(measured["final_accuracy"] - share) < 0.02  # classes are almost equal


def test_constant_counts_the_training_images(lenet: Subject) -> None:
    def labelled(train: list[int], test: list[int]) -> DataSet:
        whole = lenet.dataset
        return replace(
            whole,
            train=replace(whole.train, labels=torch.tensor(train)),
            test=replace(whole.test, labels=torch.tensor(test)),
        )

    assert constant(labelled([2, 1, 2, 1, 0], [1, 2, 0, 1]))["final_accuracy"] == 0.5
    assert constant(labelled([2, 2, 1], [1, 2, 0, 1]))["final_accuracy"] == 0.25


def test_remains_counts_and_names_the_first_empty_layer(lenet: Subject) -> None:
    assert remains(lenet, everything(lenet)) == {
        "remaining_weights": 50_200,
        "prunable_weights": 50_200,
        "layers": 3,
        "empty_layers": 0,
        "first_empty_layer": "",
        "path": 1,
    }
    left = remains(lenet, empty_layer(lenet, 1))
    assert left["first_empty_layer"] == "3.weight"
    assert (left["empty_layers"], left["path"]) == (1, 0)
    assert left["remaining_weights"] == 50_200 - 30_000


def test_a_path_may_break_without_an_empty_layer(lenet: Subject) -> None:
    masks = {name: torch.zeros_like(mask) for name, mask in everything(lenet).items()}
    first, second, third = masks.values()
    first[0, 0] = second[0, 0] = third[0, 0] = True
    assert remains(lenet, masks)["path"] == 1
    second[0, 0], second[0, 1] = False, True
    left = remains(lenet, masks)
    assert (left["empty_layers"], left["path"]) == (0, 0)


def test_a_shortcut_leads_around_empty_layers(small: Subject) -> None:
    masks = everything(small)
    inside = [name for name in masks if name.startswith("layer1")]
    assert len(inside) == 2
    left = remains(
        small, masks | {name: torch.zeros_like(masks[name]) for name in inside}
    )
    assert (left["empty_layers"], left["path"]) == (2, 1)


def test_curve_trains_what_has_a_path(
    lenet: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, again = (
        curve(lenet, method, SHORT, [0.0, 1.0]) for method in ("snip", "grasp")
    )
    assert whole[0] == again[0], "not pruned: the same network in the same order"
    assert whole[1] != again[1]
    assert [row["compression_log10"] for row in whole] == [0.0, 1.0]
    assert [row["remaining_weights"] for row in whole] == [50_200, 5_020]

    def never(*_: object, **__: object) -> None:
        raise AssertionError("trained without a path")

    monkeypatch.setattr(pruned_training, "fit", never)
    row = curve(lenet, "random", SHORT, [4.5])[0]
    assert row["path"] == 0 and row.items() >= constant(lenet.dataset).items()


def test_published_recipes() -> None:
    cifar, tiny = RECIPES["resnet-cifar"], RECIPES["tiny-imagenet"]
    assert RECIPES["vgg-cifar"].learning_rate == 0.1
    assert (cifar.learning_rate, cifar.weight_decay, cifar.drop) == (0.01, 5e-4, 0.2)
    assert (cifar.epochs, cifar.drops) == (160, (60, 120))
    assert (tiny.learning_rate, tiny.weight_decay, tiny.drop) == (0.01, 1e-4, 0.1)
    assert (tiny.epochs, tiny.drops, tiny.batch_size) == (100, (30, 60, 80), 128)
