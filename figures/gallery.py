r"""All figures with their captions as one page: figures/output/README.md.

The captions are those of the paper, from LaTeX to Markdown: a caption uses little of
either. Math goes into GitHub's $`...`$, in which a backslash is no escape; \ref becomes
the name of the claim, or of the figure behind a label of the paper.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from figures.common import FIGURES, Drawing, Tables

PAPER = FIGURES.parent / "paper" / "main.tex"
HEAD = """\
# All figures

Written by `python -m figures` from the committed tables; claims are those of
`theory/`. Paper A is arXiv 2006.05467, paper B 1903.01611, paper C 2306.05857. The
authors' numbers are those of [figures/published](../published/README.md), which says
where each comes from.
"""
PLAIN = {
    r"\,\%": " %",
    r"\%": "%",
    r"\,": " ",
    "---": "—",
    "--": "–",
    "~": " ",
    "``": "\N{LEFT DOUBLE QUOTATION MARK}",
    "''": "\N{RIGHT DOUBLE QUOTATION MARK}",
}
"""What LaTeX outside of math is in Markdown, longest first."""


def gallery(drawings: Sequence[Drawing], tables: Tables) -> str:
    """Return the page: a heading, picture, caption and files for each figure."""
    labels = figures_of(PAPER.read_text(encoding="utf-8"))
    parts = [HEAD]
    for drawing in sorted(drawings, key=_place):
        name = drawing.name
        parts.append(
            f"## {name}\n\n![{title(drawing)}]({name}.png)\n\n"
            f"{markdown(drawing.caption(tables).strip(), labels)}\n\n"
            f"Drawn by [figures/{name}.py](../{name}.py) from "
            f"[experiments/results/{name}.csv](../../experiments/results/{name}.csv), "
            f"computed by [experiments/{name}.py](../../experiments/{name}.py).\n"
        )
    return "\n".join(parts)


def _place(drawing: Drawing) -> tuple[str, int, str]:
    """Return letter, number and name: a2 stands before a10."""
    number = re.search(r"\d+", drawing.name)
    return drawing.name[0], int(number[0]) if number else 0, drawing.name


def title(drawing: Drawing) -> str:
    """Return what the figure shows: the first line of its module's docstring."""
    path = Path(drawing.draw.__code__.co_filename)
    first = path.read_text(encoding="utf-8").splitlines()[0]
    return first.strip('"').removesuffix(".")


def figures_of(paper: str) -> dict[str, str]:
    r"""Return the figure's name behind each \label{fig:...} of the paper."""
    pairs = re.findall(
        r"figures/output/(\w+)\.pdf\}\s*\\generatedcaption\{\w+\}\s*\\label\{(fig:[\w-]+)\}",
        paper,
    )
    return {label: name for name, label in pairs}


def markdown(caption: str, labels: Mapping[str, str]) -> str:
    """Return a caption as one paragraph of Markdown.

    Raises:
        ValueError: a command that is not known here, or a label without a figure.
    """
    parts = re.split(r"(?<!\\)\$(.*?)(?<!\\)\$", caption.replace("\n", " "))
    parts[::2] = [_text(part, labels) for part in parts[::2]]
    parts[1::2] = [f"$`{math}`$" for math in parts[1::2]]
    return "".join(parts)


def _text(text: str, labels: Mapping[str, str]) -> str:
    def reference(match: re.Match[str]) -> str:
        label = match[1]
        if label.startswith("fig:") and label not in labels:
            raise ValueError(f"no figure of the paper has the label {label!r}")
        return f"`{labels.get(label, label)}`"

    for command, plain in PLAIN.items():
        text = text.replace(command, plain)
    known = r"\\ref\{([\w:-]+)\}"
    if re.search(r"[\\`]", re.sub(known, "", text)):
        raise ValueError(
            f"a command that figures.gallery cannot write in Markdown: {text!r}"
        )
    return re.sub(known, reference, text)
