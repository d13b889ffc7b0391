"""Networks of scalar units as sums over paths, in exact integer arithmetic.

Without biases, with an input of ones and with activations that are the identity on what
they receive, the sum R of a network's outputs is

    R = sum over input-output paths pi of  prod_{p on pi} w_p,

a weight counting as often as it stands on the path. The saliency of a parameter is then
S_p = w_p dR/dw_p = sum over the paths through p, as often as they use p. Weights may be
negative (linear networks); SynFlow is the case of |w|.

`Units.flow` carries numbers forward from unit to unit, `Units.scores` sums over paths
that are listed one by one: two routes to the two sides of claim
`maximal-critical-compression`. The networks are small enough to try all of a kind.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, pairwise
from random import Random

Kept = frozenset[int]
"""The parameters that are left."""

Link = tuple[int, int, int | None]
"""From unit, to a unit of a higher number, by a parameter (None: a fixed weight 1)."""


@dataclass(frozen=True)
class Units:
    """A network of scalar units; a parameter on several links is a shared weight."""

    links: tuple[Link, ...]
    weights: tuple[int, ...]
    layers: tuple[int, ...]
    """The layer of each parameter, from 0."""

    def __str__(self) -> str:
        """Return every link with its weight, as in "0-1: 3, 1-2: -1"."""
        return ", ".join(
            f"{i}-{j}: {'fixed' if p is None else self.weights[p]}"
            for i, j, p in self.links
        )

    @property
    def everything(self) -> Kept:
        """All parameters."""
        return frozenset(range(len(self.weights)))

    @cached_property
    def ends(self) -> tuple[tuple[int, ...], frozenset[int]]:
        """The units that nothing enters, and those that nothing leaves."""
        sources, targets = {i for i, _, _ in self.links}, {j for _, j, _ in self.links}
        return tuple(sorted(sources - targets)), frozenset(targets - sources)

    @cached_property
    def paths(self) -> tuple[tuple[int, ...], ...]:
        """The parameters on each input-output path, in order, fixed weights left out.

        As many as a product of widths: only for small networks.
        """
        inputs, outputs = self.ends
        found: list[tuple[int, ...]] = []
        growing: list[tuple[int, tuple[int, ...]]] = [(unit, ()) for unit in inputs]
        while growing:
            unit, path = growing.pop()
            if unit in outputs:
                found.append(path)
            for i, j, p in self.links:
                if i == unit:
                    growing.append((j, path if p is None else (*path, p)))
        return tuple(found)

    def flow(self, kept: Kept) -> int:
        """Return R: the sum of the outputs for an input of ones."""
        inputs, outputs = self.ends
        values = dict.fromkeys(inputs, 1)
        for i, j, p in sorted(self.links, key=lambda link: link[0]):
            weight = 1 if p is None else self.weights[p] if p in kept else 0
            values[j] = values.get(j, 0) + weight * values[i]
        return sum(values[unit] for unit in outputs)

    def scores(self, kept: Kept) -> dict[int, int]:
        """Return the saliency of each parameter that is left, path by path."""
        result = dict.fromkeys(sorted(kept), 0)
        for path in self.paths:
            if kept.issuperset(path):
                carried = 1
                for p in path:
                    carried *= self.weights[p]
                for p in path:
                    result[p] += carried
        return result

    def counts(self, kept: Kept) -> tuple[int, ...]:
        """Return the number of parameters left in each layer."""
        left = [self.layers[p] for p in kept]
        return tuple(left.count(layer) for layer in range(max(self.layers) + 1))

    def positive(self) -> "Units":
        """Return the network with |w| for its weights."""
        return replace(self, weights=tuple(abs(w) for w in self.weights))


def chain_widths(size: int) -> Iterator[tuple[int, ...]]:
    """Yield all (n_0, ..., n_L), L >= 1, with at most `size` weights in the chain."""
    growing: list[tuple[tuple[int, ...], int]] = [((n,), 0) for n in range(1, size + 1)]
    while growing:
        widths, used = growing.pop()
        for n in range(1, (size - used) // widths[-1] + 1):
            yield (*widths, n)
            growing.append(((*widths, n), used + widths[-1] * n))


def chain_layers(widths: tuple[int, ...]) -> tuple[int, ...]:
    """Return the layer of each of a chain's weights: n_l n_(l+1) in layer l."""
    return tuple(
        layer for layer, (n, m) in enumerate(pairwise(widths)) for _ in range(n * m)
    )


def chain(widths: tuple[int, ...], weights: Iterable[int]) -> Units:
    """Return fully connected layers of the given widths.

    Weights in the order of torch: layer by layer, all that enter one unit together.

    Raises:
        ValueError: not as many weights as the widths have room for.
    """
    starts = [0, *accumulate(widths)]
    pairs = [
        (starts[layer] + i, starts[layer + 1] + j)
        for layer, (n, m) in enumerate(pairwise(widths))
        for j in range(m)
        for i in range(n)
    ]
    values, layers = tuple(weights), chain_layers(widths)
    if len(values) != len(pairs):
        raise ValueError(
            f"a chain of widths {widths} has {len(pairs)} weights, got {len(values)}"
        )
    return Units(tuple((i, j, p) for p, (i, j) in enumerate(pairs)), values, layers)


def random_chain(rng: Random, *, signed: bool = False) -> Units:
    """Return a chain of 2 to 4 layers of widths 1 to 3, some weights 0, with R > 0.

    Where the drawn weights leave no path, each is raised by one; `signed` weights are
    never 0, and their R may be negative.
    """
    widths = tuple(rng.randint(1, 3) for _ in range(rng.randint(3, 5)))
    size = len(chain_layers(widths))
    if signed:
        return chain(
            widths, [rng.choice((-1, 1)) * rng.randint(1, 9) for _ in range(size)]
        )
    units = chain(widths, [rng.randint(0, 4) for _ in range(size)])
    return units if units.flow(units.everything) else _raised(units)


def random_graph(rng: Random, *, shared: bool = False) -> Units:
    """Return 3 to 7 units joined at random, some by a fixed 1, with R > 0.

    Every parameter is a layer of its own. `shared`: some parameters stand on several
    links, so that a path may use one twice.
    """
    size, links, count = rng.randint(3, 7), list[Link](), 0
    for j in range(1, size):
        for i in [i for i in range(j) if rng.random() < 0.6] or [rng.randrange(j)]:
            if rng.random() < 0.2:
                links.append((i, j, None))
            elif shared and count and rng.random() < 0.4:
                links.append((i, j, rng.randrange(count)))
            else:
                links.append((i, j, count))
                count += 1
    if not count:
        links, count = [*links[:-1], (*links[-1][:2], 0)], 1
    weights = tuple(rng.randint(0, 4) for _ in range(count))
    units = Units(tuple(links), weights, tuple(range(count)))
    return units if units.flow(units.everything) else _raised(units)


def _raised(units: Units) -> Units:
    return replace(units, weights=tuple(w + 1 for w in units.weights))
