"""Which processor each API process is kept on."""
import os
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tricircle.api.processors import MARGIN, Processors, choose

SHARES = st.floats(0, 1)


def test_processes_that_are_new_are_spread():
    placed = choose({0: 0.0, 1: 0.0, 2: 0.0}, {10: 0.0, 11: 0.0, 12: 0.0}, {})
    assert sorted(placed.values()) == [0, 1, 2]


def test_a_new_process_keeps_away_from_other_work():
    assert choose({0: 0.9, 1: 0.1}, {10: 0.0}, {}) == {10: 1}


def test_more_processes_than_processors_are_dealt_out():
    placed = choose({0: 0.0, 1: 0.0}, dict.fromkeys(range(10, 14), 0.0), {})
    assert sorted(placed.values()) == [0, 0, 1, 1]


def test_a_process_leaves_a_processor_that_has_got_other_work():
    assert choose({0: 1.0, 1: 0.0}, {10: 0.5}, {10: 0}) == {10: 1}


def test_what_a_process_does_itself_is_no_reason_to_leave():
    assert choose({0: 1.0, 1: 0.0}, {10: 1.0}, {10: 0}) == {10: 0}


def test_a_small_advantage_moves_nobody():
    assert choose({0: 0.7, 1: 0.0}, {10: 0.5}, {10: 0}) == {10: 0}


def test_where_every_processor_is_busy_nobody_moves():
    assert choose({0: 1.0, 1: 1.0}, {10: 0.4}, {10: 0}) == {10: 0}


def test_a_busy_sibling_is_left():
    assert choose({0: 1.0, 1: 0.0}, {10: 0.5, 11: 0.5}, {10: 0, 11: 0}) in ({10: 1, 11: 0}, {10: 0, 11: 1})


def test_a_processor_that_is_not_allowed_any_more_is_left():
    assert choose({4: 0.9, 5: 0.0}, {10: 0.2}, {10: 0}) == {10: 5}


@given(st.dictionaries(st.integers(0, 63), SHARES, min_size=1), st.dictionaries(st.integers(100, 120), SHARES),
       st.data())
def test_everybody_has_an_allowed_place_and_moves_come_to_an_end(busy, own, data):
    places = data.draw(st.dictionaries(st.sampled_from(sorted(own) or [100]), st.integers(0, 63)))
    placed = choose(busy, own, places)
    assert placed.keys() == own.keys()
    assert set(placed.values()) <= busy.keys()
    if places.keys() >= own.keys() and set(places.values()) <= busy.keys():
        assert sum(placed[each] != places[each] for each in own) <= 1
    # Work that is not ours stays where it is, ours moves along: after as many turns as there are processes all stand.
    ours = {at: sum(own[each] for each in placed if placed[each] == at) for at in busy}
    foreign = {at: max(0.0, busy[at] - ours[at]) for at in busy}
    for _ in range(3 * len(own) + 1):
        before, total = placed, {at: foreign[at] + sum(own[each] for each in placed if placed[each] == at)
                                 for at in busy}
        placed = choose(total, own, placed)
    assert placed == before, MARGIN


@pytest.fixture
def threaded():
    """A process that has several threads."""
    code = """
import threading, time
for _ in range(4):
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
print(flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process.pid
        process.kill()


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one processor")
def test_all_threads_of_a_process_are_kept_on_one_processor(threaded):
    Processors().settle([threaded])
    threads = [int(name) for name in os.listdir(f"/proc/{threaded}/task")]
    assert len(threads) == 5
    places = [os.sched_getaffinity(thread) for thread in threads]
    assert len(places[0]) == 1
    assert places == places[:1] * 5


def test_where_only_one_processor_is_allowed_nothing_is_done(threaded):
    allowed, found = os.sched_getaffinity(threaded), []

    def confined():   # a thread has an affinity of its own
        os.sched_setaffinity(0, {min(allowed)})
        Processors().settle([threaded])
        found.append(os.sched_getaffinity(threaded))

    thread = threading.Thread(target=confined)
    thread.start()
    thread.join()
    assert found == [allowed]


def test_where_the_kernel_does_not_tell_nothing_is_done(threaded, tmp_path):
    allowed = os.sched_getaffinity(threaded)
    Processors(tmp_path).settle([threaded])
    assert os.sched_getaffinity(threaded) == allowed


def test_a_process_that_has_ended_harms_nobody(threaded):
    processors = Processors()
    with subprocess.Popen(["true"]) as gone:
        pass
    processors.settle([gone.pid, threaded])
    processors.settle([threaded])
    assert len(os.sched_getaffinity(threaded)) == min(1, len(os.sched_getaffinity(0)))
