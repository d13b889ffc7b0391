"""The points about paper C: each number recomputed from the tables by other code."""

from collections import defaultdict
from statistics import mean, median

from test_evidence import ours

from figures import _limit_evidence, common

TABLES = common.read_tables()


def test_the_bound() -> None:
    rows = [row for row in ours("c2_bound_tightness") if row["method"] == "formula"]
    gaps = {
        (row["spectrum"], row["size"], row["radius"], row["seed"]): 100
        * (float(row["exact"]) - float(row["paper"]))
        / int(row["size"])
        for row in rows
    }
    worst, _, radius, _ = max(gaps, key=lambda key: gaps[key])
    text = _limit_evidence.bound(TABLES)
    assert min(gaps.values()) > -1e-9  # "in no case"
    assert len({spectrum for spectrum, *_ in gaps}) == 4
    assert f"by {max(gaps.values()):.0f} per cent of the parameters at most" in text
    assert f"({worst} spectrum, distance {float(radius):.2g})" in text
    final = shares({"paper", "exact"}, "positive")
    pairs = {key[1:] for key in final}
    more = [mean(final["exact", *p]) - mean(final["paper", *p]) for p in pairs]
    assert f"{len(pairs)} pairs of a trained network" in text
    assert text.endswith(f"{min(more):.1f} to {max(more):.1f} points more to go.")


def shares(
    readings: set[str], treatment: str
) -> dict[tuple[str, str, str], list[float]]:
    """Per cent that can go at the end: by reading, case and lambda, one a seed."""
    found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for row in ours("c5_threshold_table"):
        usual = row["matrix"] in ("", "hessian") and row["treatment"] in ("", treatment)
        final = row["stage"] == "final" and float(row["factor"]) == 1
        if usual and final and row["reading"] in readings:
            key = row["reading"], row["case"], row["strength"]
            found[key].append(100 * int(row["removed"]) / int(row["prunable"]))
    return found


def test_the_reading() -> None:
    found = shares({"paper", "one-shot accuracy, last"}, "absolute")
    text = _limit_evidence.reading(TABLES)
    cases = {case for _, case, _ in found if case.endswith("digits")}
    for kind, name in ((True, " per cent with such a term"), (False, " without.")):
        means = []
        for reading in ("paper", "one-shot accuracy, last"):
            by_case = [
                [
                    value
                    for (own, its, strength), values in found.items()
                    if (own, its, float(strength) > 0) == (reading, case, kind)
                    for value in values
                ]
                for case in cases
            ]
            means.append(mean(mean(values) for values in by_case))
        assert f"{means[0]:.0f} and {means[1]:.0f}{name}" in text
    assert f"{len(cases)} small networks of ours, 3 seeds each" in text


def test_smearing() -> None:
    errors: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in ours("c7_slq_accuracy"):
        if row["quantity"] == "limit" and row["products"] == "1000":
            errors[row["method"], row["state"]].append(100 * float(row["error"]))
    middle = {
        method: [median(v) for (name, _), v in errors.items() if name == method]
        for method in ("smeared", "unsmeared", "10 probes", "4 probes")
    }
    text = _limit_evidence.smearing(TABLES)
    for values in middle.values():
        assert f"{min(values):.1f} to {max(values):.1f}" in text
    assert f"{len(middle['smeared'])} states" in text
