"""Data walks down one floor at a time: no module imports anything from above."""
import ast
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2] / "proxy" / "tricircle"
BELOW = {
    "store": set(), "upstream": {"store"}, "routing": {"upstream", "store"}, "crosspod": {"upstream", "store"},
    "jobs": {"crosspod", "upstream", "store"}, "api": {"routing", "upstream", "jobs", "crosspod", "store"},
}


@pytest.mark.parametrize("floor", BELOW)
def test_nothing_is_imported_from_above(floor):
    wrong = []
    for path in (HOUSE / floor).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) else \
                [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                parts = (name or "").split(".")
                if parts[0] == "tricircle" and len(parts) > 1 and parts[1] in BELOW.keys() - BELOW[floor] - {floor}:
                    wrong.append(f"{path.name} imports {name}")
    assert wrong == []


def test_sql_is_in_the_store_only():
    verbs = ("SELECT ", "INSERT INTO", "UPDATE ", "DELETE FROM", "CREATE TABLE")
    wrong = [path.name for path in HOUSE.rglob("*.py") if path.parent.name != "store"
             for node in ast.walk(ast.parse(path.read_text()))
             if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(verbs)]
    assert wrong == []
