"""Reading tables and drawing to bytes, on a small figure of the tests' own."""

import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from figures import common, evidence, limit_tables
from figures.__main__ import main

matplotlib.use("Agg")


def small_figure(tables: common.Tables) -> Figure:
    figure, axes = plt.subplots()
    table = tables["small"]
    axes.errorbar(table.x, table.y, yerr=0.1, fmt="o", label=r"$\sum_i |w_i|$")
    axes.set(xlabel="size (weights)", ylabel="score (a.u.)", xscale="log")
    axes.legend()
    return figure


SMALL = common.Drawing("small", small_figure, lambda _: "Slope $1.0$.")
SMALL_TABLE = {"small": pd.DataFrame({"x": [1.0, 10.0], "y": [1.0, 2.0]})}


def test_render_ignores_clock_and_user_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = common.render(SMALL, SMALL_TABLE)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    with plt.rc_context({"pdf.fonttype": 3, "axes.facecolor": "red"}):
        assert common.render(SMALL, SMALL_TABLE) == first
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert common.render(SMALL, SMALL_TABLE) == first
    assert first["pdf"].startswith(b"%PDF") and first["png"].startswith(b"\x89PNG")
    assert b"CreationDate" not in first["pdf"]
    assert not plt.get_fignums()


@pytest.mark.parametrize("tables", [{}, {"small": SMALL_TABLE["small"][:0]}])
def test_missing_or_empty_table_says_what_to_run(tables: common.Tables) -> None:
    with pytest.raises(ValueError, match=r"python -m experiments run small"):
        common.render(SMALL, tables)


def test_discover_takes_modules_with_both_functions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "discovered"
    package.mkdir()
    both = "def draw(tables): ...\ndef caption(tables): ...\n"
    files = {"__init__": "", "__main__": "1 / 0", "b2": both, "a1": both, "common": ""}
    for name, code in files.items():
        (package / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    found = common.discover(package, "discovered")
    assert [drawing.name for drawing in found] == ["a1", "b2"]
    for module in [m for m in sys.modules if m.startswith("discovered")]:
        monkeypatch.delitem(sys.modules, module)


def test_tables_are_read_to_the_last_digit(tmp_path: Path) -> None:
    bits = np.random.default_rng(0).integers(0, 2**63 - 1, 50_000, dtype=np.int64)
    values = bits.view(np.float64)[np.isfinite(bits.view(np.float64))]
    text = "\n".join(["x", *map(repr, values.tolist())])
    (tmp_path / "t.csv").write_text(text)
    read = common.read_tables(tmp_path, tmp_path)
    assert list(read) == ["t", "published/t"]
    np.testing.assert_array_equal(read["t"].x.to_numpy(), values, strict=True)


def test_our_runs_are_those_on_digits_in_per_cent() -> None:
    table = pd.DataFrame(
        {
            "dataset": ["digits", "toy", "digits"],
            "initial_accuracy": [0.125, 0.5, 0.25],
            "final_accuracy": [0.5, 0.75, 1.0],
            "best_test_accuracy": [0.75, 1.0, 1.0],
        },
        index=[4, 5, 6],
    )
    before = table.copy()
    found = common.digits_rows(table)
    assert found.index.tolist() == [4, 6]
    assert found["initial"].tolist() == [12.5, 25.0]
    assert found["final"].tolist() == [50.0, 100.0]
    assert found["best"].tolist() == [75.0, 100.0]
    assert set(found) - {"initial", "final", "best"} == set(before)
    pd.testing.assert_frame_equal(table, before)


def test_published_accuracies_stay_in_per_cent() -> None:
    table = pd.DataFrame(
        {
            "model": ["VGG-16"],
            "top1_max_over_epochs_percent": [72.67],
            "top1_final_percent": [72.55],
            "top1_before_training_percent": [0.79],
        }
    )
    (row,) = common.published_rows(table).to_dict("records")
    assert row == {"model": "VGG-16", "best": 72.67, "final": 72.55, "initial": 0.79}
    assert "final" not in table


def test_the_authors_grasp_is_called_reversed() -> None:
    tables = common.read_tables()
    raw = tables["published/fig1_fig6_accuracy"].query("figure == 'fig1'")
    found = common.benchmark_rows(tables, "fig1")
    assert len(found) == len(raw) == 375 and set(found["method"]) <= set(common.METHODS)
    theirs = found[found["method"] == "grasp-reversed"]
    assert theirs.index.equals(raw.index[raw["method"] == "grasp"])


RUNS = pd.DataFrame(
    {
        "compression_log10": [1.0, 0.0, 1.0, 0.0, 1.0],
        "final": [10.0, 90.0, 20.0, 94.0, 60.0],
        "best": [0.0, 0.0, 0.0, 0.0, 0.0],
    }
)


def test_a_curve_is_the_mean_of_the_runs_and_a_band_their_range() -> None:
    axes = Figure().subplots()
    common.plot_range(axes, RUNS, "final", "C1", "s", hollow=False, label="ours")
    (line,), (band,) = axes.lines, axes.collections
    assert np.asarray(line.get_xydata()).tolist() == [[1.0, 92.0], [10.0, 30.0]]
    corners = {(x, y) for x, y in np.asarray(band.get_paths()[0].vertices).tolist()}
    assert corners == {(1.0, 90.0), (1.0, 94.0), (10.0, 10.0), (10.0, 60.0)}
    assert (line.get_marker(), line.get_markersize()) == ("s", 3)
    assert to_rgba(line.get_markerfacecolor()) == to_rgba(line.get_color())
    assert to_rgba(line.get_color()) == to_rgba("C1")
    assert np.asarray(band.get_facecolor()).tolist() == [[*to_rgba("C1", alpha=0.2)]]
    assert band.get_linewidth() == 0
    assert axes.get_legend_handles_labels() == ([line], ["ours"])


def test_open_markers_of_another_size_and_no_label() -> None:
    axes = Figure().subplots()
    common.plot_range(axes, RUNS, "final", "C1", "o", hollow=True, size=2.5)
    (line,) = axes.lines
    assert to_rgba(line.get_markerfacecolor()) == to_rgba("white")
    assert to_rgba(line.get_color()) == to_rgba("C1")
    assert line.get_markersize() == 2.5
    assert axes.get_legend_handles_labels() == ([], [])


def test_main_writes_files_and_refuses_unknown_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(common, "discover", lambda: [SMALL])
    monkeypatch.setattr(common, "read_tables", lambda: SMALL_TABLE)
    monkeypatch.setattr(common, "OUTPUT", tmp_path)
    monkeypatch.setattr(common, "GENERATED", tmp_path / "generated")
    main(("small",))
    assert (tmp_path / "generated" / "small.tex").read_text() == "Slope $1.0$.%\n"
    assert (tmp_path / "small.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "small.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "generated" / "evidence.tex").exists()
    monkeypatch.setattr(evidence, "evidence", lambda tables: r"\item A point.")
    for name in ("thresholds", "distances"):
        monkeypatch.setattr(limit_tables, name, lambda tables: "a & b")
    main()
    for name in ("thresholds", "distances"):
        assert (tmp_path / "generated" / f"{name}.tex").read_text() == "a & b\n"
    written = (tmp_path / "generated" / "evidence.tex").read_text()
    assert written == "\\item A point.\n"
    with pytest.raises(ValueError, match=r"unknown figures \['smal'\].*\['small'\]"):
        main(("smal",))
