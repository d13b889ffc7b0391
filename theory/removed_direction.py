"""The spectral measure of the removed weights' vector, by Lanczos from it.

v = -w_P, P the first n of an order of removal. What of |v|^2 is on dead coordinates
(zero rows of the Hessian) is at 0 exactly; the rest is a Lanczos run from the rest.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from jaxtyping import Bool, Int

from theory.confocal import Vector
from theory.lanczos import Lanczos, Product, lanczos
from theory.measure import Measure, mixture
from theory.spectrum import Rule

Along = Callable[[int, Rule], Measure]
"""The spectral measure of the removed weights' vector, for n removed, by a rule."""

NOWHERE = Measure(np.zeros(1), np.ones(1))
"""All at 0: the measure of a vector on which H vanishes."""


def along_removed(
    product: Product,
    weights: Vector,
    order: Int[np.ndarray, " m"],
    steps: int,
    *,
    dead: Bool[np.ndarray, " n"] | None = None,
    device: torch.device | None = None,
) -> Along:
    """Return the measures of v = -w_P, P the first n of `order`, by Lanczos from v.

    Runs are kept, so that several limits and values of epsilon share them.

    Args:
        product: of the Hessian on the coordinates that are not dead.
        weights: w*, all D parameters.
        order: positions in the order in which they go (`removal_order`).
        steps: of each run.
        dead: coordinates whose rows of the Hessian are zero; none by default.
        device: where the runs take place; the CPU by default.

    Raises:
        ValueError: as `lanczos`; more removed than the order has.
    """
    live = np.ones(len(weights), dtype=bool) if dead is None else ~dead

    @cache
    def run(n: int) -> tuple[Lanczos | None, float]:
        if n > len(order):
            raise ValueError(
                f"expected at most {len(order)} removed weights, the length of the "
                f"order, got {n}; give the limit the prunable weights only"
            )
        removed = np.zeros(len(weights))
        removed[order[:n]] = weights[order[:n]]
        start = removed[live]
        if not start.any():
            return None, 0.0
        share = float(start @ start) / float(removed @ removed)
        return lanczos(product, torch.from_numpy(start).to(device), steps), share

    def along(n: int, rule: Rule) -> Measure:
        found, share = run(n)
        if found is None:
            return NOWHERE
        moved = rule(found).scaled(share)
        return mixture([NOWHERE.scaled(1 - share), moved]) if share < 1 else moved

    return along
