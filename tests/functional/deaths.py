"""Workers that die, one after the other, between every two steps of a job."""
import contextlib
import os
import signal
from pathlib import Path

from tests.functional.gateway import until
from tests.functional.scene import PATIENCE


def work_and_die(scene):
    """Run workers one after the other; each dies, its playbook too, when a pod has done a write and not answered yet.

    Returns:
        How many died before one found nothing left to write. No pod gets more than one write from any of them.
    """
    deaths = 0
    while not scene.settled():
        stops = [scene.cloud.stop_at_write(number, "after") for number in range(1, 5)]
        worker = scene.gateway.worker()
        until(lambda: stops[0].reached or scene.settled() or not worker.running, PATIENCE)   # noqa: B023 - this turn's
        assert worker.running, "the worker ended by itself"
        if stops[0].reached:
            power_cut(worker)
            deaths += 1
        for stop in stops:
            stop.drop()
        worker.stop()
        scene.cloud.stops.clear()
        assert deaths < 20
    return deaths


def power_cut(worker):
    """kill -9 of the worker and of all that it has started."""
    victims, found = [], [worker.process.pid]
    while found:
        victims += found
        found = [int(pid) for pid, parent in processes() if int(parent) in found]
    for pid in victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    worker.process.wait(PATIENCE)


def processes():
    """(pid, parent's pid) of every process."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):   # it has ended meanwhile
            pid, rest = path.read_text().split(" (", 1)
            yield pid, rest.rpartition(") ")[2].split()[1]
