"""Calls to pods: what of a call in vain is told to the breaker."""
import logging
from types import SimpleNamespace

import pytest
import urllib3

from tricircle import config
from tricircle.errors import PodUnreachable
from tricircle.upstream.client import Upstream
from tricircle.upstream.deadline import Deadline


class Account:
    """Knows where a pod is that accepts no connections."""

    def endpoint(self, pod, service):
        """Its root."""
        return "http://127.0.0.1:9"


@pytest.fixture
def upstream():
    """Opens a breaker at the first failure."""
    conf = config.load()
    conf.set_override("breaker_failures", 1, "pods")
    return Upstream(conf, Account())


@pytest.mark.parametrize(("seconds", "opens"), [(60.0, True), (0.0, False)])
@pytest.mark.parametrize("error", [urllib3.exceptions.ConnectTimeoutError("late"),
                                   urllib3.exceptions.ReadTimeoutError(None, "", "late")])
def test_a_request_that_has_used_up_its_time_says_nothing_of_the_pod(upstream, monkeypatch, seconds, opens, error):
    """A user decides how much one request has to do: connections with a millisecond left would open it for all."""
    def late(*_):
        raise error

    monkeypatch.setattr(upstream, "_request", late)
    deadline = Deadline(60.0)
    deadline._end -= 60.0 - seconds
    with pytest.raises(PodUnreachable):
        upstream.call("Pod1", "compute", "GET", "/", headers={}, deadline=deadline)
    assert upstream.breaker("Pod1", "compute").open == opens


def test_a_refused_connection_is_one_however_little_time_is_left(upstream):
    deadline = Deadline(60.0)
    deadline._end -= 59.0
    with pytest.raises(PodUnreachable):
        upstream.call("Pod1", "compute", "GET", "/", headers={}, deadline=deadline)
    assert upstream.breaker("Pod1", "compute").open


@pytest.mark.parametrize(("error", "length", "opens"), [
    (urllib3.exceptions.ProtocolError("Connection aborted."), 10, True),
    (urllib3.exceptions.ProtocolError("Connection aborted."), 9000, False),
    (urllib3.exceptions.ReadTimeoutError(None, "", "late"), 9000, True)])
def test_a_connection_that_is_closed_at_a_long_head_says_nothing(upstream, monkeypatch, error, length, opens):
    def broken(*_):
        raise error

    monkeypatch.setattr(upstream, "_request", broken)
    with pytest.raises(PodUnreachable):
        upstream.call("Pod1", "compute", "GET", f"/servers?name={'a' * length}", headers={})
    assert upstream.breaker("Pod1", "compute").open_for(None) == opens


@pytest.mark.parametrize(("path", "headers"), [("/servers?name=" + "a" * 70_000, {}),
                                               ("/servers", {"X-A": "a" * 70_000})])
def test_a_head_that_no_server_takes_is_not_sent(upstream, path, headers):
    answer = upstream.call("Pod1", "compute", "GET", path, headers=headers)
    assert (answer.status, answer.ok, answer.json()) == (414, False, None)
    assert not upstream.breaker("Pod1", "compute").open


def test_no_query_is_in_the_log(upstream, monkeypatch, caplog):
    monkeypatch.setattr(upstream, "_request", lambda *_: None)
    monkeypatch.setattr(upstream, "_answer", lambda *_: SimpleNamespace(status=200, headers={}))
    with caplog.at_level(logging.DEBUG, "tricircle.upstream.client"):
        upstream.call("Pod1", "compute", "GET", "/servers?name=secret", headers={})
    assert [record.getMessage() for record in caplog.records] == ["Pod1 GET /servers -> 200 "]
