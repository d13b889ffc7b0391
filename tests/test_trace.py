"""Trace estimators: unbiased, exact where they must be, intervals that cover."""

import pytest
import torch
from tolerance import tolerance
from torch import Tensor

from theory.estimates import estimate
from theory.known_spectra import FAMILIES, power_law, rotated
from theory.trace import hutch_plus_plus, hutchinson, orthonormal, signs


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def decaying(size: int = 60) -> Tensor:
    return rotated(power_law(size), generator=generator(9))[0]


class Counted:
    """A matrix that counts its products."""

    def __init__(self, matrix: Tensor) -> None:
        self.matrix, self.columns = matrix, 0

    def __call__(self, v: Tensor) -> Tensor:
        assert v.dim() == 2 and v.shape[1] <= 32
        self.columns += v.shape[1]
        return self.matrix @ v


def test_signs() -> None:
    drawn = signs(50, 400, generator=generator())
    assert drawn.dtype == torch.float64 and drawn.shape == (50, 400)
    assert set(drawn.unique().tolist()) == {-1.0, 1.0}
    assert abs(float(drawn.mean())) < 4.5 / 20000**0.5  # one comparison, p < 1e-5
    assert torch.equal(drawn, signs(50, 400, generator=generator()))


def test_hutchinson_is_the_mean_over_signs() -> None:
    matrix, product = decaying(), Counted(decaying())
    found = hutchinson(product, 60, 40, generator=generator(3), level=0.8)
    probes = signs(60, 40, generator=generator(3))
    forms = [float(w @ matrix @ w) for w in probes.T]
    expected = estimate(forms, level=0.8)
    assert product.columns == 40 and found.samples == 40
    for name in ("value", "low", "high", "standard_error"):
        ours, theirs = getattr(found, name), getattr(expected, name)
        assert ours == pytest.approx(theirs, rel=tolerance(1000))


def test_hutch_plus_plus_is_its_definition() -> None:
    matrix, product = decaying(), Counted(decaying())
    found = hutch_plus_plus(product, 60, 20, generator=generator(3), level=0.8)
    draws = generator(3)
    sketch = torch.randn(60, 6, generator=draws, dtype=torch.float64)
    basis = orthonormal(matrix @ sketch)
    projector = torch.eye(60, dtype=torch.float64) - basis @ basis.T
    probes = projector @ signs(60, 6, generator=draws)
    forms = [float(w @ matrix @ w) for w in probes.T]
    exact = float((basis * (matrix @ basis)).sum())
    assert product.columns == 18 and found.samples == 6
    expected = estimate(forms, level=0.8)
    assert found.value == pytest.approx(exact + expected.value, rel=tolerance(1000))
    assert found.high == pytest.approx(exact + expected.high, rel=tolerance(1000))


def test_both_are_closer_than_their_variance_allows() -> None:
    """The means of 40 estimates are within 4.5 standard errors; Hutch++ is nearer."""
    matrix, true = decaying(), float(power_law(60).sum())
    spreads = []
    for estimator in (hutchinson, hutch_plus_plus):
        values = [
            estimator(lambda v: matrix @ v, 60, 18, generator=generator(seed)).value
            for seed in range(40)
        ]
        over = estimate(values)
        assert abs(over.value - true) < 4.5 * over.standard_error
        spreads.append(over.standard_error)
    assert spreads[1] < 0.3 * spreads[0]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.__name__)
def test_exact_once_the_sketch_has_the_rank(family: object) -> None:
    eigenvalues = power_law(40)
    eigenvalues[3:] = 0.0
    matrix, _ = rotated(eigenvalues, generator=generator())
    found = hutch_plus_plus(lambda v: matrix @ v, 40, 12, generator=generator(1))
    close = tolerance(1000)
    assert found.value == pytest.approx(eigenvalues.sum(), rel=close)
    assert found.half_width <= close
    whole, _ = rotated(family(4), generator=generator())  # type: ignore[operator]
    found = hutch_plus_plus(lambda v: whole @ v, 4, 15, generator=generator(1))
    assert found.value == pytest.approx(float(torch.trace(whole)), abs=tolerance(10**4))


def test_exact_for_rank_one() -> None:
    """The basis is then a single column."""
    ray = torch.arange(1.0, 5.0, dtype=torch.float64)
    found = hutch_plus_plus(
        lambda v: ray[:, None] * (ray @ v), 4, 6, generator=generator()
    )
    assert found.value == pytest.approx(30.0, rel=tolerance(100))


def test_too_few_products() -> None:
    with pytest.raises(ValueError, match=r"^expected at least 6 products .*, got 5$"):
        hutch_plus_plus(lambda v: v, 10, 5, generator=generator())
    with pytest.raises(ValueError, match="at least two probes"):
        hutchinson(lambda v: v, 10, 1, generator=generator())
    assert hutch_plus_plus(lambda v: v, 10, 6, generator=generator()).samples == 2


def test_bases() -> None:
    vectors = torch.tensor([[3.0, 3.0, 0.0], [4.0, 4.0, 0.0]]).double()
    basis = orthonormal(vectors)
    assert basis.shape == (2, 1)
    assert basis.abs().flatten().tolist() == pytest.approx([0.6, 0.8])
    assert orthonormal(torch.zeros(3, 2).double()).shape == (3, 0)
    nearly = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).double()
    for share, rank in ((1.1, 2), (0.9, 1)):
        scaled = nearly * torch.tensor([1e-5, share * 1e-5 * 2.0**-40]).double()
        assert orthonormal(scaled).shape == (2, rank)
