"""Rational networks: the dual numbers against differences and against torch."""

from dataclasses import replace
from fractions import Fraction
from random import Random

import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import sources
from tolerance import tolerance

from theory import exact
from theory.exact import RationalDag


def moved(
    dag: RationalDag, key: tuple[int, int] | int, at: str, h: Fraction
) -> Fraction:
    field = {"weight": "weights", "bias": "biases", "input": "inputs"}[at]
    values = dict(getattr(dag, field))
    values[key] += h
    return replace(dag, **{field: values}).objective(None)[0]  # type: ignore[arg-type]


def keys(dag: RationalDag) -> list[tuple[tuple[int, int] | int, str]]:
    return [
        *((edge, "weight") for edge in dag.weights),
        *((unit, "bias") for unit in dag.biases),
        *((unit, "input") for unit in dag.inputs),
    ]


def without_kinks(dag: RationalDag) -> RationalDag:
    """The same values, but the identity at every unit that stands at its kink."""
    units: list[Fraction] = []
    slopes = list(dag.slopes)
    for j, slope in enumerate(dag.slopes):
        into = ((w, units[i]) for (i, k), w in dag.weights.items() if k == j)
        z = sum((w * a for w, a in into), dag.biases.get(j, Fraction(0)))
        z = dag.inputs.get(j, z)
        units.append(z if z > 0 or j in dag.inputs else slope * z)
        slopes[j] = Fraction(1) if z == 0 else slope
    return replace(dag, slopes=tuple(slopes))


@given(sources())
def test_dual_numbers_are_the_exact_limit_of_differences(rng: Random) -> None:
    """Away from kinks R is quadratic along one parameter: no error of order h."""
    dag = without_kinks(exact.random_dag(rng))
    for key, at in keys(dag):
        h = Fraction(1, 10**30)
        up, down = moved(dag, key, at, h), moved(dag, key, at, -h)
        value, slope = dag.objective(key, at)
        assert value == dag.objective(None)[0]
        assert (up - down) / (2 * h) == slope


def in_torch(dag: RationalDag) -> dict[tuple[int, int], float]:
    weights = {
        e: torch.tensor(float(w), dtype=torch.float64, requires_grad=True)
        for e, w in dag.weights.items()
    }
    units: list[torch.Tensor] = []
    for j, slope in enumerate(dag.slopes):
        if j in dag.inputs:
            units.append(torch.tensor(float(dag.inputs[j]), dtype=torch.float64))
            continue
        z = torch.tensor(float(dag.biases.get(j, 0)), dtype=torch.float64)
        for (i, k), w in weights.items():
            z = z + w * units[i] if k == j else z
        units.append(torch.where(z > 0, z, float(slope) * z))
    result = sum(
        float(dag.linear[k]) * units[k] + 0.5 * float(dag.quadratic[k]) * units[k] ** 2
        for k in dag.outputs
    )
    slopes = torch.autograd.grad(
        torch.as_tensor(result), list(weights.values()), allow_unused=True
    )
    return {
        e: 0.0 if s is None else float((w * s).detach())
        for (e, w), s in zip(weights.items(), slopes, strict=True)
    }


@given(sources())
def test_saliency_agrees_with_autograd(rng: Random) -> None:
    # at a kink, float64 may fall on the other side of it than the fractions
    dag = without_kinks(exact.random_dag(rng))
    ours, torchs = dag.saliency(), in_torch(dag)
    scale = 1 + sum(abs(float(s)) for s in ours.values())
    for edge in dag.weights:
        assert abs(float(ours[edge]) - torchs[edge]) <= tolerance(10**4, scale)


@given(sources(), st.booleans())
def test_random_dags_are_well_formed(rng: Random, bias: bool) -> None:
    dag = exact.random_dag(rng, bias=bias)
    size = len(dag.slopes)
    assert 3 <= size <= 8 and dag.outputs
    assert all(i < j < size for i, j in dag.weights)
    fed = {j for _, j in dag.weights}
    assert fed.isdisjoint(dag.inputs) and fed | set(dag.inputs) == set(range(size))
    assert bias or not dag.biases
    assert set(dag.outputs).isdisjoint(dag.inputs)


@given(sources())
def test_neuron_identity(rng: Random) -> None:
    assert exact.neuron_sides(rng).defect() == 0.0


@given(sources())
def test_network_identity(rng: Random) -> None:
    assert exact.network_sides(rng).defect() == 0.0


@given(sources())
def test_chain_identity(rng: Random) -> None:
    assert exact.chain_sides(rng).defect() == 0.0


def test_the_identities_are_not_empty() -> None:
    """Among 50 cases many have hidden units, biases and non-zero flow."""
    sides = [exact.neuron_sides(Random(i)) for i in range(50)]
    assert sum(any(s.left) for s in sides) > 20
    assert (
        sum(any(s.left) for s in (exact.network_sides(Random(i)) for i in range(50)))
        > 20
    )
    assert (
        sum(any(s.left) for s in (exact.chain_sides(Random(i)) for i in range(50))) > 20
    )


def by_hand() -> RationalDag:
    """X = 2; z1 = 3x + 1 = 7; y = 5 a1 = 35; R = y + y^2 / 2."""
    one, zero = Fraction(1), Fraction(0)
    return RationalDag(
        weights={(0, 1): Fraction(3), (1, 2): Fraction(5)},
        biases={1: one},
        slopes=(zero, zero, zero),
        inputs={0: Fraction(2)},
        linear=(zero, zero, one),
        quadratic=(zero, zero, one),
    )


def test_values_by_hand() -> None:
    dag = by_hand()
    slope = 1 + 35  # dR/dy
    assert dag.outputs == (2,)
    assert dag.objective(None)[0] == 35 + Fraction(35**2, 2)
    assert dag.saliency() == {(0, 1): slope * 5 * 6, (1, 2): slope * 35}
    assert dag.bias_saliency() == {1: slope * 5}
    assert dag.input_flow() == slope * 5 * 6
    assert dag.saliency()[0, 1] + dag.bias_saliency()[1] == dag.saliency()[1, 2]


def test_without_the_bias_the_identity_fails_exactly() -> None:
    dag = by_hand()
    assert dag.saliency()[0, 1] != dag.saliency()[1, 2]


def test_negative_unit_is_multiplied_by_its_slope() -> None:
    dag = replace(by_hand(), biases={1: Fraction(-9)}, slopes=(Fraction(1, 3),) * 3)
    assert dag.objective(None)[0] == -5 * Fraction(1, 3) ** 1 * 3 * Fraction(1, 3) + (
        Fraction(25, 9) / 2
    )
