"""The command line: wrong arguments are explained, tables are listed and compared."""

import math
import sys

import pytest
from toy_checkout import Checkout, make_checkout

from experiments import store
from experiments.catalogue import experiment_names
from experiments.comparison import difference
from experiments.tables import Rows

checkout = pytest.fixture(make_checkout)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--profile", "big"], "no profile 'big'; its profiles are: default"),
        (["run", "toys"], "unknown experiment toys; the experiments are: toy"),
        (["run", "store"], "unknown experiment store"),
        (["table", "x", "toy"], "unknown experiment x;"),
        (["run", "--shard", "0/3"], "--shard must be i/n with 1 <= i <= n, got '0/3'"),
        (["run", "--shard", "4/3"], "--shard must be"),
        (["run", "--shard", "3"], "--shard must be"),
        (["run", "--workers", "0"], "--workers must be at least 1, got 0"),
        (["run", "--backend", "dask"], "set DASK_SCHEDULER_ADDRESS"),
    ],
)
def test_wrong_arguments(
    checkout: Checkout,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    assert checkout.command(*arguments) == 2
    assert message in capsys.readouterr().err
    assert checkout.computed() == []


def test_dask_missing_names_the_group(
    checkout: Checkout,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tcp://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert checkout.command("run", "--backend", "dask") == 2
    assert "pip install --group cluster" in capsys.readouterr().err


def test_list_and_compare(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checkout.command("list") == 0
    assert capsys.readouterr().out == "toy (default 2, published 2): A toy.\n"
    checkout.run("--profile", "published")
    assert checkout.command("compare", "--workers", "1") == 1  # size 1 is missing
    assert "toy: largest relative difference inf" in capsys.readouterr().out
    checkout.run()
    records = {path: path.read_bytes() for path in checkout.records.iterdir()}
    checkout.computed()
    assert checkout.command("compare", "--workers", "1") == 0
    assert checkout.computed() == [1, 2]
    assert "toy: largest relative difference 0\n" in capsys.readouterr().out
    assert records == {path: path.read_bytes() for path in checkout.records.iterdir()}
    checkout.replace("helper", "0.1 * size", "0.100001 * size")
    assert checkout.command("compare", "--workers", "1") == 1
    assert "difference 1e-05" in capsys.readouterr().out
    assert checkout.command("compare", "--workers", "1", "--tolerance", "2e-5") == 0


def test_the_repositorys_own_tables_belong_to_its_experiments() -> None:
    made = {path.stem for path in (store.root() / "results").glob("*.csv")}
    assert made <= set(experiment_names())


def table(*values: str, key: str = "0-0") -> dict[str, Rows]:
    return {key: Rows(key, [{"x": value} for value in values], {})}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (table("1.0"), table("1", key="0-9"), 0.0),
        (table("-2.0", "5"), table("-1.5", "4"), 0.25),
        (table("1e-16"), table("-3e-16"), 0.0),
        (table("0.0"), table("2e-9"), 1.0),
        (table("nan", "-inf", "a"), table("nan", "-inf", "a"), 0.0),
        (table("nan"), table("1.0"), math.inf),
        (table("-inf"), table("inf"), math.inf),
        (table("a"), table("b"), math.inf),
        (table(""), table("1e-20"), math.inf),
        (table("1"), table("1", "1"), math.inf),
        (table("1"), table("1", key="1-0"), math.inf),
        (table("1") | table("2", key="1-0"), table("1"), 0.0),
        ({"0-0": Rows("0-0", [{"y": "1"}], {})}, table("1"), math.inf),
    ],
)
def test_differences(
    old: dict[str, Rows], new: dict[str, Rows], expected: float
) -> None:
    assert difference(old, new, 1e-12) == expected
