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
    assert f"Over {len(gaps)} pairs" in text
    assert min(gaps.values()) > -1e-9  # the theorem; "0 times" but for rounding
    assert f"by {mean(gaps.values()):.0f} per cent of the parameters" in text
    assert f"by {max(gaps.values()):.0f} at most ({worst} spectrum" in text
    assert text.endswith(f"distance {float(radius):.2g}).")


def test_the_reading() -> None:
    shares: dict[tuple[str, bool], list[float]] = defaultdict(list)
    cases, seeds = set(), set()
    for row in ours("c5_threshold_table"):
        usual = row["matrix"] in ("", "hessian") and row["treatment"] in (
            "",
            "positive",
        )
        final = row["stage"] == "final" and float(row["factor"]) == 1
        if not (usual and final and row["case"].endswith("digits")):
            continue
        if row["reading"] in ("paper", "one-shot accuracy, last"):
            key = row["reading"], float(row["strength"]) > 0
            shares[key].append(100 * int(row["removed"]) / int(row["prunable"]))
            cases.add(row["case"])
            seeds.add(row["seed"])
    found = {key: f"{mean(values):.0f}" for key, values in shares.items()}
    text = _limit_evidence.reading(TABLES)
    for kind, name in ((False, "for networks trained"), (True, "with one")):
        predicted, measured = (
            found[reading, kind] for reading in ("paper", "one-shot accuracy, last")
        )
        assert f"{predicted} and {measured} {name}" in text
    assert f"over {len(cases)} small networks and {len(seeds)} seeds" in text


def test_smearing() -> None:
    errors: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in ours("c7_slq_accuracy"):
        if row["quantity"] == "limit" and row["products"] == "1000":
            errors[row["method"], row["state"]].append(100 * float(row["error"]))
    middle = {
        method: [median(v) for (name, _), v in errors.items() if name == method]
        for method in ("smeared", "4 probes")
    }
    text = _limit_evidence.smearing(TABLES)
    for values in middle.values():
        assert f"{min(values):.1f} to {max(values):.1f}" in text
    assert f"{len(middle['smeared'])} states" in text
