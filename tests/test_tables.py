"""Tables: what is done, stale or missing, and bytes that do not depend on the past."""

import errno
import io
import json
import math
import shutil

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_store import full_disk
from toy_checkout import DOUBLE, Checkout, make_checkout

from experiments import tables

checkout = pytest.fixture(make_checkout)


def test_the_table_is_tidy_exact_and_in_order(checkout: Checkout) -> None:
    assert checkout.published() == [2, 3]
    assert checkout.run() == [1]
    table = pd.read_csv(io.BytesIO(checkout.table()))
    columns = ["key", "size", "widths", "label", "layer", "score", "unit"]
    assert list(table) == columns
    assert list(table["size"]) == [1, 1, 1, 2, 2, 2, 3, 3, 3]  # default comes first
    assert set(table["label"]) == {'a, "b"'} and set(table["widths"]) == {"(3, 1)"}
    for size, rows in table.groupby("size"):
        exact, nan, infinite = rows["score"]
        assert exact == 0.1 * size / 3
        assert math.isnan(nan) and infinite == -math.inf
    sidecar = json.loads((checkout.results / "toy.json").read_text())
    assert list(sidecar) == list(dict.fromkeys(table["key"]))
    assert all(made["threads"] == 1 for made in sidecar.values())


@given(st.lists(st.floats(), min_size=1), st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_every_number_reads_back_exactly(floats: list[float], ints: list[int]) -> None:
    lines = [tables._cells({"x": value}) for value in floats]
    lines += [tables._cells({"n": value}) for value in ints]
    text = tables._csv(["x", "n"], lines)
    read = pd.read_csv(io.StringIO(text), dtype={"n": "Int64"})
    assert repr(read["x"].tolist()[: len(floats)]) == repr(floats)
    assert read["n"].tolist()[len(floats) :] == ints


def test_the_bytes_do_not_depend_on_order_or_source(checkout: Checkout) -> None:
    assert checkout.run() == [1, 2]
    assert checkout.published() == [3]
    expected = checkout.table()
    shutil.rmtree(checkout.records)  # a fresh clone: the tables only
    assert checkout.run() == [] and checkout.published() == []
    assert checkout.command("table") == 0
    assert checkout.table() == expected
    shutil.rmtree(checkout.results)  # nothing at all, and the other order
    assert checkout.published() == [2, 3]
    checkout.record(3).unlink()  # 3 from the table, the others from records
    assert checkout.run() == [1]
    assert checkout.table() == expected


def test_an_unchanged_table_is_not_touched(checkout: Checkout) -> None:
    checkout.run()
    before = (checkout.results / "toy.csv").stat()
    assert checkout.command("table", "toy") == 0
    after = (checkout.results / "toy.csv").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_merged_table_prefers_the_present_code(checkout: Checkout) -> None:
    checkout.run()
    expected = checkout.table()
    checkout.replace("helper", *DOUBLE)
    checkout.run()
    other = checkout.table().partition(b"\n")[2]
    checkout.replace("helper", *reversed(DOUBLE))
    shutil.rmtree(checkout.records)
    (checkout.results / "toy.csv").write_bytes(expected + other)
    assert checkout.run() == []
    assert checkout.table() == expected


def test_the_order_of_columns_does_not_depend_on_the_past(checkout: Checkout) -> None:
    checkout.replace("toy", '"unit": "u"', 'f"u{config.size}": 1, "empty": ""')
    checkout.replace("toy", "(1, 2)", "(1, 4)")
    checkout.run()
    shutil.rmtree(checkout.records)
    checkout.replace("toy", "(1, 4)", "(1, 3, 4)")
    assert checkout.run() == [3]  # 1 and 4 come from the table
    expected = checkout.table()
    shutil.rmtree(checkout.results)
    assert checkout.run() == [1, 4]
    assert checkout.table() == expected
    columns = b"key,size,widths,label,layer,score,u1,u3,u4"
    assert expected.partition(b"\n")[0] == columns


def test_a_corrupted_record_is_computed_again(checkout: Checkout) -> None:
    checkout.run()
    expected = checkout.table()
    shutil.rmtree(checkout.results)
    path = checkout.record(2)
    path.write_text(path.read_text()[:-20])
    with pytest.warns(UserWarning, match=f"{path} is corrupted"):
        assert checkout.run() == [2]
    assert checkout.table() == expected


def test_a_table_that_cannot_be_written_stays(
    checkout: Checkout,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkout.run()
    expected = checkout.table()
    checkout.replace("toy", "(1, 2)", "(2, 1)")
    with monkeypatch.context() as patch:
        full_disk(patch, checkout.results, errno.ENOSPC)
        assert checkout.command("table") == 1
    assert "cannot write the table of toy, kept as it was" in capsys.readouterr().err
    assert checkout.table() == expected
    assert checkout.command("table") == 0
    assert checkout.table() != expected


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("toy.csv", "<<<<<<< HEAD\nkey,size\n", "expected 1 cells"),
        ("toy.csv", "key,size\nabc,1,2\n", "expected 2 cells"),
        ("toy.json", "<<<<<<< HEAD", "not JSON"),
    ],
)
def test_a_spoiled_table_is_named(
    checkout: Checkout, name: str, text: str, message: str
) -> None:
    checkout.run()
    path = checkout.results / name
    path.write_text(text)
    with pytest.raises(ValueError, match=f"{path}.*{message}"):
        checkout.command("run")
    assert path.read_text() == text
