"""Threads for calls to many pods: nobody's many keep another one's few waiting."""
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tricircle import trace
from tricircle.upstream.scatter import THREADS, scatter
from tricircle.upstream.turns import Turns


class Gate:
    """Calls that run until they are let go."""

    def __init__(self):
        self.begun, self.go, self._lock = [], threading.Event(), threading.Lock()

    def call(self, name):
        """A function that notes its name when it begins."""
        def run():
            with self._lock:
                self.begun.append(name)
            assert self.go.wait(10)
            return name
        return run


def test_one_asker_has_a_part_of_the_threads():
    gate, turns = Gate(), Turns(4, 2, "t")
    many = [turns.submit("b", gate.call(f"b{n}")) for n in range(50)]
    few = [turns.submit("a", gate.call(f"a{n}")) for n in range(2)]
    gate_is_full = threading.Event()
    while len(gate.begun) < 4:
        gate_is_full.wait(0.01)
    assert sorted(gate.begun) == ["a0", "a1", "b0", "b1"]
    gate.go.set()
    assert [future.result(10) for future in (*many, *few)] == [*(f"b{n}" for n in range(50)), "a0", "a1"]


def test_those_who_wait_take_turns():
    gate, turns = Gate(), Turns(1, 1, "t")
    futures = [turns.submit(asker, gate.call(f"{asker}{n}")) for asker in "bac" for n in range(3)]
    gate.go.set()
    for future in futures:
        future.result(10)
    assert gate.begun == ["b0", "b1", "a0", "c0", "b2", "a1", "c1", "a2", "c2"]


def test_we_ourselves_may_have_all():
    gate, turns = Gate(), Turns(3, 1, "t")
    futures = [turns.submit(None, gate.call(n)) for n in range(3)]
    pause = threading.Event()
    while len(gate.begun) < 3:
        pause.wait(0.01)
    gate.go.set()
    assert [future.result(10) for future in futures] == [0, 1, 2]


def test_what_is_raised_is_raised_where_it_is_waited_for_and_nothing_is_kept():
    turns = Turns(2, 1, "t")
    with pytest.raises(ZeroDivisionError):
        turns.submit("a", lambda: 1 / 0).result(10)
    pause = threading.Event()
    for _ in range(500):
        if turns._free == 2:
            break
        pause.wait(0.01)
    assert (turns._free, dict(turns._running), turns._waiting) == (2, {}, {})


def test_a_project_s_lists_over_many_pods_do_not_keep_another_one_s_waiting():
    """The same in scatter(), which knows whose request it works for."""
    gate, pods = Gate(), [f"Pod{n}" for n in range(100)]

    def ask(project, call, pods):
        trace.begin("req").project = project
        return scatter(pods, call)[0]

    with ThreadPoolExecutor(9) as pool:
        lists = [pool.submit(ask, "b", lambda name: gate.call(name)(), pods) for _ in range(8)]
        pause = threading.Event()
        while len(gate.begun) < THREADS // 2:
            pause.wait(0.01)
        assert pool.submit(ask, "a", str.lower, pods[:3]).result(5) == {"Pod0": "pod0", "Pod1": "pod1", "Pod2": "pod2"}
        assert len(gate.begun) == THREADS // 2
        gate.go.set()
        assert {tuple(each.result(10)) for each in lists} == {tuple(pods)}


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_parts_that_ask_pods_themselves_come_to_an_end(depth):
    """However many there are: an inner question waits for no thread that an outer one holds."""
    pods = [f"Pod{n}" for n in range(8)]

    def part(left):
        return (lambda name: name) if not left else (lambda name: sorted(scatter(pods[:3], part(left - 1))[0]) and name)

    def ask(_):
        trace.begin("req").project = "b"
        return scatter(pods, part(depth))[0]

    with ThreadPoolExecutor(20) as pool:
        assert [*pool.map(ask, range(20), timeout=20)] == [{pod: pod for pod in pods}] * 20


def test_nothing_is_raised_before_all_parts_have_ended():
    ended, pause = [], threading.Event()

    def part(name):
        if name == "Pod0":
            raise ZeroDivisionError
        pause.wait(0.2)
        ended.append(name)

    with pytest.raises(ZeroDivisionError):
        scatter(["Pod0", "Pod1", "Pod2"], part)
    assert sorted(ended) == ["Pod1", "Pod2"]
