"""HTTP as clients and proxies really speak it."""
import http.client
import json
import socket

import pytest

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
