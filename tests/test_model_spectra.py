"""The four spectra: shape, moments, and the vectors beside them."""

import math

import numpy as np
import pytest
from tolerance import tolerance

from theory.model_spectra import (
    flat,
    isotropic,
    marchenko_pastur,
    measures,
    power_law,
    spiked,
)

CLOSE = tolerance(1000)


def test_by_hand() -> None:
    assert flat(3).tolist() == [1.0, 1.0, 1.0] and flat(2, 5.0).tolist() == [5.0, 5.0]
    assert power_law(4).tolist() == pytest.approx(
        [10.0, 10 / 8**0.5, 10 / 27**0.5, 1.25], rel=CLOSE
    )
    assert power_law(2, 1.0, 4.0).tolist() == [4.0, 2.0]
    assert spiked(4, 0.3, 9.0, 1.0).tolist() == [9.0, 9.0, 1.0, 1.0]
    assert spiked(300).tolist() == [100.0] * 3 + [0.01] * 297
    assert spiked(301)[3] == 100.0  # a part of a spike is a spike


def test_marchenko_pastur_moments() -> None:
    """Moments 1, 1 + c and 1 + 3 c + c^2; quantiles are within O(1 / D) of them."""
    for ratio in (0.1, 0.5, 0.9):
        found = marchenko_pastur(4000, ratio)
        assert found.mean() == pytest.approx(1, abs=1e-4)
        assert (found**2).mean() == pytest.approx(1 + ratio, abs=1e-3)
        assert (found**3).mean() == pytest.approx(1 + 3 * ratio + ratio**2, abs=1e-2)
        assert (np.diff(found) <= 0).all()
        low, high = (1 - math.sqrt(ratio)) ** 2, (1 + math.sqrt(ratio)) ** 2
        assert low < found[-1] < low + 0.02 and high - 0.05 < found[0] < high
    assert np.array_equal(marchenko_pastur(5), marchenko_pastur(5, 0.5))


def test_marchenko_pastur_is_the_law_of_gram_matrices() -> None:
    rng = np.random.default_rng(0)
    table = rng.standard_normal((800, 400))
    found = np.linalg.eigvalsh(table.T @ table / 800)[::-1]
    assert np.abs(found - marchenko_pastur(400)).mean() < 0.01


def test_one_quantile_is_the_median() -> None:
    (median,) = marchenko_pastur(1).tolist()
    many = marchenko_pastur(10_001)
    assert median == pytest.approx(many[5000], rel=1e-6)


@pytest.mark.parametrize("ratio", [0.0, 1.0, -0.5, math.nan])
def test_ratios_are_below_one(ratio: float) -> None:
    message = (
        rf"^expected a ratio in \(0, 1\), got {ratio}: from 1 on eigenvalues are 0$"
    )
    with pytest.raises(ValueError, match=message):
        marchenko_pastur(5, ratio)


def test_measures_of_a_vector() -> None:
    trace, along = measures(np.array([3.0, 1.0]), np.array([1.0, -2.0]))
    assert trace.nodes.tolist() == along.nodes.tolist() == [3.0, 1.0]
    assert trace.weights.tolist() == [0.5, 0.5]
    assert along.weights.tolist() == pytest.approx([0.2, 0.8], rel=CLOSE)


def test_isotropic_vectors() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([isotropic(5, 3.0, rng=rng) for _ in range(2000)])
    assert np.linalg.norm(drawn, axis=1) == pytest.approx(np.full(2000, 3.0), rel=CLOSE)
    assert np.abs(drawn.mean(0)).max() < 5 * 3 / math.sqrt(5 * 2000)
    assert np.abs((drawn**2).mean(0) - 9 / 5).max() < 0.3
