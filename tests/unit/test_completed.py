"""What the user sees of a GET for which more fields were asked than he named."""
import json
from dataclasses import replace

import pytest

from tricircle.api import query
from tricircle.api.message import Request, Response
from tricircle.routing.catalogue import COMPUTE, NETWORK, parse

BELOW = "/v2.0/floatingips/11111111-2222-4333-8444-555555555555/port_forwardings"
HREF = f"http://gateway{BELOW}?fields=id&limit=1"


def completed(asked, answer, path=BELOW, besides=frozenset()):
    """(the request that went on, the answer)."""
    request = Request("GET", path, asked, {}, b"", "http://gateway", "req", besides=besides)
    sent = []

    def serve(request):
        sent.append(request)
        return replace(answer)

    where = parse(NETWORK, path)
    fields = query.fields(request, where)
    return sent, query.completed(request, where, fields, ["internal_port_id"], serve)


def test_what_is_asked_for_besides_is_in_no_record_and_no_link():
    links = [{"rel": "next", "href": f"{HREF}&fields=internal_port_id&marker=i"}, {"rel": "odd"}, 5]
    page = {"port_forwardings": [{"id": "i", "internal_port_id": "p"}], "port_forwardings_links": links}
    sent, answer = completed("fields=id&limit=1", Response.of_json(200, page))
    assert sent[0].target == f"{BELOW}?fields=id&limit=1&fields=internal_port_id"
    assert json.loads(answer.body) == {"port_forwardings": [{"id": "i"}], "port_forwardings_links": [
        {"rel": "next", "href": f"{HREF}&marker=i"}, {"rel": "odd"}, 5]}


def test_what_another_one_asks_for_besides_stays():
    record = {"port_forwarding": {"id": "i", "internal_port_id": "p", "protocol": "tcp"}}
    _, answer = completed("fields=id", Response.of_json(200, record), besides=frozenset({"protocol"}))
    assert json.loads(answer.body) == {"port_forwarding": {"id": "i", "protocol": "tcp"}}


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'{"port_forwardings":null}', b"{}"])
def test_an_odd_answer_stays_as_it_is(body):
    _, answer = completed("fields=id", Response(200, [], body))
    assert answer.body == body


@pytest.mark.parametrize(("collection", "asked", "fields"), [
    ("networks", "fields=", {""}), ("networks", "fields=&fields=id", {"", "id"}), ("networks", "x=", set()),
    ("routers", "fields=", set()), ("subnetpools", "fields=&fields=id", {"id"})])
def test_a_field_without_a_name(collection, asked, fields):
    request = Request("GET", f"/v2.0/{collection}", asked, {}, b"", "http://gateway", "req")
    assert query.fields(request, parse(NETWORK, request.path)) == fields


@pytest.mark.parametrize(("service", "where", "value", "sent", "reverse"), [
    (NETWORK, "/v2.0/networks", "True", "", True), (NETWORK, "/v2.0/networks", "1", "", False),
    (COMPUTE, "/v2.1/servers/detail", "true", "?page_reverse=true", False),
    (COMPUTE, "/v2.1/servers/detail", "1", "?page_reverse=1", False)])
def test_page_reverse_is_neutrons_alone(service, where, value, sent, reverse):
    request = Request("GET", where, f"page_reverse={value}", {}, b"", "http://gateway", "req")
    path = parse(service, where)
    read = query.read(request, path)
    assert (query.for_pod(request, path, read, False), read.reverse) == (where + sent, reverse)
