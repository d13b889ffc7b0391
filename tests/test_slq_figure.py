"""Figure c7: each number of its caption recomputed from the table by other code."""

from collections import defaultdict
from statistics import mean, median

import pytest
from scipy.stats import halfnorm, norm
from test_evidence import ours
from test_figures import latex_faults

from figures import _slq_text, c7_slq_accuracy, common
from figures._slq_text import NORMAL, STATES

TABLE = common.read_tables()["c7_slq_accuracy"]
Rows = dict[str, list[dict[str, str]]]


def rows(quantity: str, method: str, products: int = 1000) -> Rows:
    """By state, in the order of the columns."""
    found = defaultdict(list)
    for row in ours("c7_slq_accuracy"):
        if (row["quantity"], row["method"]) == (quantity, method):
            if int(row["products"]) == products:
                found[row["state"]].append(row)
    return {state: found[state] for state in STATES}


def errors(quantity: str, method: str, products: int = 1000) -> list[list[float]]:
    found = rows(quantity, method, products)
    return [[float(row["error"]) for row in own] for own in found.values()]


def medians(quantity: str, method: str, products: int = 1000) -> list[float]:
    return [median(own) for own in errors(quantity, method, products)]


def percents(values: list[float], digits: int = 1) -> str:
    return ", ".join(f"{100 * value:.{digits}f}\\,\\%" for value in values)


def test_limits() -> None:
    text = _slq_text.limits(TABLE)
    found = errors("limit", "4 probes")
    above = [sum(error > 0.01 for error in own) / len(own) for own in found]
    assert max(above) > 0.2
    assert f"{percents(above, 0)} of the runs" in text
    assert f"at most {percents([max(map(max, found))])};" in text
    for method, title in (
        ("4 probes", "ours with 4 probes"),
        ("10 probes", "with 10 probes of 100 steps"),
        ("4 probes, deflated", "with 4 probes and deflation"),
    ):
        assert f"{title} {percents(medians('limit', method))}" in text
    for method, title in (
        ("smeared", "paper C's procedure"),
        ("unsmeared", "without the smearing"),
        ("curvlinops", "curvlinops"),
    ):
        own = medians("limit", method)
        ends = [percents([end]) for end in (min(own), max(own))]
        assert f"{title} {ends[0]} to {ends[1]}" in text


def test_intervals_are_conservative() -> None:
    text, every = _slq_text.intervals(TABLE), rows("limit", "4 probes")
    held, count, widths, ratios, ways = 0, 0, [], [], []
    for own in every.values():
        lengths, offs = [], []
        for row in own:
            if int(row["seed"]) == 0:
                continue
            low, value, high, truth = (
                float(row[name]) for name in ("low", "value", "high", "truth")
            )
            held, count = held + (low <= truth <= high), count + 1
            lengths.append((high - low) / truth)
            offs.append(float(row["error"]))
            end = high if truth > value else low
            ways.append((truth - value) / (end - value) if truth != value else 0)
        widths.append(mean(lengths))
        ratios.append(mean(lengths) / 2 / mean(offs))
    assert pytest.approx(norm.ppf(0.975) / halfnorm.mean(), abs=1e-3) == NORMAL
    assert held / count > 0.95 and min(ratios) > NORMAL  # "conservative"
    assert f"the truth in {held} of {count} new runs" in text
    assert f"mean width is {percents(widths)} of the limit" in text
    times = ", ".join(f"{ratio:.0f}" for ratio in ratios)
    assert f"half of which is {times} times the mean error" in text
    assert f"at most {percents([max(ways)], 0)} of the way" in text


def test_intervals_know_no_side() -> None:
    mirrored = TABLE.assign(
        value=2 * TABLE["truth"] - TABLE["value"],
        low=2 * TABLE["truth"] - TABLE["high"],
        high=2 * TABLE["truth"] - TABLE["low"],
    )
    assert _slq_text.intervals(mirrored) == _slq_text.intervals(TABLE)


def test_densities_and_where_ours_are_not_nearer() -> None:
    text, theirs = _slq_text.densities(TABLE), medians("density", "smeared")
    for method, title in (
        ("4 probes", "4 probes"),
        ("10 probes", "10 probes"),
        ("4 probes, deflated", "4 probes and deflation"),
    ):
        own = medians("density", method)
        nearer = sum(a < b for a, b in zip(own, theirs, strict=True))
        numbers = ", ".join(f"{value:.2g}" for value in own)
        assert f"{title} {numbers} ({nearer})" in text
    first, last = (medians("density", "4 probes", products) for products in (100, 1000))
    gains = [a / b for a, b in zip(first, last, strict=True)]
    assert f"divide it by {min(gains):.1f} to {max(gains):.1f} only" in text


def test_traces() -> None:
    text = _slq_text.traces(TABLE)
    found = {
        method: medians("trace", method)
        for method in ("hutchinson", "hutch++", "deflated", "xtrace")
    }
    for method, title in (("hutch++", "Hutch++"), ("xtrace", "XTrace")):
        ends = (
            f"{end:.1e}".replace("e-0", r"\cdot 10^{-") + "}"
            for end in (min(found[method]), max(found[method]))
        )
        least, most = ends
        assert f"{title} ${least}$ to ${most}$" in text
    first = sum(min(own) == own[-1] for own in zip(*found.values(), strict=True))
    assert f"least of these in {first} of 5 networks" in text


def test_the_caption_names_the_form_and_where_the_exact_one_is() -> None:
    text = c7_slq_accuracy.caption({"c7_slq_accuracy": TABLE})
    assert "by paper C's form" in text and r"Figure~\ref{fig:spectrum}" in text
    for sentence in ("traces", "densities", "limits", "intervals", "choices"):
        assert getattr(_slq_text, sentence)(TABLE) in text
    assert not latex_faults(text)
