"""Numbers that an administrator has set go to every pod."""
import json
from types import SimpleNamespace

import pytest

from tricircle.api.message import Request, Response
from tricircle.api.quotas import quota_sets
from tricircle.crosspod import quota_numbers
from tricircle.errors import PodUnreachable
from tricircle.routing.caller import Caller, Identity
from tricircle.routing.catalogue import NETWORK, parse
from tricircle.store import Database, quotas
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


def test_what_is_kept_is_what_was_set(tmp_path, monkeypatch):
    """A job of an earlier write may have told the pod its own number before the pod answers."""
    db, told = Database(tmp_path / "tricircle.sqlite"), {"network": 0, "port": 7, "subnet": 3}
    db.upgrade()
    monkeypatch.setattr("tricircle.api.fanout.write_all", lambda *_: Response.of_json(200, {"quota": told}))
    caller = Caller(Identity(project_id="admins", roles=("admin",)), {})
    body = {"quota": {"network": 10, "port": "8", "subnet": None, "tenant_id": "x"}}
    request = Request("PUT", "/v2.0/quotas/mine", "", {}, b"", "http://gateway", "req-1", caller, body_json=body)
    assert quota_sets(SimpleNamespace(db=db), request, parse(NETWORK, request.path)).status == 200
    assert quotas.numbers(db, "network", "quotas", "mine") == {"network": 10, "port": 8, "subnet": 3}
