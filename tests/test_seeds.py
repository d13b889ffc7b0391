"""Seeds: the same from the same, and no two that meet."""

import numpy as np
import torch

from experiments.seeds import generators, seeds


def test_children_are_the_first_words_of_the_seed_sequence() -> None:
    children = np.random.SeedSequence(7).spawn(3)
    expected = [int(child.generate_state(1, np.uint64)[0]) // 2 for child in children]
    assert seeds(7, 3) == expected and seeds(7, 2) == expected[:2]
    assert all(0 <= child < 2**63 for child in expected)


def test_neighbouring_seeds_share_nothing() -> None:
    drawn = [child for seed in range(50) for child in seeds(seed, 4)]
    assert len(set(drawn)) == len(drawn)


def test_generators_start_from_the_seeds_and_leave_the_global_state() -> None:
    before = torch.get_rng_state()
    first, second = generators(3, 2)
    assert [first.initial_seed(), second.initial_seed()] == seeds(3, 2)
    assert first.device.type == "cpu"
    assert torch.equal(torch.get_rng_state(), before)
