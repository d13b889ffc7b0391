"""Figure b11 (new): LeNet's row of the stability table with Adam's defaults."""

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
        "The stabilities of Figure~\\ref{fig:stability} on MNIST with three Adams: the "
        "rate 1.2e-3, which paper B prints, and what Adam has where nothing is given, "
        "the rate 1e-3, with an epsilon of 1e-8, as in the article and TensorFlow, or "
        "of 1e-7, as in Keras. Means over initialisations with the "
        "95\\,\\% intervals of Student's $t$, the authors' means with their smallest "
        f"and largest sample. {compared} "
        "Which of these the authors used is not known beyond what they print."
    )


def recipes(tables: Tables) -> _whole_row.Recipes:
    """Return our rows on MNIST: of b3, of Adam's defaults, and of Keras's."""
    table = tables["b11_keras_adam"]
    others = {
        "Adam's defaults": table[table["epsilon"] == 1e-8],
        "Keras's Adam": table[table["epsilon"] == 1e-7],
    }
    return _whole_row.recipes(tables, "rate 1.2e-3", others)
