"""Every bench in its shortest form: that it runs and what its table looks like, no figures."""
import ast
from pathlib import Path

import pytest

from tests.bench import convergence, empty_pods, fairness, latency, lists, lookup, memory, merge, throughput, world
from tests.bench.__main__ import ALONE, SERVED

SHORT = {
    latency: {"ROUNDS": 1, "SECONDS": 0.05}, throughput: {"ROUNDS": 1, "SECONDS": 0.05}, memory: {"REQUESTS": 20},
    merge: {"ROUNDS": 1, "RECORDS": 8}, lookup: {"LARGE": 2000, "ASKED": 100},
    fairness: {"ROUNDS": 1, "SECONDS": 0.1, "SETTLE": 0.1, "MANY": 20},
    empty_pods: {"PODS": 3, "PROJECTS": 100, "SECONDS": 0.3},
    convergence: {"TURNS": {2: 1}, "SLOW": 0.02, "ROUTERS": 2},
}


@pytest.fixture
def short(monkeypatch):
    """Every bench with its smallest numbers."""
    for module, numbers in SHORT.items():
        for name, number in numbers.items():
            assert hasattr(module, name)
            monkeypatch.setattr(module, name, number)


@pytest.fixture(scope="module")
def here():
    with world.world() as made:
        yield made


def looks_like_rows(rows):
    assert rows
    assert all(len(row) == 5 and all(isinstance(cell, str) for cell in row) for row in rows)
    assert all(any(digit in row[2] for digit in "0123456789") for row in rows)


@pytest.mark.parametrize("name", SERVED)
def test_a_bench_of_the_running_gateway_gives_rows(name, short, here):
    looks_like_rows(SERVED[name].run(here))


@pytest.mark.parametrize("name", ALONE)
def test_a_bench_that_needs_no_gateway_gives_rows(name, short):
    looks_like_rows(ALONE[name].run())


def test_the_bench_of_long_lists_walks_them_whole(capsys):
    lists.main(["--pods", "3", "--servers", "20", "--limit", "8"])
    assert capsys.readouterr().out.count(" walk: ") == 4


def test_no_bench_is_left_out():
    assert set(SHORT) == {*SERVED.values(), *ALONE.values()}


def test_no_bench_uses_a_private_name():
    wrong = [f"{path.name}: {ast.unparse(node)}" for path in Path(world.__file__).parent.glob("*.py")
             for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)
             and node.attr.startswith("_") and not node.attr.startswith("__") and ast.unparse(node.value) != "self"]
    assert wrong == []
