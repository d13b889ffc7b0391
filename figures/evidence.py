"""What is wrong or fragile in the published evidence: one number for each point.

Not a figure: `evidence(tables)` is the list of the paper's section, as LaTeX items; the
notebook `published_evidence` shows the tables behind it. Published numbers are computed
from the authors' files in figures/published, ours from the committed tables.
"""

import pandas as pd

from figures import (
    _limit_evidence,
    a12_authors_weights,
    b11_keras_adam,
    b12_fewer_steps,
    b13_global_pruning,
    b14_whole_output,
)
from figures._stability import Published
from figures._whole_row import measured, meeting
from figures.common import Tables

TITLES = {
    "random": "random",
    "magnitude": "magnitude",
    "snip": "SNIP",
    "grasp": "GraSP",
    "synflow": "SynFlow",
}


def evidence(tables: Tables) -> str:
    r"""Return one \item for each point."""
    points = (
        best_epoch(tables),
        hand_set_cuts(tables),
        no_rewinding(tables),
        grasp_sign(tables),
        ties(tables),
        collapsed_run(tables),
        single_precision(tables),
        one_initialisation(tables),
        not_pretrained(tables),
        rounding(tables),
        recipe(tables),
        _limit_evidence.bound(tables),
        _limit_evidence.reading(tables),
        _limit_evidence.smearing(tables),
    )
    return "\n".join(rf"\item {point}" for point in points)


def best_epoch(tables: Tables) -> str:
    """Return how much the choice of the epoch by its test accuracy gives."""
    theirs = tables["published/fig1_fig6_accuracy"]
    theirs = theirs[(theirs["figure"] == "fig1") & (theirs["layers_fully_pruned"] == 0)]
    lift = theirs["top1_max_over_epochs_percent"] - theirs["top1_final_percent"]
    ours = tables["a1_layer_collapse"].query("dataset == 'digits' and path == 1")
    own = 100 * (ours["best_test_accuracy"] - ours["final_accuracy"])
    return (
        "The accuracies drawn are those of the epoch that is best on the test images. "
        f"Over the {len(lift)} runs of the first figure without an empty layer this "
        f"lies above the last epoch by {lift.mean():.2f} points on average and by "
        f"{lift.max():.2f} at most; in {len(own)} small runs of ours, all with a path "
        f"from input to output, by {own.mean():.2f} and {own.max():.2f}."
    )


def hand_set_cuts(tables: Tables) -> str:
    """Return where curves were cut, against the collapse in the same files."""
    rows = tables["published/fig1_fig6_accuracy"]
    rows = rows[rows["figure"] == "fig1"]
    cut = rows[rows["drawn_in_figure"] == 1].groupby("method")["compression_log10"]
    whole = rows[rows["layers_fully_pruned"] == 0]
    found = whole.groupby(["method", "replicate"])["compression_log10"].max()
    means = found.groupby("method").mean()
    both = pd.DataFrame({"mean": means, "drawn": cut.max()})
    both = both[(both["mean"] - both["drawn"]).abs() > 1e-9]
    moved = "; ".join(
        f"{TITLES[str(method)]} ${average:.2f}$, drawn to ${drawn:.2f}$"
        for method, average, drawn in both.itertuples()
    )
    collapsed = rows[(rows["layers_fully_pruned"] > 0) & (rows["method"] == "synflow")]
    return (
        "Critical compressions were set by hand: the authors' notebook computes them "
        "and then overwrites the list. The mean over the runs of the largest "
        f"$\\log_{{10}}$ of a listed compression without an empty layer is: {moved}. "
        "Only SynFlow's curve goes beyond its own mean, over a run that collapsed at "
        f"$10^{{{collapsed['compression_log10'].min():.0f}}}$. None of the values is "
        "exact: they are read off a grid with steps of a quarter."
    )


def no_rewinding(tables: Tables) -> str:
    """Return accuracies before training, and what rewinding changes."""
    theirs = tables["published/fig5a_imp_accuracy"]
    dense = theirs[theirs["compression_log10"] == 0]["top1_before_training_percent"]
    ours = tables["a5a_imp_iterations"].query("dataset == 'digits' and iterations > 1")
    table = ours.pivot_table(
        index=["iterations", "seed", "compression_log10"],
        columns="rewind",
        values=["initial_accuracy", "final_accuracy"],
    )
    gain = 100 * (table["final_accuracy"][False] - table["final_accuracy"][True])
    whole = ours[ours["compression_log10"] == 0]
    initial = 100 * whole.groupby("rewind")["initial_accuracy"].mean()
    by_compression = gain.groupby("compression_log10").mean()
    return (
        "Iterative magnitude pruning was never rewound: with nothing pruned the test "
        f"accuracy before the last training is {dense.min():.1f} to {dense.max():.1f} "
        "per cent instead of chance. In our runs on digits it is "
        f"{initial[False]:.1f} without rewinding and {initial[True]:.1f} with it, and "
        "to leave rewinding out changes the final accuracy by "
        f"${gain.mean():+.1f}$ points on average, by ${by_compression.min():+.1f}$ at "
        f"compression $10^{{{by_compression.idxmin():.2f}}}$ and by "
        f"${by_compression.max():+.1f}$ at $10^{{{by_compression.idxmax():.2f}}}$ "
        f"(means over {ours['seed'].nunique()} seeds and the iteration counts above "
        "one)."
    )


def grasp_sign(tables: Tables) -> str:
    """Return the sign of the published GraSP scores, and what the sign does."""
    summary = tables["published/fig3_summary"].query("state == 'initialization'")
    total = summary[summary["method"] == "grasp"]["in_sum"].item()
    own = tables["a4_layer_size"].query("score == 'grasp'")
    large, fresh, trained = (
        f"{int((rows['total'] > 0).sum())} of {len(rows)}"
        for rows in (
            own[own["images"] == "generated"],
            own[(own["images"] == "digits") & (own["epochs"] == 0)],
            own[(own["images"] == "digits") & (own["epochs"] > 0)],
        )
    )
    ours = tables["a1_layer_collapse"].query("dataset == 'digits'")
    critical = ours.groupby("method")["critical_log10"].mean()
    final = ours.pivot_table(
        index="compression_log10", columns="method", values="final_accuracy"
    )
    change = 100 * (final["grasp-reversed"] - final["grasp"])
    return (
        "GraSP's sign was very probably reversed: the published scores add up to "
        f"${total:.0f}$ over the hidden units of VGG-19 at initialisation, where "
        f"$\\theta^T Hg$ is positive in {large} layers of ours on generated images "
        f"(in a small VGG on digits in {fresh} at initialisation, and in {trained} "
        "after training). On digits the reversed criterion changes the accuracy by "
        f"${change.min():+.1f}$ to ${change.max():+.1f}$ points, depending on the "
        "compression, and the $\\log_{10}$ of the critical compression from "
        f"${critical['grasp']:.2f}$ to ${critical['grasp-reversed']:.2f}$."
    )


def ties(tables: Tables) -> str:
    """Return how many weights a threshold removed too many."""
    rows = tables["published/fig2_layer_fraction"]
    rows = rows[(rows["method"] == "grasp") & (rows["compression_log2"] == 1)]
    kept, size = int(rows["weights_remaining"].sum()), int(rows["layer_size"].sum())
    return (
        "Masks drop every score that is not above a threshold, so that equal scores go "
        f"together: of {size:,} weights GraSP was to keep one in two, {size // 2:,}, "
        f"and kept {kept:,}. Here every mask has its exact count."
    )


def collapsed_run(tables: Tables) -> str:
    """Return how often plain SynFlow collapses at the largest compression."""
    rows = tables["published/fig1_fig6_accuracy"].query("figure == 'fig1'")
    rows = rows.query("method == 'synflow' and compression_log10 == 6")
    gone = int((rows["remaining_weights"] == 0).sum())
    asked = round(int(rows["prunable_weights"].iloc[0]) / 10**6)
    runs = _ends(tables["a11_maximal_compression"])
    plain = runs[(runs["kind"] == "plain") & (runs["iterations"] == 100)]
    plain = plain[~plain["double"]]
    safe = runs[runs["kind"] == "safe"]
    return (
        f"SynFlow did collapse: {gone} of the {len(rows)} published runs at $10^{{6}}$ "
        f"kept no weight at all where {asked} were asked for. Of our "
        f"{len(plain)} runs with the same schedule to the largest possible compression "
        f"{int((plain['emptied'] > 0).sum())} collapse, and in "
        f"{int((plain['failed_line'] == 'prune size').sum())} the first premise of the "
        "theorem to fail is that the prune size is less than the cut size; of "
        f"{len(safe)} safe runs {int((safe['emptied'] > 0).sum())} collapse."
    )


def single_precision(tables: Tables) -> str:
    """Return how far the masks in float32 are from those in float64."""
    runs = _ends(tables["a11_maximal_compression"])
    rows = runs[runs["kind"] == "precision"]
    share = 100 * rows["differing"] / rows["left"]
    return (
        "The scores were computed in single precision. In VGG-16 at compression "
        f"$10^{{2}}$ after one hundred iterations, {share.min():.1f} to "
        f"{share.max():.1f} per cent of the weights that are kept ({len(rows)} "
        "initialisations) are not kept in double precision."
    )


def one_initialisation(tables: Tables) -> str:
    """Return how far the one initialisation of figure 7 is from others."""
    rows = [
        a12_authors_weights.beside(tables, "a12_authors_weights").query("not double"),
        a12_authors_weights.others(tables),
    ]
    cell = "schedule == 'linear' and iterations == 100 and compression_log10 == 3"
    own, others = (found.query(cell) for found in rows)
    printed, many = others["published"].iloc[0], others["ratio"]
    same = (
        f", {own['ratio'].item():.3f} in ours from the same weights" if len(own) else ""
    )
    return (
        "All values of paper A's figure 7 are of one initialisation, and have no error "
        f"bar. With the linear schedule to $10^{{3}}$ in 100 iterations the ratio is "
        f"{printed:.3f} in theirs{same}, and {many.mean():.3f} on average from "
        f"{len(many)} other initialisations (standard deviation {many.std():.3f}): "
        f"theirs is {abs(printed - many.mean()) / many.std():.1f} standard deviations "
        "away."
    )


def not_pretrained(tables: Tables) -> str:
    """Return which scores of the "pretrained" network are those of the initial one."""
    rows = tables["published/fig4_layer_scores"]
    pairs = rows.pivot_table(
        index=["method", "layer"], columns="file_label", values="abs_mean_score"
    )
    equal = (pairs["initialization"] == pairs["pretrained"]).groupby("method").all()
    names = ", ".join(str(name) for name in equal.index[equal])
    return (
        "The layer scores filed under a pretrained network are not of one: those of "
        f"{names} are in all layers the very numbers filed under initialisation."
    )


def _ends(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the last iteration of each run."""
    return rows.groupby("key", sort=False).tail(1)


def rounding(tables: Tables) -> str:
    """Return what rounding alone does to the runs whose stability paper B states."""
    rows = tables["b3_stability_table"].query("case == 'lenet-mnist' and unit == 'L2'")
    values = rows.groupby(["subnetwork", "quantity"])["value"]
    (ours, floor), (other, rough) = (
        [values.get_group((kind, f"data order{part}")) for part in ("", " floor")]
        for kind in ("imp", "random")
    )
    table = tables["published/table_distance"].query("network == 'Lenet'")
    theirs = table["data_order_imp_l2"].item()
    return (
        "Two LeNets with the same first weights, the same found mask and the same data "
        "order, of which one has its hidden units renamed, are the same in exact "
        "arithmetic. In single precision, after all steps on MNIST, they are "
        f"{floor.min():.1f} to {floor.max():.1f} apart (distance, {len(floor)} "
        "initialisations). With different data orders they are "
        f"{ours.mean():.1f} apart on average ({len(ours)} pairs; the authors: "
        f"{theirs}): rounding alone makes a distance nearly as large, so that this "
        "number of the found subnetworks cannot be told from the effect of any "
        "perturbation, however small. Of random subnetworks it can: "
        f"they are {other.mean():.1f} apart, and rounding makes "
        f"{rough.min():.1f} to {rough.max():.1f}."
    )


def recipe(tables: Tables) -> str:
    """Return with which Adam, steps and ranking paper B's stabilities come out."""
    theirs = Published.of(tables)
    (_, printed), adam = b11_keras_adam.recipes(tables).items()
    _, steps = b12_fewer_steps.recipes(tables).items()
    _, together = b13_global_pruning.recipes(tables).items()
    _, whole = b14_whole_output.recipes(tables).items()
    others = "".join(
        f", {meeting(rows, theirs)} with {name}"
        for name, rows in (adam, steps, together, whole)
        if measured(rows)
    )
    return (
        "Paper B prints the learning rate of Adam, 1.2e-3, and 50,000 steps, but "
        "neither its epsilon nor the scale of the pixels nor how the layers share "
        "a round of pruning, which the distances depend on. Of the eight "
        "printed stabilities of LeNet our 95\\,\\% intervals, at the published size "
        f"and in both units, meet {meeting(printed, theirs)} with these two and layers "
        f"ranked apart{others}."
    )
