"""Figure b11 (new): LeNet's row of the stability table with Keras's Adam."""

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
        "The stabilities of Figure~\\ref{fig:stability} on MNIST with two Adams: the "
        "rate 1.2e-3, which paper B prints, and what Keras has where nothing is given, "
        "the rate 1e-3 and an epsilon of 1e-7. "
        f"{compared} "
        "Which of the two the authors used is not known beyond what they print."
    )


def recipes(tables: Tables) -> _whole_row.Recipes:
    """Return our rows on MNIST: of b3, and of Keras's Adam."""
    names = ("rate 1.2e-3", "Keras's Adam")
    return _whole_row.recipes(tables, *names, "b11_keras_adam")
