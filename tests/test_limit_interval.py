"""Intervals of limits: by definition, exact runs, coverage, indefinite Hessians."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from tolerance import tolerance
from torch import Tensor

from theory.estimates import bracketed
from theory.known_spectra import rotated
from theory.limit_interval import Error, EstimatedLimits, LimitInterval
from theory.measure import Measure, Treatment
from theory.model_spectra import power_law
from theory.orthogonal_limit import orthogonal_dimension
from theory.pruning_limit import (
    exact_limit,
    largest,
    orthogonal_limit,
    paper_dimension,
    paper_limit,
    removal_order,
    removed_squares,
)
from theory.quadrature import gauss, radau, step_halved
from theory.removed_direction import NOWHERE, Along, along_removed
from theory.spectral_dimension import cone_dimension
from theory.spectrum import Rule, spectrum

D, EPSILON = 60, 0.02
SEEDS, COVERED = 100, 90
"""Issue: a 95 % interval is to cover the truth for 90 of 100 seeds."""
POSITIVE = power_law(D)
INDEFINITE = np.concatenate([power_law(D - 20), -0.02 * power_law(20)])


class Net:
    """60 weights, 50 of them prunable, and a Hessian with Haar eigenvectors."""

    def __init__(self, eigenvalues: np.ndarray, seed: int = 0) -> None:
        source = torch.Generator().manual_seed(seed)
        self.matrix, basis = rotated(eigenvalues, generator=source)
        self.basis, self.nodes = basis.numpy(), eigenvalues
        self.weights = 0.3 * np.random.default_rng(seed).standard_normal(D)
        self.prunable = np.arange(D) < 50
        self.order = removal_order(self.weights, self.prunable)
        self.trace = Measure(eigenvalues, np.full(D, 1 / D))

    def product(self, vectors: Tensor) -> Tensor:
        return self.matrix @ vectors

    def true_along(self, n: int) -> Measure:
        squares = (self.weights[self.order[:n]] @ self.basis[self.order[:n]]) ** 2
        return Measure(self.nodes, squares / squares.sum())

    def along(self, steps: int) -> Along:
        return along_removed(self.product, self.weights, self.order, steps)

    def limits(
        self, seed: int, *, probes: int = 5, steps: int = 8, epsilon: float = EPSILON
    ) -> EstimatedLimits:
        source = torch.Generator().manual_seed(seed)
        found = spectrum(self.product, D, probes=probes, steps=steps, generator=source)
        return EstimatedLimits(self.weights[self.prunable], found, epsilon)

    def truth(self, treatment: Treatment = "refuse") -> tuple[int, int, int]:
        weights, trace = self.weights[self.prunable], self.trace.treated(treatment)

        def along(n: int) -> Measure:
            return self.true_along(n).treated(treatment)

        return (
            paper_limit(weights, trace, D, EPSILON),
            exact_limit(weights, trace, along, D, EPSILON),
            orthogonal_limit(weights, trace, along, D, EPSILON),
        )


@cache
def net(kind: str) -> Net:
    return Net({"positive": POSITIVE, "indefinite": INDEFINITE}[kind])


def three(limits: EstimatedLimits, along: Along) -> tuple[LimitInterval, ...]:
    return limits.paper(), limits.exact(along), limits.orthogonal(along)


# identities -------------------------------------------------------------------------


def test_a_spectrum_plugs_into_every_limit() -> None:
    """The mean measure of exact runs, with dead coordinates, is the exact measure."""
    some = net("positive")
    weights = some.weights[some.prunable]
    found = spectrum(
        some.product,
        D,
        probes=100,
        steps=D,
        generator=torch.Generator().manual_seed(0),
        columns=100,
        dead=4,
    )
    trace, steps = found.measure(), some.along(D)
    assert trace.mass == pytest.approx(1, rel=tolerance(10**4))

    def along(n: int) -> Measure:
        return steps(n, gauss)

    zeros = Measure(np.append(some.nodes, 0.0), np.append(np.ones(D), 4.0) / (D + 4))
    for limit in (exact_limit, orthogonal_limit):
        ours = limit(weights, trace, along, D + 4, EPSILON)
        exact = limit(weights, zeros, some.true_along, D + 4, EPSILON)
        assert abs(ours - exact) <= 1
    ours = paper_limit(weights, trace, D + 4, EPSILON)
    assert abs(ours - paper_limit(weights, zeros, D + 4, EPSILON)) <= 1


def test_no_width_where_nothing_is_unknown() -> None:
    """One deflated basis vector for each direction, but two: exact in all seeds."""
    flat = Net(np.full(D, 2.0))
    expected = flat.truth()
    for found, exact in zip(
        three(flat.limits(0), flat.along(8)), expected, strict=True
    ):
        assert found == LimitInterval(exact, exact, exact)


@pytest.mark.parametrize("error", ["radau", "halving"])
def test_by_definition(error: Error) -> None:
    some, other = net("positive"), radau if error == "radau" else step_halved
    limits, along = replace(some.limits(3), error=error, level=0.8), some.along(6)
    squares = removed_squares(limits.weights)

    def interval(kind: int) -> LimitInterval:
        def values(n: int, rule: Rule) -> np.ndarray:
            ray = along(n, rule)
            rest = D, float(squares[n]), EPSILON
            traces = limits.found.measures(rule)
            if kind == 0:
                return np.array([paper_dimension(m, *rest) for m in traces])
            if kind == 1:
                return np.array([cone_dimension(m, ray, *rest).value for m in traces])
            return np.array([1 + orthogonal_dimension(m, ray, *rest) for m in traces])

        def ends(n: int) -> tuple[float, float, float]:
            first, second = values(n, gauss), values(n, other)
            if error == "halving":
                gap = abs(first - second)
                first, second = first - gap, first + gap
            low, high = np.minimum(first, second), np.maximum(first, second)
            found = bracketed(
                ((low + high) / 2).tolist(), low.tolist(), high.tolist(), level=0.8
            )
            return found.low, found.value, found.high

        return LimitInterval(
            largest(lambda n: n <= ends(n)[0], 50),
            largest(lambda n: n <= ends(n)[1], 50),
            largest(lambda n: n <= ends(n)[2], 50),
        )

    assert three(limits, along) == tuple(interval(kind) for kind in range(3))
    assert all(found.low < found.high for found in three(limits, along))


def test_weights_of_nothing_can_all_go() -> None:
    """N = D = delta, and 1 + delta of the hyperplane's D - 1: equality is enough."""
    limits = replace(net("positive").limits(0), weights=np.zeros(D))
    for limit in (limits.exact, limits.orthogonal):
        assert limit(lambda n, rule: NOWHERE) == LimitInterval(D, D, D)
    assert limits.paper().low >= D - 1  # D times weights that sum to 1 - 2^-53


def test_the_ends_of_a_probe_are_put_in_order() -> None:
    """The next terms of delta are not bracketed: Radau may be the lower one."""
    values = {gauss: np.array([2.0, 3.0]), radau: np.array([1.0, 4.0])}
    found = net("positive").limits(0)._estimate(values.__getitem__)
    assert found == bracketed([1.5, 3.5], [1.0, 3.0], [2.0, 4.0])


def test_each_dimension_is_estimated_once() -> None:
    some, asked = net("positive"), []
    along = some.along(6)

    def counted(n: int, rule: Rule) -> Measure:
        asked.append((n, rule))
        return along(n, rule)

    some.limits(0).exact(counted)
    assert len(asked) == len(set(asked)) > 0


@pytest.mark.parametrize("resolution", [2, 5, 40, 1000])
def test_a_coarser_search_widens_the_interval(resolution: int) -> None:
    some = net("positive")
    along = some.along(6)
    fine = some.limits(3)
    coarse = replace(fine, resolution=resolution)
    for exact, found in zip(three(fine, along), three(coarse, along), strict=True):
        for end in ("low", "value"):
            n = getattr(found, end)
            assert n % resolution == 0 and 0 <= getattr(exact, end) - n < resolution
        assert 0 <= found.high - exact.high < resolution
        assert found.low <= found.value <= found.high <= len(fine.weights)


def test_a_coarser_search_shares_its_runs() -> None:
    some = net("positive")
    along, asked = some.along(6), set()

    def counted(n: int, rule: Rule) -> Measure:
        asked.add(n)
        return along(n, rule)

    limits = replace(some.limits(3), resolution=5)
    limits.exact(counted)
    limits.orthogonal(counted)
    assert asked and asked <= set(range(5, 51, 5))


@pytest.mark.parametrize("resolution", [0, -3])
def test_a_search_has_some_resolution(resolution: int) -> None:
    with pytest.raises(ValueError, match=r"^expected a resolution >= 1, got "):
        replace(net("positive").limits(0), resolution=resolution)


# coverage ---------------------------------------------------------------------------


def assert_covers(limits: list[LimitInterval], truth: int) -> None:
    hits = sum(found.low <= truth <= found.high for found in limits)
    assert hits >= COVERED, hits
    assert sum(found.high - found.low for found in limits) / SEEDS < D / 6


@pytest.mark.usefixtures("unchecked_types")  # 5,000 calls
def test_coverage() -> None:
    """Over 100 seeds of the probes, with few steps."""
    some = net("positive")
    along, limits = some.along(8), [some.limits(s, probes=3) for s in range(SEEDS)]
    assert_covers([one.exact(along) for one in limits], some.truth()[1])


@pytest.mark.usefixtures("unchecked_types")
def test_coverage_where_the_error_is_estimated() -> None:
    """An indefinite Hessian, |lambda| taken: half the steps for the bracket."""
    some = net("indefinite")
    limits = [
        replace(some.limits(seed, probes=8), error="halving", treatment="absolute")
        for seed in range(SEEDS)
    ]
    assert_covers([one.paper() for one in limits], some.truth("absolute")[0])


def test_the_interval_holds_what_probes_cannot_remove() -> None:
    """With two steps and many probes Gauss alone misses; the interval does not."""
    some = net("positive")
    limits, exact = some.limits(0, probes=60, steps=2), some.truth()[0]
    pooled = limits.found.measure(gauss)
    assert paper_limit(limits.weights, pooled, D, EPSILON) < exact - 2
    assert paper_limit(limits.weights, limits.found.measure(radau), D, EPSILON) > exact
    found = limits.paper()
    assert found.low <= exact <= found.high


# treatments and refusals ------------------------------------------------------------


def test_treatments_are_applied_to_both_measures() -> None:
    some, along = net("indefinite"), net("indefinite").along(D)
    limits = replace(some.limits(0, steps=D), error="halving")
    treatments: tuple[Treatment, ...] = ("absolute", "positive")
    found = {how: three(replace(limits, treatment=how), along) for how in treatments}
    for less, more in zip(found["absolute"], found["positive"], strict=True):
        assert less.value <= more.value
    assert found["absolute"][1].value < found["positive"][1].value
    for how, intervals in found.items():
        for ours, exact in zip(intervals, some.truth(how), strict=True):
            assert ours.low - 1 <= exact <= ours.high + 1


def test_negative_nodes_are_refused() -> None:
    some = net("indefinite")
    limits = some.limits(0)
    with pytest.raises(ValueError, match="choose the treatment 'absolute'"):
        limits.paper()
    with pytest.raises(ValueError, match=r"at an end of the spectrum"):
        replace(limits, treatment="absolute").paper()


def test_one_probe_has_no_interval() -> None:
    with pytest.raises(ValueError, match="at least two probes"):
        net("positive").limits(0, probes=1).paper()


@pytest.mark.usefixtures("unchecked_types")
def test_unknown_errors_are_refused() -> None:
    limits = net("positive").limits(0)
    with pytest.raises(ValueError, match=r"^expected error 'radau' or 'halving', got "):
        replace(limits, error="gauss")  # type: ignore[arg-type]
