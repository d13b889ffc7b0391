"""Independent random sources from one seed: never seed + i, whose streams may meet."""

import numpy as np
import torch


def seeds(seed: int, number: int) -> list[int]:
    """Return so many 63-bit seeds: children of one numpy seed sequence."""
    children = np.random.SeedSequence(seed).spawn(number)
    return [int(child.generate_state(1, np.uint64)[0]) >> 1 for child in children]


def generators(seed: int, number: int) -> list[torch.Generator]:
    """Return so many independent generators on the CPU."""
    return [torch.Generator().manual_seed(child) for child in seeds(seed, number)]
