"""Draw the figures and write their captions: `python -m figures [NAME ...]`."""

import sys
from typing import Annotated

import matplotlib
import tyro

from experiments.store import write_atomic
from figures import common, evidence, gallery, limit_tables


def main(names: Annotated[tuple[str, ...], tyro.conf.Positional] = ()) -> None:
    """Draw figures as PDF and PNG from the committed tables, and write the captions.

    With all figures come a page of them with their captions, the list of what is
    fragile in the published evidence, and the rows of the paper's tables of limits.

    Args:
        names: which figures; all of them if none is named.
    """
    drawings = {drawing.name: drawing for drawing in common.discover()}
    if unknown := sorted(set(names) - set(drawings)):
        raise ValueError(f"unknown figures {unknown}; there are {sorted(drawings)}")
    tables = common.read_tables()
    for name in names or drawings:
        files = common.render(drawings[name], tables)
        for kind, content in files.items():
            write_atomic(common.OUTPUT / f"{name}.{kind}", content)
        caption = drawings[name].caption(tables).strip() + "%\n"
        write_atomic(common.GENERATED / f"{name}.tex", caption.encode())
        print(f"{name}: figures/output/{name}.pdf and .png")
    if not names:
        page = gallery.gallery(list(drawings.values()), tables)
        write_atomic(common.OUTPUT / "README.md", page.encode())
        print("figures/output/README.md: all figures with their captions")
        for name, text in (
            ("evidence", evidence.evidence(tables)),
            ("thresholds", limit_tables.thresholds(tables)),
            ("distances", limit_tables.distances(tables)),
        ):
            write_atomic(common.GENERATED / f"{name}.tex", f"{text}\n".encode())
            print(f"{name}: paper/generated/{name}.tex")


if __name__ == "__main__":
    matplotlib.use("Agg")
    try:
        tyro.cli(main, prog="python -m figures")
    except ValueError as error:
        sys.exit(f"figures: {error}")
