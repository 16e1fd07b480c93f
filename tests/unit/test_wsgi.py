"""Answers as WSGI wants them."""
from types import SimpleNamespace

import pytest

from tricircle.api import message, wsgi
from tricircle.api.message import Request, Response, downward, new_request_id


def answered(response, method="GET"):
    begun = []
    body = wsgi._to_wsgi(response, method, lambda *told: begun.append(told))
    (status, headers), = begun
    return status, headers, b"".join(body)


def test_an_answer_has_its_length_and_a_type():
    assert answered(Response(200, [("X-A", "1"), ("X-A", "2")], b"{}")) == (
        "200 OK", [("X-A", "1"), ("X-A", "2"), ("Content-Type", "application/json"), ("Content-Length", "2")], b"{}")


def test_head_has_the_headers_of_get():
    given = Response(200, [("Content-Type", "text/plain")], b"text")
    assert answered(given, "HEAD") == (*answered(given)[:2], b"")


@pytest.mark.parametrize("status", [100, 204, 304])
def test_some_answers_have_no_body(status):
    told, headers, body = answered(Response(status, [("ETag", '"1"'), ("Content-Type", "text/plain")], b"text"))
    assert (told.split()[0], headers, body) == (str(status), [("ETag", '"1"')], b"")


def test_a_status_that_nobody_knows_is_passed_on():
    assert answered(Response(599))[0] == "599 Unknown"


def test_a_header_may_have_any_text():
    assert ("X-Tricircle-Pod", "Pöd€".encode().decode("latin-1")) in answered(
        Response(200, [("X-Tricircle-Pod", "Pöd€")]))[1]


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204)])
def test_a_stream_that_nobody_wants_is_closed(method, status):
    closed = []

    def pieces():
        try:
            yield b"piece"
        finally:
            closed.append(True)

    stream = pieces()
    next(stream)
    assert answered(Response(status, stream=stream), method)[2] == b""
    assert closed


@pytest.mark.parametrize("value", [None, 5, "plain"])
def test_a_stream_of_an_answer_that_cannot_begin_is_closed(value):
    closed = []
    stream = SimpleNamespace(close=lambda: closed.append(True))

    def start(*_):
        raise OSError("the client has gone")

    with pytest.raises((AttributeError, OSError)):
        wsgi._to_wsgi(Response(200, [("X-A", value)], stream=stream), "GET", start)
    assert closed == [True]


def test_a_stream_has_the_length_that_the_pod_said():
    told = answered(Response(200, [("Content-Length", "6")], stream=(part for part in (b"pie", b"ces"))))
    assert told[2] == b"pieces"
    assert [value for name, value in told[1] if name == "Content-Length"] == ["6"]


def test_a_request_id_with_a_line_end_is_none():
    asked, own = new_request_id(), new_request_id()
    for told, sent in ((asked, asked), (f"{asked}\n", own)):
        request = Request("GET", "/", "", {"x-openstack-request-id": told}, b"", "", own)
        assert downward(request)["x-openstack-request-id"] == sent


def test_no_long_names_of_headers_are_remembered():
    message._remembered.cache_clear()
    long = "a" * (message.LONGEST_NAME - 1)
    names = {f"x-{long}": "1", f"x-project-{long}": "1", f"{long}b": "1", "x-roles": "1"}
    sent = downward(Request("GET", "/", "", names, b"", "", "req"))
    assert {f"x-{long}", f"{long}b"} <= sent.keys()
    assert not {f"x-project-{long}", "x-roles"} & sent.keys()
    assert message._remembered.cache_info().currsize == 2
