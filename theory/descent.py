"""The steps of Algorithm 1 (`theory.pruning`), for scores that a function measures.

A step has a target for each group of layers that are ranked together. Every chunk of
scores is summed, and searched for what is low enough that the step may remove it, while
it is in the processor's cache; an exact choice is then made among what was found.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int32, Int64, Shaped
from torch import Tensor

from theory.masks import Scope, kept
from theory.networks import Network
from theory.pruning_steps import Positions, Step, layer_sizes
from theory.selection import SAMPLE, Lowest, lowest, threshold

Places = dict[str, Tensor | None]
"""Flat positions in each prunable layer, ascending; None: all of them."""

Measure = Callable[[Positions, Places], dict[str, Tensor]]
"""Forget the parameters at the first positions; return the scores of those at the
second, flat and on the CPU, with 0 for what is pruned."""

CHUNK = 1 << 16
"""Scores that are looked at together (ours): they fit the processor's cache."""

SPARSE = 0.5
"""Of a layer less live than this fraction only live weights are scored (ours)."""


def pick(tensor: Tensor, places: Tensor | None) -> Shaped[Tensor, " some"]:
    """Return the entries at flat positions (None: all of them)."""
    flat = tensor.reshape(-1)
    return flat if places is None else flat.index_select(0, places.to(flat.device))


def descend(
    network: Network,
    measure: Measure,
    densities: Iterable[float],
    *,
    scope: Scope = "global",
    safe: bool = False,
) -> Iterator[Step]:
    """Yield the steps of Algorithm 1 for scores that a function keeps measuring.

    `prune` measures any score in this way; arguments and errors are the same. Scores
    may be infinite; what a sum of them is then, a step says (inf, -inf or NaN).
    """
    layers = {
        n: _Layer(np.ones(size, bool), size) for n, size in layer_sizes(network).items()
    }
    groups = _groups(layers, scope, safe)
    whole = [sum(layer.live.size for layer in group.values()) for group in groups]
    gone: Positions = {}
    number = 0
    for density in densities:
        targets = [kept(size, density) for size in whole]
        while True:
            number += 1
            places = {name: layer.places for name, layer in layers.items()}
            step = _take(number, groups, measure(gone, places), targets, safe)
            gone = dict(step.gone)  # the caller may do with the step as he likes
            yield step
            if not safe or sum(layer.left for layer in layers.values()) == targets[0]:
                break
            if not any(len(positions) for positions in gone.values()):
                return


@dataclass
class _Layer:
    """The weights of a layer that are scored: all, or what was live a while ago."""

    live: Bool[np.ndarray, " size"]
    left: int
    """Weights that are live."""
    places: Int32[Tensor, " size"] | None = None

    def forget(self, found: Int64[np.ndarray, " some"]) -> Int64[Tensor, " some"]:
        """Prune some of the weights, return their flat positions in the layer."""
        self.live[found] = False
        self.left -= len(found)
        gone = torch.from_numpy(found)
        if self.places is not None:
            gone = self.places[gone].long()
        if self.left < SPARSE * self.live.size:
            stay = torch.from_numpy(np.flatnonzero(self.live))
            # int32: half the memory of int64, and no layer has 2^31 weights
            self.places = stay.int() if self.places is None else self.places[stay]
            self.live = np.ones(self.left, bool)
        return gone


def _groups(
    layers: dict[str, _Layer], scope: Scope, safe: bool
) -> list[dict[str, _Layer]]:
    """Return the layers that are ranked together."""
    if scope not in ("global", "layer") or (safe and scope == "layer"):
        raise ValueError(
            "expected scope 'global' or 'layer', and safe steps with 'global' only; "
            f"got {scope!r} and safe={safe}"
        )
    if not any(layer.left for layer in layers.values()):
        raise ValueError(
            "expected a network with weights to prune, those of linear and convolution "
            f"layers; of {list(layers) or 'no such layer'} there are none"
        )
    return [layers] if scope == "global" else [{n: part} for n, part in layers.items()]


def _take(
    number: int,
    groups: list[dict[str, _Layer]],
    scores: dict[str, Tensor],
    targets: list[int],
    safe: bool,
) -> Step:
    """Return the step that leaves `targets`, one for each group; forget the rest."""
    layers = {name: layer for group in groups for name, layer in group.items()}
    flat = {name: scores[name].numpy() for name in layers}
    found: dict[str, _Found] = {}
    pairs = list(zip(groups, _excess(number, groups, targets), strict=True))
    for group, excess in pairs:
        found |= _search(flat, group, excess)
    totals = {name: found[name].total for name in layers}
    _refuse_nan(number, flat, totals)
    # Sums round: a weight that carries the whole flow must not seem to carry less.
    slack = np.finfo(next(iter(flat.values())).dtype).eps ** 0.5
    limit = float((1 - slack) * max(totals.values())) if safe else np.inf
    picked = [_choose({n: found[n] for n in group}, k, limit) for group, k in pairs]
    gone = {name: part for _, parts in picked for name, part in parts.items()}
    return Step(
        number=number,
        gone={name: layers[name].forget(part.positions) for name, part in gone.items()},
        counts={name: layer.left for name, layer in layers.items()},
        totals=totals,
        removed={name: _total(part.values) for name, part in gone.items()},
        lowest=min(float(p.values.min(initial=np.inf)) for p in found.values()),
        highest_removed=max(line.highest for line, _ in picked),
        lowest_kept=min(line.following for line, _ in picked),
    )


def _excess(
    number: int, groups: list[dict[str, _Layer]], targets: list[int]
) -> list[int]:
    """Return how many weights each group has to lose."""
    sizes = [sum(layer.left for layer in group.values()) for group in groups]
    for size, target in zip(sizes, targets, strict=True):
        if target > size:
            raise ValueError(
                f"step {number} must keep {target} of the {size} parameters that are "
                "left; densities must not increase"
            )
    return [size - target for size, target in zip(sizes, targets, strict=True)]


def _refuse_nan(
    number: int, scores: dict[str, np.ndarray], totals: dict[str, float]
) -> None:
    """Raise where a score is NaN. A total also is where inf and -inf meet."""
    bad = [n for n, t in totals.items() if np.isnan(t) and np.isnan(scores[n]).any()]
    if bad:
        raise ValueError(
            f"step {number}: the scores of {', '.join(bad)} have NaN entries, which "
            "cannot be ranked; score in float64 or in the log domain"
        )


@dataclass(frozen=True)
class _Found:
    """Some of the live scores of a layer, and where they stand among those measured."""

    total: float
    """Sum of all scores of the layer."""
    positions: Int64[np.ndarray, " found"]
    values: Shaped[np.ndarray, " found"]


def _choose(
    found: dict[str, _Found], count: int, limit: float
) -> tuple[Lowest, dict[str, _Found]]:
    """Return the lowest of all layers together, and which they are in each."""
    values = np.concatenate([part.values for part in found.values()])
    line = lowest(values, count, limit=limit)
    ends = np.cumsum([part.values.size for part in found.values()])
    cuts = np.split(line.positions, np.searchsorted(line.positions, ends[:-1]))
    chosen = {}
    for (name, part), cut, end in zip(found.items(), cuts, ends, strict=True):
        some = cut - (end - part.values.size)
        chosen[name] = _Found(part.total, part.positions[some], part.values[some])
    return line, chosen


def _search(
    scores: dict[str, np.ndarray], layers: dict[str, _Layer], count: int
) -> dict[str, _Found]:
    """Return what holds the `count` + 1 lowest live scores of all layers (or all)."""
    live = {name: layer.live for name, layer in layers.items()}
    size = sum(layer.left for layer in layers.values())
    entries = sum(mask.size for mask in live.values())
    every = slice(None, None, max(1, entries // SAMPLE))
    sample = [scores[name][every][mask[every]] for name, mask in live.items()]
    pivot = threshold(np.concatenate(sample), count, size)
    found = {name: _find(scores[name], mask, pivot) for name, mask in live.items()}
    if sum(part.values.size for part in found.values()) <= min(count, size - 1):
        return {name: _find(scores[name], mask, np.inf) for name, mask in live.items()}
    return found


def _find(
    scores: Shaped[np.ndarray, " size"], live: Bool[np.ndarray, " size"], pivot: float
) -> _Found:
    """Return the live scores of a layer up to a pivot."""
    total, positions = 0.0, [np.empty(0, np.int64)]
    for start in range(0, scores.size, CHUNK):
        chunk = slice(start, start + CHUNK)
        total += _total(scores[chunk])
        below = (scores[chunk] <= pivot) & live[chunk]
        positions.append(start + np.flatnonzero(below))
    found = np.concatenate(positions)
    return _Found(total, found, scores[found])


def _total(scores: Shaped[np.ndarray, " size"]) -> float:
    """Return the sum in float64; NaN where inf and -inf meet."""
    with np.errstate(invalid="ignore", over="ignore"):
        return float(scores.sum(dtype=np.float64))
