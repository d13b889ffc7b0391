"""Figure b12 (new): LeNet's row of the stability table after fewer steps."""

from matplotlib.figure import Figure

from figures import _whole_row
from figures.common import Tables


def draw(tables: Tables) -> Figure:
    """Return distance and angle of both stabilities, a row for each subnetwork."""
    return _whole_row.draw(tables, recipes(tables))


def caption(tables: Tables) -> str:
    """Return the caption: each of the published numbers beside ours, and the gap."""
    compared = _whole_row.compared(tables, recipes(tables))
    return (
        "The stabilities of Figure~\\ref{fig:stability} on MNIST after 50,000 steps, "
        "which paper B prints, and after 40,000: 40 epochs of 60,000 images. The "
        "number is fitted to the two distances of random subnetworks "
        "(Figure~\\ref{fig:recipe}); the other six values and the accuracies test it. "
        f"{compared}"
    )


def recipes(tables: Tables) -> _whole_row.Recipes:
    """Return our rows on MNIST: of b3, and after fewer steps."""
    names = ("50,000 steps", "40,000 steps")
    return _whole_row.recipes(tables, *names, "b12_fewer_steps")
