"""Counters for Prometheus. Labels are pods, services, methods, statuses, kinds: nothing that users can make more of.

Each process writes into memory-mapped files of its own, and whoever is scraped adds them up. The files are named by the
process's *slot* and not by its pid: whoever takes the place of a dead process counts on where that has stopped.
"""
import functools
import json
import os
from collections.abc import Callable
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram, values
from prometheus_client.mmap_dict import MmapedDict

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
PODS = (0, 1, 2, 5, 10, 20, 50, 100)

REQUESTS = Counter("tricircle_requests", "Answers to users.", ("service", "method", "status"))
REQUEST_SECONDS = Histogram("tricircle_request_seconds", "Until an answer to a user begins.", ("service",),
                            buckets=SECONDS)
REQUEST_PODS = Histogram("tricircle_request_pods", "Pods that were asked for one request.", ("service",), buckets=PODS)
POD_REQUESTS = Counter("tricircle_pod_requests", "Calls to pods; status `unreachable`: no whole answer, `breaker`: "
                       "not sent, since the pod has failed before.", ("pod", "service", "method", "status"))
POD_SECONDS = Histogram("tricircle_pod_request_seconds", "Until a pod's answer is there, or is given up.",
                        ("pod", "service"), buckets=SECONDS)
BREAKER = Gauge("tricircle_breaker_open", "1 while a process does not call a pod's service.", ("pod", "service"),
                multiprocess_mode="max")
REFUSED = Counter("tricircle_refused", "Requests that were refused to keep room: `project` had its share, or `all` was "
                  "in use.", ("what", "whose"))
LOOKUPS = Counter("tricircle_lookups", "Where is this id: `hit` was known, `miss` was asked of the pods.", ("outcome",))
ATTEMPTS = Counter("tricircle_job_attempts", "Attempts at jobs by what the job is afterwards; `lost`: another worker "
                   "has it.", ("kind", "outcome"))
ATTEMPT_SECONDS = Histogram("tricircle_job_attempt_seconds", "How long an attempt at a job took.", ("kind",),
                            buckets=(1, 2.5, 5, 10, 30, 60, 150, 300))
DRIFT = Gauge("tricircle_drift", "Differences that the last sweep has found.", ("pod", "kind"),
              multiprocess_mode="max")
SWEPT = Gauge("tricircle_drift_swept_timestamp_seconds", "When the last sweep ended.", multiprocess_mode="max")
FIRST_BYTES = 1 << 16   # of a file, as prometheus_client has it
# labels() costs more than counting: what it gives is kept.
_CHILDREN: dict[tuple, tuple] = {}


class Solid(MmapedDict):
    """A file without holes: on a full disk a process that writes into a hole of a mapped file is killed by SIGBUS."""

    def __init__(self, filename: str, read_mode: bool = False):
        if not read_mode:
            with open(filename, "ab") as file:
                os.posix_fallocate(file.fileno(), 0, max(FIRST_BYTES, file.tell()))
        super().__init__(filename, read_mode)

    def _init_value(self, key: str) -> None:
        if self._used + 4 * len(key) + 64 > self._capacity:   # more than an entry takes
            os.posix_fallocate(self._f.fileno(), 0, 2 * self._capacity)
        super()._init_value(key)


def _if_there_is_room(count: Callable[..., None]) -> Callable[..., None]:
    """A full disk costs a figure, and not the answer that was to be counted."""
    @functools.wraps(count)
    def counted(*args: object) -> None:
        try:   # and not contextlib.suppress: this is done several times for each request
            count(*args)
        except OSError:
            return
    return counted


def begin(folder: Path, slot: str) -> None:
    """This process counts in files from now on; must come before anything is counted.

    Args:
        folder: of all processes' files.
        slot: `api0`, `worker`; no two processes that live have the same.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    end(folder, slot)   # of a predecessor that was killed
    for path in folder.glob(f"*_{slot}.db"):
        if not _sound(path):   # a power cut may leave half a file
            path.unlink()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    values.MmapedDict = Solid
    values.ValueClass = values.MultiProcessValue(lambda: slot)


def end(folder: Path, slot: str) -> None:
    """The breakers of a process that has ended are nobody's. What it has counted stays.

    Args:
        folder: as for `begin`.
        slot: a pattern of slots will do.
    """
    for path in folder.glob(f"gauge_*_{slot}.db"):
        path.unlink()


def _sound(path: Path) -> bool:
    try:
        Solid(str(path)).close()
        for key, *_ in MmapedDict.read_all_values_from_file(str(path)):
            json.loads(key)   # one that is none would fail every scrape
    except Exception:   # noqa: BLE001 - whatever is wrong with it, nobody could count in it
        return False
    return True


@_if_there_is_room
def answered(service: str, method: str, status: str, seconds: float, pods: int) -> None:
    """A user gets an answer."""
    key = (service, method if method in METHODS else "other", status)
    found = _CHILDREN.get(key)
    if found is None:
        found = _CHILDREN[key] = (REQUESTS.labels(*key), REQUEST_SECONDS.labels(service),
                                  REQUEST_PODS.labels(service))
    found[0].inc()
    found[1].observe(seconds)
    found[2].observe(pods)


@_if_there_is_room
def called(pod: str, service: str, method: str, status: int | str, seconds: float) -> None:
    """A pod has answered, or not."""
    key = (pod, service, method if method in METHODS else "other", status)
    found = _CHILDREN.get(key)
    if found is None:
        found = _CHILDREN[key] = (POD_REQUESTS.labels(*key), POD_SECONDS.labels(pod, service))
    found[0].inc()
    found[1].observe(seconds)


@_if_there_is_room
def breaker(pod: str, service: str, is_open: bool) -> None:
    """The state of a breaker of this process."""
    BREAKER.labels(pod, service).set(is_open)


@_if_there_is_room
def refused(what: str, whose: str) -> None:
    """A request was refused, since there was not enough of something: see share.py."""
    REFUSED.labels(what, whose).inc()


@_if_there_is_room
def swept(found: dict[tuple[str, str], int], when: float) -> None:
    """A sweep is over.

    Args:
        found: {(pod, kind of job that puts it right): differences}, zeros too; a pod that is not named keeps its own.
        when: seconds since the epoch.
    """
    for key, number in found.items():
        DRIFT.labels(*key).set(number)
    SWEPT.set(when)


@_if_there_is_room
def looked_up(outcome: str) -> None:
    """An id was looked up."""
    found = _CHILDREN.get((outcome,))
    if found is None:
        found = _CHILDREN[(outcome,)] = (LOOKUPS.labels(outcome),)
    found[0].inc()


@_if_there_is_room
def attempted(kind: str, outcome: str, seconds: float) -> None:
    """An attempt at a job is over."""
    ATTEMPTS.labels(kind, outcome).inc()
    ATTEMPT_SECONDS.labels(kind).observe(seconds)
