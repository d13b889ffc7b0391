"""What an edit makes stale, and what is then computed again."""

import json
import shutil

import pytest
from toy_checkout import DOUBLE, Checkout, make_checkout

checkout = pytest.fixture(make_checkout)


def test_a_comment_recomputes_nothing_and_code_everything(checkout: Checkout) -> None:
    assert checkout.run() == [1, 2]
    checkout.replace("helper", '"""Return a number."""', '"""Return it."""  # Note.')
    checkout.replace("toy", "Not measured.", "Never measured.")
    assert checkout.run() == []
    checkout.replace("helper", *DOUBLE)
    assert checkout.run() == [1, 2]
    assert checkout.scores() == {1: 0.2 / 3, 2: 0.4 / 3}


def test_a_configuration_more_computes_one(checkout: Checkout) -> None:
    assert checkout.run() == [1, 2]
    checkout.replace("toy", "(1, 2)", "(0, 1, 2)")
    assert checkout.run() == [0]
    assert list(checkout.scores()) == [0, 1, 2]


def test_a_configuration_less_leaves_the_table(checkout: Checkout) -> None:
    checkout.run()
    checkout.replace("toy", "(1, 2)", "(2,)")
    assert checkout.run() == []
    assert list(checkout.scores()) == [2]


@pytest.mark.parametrize("records", [True, False])
def test_stale_rows(
    checkout: Checkout, capsys: pytest.CaptureFixture[str], records: bool
) -> None:
    checkout.run()
    checkout.published()
    old = checkout.scores()
    if not records:
        shutil.rmtree(checkout.records)
    checkout.replace("helper", *DOUBLE)
    assert checkout.published() == []  # hours of work survive an edit
    assert checkout.scores() == old
    capsys.readouterr()
    checkout.command("status")
    assert "default     0 done, 2 stale, 0 missing" in capsys.readouterr().out
    assert checkout.run() == [1, 2]  # the profile default: always
    assert checkout.scores() == {1: 2 * old[1], 2: 2 * old[2], 3: old[3]}
    checkout.command("status")
    assert "published   1 done, 1 stale, 0 missing" in capsys.readouterr().out
    assert checkout.run("--profile", "published", "--stale") == [3]
    assert checkout.scores() == {size: 2 * score for size, score in old.items()}
    assert len(json.loads((checkout.results / "toy.json").read_text())) == 3
    checkout.replace("helper", *reversed(DOUBLE))  # back to the first code
    assert checkout.run() == ([] if records else [1, 2])
    assert checkout.scores() == {**old, 3: old[3] if records else 2 * old[3]}


def test_stale_records_count_when_the_table_was_never_written(
    checkout: Checkout,
) -> None:
    checkout.published()
    old = checkout.scores()
    shutil.rmtree(checkout.results)
    checkout.replace("helper", *DOUBLE)
    assert checkout.published() == []
    assert checkout.scores() == old
