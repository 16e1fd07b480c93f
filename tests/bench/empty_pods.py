"""What it costs to know which pods are empty for a project, and what is saved by it."""
import statistics
import tempfile
import threading
import time
import tracemalloc
import uuid
from pathlib import Path

from tests.functional.gateway import Gateway
from tests.functional.standin import Cloud
from tests.functional.user import User
from tricircle.routing.caller import Identity
from tricircle.routing.empty_pods import EmptyPods

PODS, PROJECTS, SECONDS, RATE = 100, 10_000, 20.0, 10.0
ALWAYS = 1e6   # questions a second: nothing is believed for longer than a list takes


def run() -> list[tuple[str, ...]]:
    """Rows of the table."""
    return [_memory(), *_questions()]


def _memory() -> tuple[str, ...]:
    """Bytes and time for each project that has listed lately, beside a set of the empty pods for each."""
    pods = [str(uuid.uuid4()) for _ in range(PODS)]
    keys = [(Identity(str(uuid.uuid4()), project_id=str(uuid.uuid4())), "compute", "servers") for _ in range(PROJECTS)]
    tracemalloc.start()
    known = EmptyPods(RATE)
    for number, key in enumerate(keys):
        known.note(key, pods, {pods[number % PODS]})
    size = tracemalloc.get_traced_memory()[0]
    sets = {key: frozenset(pod for pod in pods if pod != pods[number % PODS]) for number, key in enumerate(keys)}
    plain = tracemalloc.get_traced_memory()[0] - size
    tracemalloc.stop()
    begun = time.perf_counter()
    for key in keys:
        known.seen(key)
    each = (time.perf_counter() - begun) / PROJECTS
    assert len(sets) == len(known) == PROJECTS
    return (f"empty pods, {PODS} pods, {PROJECTS} projects", f"memory a project; a look takes {each * 1e6:.1f} us",
            f"{size / PROJECTS:.0f} B", f"a set for each {plain / PROJECTS:.0f} B", f"{size / plain:.2f}")


def _questions() -> list[tuple[str, ...]]:
    """A project with servers in one of many pods lists them all the time."""
    cloud = Cloud(PODS)
    counter, lock = [0], threading.Lock()
    for pod in list(cloud)[1:]:
        pod.compute.server.serve = _counted(pod.compute.serve, counter, lock)
    try:
        (calls, knowing), (all_calls, asking) = (_listing(cloud, counter, rate) for rate in (RATE, ALWAYS))
    finally:
        cloud.close()
    return [(f"lists of one pod's servers, {PODS} pods", "questions a second to the empty ones", f"{calls:.1f}",
             f"without knowing {all_calls:.0f}", f"goal {RATE:.0f}"),
            (f"lists of one pod's servers, {PODS} pods", "time of a list", f"{knowing * 1000:.1f} ms",
             f"without knowing {asking * 1000:.1f} ms", f"{knowing / asking:.2f}")]


def _counted(serve, counter: list[int], lock: threading.Lock):
    def counted(request):
        with lock:
            counter[0] += 1
        return serve(request)
    return counted


def _listing(cloud: Cloud, counter: list[int], rate: float) -> tuple[float, float]:
    """(questions a second to the pods that have nothing, median seconds of a list)."""
    with tempfile.TemporaryDirectory() as folder:
        gateway = Gateway(cloud, Path(folder), processes=1, pods=f"empty_pod_rate = {rate}").start().register()
        try:
            user = User(gateway)
            user.boot(None, "az1")
            user.compute.ok("GET", "/servers")
            before, begun, took = counter[0], time.monotonic(), []
            while time.monotonic() - begun < SECONDS:
                at = time.monotonic()
                assert len(user.compute.ok("GET", "/servers")["servers"]) == 1
                took.append(time.monotonic() - at)
            return (counter[0] - before) / (time.monotonic() - begun), statistics.median(took)
        finally:
            gateway.stop()
