"""The list of fragile evidence: each number recomputed from the files by other code."""

import csv
from collections import defaultdict
from statistics import mean, stdev

import pytest
from test_figures import latex_faults

from figures import common, evidence

TABLES = common.read_tables()
POINTS = evidence.evidence(TABLES).split(r"\item ")[1:]


def published(name: str) -> list[dict[str, str]]:
    with open(common.PUBLISHED / f"{name}.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def ours(name: str) -> list[dict[str, str]]:
    with open(common.RESULTS / f"{name}.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


FIG1 = [row for row in published("fig1_fig6_accuracy") if row["figure"] == "fig1"]


@pytest.mark.parametrize("point", POINTS)
def test_every_point_is_a_sentence_with_a_number(point: str) -> None:
    assert not latex_faults(point)
    assert "nan" not in point.split() and point.strip().endswith(".")
    assert any(character.isdigit() for character in point) or "pretrained" in point


def test_best_epoch() -> None:
    lift = [
        float(row["top1_max_over_epochs_percent"]) - float(row["top1_final_percent"])
        for row in FIG1
        if float(row["layers_fully_pruned"]) == 0
    ]
    text = evidence.best_epoch(TABLES)
    assert f"by {mean(lift):.2f} points on average and by {max(lift):.2f}" in text
    assert min(lift) >= 0 and f"the {len(lift)} runs" in text


def test_hand_set_cuts() -> None:
    largest: dict[tuple[str, str], float] = defaultdict(float)
    for row in FIG1:
        if float(row["layers_fully_pruned"]) == 0:
            run = row["method"], row["replicate"]
            largest[run] = max(largest[run], float(row["compression_log10"]))
    text = evidence.hand_set_cuts(TABLES)
    for method in ("random", "snip", "grasp", "synflow"):
        runs = [value for (name, _), value in largest.items() if name == method]
        assert f"{evidence.TITLES[method]} ${mean(runs):.2f}$" in text
        drawn = max(
            float(row["compression_log10"])
            for row in FIG1
            if row["method"] == method and row["drawn_in_figure"] == "1"
        )
        assert (drawn > mean(runs)) == (method == "synflow")
    assert "magnitude" not in text  # drawn where it was computed


def test_no_rewinding() -> None:
    dense = [
        float(row["top1_before_training_percent"])
        for row in published("fig5a_imp_accuracy")
        if float(row["compression_log10"]) == 0
    ]
    text = evidence.no_rewinding(TABLES)
    assert f"{min(dense):.1f} to {max(dense):.1f} per cent" in text
    for rewind, name in (("False", "without rewinding"), ("True", "with it")):
        initial = [
            100 * float(row["initial_accuracy"])
            for row in ours("a5a_imp_iterations")
            if row["rewind"] == rewind
            and float(row["compression_log10"]) == 0
            and int(row["iterations"]) > 1
            and row["dataset"] == "digits"
        ]
        assert f"{mean(initial):.1f} {name}" in text


def test_grasp_sign() -> None:
    totals = [
        (row["images"], int(row["epochs"]) > 0, float(row["total"]))
        for row in ours("a4_layer_size")
        if row["score"] == "grasp"
    ]
    text = evidence.grasp_sign(TABLES)
    for images, trained in (
        ("generated", False),
        ("digits", False),
        ("digits", True),
    ):
        own = [t for name, after, t in totals if (name, after) == (images, trained)]
        assert f"in {sum(t > 0 for t in own)} of {len(own)} " in text
    final: dict[str, dict[float, list[float]]] = {}
    for row in ours("a1_layer_collapse"):
        if row["dataset"] == "digits":
            by = final.setdefault(row["method"], defaultdict(list))
            accuracy = 100 * float(row["final_accuracy"])
            by[float(row["compression_log10"])].append(accuracy)
    right, wrong = final["grasp"], final["grasp-reversed"]
    change = [mean(wrong[at]) - mean(right[at]) for at in right]
    assert f"${min(change):+.1f}$ to ${max(change):+.1f}$ points" in text


def test_single_precision() -> None:
    ends = {row["key"]: row for row in ours("a11_maximal_compression")}
    shares = [
        100 * float(row["differing"]) / float(row["left"])
        for row in ends.values()
        if row["kind"] == "precision"
    ]
    text = evidence.single_precision(TABLES)
    assert f"{min(shares):.1f} to {max(shares):.1f} per cent" in text
    assert f"({len(shares)} initialisations)" in text


def test_one_initialisation() -> None:
    cell = ("linear", 100, 3.0)
    (printed,) = (
        float(row["max_prune_size_over_cut_size"])
        for row in published("fig7_prune_size_ratio")
        if (
            row["schedule"],
            int(row["pruning_iterations"]),
            float(row["compression_log10"]),
        )
        == cell
    )

    def ratios(name: str, column: str, value: str) -> list[float]:
        return [
            float(row["ratio"])
            for row in ours(name)
            if row[column] == value
            and (
                row["schedule"],
                int(row["iterations"]),
                float(row["compression_log10"]),
            )
            == cell
        ]

    (own,) = ratios("a12_authors_weights", "double", "False")
    others = ratios("a7_schedule", "architecture", "vgg19-imagenet")
    text = evidence.one_initialisation(TABLES)
    assert f"{printed:.3f} in theirs, {own:.3f} in ours from the same" in text
    assert f"and {mean(others):.3f} on average from {len(others)} other" in text
    away = abs(printed - mean(others)) / stdev(others)
    assert f"{stdev(others):.3f}): theirs is {away:.1f} standard" in text


def test_ties() -> None:
    rows = [
        row
        for row in published("fig2_layer_fraction")
        if row["method"] == "grasp" and float(row["compression_log2"]) == 1
    ]
    kept = sum(int(row["weights_remaining"]) for row in rows)
    assert f"and kept {kept:,}" in evidence.ties(TABLES)
    assert kept < sum(int(row["layer_size"]) for row in rows) // 2


def test_collapsed_runs() -> None:
    text = evidence.collapsed_run(TABLES)
    assert text.startswith("SynFlow did collapse: 1 of the 3 published runs")
    ends = {row["key"]: row for row in ours("a11_maximal_compression")}
    plain = [
        row
        for row in ends.values()
        if (row["kind"], row["iterations"], row["double"]) == ("plain", "100", "False")
    ]
    safe = [row for row in ends.values() if row["kind"] == "safe"]
    gone = sum(int(float(row["emptied"])) > 0 for row in plain)
    assert f"{len(plain)} runs" in text and f"possible compression {gone} " in text
    assert f"{len(safe)} safe runs 0 collapse" in text


def test_not_pretrained() -> None:
    rows = {
        (row["method"], row["layer"], row["file_label"]): row["abs_mean_score"]
        for row in published("fig4_layer_scores")
    }
    same = {
        method
        for method in {method for method, _, _ in rows}
        if all(
            value == rows[method, layer, "pretrained"]
            for (name, layer, label), value in rows.items()
            if name == method and label == "initialization"
        )
    }
    assert f"those of {', '.join(sorted(same))} are in all" in evidence.not_pretrained(
        TABLES
    )


def test_rounding() -> None:
    found = defaultdict(list)
    for row in ours("b3_stability_table"):
        if (row["case"], row["unit"]) == ("lenet-mnist", "L2"):
            found[row["subnetwork"], row["quantity"]].append(float(row["value"]))
    floor, order = found["imp", "data order floor"], found["imp", "data order"]
    rough, other = found["random", "data order floor"], found["random", "data order"]
    text = evidence.rounding(TABLES)
    assert f"{min(floor):.1f} to {max(floor):.1f} apart" in text
    assert f"{mean(order):.1f} apart on average (18 pairs; the authors: 20.7)" in text
    assert mean(floor) > 0.9 * mean(order)  # what "nearly as large" means
    assert text.endswith(
        f"it can: they are {mean(other):.1f} apart, and rounding makes "
        f"{min(rough):.1f} to {max(rough):.1f}."
    )


def test_recipe() -> None:
    """Student's intervals by hand: 4.3027 is the quantile for three initialisations."""
    printed = {
        unit: next(r for r in published(f"table_{name}") if r["network"] == "Lenet")
        for unit, name in (("L2", "distance"), ("degrees", "angle"))
    }
    counts = []
    for name in (
        "b3_stability_table",
        "b11_keras_adam",
        "b12_fewer_steps",
        "b13_global_pruning",
        "b14_whole_output",
    ):
        found: dict[tuple[str, str, str], dict[str, list[float]]] = {}
        for row in ours(name):
            if row["case"] == "lenet-mnist" and row["quantity"] in (
                "data order",
                "pruning",
            ):
                key = (row["quantity"], row["subnetwork"], row["unit"])
                seeds = found.setdefault(key, defaultdict(list))
                seeds[row["initialisation"]].append(float(row["value"]))
        meet = 0
        for (quantity, kind, unit), seeds in found.items():
            if kind == "dense":
                continue
            means = [mean(values) for values in seeds.values()]
            assert len(means) == 3
            half = 4.3027 * stdev(means) / 3**0.5
            stem = f"{quantity.replace(' ', '_')}_{kind}"
            theirs = float(printed[unit][f"{stem}_{'l2' if unit == 'L2' else 'deg'}"])
            reach = float(printed[unit][f"{stem}_pm"])
            meet += abs(mean(means) - theirs) <= half + reach
        counts.append(meet)
    text = evidence.recipe(TABLES)
    assert text.endswith(
        f"meet {counts[0]} with these two and layers ranked apart, {counts[1]} with "
        f"Keras's Adam, {counts[2]} with 40,000 steps, {counts[3]} with layers ranked "
        f"together, {counts[4]} with the output layer whole."
    )
