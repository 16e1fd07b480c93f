"""What all pods speak, also while one of them is away."""
import json
import threading
from collections import defaultdict
from dataclasses import replace
from types import SimpleNamespace

import pytest
import urllib3
from tests.functional.gateway import until

from tricircle.api import versions
from tricircle.errors import PodUnreachable
from tricircle.routing.catalogue import COMPUTE
from tricircle.store import Database, pods
from tricircle.upstream.client import Answer


class Upstream:
    """Pods with a newest microversion each; None for one that does not answer."""

    def __init__(self, **newest):
        self.newest, self.calls, self.gate = newest, 0, threading.Event()
        self.conf = SimpleNamespace(list_deadline=1.0)
        self.gate.set()

    def call(self, pod, service, method, path, **more):
        """A version document."""
        self.calls += 1
        assert self.gate.wait(10)
        if not self.newest[pod]:
            raise PodUnreachable(pod, service, "gave no whole answer in time")
        body = {"versions": [{"id": "v2.0", "min_version": "", "version": ""},
                             {"id": "v2.1", "min_version": "2.1", "version": self.newest[pod]}]}
        return Answer(pod, 200, urllib3.HTTPHeaderDict(), json.dumps(body).encode())


@pytest.fixture
def gateway(tmp_path):
    """As much of one as versions need."""
    db = Database(tmp_path / "t.sqlite")
    db.upgrade()
    for name in ("Pod1", "Pod2"):
        pods.create(db, name, f"az-{name}", "", "")
    return SimpleNamespace(db=db, upstream=Upstream(Pod1="2.9", Pod2="2.90"), version_answers={},
                           version_locks=defaultdict(threading.Lock))


def expire(gateway):
    """Let the time pass."""
    gateway.version_answers = {key: replace(known, until=0.0) for key, known in gateway.version_answers.items()}


def test_numbers_are_compared_as_numbers(gateway):
    assert versions.span(gateway, COMPUTE) == ((2, 1), (2, 9))


def test_the_last_answer_of_a_pod_that_is_away_stands(gateway):
    versions.span(gateway, COMPUTE)
    expire(gateway)
    gateway.upstream.newest["Pod1"] = None
    assert versions.span(gateway, COMPUTE) == ((2, 1), (2, 9))


def test_a_new_pod_counts_at_once(gateway):
    versions.span(gateway, COMPUTE)
    pods.create(gateway.db, "Pod3", "az3", "", "")
    gateway.upstream.newest["Pod3"] = "2.5"
    assert versions.span(gateway, COMPUTE) == ((2, 1), (2, 5))


def test_nobody_tells(gateway):
    gateway.upstream.newest = {"Pod1": None, "Pod2": None}
    assert versions.span(gateway, COMPUTE) is None


def test_that_nobody_tells_is_remembered(gateway):
    """Or whoever has no token could make us ask all pods with each request."""
    gateway.upstream.newest = {"Pod1": None, "Pod2": None}
    for _ in range(5):
        versions.span(gateway, COMPUTE)
    assert gateway.upstream.calls == 2
    expire(gateway)
    gateway.upstream.newest = {"Pod1": "2.9", "Pod2": "2.90"}
    assert versions.span(gateway, COMPUTE) == ((2, 1), (2, 9))


def test_one_asks_for_all(gateway):
    gateway.upstream.gate.clear()
    spans = []
    threads = [threading.Thread(target=lambda: spans.append(versions.span(gateway, COMPUTE))) for _ in range(8)]
    for thread in threads:
        thread.start()
    gateway.upstream.gate.set()
    for thread in threads:
        thread.join(10)
    assert spans == [((2, 1), (2, 9))] * 8
    assert gateway.upstream.calls == 2


def test_while_one_asks_again_others_go_on(gateway):
    versions.span(gateway, COMPUTE)
    expire(gateway)
    gateway.upstream.gate.clear()
    asking = threading.Thread(target=lambda: versions.span(gateway, COMPUTE))
    asking.start()
    until(gateway.version_locks["compute", "/"].locked)
    assert versions.span(gateway, COMPUTE) == ((2, 1), (2, 9))
    gateway.upstream.gate.set()
    asking.join(10)
    assert gateway.upstream.calls == 4
