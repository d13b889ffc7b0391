"""How many weights are left when pruning first fails, on the way down from all of them.

Two failures: "collapse", a layer is empty; "no path", no input-output path of nonzero
weights is left, which is R_SF = 0. A collapsed chain has no path either.
"""

from collections.abc import Iterable
from functools import cache

from theory.masks import Masks, collapsed, masked
from theory.networks import Network
from theory.pruning_steps import Step, layer_sizes, masks_after, schedule
from theory.synflow import absolute, ones
from theory.synflow_pruning import prune_synflow

FAILURES = ("collapse", "no path")


def failures(network: Network, shape: tuple[int, ...], masks: Masks) -> set[str]:
    """Return what has failed: a layer is empty, or no path is left."""
    positive = absolute(network)
    theta = masked(positive.parameters, masks)
    flow = float(positive(theta, ones(positive, shape)).sum())
    failed = {"collapse": bool(collapsed(masks)), "no path": flow == 0}
    return {failure for failure in FAILURES if failed[failure]}


def first_failures(
    network: Network, shape: tuple[int, ...], run: Iterable[Step]
) -> dict[str, int]:
    """Return the count before the first failure of each kind, or at the run's end."""
    masks, sound = masks_after(network, []), set(FAILURES)
    counts = dict.fromkeys(FAILURES, sum(layer_sizes(network).values()))
    for step in run:
        for name, positions in step.gone.items():
            masks[name].view(-1)[positions] = False
        sound -= failures(network, shape, masks)
        if not sound:
            break
        counts |= dict.fromkeys(sound, step.remaining)
    return counts


def boundaries(network: Network, shape: tuple[int, ...], steps: int) -> dict[str, int]:
    """Return for each failure the smallest count found whose run does not fail."""
    size = sum(layer_sizes(network).values())

    @cache
    def failing(count: int) -> set[str]:
        run = prune_synflow(network, shape, schedule(count / size, steps))
        return failures(network, shape, masks_after(network, run))

    result = {}
    for failure in FAILURES:
        low, high = 0, size
        while high - low > 1:
            middle = (low + high) // 2
            failed = failure in failing(middle)
            low, high = (middle, high) if failed else (low, middle)
        result[failure] = high
    return result


def _size(network: Network) -> int:
    return sum(network.parameters[name].numel() for name in network.prunable)
