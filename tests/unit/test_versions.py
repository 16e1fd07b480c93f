"""What all pods speak, also while one of them is away."""
import json
from types import SimpleNamespace

import pytest
import urllib3

from tricircle.api import versions
from tricircle.errors import PodUnreachable
from tricircle.routing.catalogue import COMPUTE
from tricircle.store import Database, pods
from tricircle.upstream.client import Answer


class Upstream:
    """Pods with a newest microversion each; None for one that does not answer."""

    def __init__(self, **newest):
        self.newest = newest

    def call(self, pod, service, method, path, **more):
        """A version document."""
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
                           conf=SimpleNamespace(pods=SimpleNamespace(list_deadline=1.0)))


def expire(gateway):
    """Let the time pass."""
    gateway.version_answers = {key: (0.0, *rest) for key, (_, *rest) in gateway.version_answers.items()}


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
