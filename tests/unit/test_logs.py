"""Lines that programs read."""
import json
import logging

import pytest

from tricircle import logs, trace
from tricircle.crosspod.steps import Failure
from tricircle.jobs.context import _audit, _statuses
from tricircle.jobs.playbooks import Outcome

STEPS = [{"name": name, "method": "PUT", "path": f"/v2.0/{name}", "body": {"key": "secret"}} for name in "abc"]


@pytest.fixture
def audited(caplog):
    """The statuses in the audit so far."""
    caplog.set_level(logging.INFO, "tricircle.audit")
    return lambda: [(record.args["path"], record.args["status"]) for record in caplog.records]


def test_json_has_the_fields_of_the_line():
    trace.begin("router:1:2")
    record = logging.LogRecord("tricircle.audit", logging.INFO, "", 0, "cause=%(cause)s",
                               ({"cause": trace.cause()},), None)
    seen = json.loads(logs.Json().format(record))
    assert (seen["logger"], seen["cause"]) == ("tricircle.audit", "router:1:2")
    plain = logging.LogRecord("x", logging.INFO, "", 0, 'a "%s"\n', ("b",), None)
    line = logs.Json().format(plain)
    assert json.loads(line)["message"] == 'a "b"\n'
    assert "\n" not in line


@pytest.mark.parametrize(("status", "kind", "told"), [(409, "Conflict", 409), (0, "", "unanswered"),
                                                      (0, "LeaseLost", "unsent")])
def test_what_was_not_begun_is_not_in_the_audit(audited, status, kind, told):
    _audit("Pod1", STEPS, _statuses(Outcome([("a", 0.1, 201)], Failure("b", status, kind, ""))))
    assert audited() == [("/v2.0/a", 201), ("/v2.0/b", told)]


def test_bodies_are_not_in_the_audit(audited, caplog):
    _audit("Pod1", STEPS, [200, 200, 204])
    assert len(audited()) == 3
    assert "secret" not in caplog.text
