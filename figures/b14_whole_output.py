"""Figure b14 (new): LeNet's row of the stability table, the output layer not pruned."""

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
        "removes a fifth of every hidden layer's and leaves the output layer whole, as "
        "arXiv 1803.03635 does in convolutional networks. Distances are over all "
        "weights that are left, those of the output layer among them.",
    )


def recipes(tables: Tables) -> _whole_row.Recipes:
    """Return our rows on MNIST: of b3, and with the output layer not pruned."""
    names = ("the output layer pruned", "the output layer whole")
    return _whole_row.recipes(tables, *names, "b14_whole_output")
