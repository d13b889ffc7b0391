"""What is fragile in paper C's limit: the points of `figures.evidence` about it.

Its results are not available to us as numbers: all here are from our own runs.
"""

from figures._limits import KEYS, limits, shares
from figures.common import Tables


def bound(tables: Tables) -> str:
    """Return how far the published form is below the dimension that it stands for."""
    rows = tables["c2_bound_tightness"].query("method == 'formula'")
    rows = rows.assign(gap=100 * (rows["exact"] - rows["paper"]) / rows["size"])
    worst = rows.sort_values("gap").iloc[-1]
    wide = limits(tables["c5_threshold_table"])
    trained = (wide["exact"] - wide["paper"]).groupby(level=KEYS[:-1]).mean()
    return (
        "The limit of sparsity is computed from the Euclidean distance of the pruned "
        "weights, a lower bound of the dimension where the argument needs an upper "
        f"one: in no case of four model spectra above the exact dimension, and below "
        f"it by {worst['gap']:.0f} per cent of the parameters at most "
        f"({worst['spectrum']} spectrum, distance {worst['radius']:.2g}). In "
        f"{len(trained)} pairs of a trained network and $\\lambda$ the exact "
        f"limit allows {trained.min():.1f} to {trained.max():.1f} points more to go."
    )


def reading(tables: Tables) -> str:
    """Return the published limit against one-shot pruning, without and with l1."""
    rows = shares(tables["c5_threshold_table"])
    rows = rows[(rows["stage"] == "final") & (rows["factor"] == 1)]
    rows = rows[rows["case"].str.endswith("digits")]
    rows = rows.assign(regularised=rows["strength"] > 0)
    paper = rows[(rows["reading"] == "paper") & (rows["treatment"] == "absolute")]
    measured = rows[rows["reading"] == "one-shot accuracy, last"]
    predicted, found = (
        part.groupby(["regularised", "case"])["share"].mean().groupby(level=0).mean()
        for part in (paper, measured)
    )
    return (
        "The limit speaks of the existence of a point with the survivors' weights "
        "free; what is measured beside it is the accuracy of the pruned weights as "
        "they are. The authors prune networks trained with an $\\ell_1$ term only. Of "
        f"{paper['case'].nunique()} small networks of ours, {paper['seed'].nunique()} "
        "seeds each, the limit in the published form ($|\\mu_i|$) and that reading "
        f"are {predicted[True]:.0f} and {found[True]:.0f} per cent with such a term, "
        f"{predicted[False]:.0f} and {found[False]:.0f} without."
    )


def smearing(tables: Tables) -> str:
    """Return the error of the limit from a smeared density, and from Ritz values."""
    rows = tables["c7_slq_accuracy"].query("quantity == 'limit' and products == 1000")
    medians = 100 * rows.groupby(["method", "state"])["error"].median()
    theirs, same, short, long = (
        f"{medians[name].min():.1f} to {medians[name].max():.1f}"
        for name in ("smeared", "unsmeared", "10 probes", "4 probes")
    )
    return (
        "The spectral density is smeared with Gaussians on a grid that can be coarser "
        "than they are wide. At a thousand products with the Hessian, in eight runs of "
        f"125 steps, the limit is then off by {theirs} per cent (medians, "
        f"{len(medians['smeared'])} states of a network whose spectrum is known), from "
        f"the nodes and weights of the same runs by {same}. Left as they are, nodes "
        f"and weights of ten runs of 100 steps give {short}, and of four runs of 250 "
        f"steps {long}."
    )
