"""What is trained together: which weights, masks, data orders and steps."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from experiments.stacked_training import Run
from experiments.study import Initialisation, Study
from theory.lottery_tickets import Weights
from theory.masks import Masks

LAYERS = {"0.weight": (5, 4), "0.bias": (5,), "2.weight": (3, 5), "2.bias": (3,)}


def drawn(seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed % 2**32)
    return {
        name: torch.randn(shape, dtype=torch.float64, generator=generator)
        for name, shape in LAYERS.items()
    }


def some(seed: int) -> Masks:
    return {name: p > 0 for name, p in drawn(seed).items() if p.ndim == 2}


def samples(count: int = 3, orders: int = 2) -> list[Initialisation]:
    return [Initialisation.of(seed, orders, drawn) for seed in range(count)]


@dataclass
class Trainer:
    """Doubles the weights that are kept, and remembers what it was asked for."""

    calls: list[tuple[Sequence[Run], int, int, str]] = field(default_factory=list)

    def __call__(
        self, runs: Sequence[Run], first: int, last: int, name: str
    ) -> list[Weights]:
        self.calls.append((runs, first, last, name))
        return [
            {n: 2 * p * run.masks.get(n, 1) for n, p in run.weights.items()}
            for run in runs
        ]


def equal(one: Any, other: Any) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(one[name], other[name]) for name in one
    )


def test_a_sample_depends_on_its_seed_only() -> None:
    one, again = Initialisation.of(7, 3, drawn), Initialisation.of(7, 3, drawn)
    assert one.seed == 7 and len(one.orders) == 3
    assert one.orders == again.orders and equal(one.weights, again.weights)
    for source in ("ranking", "units"):
        first, second = (
            torch.rand(3, generator=getattr(sample, source)) for sample in (one, again)
        )
        assert torch.equal(first, second)


def test_more_orders_leave_the_first_ones_and_the_weights() -> None:
    """So the steps of b4, with 3 orders, continue step 0 of b3, which has 4."""
    few, many = Initialisation.of(7, 3, drawn), Initialisation.of(7, 4, drawn)
    assert few.orders == many.orders[:3] and equal(few.weights, many.weights)


def test_everything_of_a_sample_is_drawn_independently() -> None:
    found = samples(4, 3)
    orders = [order for sample in found for order in sample.orders]
    assert len(set(orders)) == 12
    sources = [g for s in found for g in (s.ranking, s.units)]
    seeds = [generator.initial_seed() for generator in sources]
    assert len({*seeds, *orders}) == 20
    assert not any(equal(found[0].weights, other.weights) for other in found[1:])


def test_step_0_is_the_initialisation_itself() -> None:
    train = Trainer()
    study = Study.rewound(samples(), train, first=0, last=9)
    assert not train.calls
    for start, sample in zip(study.starts, study.samples, strict=True):
        assert equal(start, sample.weights)


@pytest.mark.parametrize("k", [1, 4])
def test_step_k_is_trained_whole_with_the_first_order(k: int) -> None:
    train, own = Trainer(), samples()
    study = Study.rewound(own, train, first=k, last=9)
    ((runs, first, last, name),) = train.calls
    assert (first, last, name) == (0, k, "start")
    assert [run.order for run in runs] == [sample.orders[0] for sample in own]
    for run, start, sample in zip(runs, study.starts, own, strict=True):
        assert not run.masks and equal(run.weights, sample.weights)
        assert equal(start, {name: 2 * p for name, p in sample.weights.items()})


def test_subnetworks_are_trained_from_k_to_t_order_by_order() -> None:
    train, own = Trainer(), samples()
    study = Study.rewound(own, train, first=4, last=9)
    masks = [some(seed) for seed in range(3)]
    found = study.trained(masks, [1, 0], "name")
    runs, first, last, name = train.calls[-1]
    assert (first, last, name) == (4, 9, "name")
    assert [run.order for run in runs] == [
        sample.orders[number] for number in (1, 0) for sample in own
    ]
    assert list(found) == [1, 0]
    for number, trained in found.items():
        assert len(trained) == 3
        for index, weights in enumerate(trained):
            start, mask = study.starts[index], masks[index]
            expected = {n: 2 * p * mask.get(n, 1) for n, p in start.items()}
            assert equal(weights, expected), number


def test_no_order_trains_nothing() -> None:
    study = Study.rewound(samples(), Trainer(), first=0, last=9)
    assert study.trained([some(0)] * 3, [], "none") == {}


def test_reordered_runs_are_the_same_networks_with_units_moved() -> None:
    train, own = Trainer(), samples()
    study = Study.rewound(own, train, first=4, last=9)
    masks = [some(seed) for seed in range(3)]
    expected = study.trained(masks, [0], "plain")[0]
    found = study.reordered(masks, "floor")
    (plain, *_), (moved, first, last, name) = train.calls[-2:]
    assert (first, last, name) == (4, 9, "floor")
    assert [run.order for run in moved] == [sample.orders[0] for sample in own]
    for one, other in zip(found, expected, strict=True):
        assert equal(one, other)  # permuted back
    rows = [
        (run.weights["0.weight"][:, 0].tolist(), other.weights["0.weight"][:, 0])
        for run, other in zip(moved, plain, strict=True)
    ]
    assert all(sorted(one) == sorted(other.tolist()) for one, other in rows)
    assert any(one != other.tolist() for one, other in rows)
    for run, other in zip(moved, plain, strict=True):  # masks move with the weights
        before, after = (
            sorted(r.weights["2.weight"][r.masks["2.weight"]].tolist())
            for r in (run, other)
        )
        assert before == after
    again = study.reordered(masks, "again")  # other units
    assert all(map(equal, again, found))
    assert not all(
        equal(one.weights, other.weights)
        for one, other in zip(train.calls[-1][0], moved, strict=True)
    )


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ({"1.running_mean": torch.zeros(5)}, r"and \['1.running_mean'\] beside"),
        ({"0.weight": torch.zeros(5, 4, 3, 3)}, r"layers \['0.weight', '2.weight'\]"),
    ],
)
def test_only_linear_layers_can_be_reordered(
    extra: dict[str, Tensor], named: str
) -> None:
    study = Study.rewound(samples(1), Trainer(), first=0, last=9)
    other = replace(study, starts=[{**study.starts[0], **extra}])
    with pytest.raises(ValueError, match=named):
        other.reordered([some(0)], "floor")
