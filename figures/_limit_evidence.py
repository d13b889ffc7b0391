"""What is fragile in paper C's limit: the points of `figures.evidence` about it.

Its tables are published as pictures only; all numbers are from our own runs.
"""

from figures.common import Tables


def bound(tables: Tables) -> str:
    """Return how far the published form is below the dimension that it stands for."""
    rows = tables["c2_bound_tightness"].query("method == 'formula'")
    rows = rows.assign(gap=100 * (rows["exact"] - rows["paper"]) / rows["size"])
    worst = rows.sort_values("gap").iloc[-1]
    above = int((rows["gap"] < 0).sum())
    return (
        "The limit of sparsity is computed from the Euclidean distance of the pruned "
        "weights, a lower bound of the dimension where the argument needs an upper "
        f"one. Over {len(rows)} pairs of spectrum and point it is above the exact "
        f"dimension {above} times, and below it by {rows['gap'].mean():.0f} per cent "
        f"of the parameters on average and by {worst['gap']:.0f} at most "
        f"({worst['spectrum']} spectrum, distance {worst['radius']:.2g})."
    )


def reading(tables: Tables) -> str:
    """Return the published limit against one-shot pruning, without and with l1."""
    rows = tables["c5_threshold_table"]
    rows = rows[(rows["stage"] == "final") & (rows["factor"] == 1)]
    rows = rows[rows["case"].str.endswith("digits")]
    share = 100 * rows["removed"] / rows["prunable"]
    rows = rows.assign(share=share, regularised=rows["strength"] > 0)
    paper = rows[(rows["reading"] == "paper") & (rows["treatment"] == "positive")]
    paper = paper[paper["matrix"] == "hessian"]
    measured = rows[rows["reading"] == "one-shot accuracy, last"]
    predicted = paper.groupby("regularised")["share"].mean()
    found = measured.groupby("regularised")["share"].mean()
    return (
        "The limit speaks of the existence of a point with the survivors' weights "
        "free; what is measured beside it is the accuracy of the pruned weights as "
        "they are. Per cent of the weights that can go, predicted and so measured: "
        f"{predicted[False]:.0f} and {found[False]:.0f} for networks trained without "
        f"an $\\ell_1$ term, {predicted[True]:.0f} and {found[True]:.0f} with one "
        f"(means over {paper['case'].nunique()} small networks and "
        f"{paper['seed'].nunique()} seeds)."
    )


def smearing(tables: Tables) -> str:
    """Return the error of the limit from a smeared density, and from Ritz values."""
    rows = tables["c7_slq_accuracy"].query("quantity == 'limit' and products == 1000")
    medians = 100 * rows.groupby(["method", "state"])["error"].median()
    theirs, own = medians["smeared"], medians["4 probes"]
    return (
        "The spectral density is smeared with Gaussians on a grid that can be coarser "
        "than they are wide, and negative eigenvalues become positive. At a thousand "
        f"products with the Hessian the limit is then off by {theirs.min():.1f} to "
        f"{theirs.max():.1f} per cent (medians, {len(theirs)} states of a network "
        "whose spectrum is known); the nodes and weights themselves give "
        f"{own.min():.1f} to {own.max():.1f}."
    )
