"""Numbers that an administrator has set go to every pod."""
import json
from types import SimpleNamespace

import pytest

from tricircle.crosspod import quota_numbers
from tricircle.errors import PodUnreachable
from tricircle.upstream.client import Answer


def upstream(status, document):
    """A pod that answers everything in one way."""
    def ask(pod, *_):
        return Answer(pod, status, {}, json.dumps(document).encode())

    return SimpleNamespace(ask=ask, account=SimpleNamespace(project_id=lambda: "own"))


def refused(message):
    return upstream(400, {"badRequest": {"code": 400, "message": message}})


def test_a_project_that_is_gone_is_owed_nothing():
    """Nova asks Keystone; the job tried ten times, and was dead then."""
    gone = refused("Project ID 220f376b47fe4d70b688c33f7bf1269f is not a valid project.")
    assert quota_numbers.bring(gone, "Pod1", "compute/os-quota-sets/220f", {"cores": 5}) == ["the project is gone"]


def test_any_other_refusal_is_told():
    with pytest.raises(PodUnreachable, match="answered 400"):
        quota_numbers.bring(refused("no"), "Pod1", "compute/os-quota-sets/p", {"cores": 5})
