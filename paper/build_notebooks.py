"""Execute the notebooks: `python paper/build_notebooks.py [SCRIPT ...]`.

A percent script is the source; the notebook beside it is built from the script alone
and executed in a fresh kernel, so equal scripts and equal results give equal bytes:
cell ids are positions, and neither times nor versions are kept.
"""

import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

from experiments.store import write_atomic

NOTEBOOKS = Path(__file__).parent / "notebooks"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
MINUTE = 60
"""Limit of one cell, in seconds; longer work belongs to an experiment."""


def build(script: Path) -> bytes:
    """Return the executed notebook of a percent script, as the bytes of its file.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
        TimeoutError: a cell ran for more than a minute.
    """
    notebook = jupytext.read(script)
    for position, cell in enumerate(notebook.cells):
        cell.id = f"cell-{position}"
        cell.metadata = nbformat.NotebookNode()
    NotebookClient(
        notebook,
        timeout=MINUTE,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(script.parent)}},
    ).execute()
    notebook.metadata = nbformat.from_dict(METADATA)
    nbformat.validate(notebook)
    text: str = nbformat.writes(notebook)
    return f"{text}\n".encode()


def main() -> None:
    """Build the notebooks of the named scripts, or of all."""
    scripts = [Path(name) for name in sys.argv[1:]] or sorted(NOTEBOOKS.glob("*.py"))
    if not scripts:
        sys.exit(f"notebooks: no percent script in {NOTEBOOKS}")
    for script in scripts:
        write_atomic(script.with_suffix(".ipynb"), build(script))
        print(f"notebooks: {script.with_suffix('.ipynb').name}")


if __name__ == "__main__":
    main()
