"""Figure b13 (new): LeNet's row of the stability table, all layers ranked together."""

from matplotlib.figure import Figure

from figures import _whole_row
from figures.common import Tables


def draw(tables: Tables) -> Figure:
    """Return distance and angle of both stabilities, a row for each subnetwork."""
    return _whole_row.draw(tables, recipes(tables))


def caption(tables: Tables) -> str:
    """Return the caption: each of the published numbers beside ours, and the gap."""
    return _whole_row.shared(
        tables,
        recipes(tables),
        "removes the smallest fifth of all weights, whatever their layer, which is "
        "what algorithm 1 of paper B says to the letter. Random subnetworks have the "
        "counts of IMP's in each layer.",
    )


def recipes(tables: Tables) -> _whole_row.Recipes:
    """Return our rows on MNIST: of b3, and of global pruning."""
    names = ("layers ranked apart", "layers ranked together")
    return _whole_row.recipes(tables, *names, "b13_global_pruning")
