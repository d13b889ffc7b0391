"""Rows of a claim: what an inequality that fails looks like."""

from theory.comparisons import at_most, equal, sides


def test_equal_rows_have_the_scale_of_both_sides() -> None:
    assert equal(1.0, -3.0) == (1.0, -3.0, 4.0)
    assert equal(1.0, -3.0, 2.0) == (1.0, -3.0, 6.0)


def test_an_inequality_that_holds_is_an_equality() -> None:
    assert at_most(1.0, 3.0) == (3.0, 3.0, 4.0)
    assert at_most(3.0, 3.0, 2.0) == (3.0, 3.0, 8.0)
    assert sides([at_most(1.0, 3.0)], "").defect() == 0.0


def test_an_inequality_that_fails_shows_its_excess() -> None:
    assert at_most(3.0, -1.0) == (3.0, -1.0, 4.0)
    assert sides([at_most(3.0, -1.0)], "").defect() == 1.0
    assert sides([at_most(3.0, 2.0, 5.0)], "").defect() == 0.1


def test_sides_are_columns_in_float64_and_keep_the_case() -> None:
    found = sides([equal(1.0, 1.0 + 2.0**-50), equal(2.0, 3.0, 1.0)], "a case")
    assert found.left.tolist() == [1.0, 2.0]
    assert found.right.tolist() == [1.0 + 2.0**-50, 3.0]
    assert found.scale.tolist() == [2.0 + 2.0**-50, 6.0]
    assert found.case == "a case"
    assert 0 < sides([equal(1.0, 1.0 + 2.0**-50)], "").defect() < 2.0**-50


def test_no_rows_have_no_defect() -> None:
    assert sides([], "").defect() == 0.0
