"""Notebooks: in sync with their scripts, executed in order, without errors or magics.

Strict comparison of the outputs is `make notebooks`; this is what that cannot see.
"""

from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from paper.build_notebooks import NOTEBOOKS, build

SCRIPTS = sorted(NOTEBOOKS.glob("*.py"))
every_notebook = pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)

SAMPLE = """\
# %% [markdown]
# # Title

# %%
import sys
total = 1 + 1
print(total)
print("to stderr", file=sys.stderr)

# %%
print("twice")
total
"""


def faults(notebook: NotebookNode, script: NotebookNode) -> list[str]:
    """What is wrong with a notebook made from a script, one line for each fault."""
    sources = [(c.cell_type, c.source) for c in script.cells]
    found = []
    if [(c.cell_type, c.source) for c in notebook.cells] != sources:
        found.append("differs from its script")
    cells = [c for c in notebook.cells if c.cell_type == "code"]
    if [c.execution_count for c in cells] != list(range(1, len(cells) + 1)):
        found.append("not executed in order")
    if not any(c.outputs for c in cells):
        found.append("no outputs")
    for output in (output for c in cells for output in c.outputs):
        if output.output_type == "error":
            found.append(f"error {output.ename}")
        if output.get("name") == "stderr":
            found.append(f"writes to stderr: {output.text!r}")
    # A cell that starts with an unknown magic passes nbval and hides its later lines.
    # A final semicolon silences a result here, but not in nbval's history-less kernel.
    for line in (line for c in cells for line in c.source.splitlines()):
        if line.lstrip().startswith(("%", "!")) or line.rstrip().endswith(("?", ";")):
            found.append(f"magic, shell command or final semicolon {line!r}")
    return found


@every_notebook
def test_notebook_is_clean(script: Path) -> None:
    notebook = nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    assert faults(notebook, jupytext.read(script)) == []


def test_every_notebook_has_a_script() -> None:
    notebooks = {path.stem for path in NOTEBOOKS.glob("*.ipynb")}
    assert notebooks == {path.stem for path in SCRIPTS}
    assert "conservation" in notebooks


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    script = tmp_path_factory.mktemp("notebook") / "sample.py"
    script.write_text(SAMPLE.replace('print("to stderr", file=sys.stderr)\n', ""))
    return script, build(script)


def test_build_is_byte_stable_and_clean(built: tuple[Path, bytes]) -> None:
    script, content = built
    assert build(script) == content
    notebook = nbformat.reads(content.decode(), as_version=4)
    assert faults(notebook, jupytext.read(script)) == []
    assert [o.text for o in notebook.cells[1].outputs] == ["2\n"]
    assert notebook.cells[2].outputs[1].data["text/plain"] == "2"
    assert b"3.1" not in content, "a version of Python was kept"


def test_build_stops_at_a_failing_cell(tmp_path: Path) -> None:
    script = tmp_path / "failing.py"
    script.write_text("# %%\nraise TypeError('on purpose')\n")
    with pytest.raises(CellExecutionError, match="on purpose"):
        build(script)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("total = 1 + 1", "total = 2", "differs from its script"),
        ('"execution_count": 2', '"execution_count": 3', "not executed in order"),
        ('"name": "stdout"', '"name": "stderr"', "writes to stderr: '2\\n'"),
        ('"import sys', '"%matplotlib inline', "semicolon '%matplotlib inline'"),
        ('"total"', '"total;"', "semicolon 'total;'"),
    ],
)
def test_faults_are_seen(
    built: tuple[Path, bytes], old: str, new: str, fault: str
) -> None:
    script, content = built
    assert old in content.decode()
    changed = nbformat.reads(content.decode().replace(old, new), as_version=4)
    assert any(fault in f for f in faults(changed, jupytext.read(script)))


def test_unexecuted_and_failed_notebooks_are_seen(built: tuple[Path, bytes]) -> None:
    script, content = built
    source = jupytext.read(script)
    assert faults(source, source) == ["not executed in order", "no outputs"]
    failed = nbformat.reads(content.decode(), as_version=4)
    error = nbformat.v4.new_output("error", ename="TypeError", evalue="", traceback=[])
    failed.cells[1].outputs.append(error)
    assert faults(failed, source) == ["error TypeError"]
