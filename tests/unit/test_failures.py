"""The table of failures and its tests are in step."""
import re
from pathlib import Path

import pytest
from tests.functional.failures import ROWS

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs" / "failures.md").read_text().split("| failure |", 1)[1]


def test_every_row_has_a_test_and_every_test_a_row():
    assert sorted(re.findall(r"^\| ([^|-][^|]*?) \|", TABLE, re.MULTILINE)) == sorted(ROWS)


@pytest.mark.parametrize("row", ROWS)
def test_its_test_is_there(row):
    file, function = ROWS[row].split("::")
    assert f"def {function}(" in (ROOT / "tests" / "functional" / file).read_text()
