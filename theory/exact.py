"""The conservation laws in rational arithmetic: equality without any tolerance.

A network of scalar units on a directed acyclic graph,

    z_j = sum_i w_ij a_i + b_j,   a_j = z_j if z_j > 0 else slope_j z_j,

with rational weights and inputs, and R = sum_k c_k a_k + q_k a_k^2 / 2 over outputs.
The gradient comes from forward-mode dual numbers, one pass for each parameter: no
backpropagation, whose own recursion is what the laws are usually proved with.
"""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from random import Random

from theory.claim import ExactSides

Dual = tuple[Fraction, Fraction]
Edge = tuple[int, int]


@dataclass(frozen=True)
class RationalDag:
    """Units 0..n-1 in topological order; those without an edge into them are inputs.

    Units that no edge leaves are outputs.
    """

    weights: dict[Edge, Fraction]
    biases: dict[int, Fraction]
    slopes: tuple[Fraction, ...]
    inputs: dict[int, Fraction]
    linear: tuple[Fraction, ...]
    quadratic: tuple[Fraction, ...]

    @property
    def outputs(self) -> tuple[int, ...]:
        """The units that no other unit reads, inputs excepted."""
        read = {i for i, _ in self.weights} | set(self.inputs)
        return tuple(j for j in range(len(self.slopes)) if j not in read)

    def objective(self, moved: Edge | int | None, at: str = "weight") -> Dual:
        """Return R and its derivative with respect to one parameter or input."""
        units: list[Dual] = []
        for j, slope in enumerate(self.slopes):
            if j in self.inputs:
                seed = Fraction(int(at == "input" and moved == j))
                units.append((self.inputs[j], seed))
                continue
            bias = self.biases.get(j, Fraction(0))
            value, tangent = bias, Fraction(int(at == "bias" and moved == j))
            for (i, k), weight in self.weights.items():
                if k == j:
                    a, da = units[i]
                    value += weight * a
                    tangent += weight * da
                    if at == "weight" and moved == (i, j):
                        tangent += a
            factor = Fraction(1) if value > 0 else slope
            units.append((factor * value, factor * tangent))
        total, change = Fraction(0), Fraction(0)
        for k in self.outputs:
            a, da = units[k]
            total += self.linear[k] * a + self.quadratic[k] * a * a / 2
            change += (self.linear[k] + self.quadratic[k] * a) * da
        return total, change

    def saliency(self) -> dict[Edge, Fraction]:
        """Return w dR/dw for every edge."""
        return {e: w * self.objective(e)[1] for e, w in self.weights.items()}

    def bias_saliency(self) -> dict[int, Fraction]:
        """Return b dR/db for every biased unit."""
        return {j: b * self.objective(j, "bias")[1] for j, b in self.biases.items()}

    def input_flow(self) -> Fraction:
        """Return <dR/dx, x>."""
        terms = (v * self.objective(j, "input")[1] for j, v in self.inputs.items())
        return sum(terms, Fraction(0))


def random_dag(rng: Random, *, bias: bool = True) -> RationalDag:
    """Return a random graph of 3 to 8 units, one or two of them inputs."""
    size, first = rng.randint(3, 8), rng.randint(1, 2)
    weights: dict[Edge, Fraction] = {}
    for j in range(first, size):
        sources = [i for i in range(j) if rng.random() < 0.5] or [rng.randrange(j)]
        weights |= {(i, j): _rational(rng) for i in sources}
    biased = [j for j in range(first, size) if bias and rng.random() < 0.5]
    return RationalDag(
        weights=weights,
        biases={j: _rational(rng) for j in biased},
        slopes=tuple(rng.choice([Fraction(0), Fraction(1, 3)]) for _ in range(size)),
        inputs={j: _rational(rng) for j in range(first)},
        linear=tuple(_rational(rng) for _ in range(size)),
        quadratic=tuple(_rational(rng) for _ in range(size)),
    )


def neuron_sides(rng: Random) -> ExactSides:
    """Return, for each hidden unit, the saliency into it and the saliency out of it."""
    dag = random_dag(rng)
    flow, biases = dag.saliency(), dag.bias_saliency()
    hidden = [
        j
        for j in range(len(dag.slopes))
        if j not in dag.inputs and j not in dag.outputs
    ]
    zero = Fraction(0)
    into = [
        sum((s for (_, k), s in flow.items() if k == j), biases.get(j, zero))
        for j in hidden
    ]
    out = [sum((s for (i, _), s in flow.items() if i == j), zero) for j in hidden]
    return ExactSides(tuple(into), tuple(out), repr(dag.weights))


def network_sides(rng: Random) -> ExactSides:
    """Return a random cut's saliency and the flow from the input and the biases.

    The cut separates a set of units that contains everything upstream of it: it carries
    <dR/dx, x> plus the saliency of the biases on its upstream side.
    """
    dag = random_dag(rng)
    upstream = set(dag.inputs)
    for j in range(len(dag.slopes)):
        fed = all(i in upstream for i, k in dag.weights if k == j)
        if fed and rng.random() < 0.7:
            upstream.add(j)
    flow, biases = dag.saliency(), dag.bias_saliency()
    zero = Fraction(0)
    # outputs on the upstream side end their paths there: their flow leaves by R
    ended = sum(
        (
            sum((s for (_, k), s in flow.items() if k == j), biases.get(j, zero))
            for j in dag.outputs
            if j in upstream
        ),
        zero,
    )
    cut = sum(
        (s for (i, j), s in flow.items() if i in upstream and j not in upstream), ended
    )
    sources = sum((s for j, s in biases.items() if j in upstream), dag.input_flow())
    return ExactSides((cut,), (sources,), repr(dag.weights))


def chain_sides(rng: Random) -> ExactSides:
    """Return autograd-free scores and equation 5 on a chain of rational matrices."""
    widths = [rng.randint(1, 3) for _ in range(rng.randint(2, 4))]
    layers = [
        [[abs(_rational(rng)) for _ in range(n)] for _ in range(m)]
        for n, m in pairwise(widths)
    ]
    starts = [sum(widths[:k]) for k in range(len(widths))]
    weights = {
        (starts[k] + j, starts[k + 1] + i): w
        for k, layer in enumerate(layers)
        for i, row in enumerate(layer)
        for j, w in enumerate(row)
    }
    size, one = sum(widths), Fraction(1)
    dag = RationalDag(
        weights=weights,
        biases={},
        slopes=(Fraction(0),) * size,
        inputs={j: one for j in range(widths[0])},
        linear=(one,) * size,
        quadratic=(Fraction(0),) * size,
    )
    scores = dag.saliency()
    paths = {
        edge: _before(weights, edge[0]) * w * _after(weights, edge[1])
        for edge, w in weights.items()
    }
    return ExactSides(
        tuple(scores[e] for e in weights), tuple(paths[e] for e in weights), str(widths)
    )


def _before(weights: dict[Edge, Fraction], unit: int) -> Fraction:
    """Return the sum over all paths from the inputs to a unit of their products."""
    into = [(i, w) for (i, j), w in weights.items() if j == unit]
    if not into:
        return Fraction(1)
    return sum((_before(weights, i) * w for i, w in into), Fraction(0))


def _after(weights: dict[Edge, Fraction], unit: int) -> Fraction:
    """Return the sum over all paths from a unit to the outputs of their products."""
    out = [(j, w) for (i, j), w in weights.items() if i == unit]
    if not out:
        return Fraction(1)
    return sum((w * _after(weights, j) for j, w in out), Fraction(0))


def _rational(rng: Random) -> Fraction:
    return Fraction(rng.randint(-6, 6), rng.randint(1, 4))
