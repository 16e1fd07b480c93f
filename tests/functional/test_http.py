"""HTTP as clients and proxies really speak it."""
import gzip
import http.client
import json
import socket

import pytest

from tests.functional.spoken import spoken
from tests.functional.user import User, holders


@pytest.fixture(scope="module")
def user(gateway):
    """Somebody with a network in Pod2."""
    found = User(gateway)
    found.first = found.net("az2")
    return found


def test_a_chunked_body(cloud, gateway, user):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.ports["network"], timeout=20)
    body = iter([b'{"network": {"name": "chunk', b'ed", "availability_zone_hints"', b': ["az2"]}}'])
    connection.request("POST", "/v2.0/networks", body, {"X-Auth-Token": user.token.id,
                                                        "Content-Type": "application/json"}, encode_chunked=True)
    answer = connection.getresponse()
    assert answer.status == 201
    network = json.loads(answer.read())["network"]
    assert network["name"] == "chunked"
    assert holders(cloud, "network", "networks", network["id"]) == ["Pod2"]


@pytest.mark.parametrize("path", ["/networks/", "/networks.json", "/networks/{first}/", "/networks/{first}.json"])
def test_spellings_that_neutron_takes(user, path):
    answer = user.network.get(path.format(first=user.first))
    assert answer.status == 200
    assert user.first in answer.raw.decode()


@pytest.mark.parametrize("path", ["//networks", "/./networks", "/networks/../networks", "/%6eetworks", "/networks;x=y"])
def test_odd_paths_are_no_way_around(user, path):
    answer = user.network.get(path)
    assert answer.status in (200, 400, 404)
    if answer.status == 200:
        assert {row["project_id"] for row in answer["networks"]} == {user.project}


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PATCH", "TRACE", "BREW"])
@pytest.mark.parametrize(("service", "path"), [("network", "/networks"), ("compute", "/servers"),
                                               ("volume", "/volumes"), ("admin", "/pods")])
def test_rare_methods_make_nothing_and_break_nothing(cloud, user, method, service, path):
    with cloud.unchanged():
        answer = getattr(user, service).call(method, path)
    assert answer.status < 500


def test_a_request_that_is_cut_off_makes_nothing(cloud, gateway, user):
    with cloud.unchanged():
        for text in (b"POST /v2.0/networks HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"network\"",
                     b"POST /v2.0/networks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"net",
                     b"POST /v2.0/netw", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\r\n\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", gateway.ports["network"]), 5) as client:
                client.sendall(text)
        assert user.network.get("/networks").status == 200


@pytest.mark.parametrize("extra", ["Content-Length: 5\r\nContent-Length: 6", "Content-Length: -1", "Content-Length: x",
                                   "Transfer-Encoding: chunked\r\nContent-Length: 4", "Transfer-Encoding: bogus"])
def test_smuggled_lengths(cloud, gateway, extra):
    """Two readings of one request are how a second one is smuggled past the token check of the first."""
    head = (f"POST /v2.0/networks HTTP/1.1\r\nHost: x\r\n{extra}\r\n\r\n0\r\n\r\n"
            "GET /v2.0/networks HTTP/1.1\r\nHost: x\r\n\r\n").encode()
    with cloud.unchanged(), socket.create_connection(("127.0.0.1", gateway.ports["network"]), 5) as client:
        client.sendall(head)
        client.settimeout(5)
        first = client.recv(65536).split(b"\r\n")[0]
    assert first.split()[1] in (b"400", b"401", b"501")


def test_a_connection_serves_many_requests(gateway, user):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.ports["network"], timeout=20)
    for _ in range(5):
        connection.request("GET", "/v2.0/networks", headers={"X-Auth-Token": user.token.id})
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.read()
        local = connection.sock.getsockname()
    assert connection.sock.getsockname() == local


def shown(user, **fields):
    """A body with the user's network in it."""
    return json.dumps({"network": {"id": user.first, "name": "x", **fields}}).encode()


def test_expect_100_continue(gateway, user):
    body = b'{"network": {"name": "patient"}}'
    head = (f"POST /v2.0/networks HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {user.token.id}\r\nExpect: 100-continue\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n")
    with socket.create_connection(("127.0.0.1", gateway.ports["network"]), 10) as client:
        client.sendall(head.encode())
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert client.recv(65536).startswith(b"HTTP/1.1 201")


def told(gateway, service, method, path, token=None):
    """(status, length, type) of an answer, behind which the connection goes on."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.ports[service], timeout=20)
    connection.request(method, path, headers={"X-Auth-Token": token} if token else {})
    answer = connection.getresponse()
    assert (answer.read() == b"") == (method == "HEAD")
    connection.request("GET", "/")       # nothing of the body is left on the wire
    assert connection.getresponse().status in (200, 300)
    return answer.status, answer.headers["content-length"], answer.headers["content-type"]


@pytest.mark.parametrize(("service", "path"), [("compute", "/"), ("compute", "/v2.1/"), ("volume", "/"),
                                               ("volume", "/v3/")])
def test_head_of_a_version_is_get_without_a_body(gateway, user, service, path):
    answers = [told(gateway, service, method, path, user.token.id) for method in ("GET", "HEAD")]
    assert answers[0] == answers[1]
    assert answers[0][0] in (200, 300)
    assert int(answers[0][1]) > 0


@pytest.mark.parametrize(("service", "path", "status", "stranger"), [
    ("network", "/", 405, 405), ("network", "/v2.0/", 405, 401), ("network", "/v2.0/networks", 405, 401),
    ("network", "/v2.0/networks/{first}", 405, 401), ("compute", "/v2.1/servers", 404, 401),
    ("compute", "/v2.1/limits", 404, 401), ("volume", "/v3/volumes", 404, 401)])
def test_head_is_what_it_is_to_the_service(cloud, gateway, user, service, path, status, stranger):
    with cloud.unchanged():
        assert told(gateway, service, "HEAD", path.format(first=user.first), user.token.id)[0] == status
        assert told(gateway, service, "HEAD", path.format(first=user.first))[0] == stranger


@pytest.mark.parametrize(("tag", "status"), [("here", 204), ("elsewhere", 404)])
def test_head_tells_whether_there_is_a_tag(gateway, user, tag, status):
    gateway.client("network", user.token).ok("PUT", f"/networks/{user.first}/tags", {"tags": ["here"]})
    assert told(gateway, "network", "HEAD", f"/v2.0/networks/{user.first}/tags/{tag}", user.token.id)[0] == status


def test_nova_shows_its_version_below_a_project_too(gateway, user):
    """An endpoint with `%(project_id)s` leads there, and clients look for versions at endpoints."""
    nova = gateway.client("compute", user.token)
    assert nova.ok("GET", f"/{user.token.project.id}/") == nova.ok("GET", "/")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/", "/v2.0", "/v2.0/"])
def test_nothing_is_written_to_the_document_of_neutrons_versions(gateway, user, method, path):
    assert told(gateway, "network", method, path, user.token.id)[0] == 405


def test_an_etag_is_of_the_bytes(cloud, user):
    """A strong one says that two bodies are the same, byte by byte: not of a body that was translated."""
    link = cloud["Pod2"].network.server.url
    bodies = {"/networks/": shown(user), "fields=links": shown(user, links=[{"href": f"{link}/v2.0/networks/x"}])}
    spoken(cloud, "network", f"GET .*{user.first}", lambda handler: (
        200, [("ETag", '"one"'), ("Content-MD5", "x"), ("Content-Type", "application/json")],
        next(body for name, body in reversed(bodies.items()) if name in handler.path)))
    same = user.network.get(f"/networks/{user.first}")
    assert (same.headers["etag"], same.headers["content-md5"]) == ('"one"', "x")
    other = user.network.get(f"/networks/{user.first}?fields=links")
    assert other.headers["etag"] == 'W/"one"'
    assert "content-md5" not in other.headers
    assert link not in other.raw.decode()


def test_conditions_go_to_the_pod_that_is_meant(cloud, user):
    seen = spoken(cloud, "network", f"{user.first}", lambda handler: (
        (304, [("ETag", '"one"')], b"") if handler.headers["if-none-match"] else
        (412, [("Content-Type", "application/json")], b'{"NeutronError": {"type": "RevisionNumberConstraintFailed"}}')
        if handler.headers["if-match"] else (200, [("Content-Type", "application/json")], shown(user))))
    unchanged = user.network.get(f"/networks/{user.first}", headers={"If-None-Match": '"one"'})
    assert (unchanged.status, unchanged.raw, unchanged.headers["etag"]) == (304, b"", '"one"')
    late = user.network.put(f"/networks/{user.first}", {"network": {"name": "y"}},
                            headers={"If-Match": "revision_number=1"})
    assert late.status == 412
    assert seen[-1].headers["if-match"] == "revision_number=1"


def test_conditions_are_not_for_our_own_questions(cloud, gateway, user):
    """A pod that is asked where a thing is, or for its part of a list, would answer 304 or 412 in its place."""
    headers = {"If-Match": "revision_number=0", "If-None-Match": "*", "Range": "bytes=0-1"}
    seen = spoken(cloud, "network", "GET /v2.0/networks", lambda handler: (
        200, [("Content-Type", "application/json"), ("ETag", '"list"')], b'{"networks": []}'))
    answer = user.network.get("/networks", headers=headers)
    assert answer.status == 200
    assert "etag" not in answer.headers
    assert seen
    assert not {"if-match", "if-none-match", "range"} & {name.lower() for handler in seen for name in handler.headers}


def test_what_connection_names_stays_with_the_neighbour(cloud, user):
    seen = spoken(cloud, "network", f"GET .*{user.first}", lambda handler: (
        200, [("Connection", "X-Private, keep-alive"), ("X-Private", "1"), ("X-Public", "1"), ("Trailers", "x"),
              ("Vary", "Accept"), ("Vary", "X-Auth-Token"), ("Content-Type", "application/json")], shown(user)))
    answer = user.network.get(f"/networks/{user.first}", headers={
        "Connection": "X-Mine", "X-Mine": "1", "X-Other": "1", "TE": "trailers", "Proxy-Authorization": "x"})
    assert answer.status == 200
    sent = {name.lower() for name in seen[0].headers}
    assert "x-other" in sent
    assert not sent & {"x-mine", "te", "proxy-authorization"}
    assert answer.headers["x-public"] == "1"
    assert not {"x-private", "trailers"} & {name.lower() for name in answer.headers}
    assert answer.headers.getlist("vary") == ["Accept", "X-Auth-Token"]


def test_a_folded_header_is_no_second_one(cloud, user):
    spoken(cloud, "network", f"GET .*{user.first}", lambda handler: (
        200, [("X-Long", "one\r\n Set-Cookie: two"), ("Content-Type", "application/json")], shown(user)))
    answer = user.network.get(f"/networks/{user.first}")
    assert answer.status == 200
    assert "set-cookie" not in answer.headers
    assert answer.headers["x-long"].split() == ["one", "Set-Cookie:", "two"]


def test_a_compressed_list(cloud, user):
    body = json.dumps({"networks": [{"id": user.first, "name": "packed", "description": ""}]}).encode()
    spoken(cloud, "network", "GET /v2.0/networks", lambda handler: (
        200, [("Content-Encoding", "gzip"), ("Content-Type", "application/json")], gzip.compress(body)))
    answer = user.network.get("/networks?name=packed", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in answer.headers
    assert [row["name"] for row in answer["networks"] if row["id"] == user.first] == ["packed"]
