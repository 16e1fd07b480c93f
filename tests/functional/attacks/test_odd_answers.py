"""Pods, and what stands in front of them, say odd things: nobody gets another one's answer, or a 500, for that."""
import json
import time

import pytest

from tests.functional.spoken import spoken
from tests.functional.user import IMAGE, User

LATE = 0.3   # seconds between an interim answer and the final one
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"


def said(cloud, pattern, *pieces):
    """Let Pod2's Neutron say these bytes, with pauses between them; it ends a connection when it says so."""
    def speak(handler):
        handler.rfile.read(int(handler.headers.get("content-length") or 0))
        for piece in pieces:
            handler.wfile.write(piece) if isinstance(piece, bytes) else time.sleep(piece)
        handler.close_connection = b"Connection: close" in pieces[0]
    cloud["Pod2"].network.faults.spoken[pattern] = speak


def whole(body):
    """An answer with a body."""
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@pytest.mark.parametrize("first", [
    b"103 Early Hints\r\nLink: </x>", b"102 Processing", b"204 No Content\r\nContent-Length: 300",
    b"304 Not Modified\r\nContent-Length: 300"])
def test_an_answer_that_comes_later_is_nobody_elses(cloud, gateway, first):
    """Neither a read nor a write of another project is answered with it."""
    hers, his = User(gateway), User(gateway)
    secret, own = hers.net("az2"), his.net("az2")
    said(cloud, f"GET .*{secret}", b"HTTP/1.1 %b\r\n\r\n" % first, LATE,
         whole(b'{"network": {"id": "%b", "name": "secret"}}' % secret.encode()))
    for _ in range(4):
        assert hers.network.get(f"/networks/{secret}").status in (200, 204, 304)
        assert b"secret" not in his.network.get(f"/networks/{own}").raw
        hers.network.get(f"/networks/{secret}")
        assert his.network.put(f"/networks/{own}", {"network": {"mtu": "no number"}}).status == 400


@pytest.mark.parametrize(("framed", "body"), [
    (b"Content-Length: 8\r\nContent-Length: 8", b"abcdefgh"), (b"Content-Length: 8, 8", b"abcdefgh"),
    (b"Content-Length: eight", b"abcdefgh"), (b"Content-Length: -8", b"abcdefgh"), (b"Content-Length: ", b"abcdefgh"),
    (b"Content-Length: " + b"9" * 5000, b"abcdefgh"), (b"Content-Length: 8\r\nContent-Length: 9", b"abcdefgh"),
    (b"Content-Length: 3\r\nTransfer-Encoding: chunked", b"8\r\nabcdefgh\r\n0\r\n\r\n")])
def test_a_stream_is_framed_as_it_was_read(cloud, gateway, framed, body):
    user = User(gateway)
    network = user.net("az2")
    said(cloud, f"GET .*{network}", HEAD + framed + b"\r\n" + b"Connection: close\r\n\r\n" + body)
    found = user.network.get(f"/networks/{network}")
    assert found.status in (200, 502)
    assert found.status == 502 or found.raw == b"abcdefgh"


@pytest.mark.parametrize("depth", [190, 960, 970, 3000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_a_body_may_be_nested_so_deep_and_no_deeper(gateway, depth, opening, closing):
    user, deep = User(gateway), opening * depth + b"1" + closing * depth
    for client, path, member, zone in ((user.network, "/networks", b"network", b'"availability_zone_hints": ["az2"]'),
                                       (user.volume, "/volumes", b"volume", b'"availability_zone": "az2"')):
        found = client.post(path, raw=b'{"%b": {%b, "x": %b}}' % (member, zone, deep))
        assert found.status == 400, found.raw
        assert (b"nested" in found.raw) == (depth in (960, 970))   # what the parser does not take is no JSON


@pytest.mark.parametrize("depth", [240, 980, 1020, 3000])
def test_a_pods_answer_may_be_nested_too_deep(cloud, gateway, depth):
    user = User(gateway)
    network, _ = user.net("az2"), user.net("az1")
    record = b'{"id": "%b", "availability_zone_hints": ["az2"], "x": %b}' % (
        network.encode(), b"[" * depth + b"]" * depth)
    said(cloud, f"(GET|PUT) .*{network}", whole(b'{"network": %b}' % record))
    said(cloud, r"GET .*networks(\?|$)", whole(b'{"networks": [%b]}' % record))
    for path in (f"/networks/{network}", "/networks", "/networks?limit=5"):
        assert user.network.get(path).status in (200, 502), path
    assert user.network.put(f"/networks/{network}", {"network": {"name": "x"}}).status in (200, 502)


MEMBERS = ("server", "network", "volume", "router", "keypair")
ODD = [b"[]", b"5", b"null", b"", b"text", b"{}", *(json.dumps(dict.fromkeys(MEMBERS, odd)).encode() for odd in (
    5, [], {}, {"id": 5}, {"id": ["x"]}, {"id": None}, {"id": "x", "project_id": ["y"]}))]


@pytest.fixture(scope="module")
def odd_user(gateway):
    """Somebody with a bit of everything in Pod2."""
    made = User(gateway)
    made.network_id, made.subnet_id = made.wired("az2")
    made.volume_id, made.server_id = made.disk("az2"), made.boot(zone="az2")
    made.router_id = made.make("routers", availability_zone_hints=["az2"])["id"]
    made.group_id = made.make("security-groups", name="g")["id"]
    return made


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_answer_about_one_thing_is_told_as_the_pods(cloud, odd_user, odd):
    user, zone = odd_user, {"availability_zone": "az2"}
    for service in ("network", "compute", "volume"):
        for method, status in (("POST", 201), ("PUT", 200), ("GET", 200), ("DELETE", 200)):
            spoken(cloud, service, f"{method} ", lambda _, status=status: (
                status, [("Content-Type", "application/json")], odd))
    server = {"name": "x", "imageRef": IMAGE, "flavorRef": "tiny", **zone, "networks": [{"uuid": user.network_id}]}
    calls = [
        (user.network, "POST", "/networks", {"network": {"availability_zone_hints": ["az2"]}}),
        (user.network, "POST", "/subnets", {"subnet": {"network_id": user.network_id, "ip_version": 4,
                                                       "cidr": "10.99.0.0/24"}}),
        (user.network, "POST", "/ports", {"port": {"network_id": user.network_id}}),
        (user.network, "PUT", f"/routers/{user.router_id}", {"router": {"name": "z"}}),
        (user.network, "PUT", f"/routers/{user.router_id}/add_router_interface", {"subnet_id": user.subnet_id}),
        (user.network, "PUT", f"/security-groups/{user.group_id}", {"security_group": {"name": "z"}}),
        (user.network, "GET", f"/networks/{user.network_id}", None), (user.network, "GET", "/subnetpools", None),
        (user.network, "GET", f"/quotas/{user.project}", None),
        (user.network, "GET", f"/quotas/{user.project}/details", None),
        (user.network, "DELETE", f"/routers/{user.router_id}", None),
        (user.compute, "POST", "/servers", {"server": server}),
        (user.compute, "POST", "/os-keypairs", {"keypair": {"name": "k", "public_key": "ssh-ed25519 AAA k"}}),
        (user.compute, "POST", "/os-server-groups", {"server_group": {"name": "k", "policies": ["affinity"]}}),
        (user.compute, "POST", f"/servers/{user.server_id}/os-volume_attachments",
         {"volumeAttachment": {"volumeId": user.volume_id}}),
        (user.compute, "GET", "/limits", None), (user.compute, "GET", f"/os-quota-sets/{user.project}/detail", None),
        (user.compute, "GET", f"/os-simple-tenant-usage/{user.project}", None),
        (user.compute, "GET", "/os-availability-zone", None), (user.compute, "DELETE", "/os-keypairs/k", None),
        (user.volume, "POST", "/volumes", {"volume": {"size": 1, **zone, "source_volid": user.volume_id}}),
        (user.volume, "POST", "/snapshots", {"snapshot": {"volume_id": user.volume_id}}),
        (user.volume, "POST", f"/volumes/{user.volume_id}/action", {"os-extend": {"new_size": 3}}),
        (user.volume, "GET", f"/os-quota-sets/{user.project}?usage=true", None),
        (user.volume, "GET", "/volumes/summary", None), (user.volume, "GET", "/types/default", None)]
    told = {f"{method} {path}": client.call(method, path, body).status for client, method, path, body in calls}
    assert 500 not in told.values(), told
