"""API processes and processors."""
import os

import pytest

from tests.functional.gateway import Gateway, children, until

pytestmark = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one processor")


def places(gateway):
    """For each API process: processors on which any of its threads may run."""
    return [set().union(*(os.sched_getaffinity(int(thread)) for thread in os.listdir(f"/proc/{pid}/task")))
            for pid in children(gateway.api.process.pid)]


def test_every_api_process_is_kept_on_one_processor(gateway):
    found = places(gateway)
    assert [len(each) for each in found] == [1, 1]
    assert os.sched_getaffinity(gateway.api.process.pid) == os.sched_getaffinity(0), "the parent must see all of them"


def test_an_operator_can_leave_it_to_the_kernel(cloud, tmp_path):
    gateway = Gateway(cloud, tmp_path, processes=1, api="pin_processes = false").start()
    try:
        until(lambda: places(gateway))   # it listens before it has its child
        assert places(gateway) == [os.sched_getaffinity(0)]
    finally:
        gateway.stop()
