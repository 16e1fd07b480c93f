"""However a path is spelled: refused before a pod hears of it, or the same as the plain one."""
import json
import socket
import time

import pytest

from tests.functional.quotas import at_home_in_both, open_claims, put
from tests.functional.user import IMAGE, User, flavor

SERVER = {"server": {"name": "vm", "imageRef": IMAGE, "flavorRef": "tiny", "networks": "none"}}
NETWORK, VOLUME = {"network": {"name": "n"}}, {"volume": {"size": 1}}
BODIES = {"compute": SERVER, "network": NETWORK, "volume": VOLUME}
PLAIN = {"compute": "/v2.1/servers", "network": "/v2.0/networks", "volume": "/v3/volumes"}
# Each leads a real pod to the plain path above.
DOORS = {
    "compute": ("/v2.1/%73ervers", "/v2.1/flavors/../servers", "/v2.1/flavors/%2e%2e/servers", "/v2.1//servers",
        "//v2.1/servers", "/./v2.1/servers", "/v2.1/servers%0a", "/v2.1/servers#x", "/v2.1/flavors#/../servers",
        "/v2.1/os-volumes_boot", "/v2.1/{project}/os-volumes_boot", "/v2.1/{project}/os-volumes%5fboot",
        "/v2/servers", "/v2.1/{project}/servers", "http://elsewhere/v2.1/%73ervers", "/v2.1/abc/servers",
        "/v2.1/{other}/servers", "/v2.1%2fservers", "/v2.1\\servers", "/v2.1/%2573ervers", "/v2.1/servers/%2e"),
    "network": ("/v2.0/quotas/../networks", "/v2.0/qos/networks", "/v2.0/metering/networks",
        "/v2.0/floatingips/networks", "/v2.0/networks/index", "/v2.0/networks.json", "/v2.0/networks.foo",
        "/v2.0/networks.map", "/v2.0/networks/", "/v2.0/%6Eetworks", "/v2.0/networks%20",
        "/v2.0/quotas/%2e%2e%2fnetworks", "/v2.0/%256eetworks", "/v2.0//networks"),
    "volume": ("/v3/volumes.json", "/v3/%76olumes", "/v3/{project}/volumes.json", "/v3/types/../volumes",
        "/v3/{other}/volumes", "/v3/volumes.json/"),
}


def send(gateway, service, method, target, token=None, body=None, **headers):
    """A request with exactly this target: (status, headers, body)."""
    data = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {target} HTTP/1.1", "Host: gateway", "Connection: close", f"Content-Length: {len(data)}",
             *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
             *(["Content-Type: application/json"] if data and "Content_Type" not in headers else []),
             *([f"X-Auth-Token: {token}"] if token else [])]
    with socket.create_connection((gateway.host, gateway.ports[service]), 20) as client:
        client.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + data)
        answer = b""
        while more := client.recv(1 << 16):
            answer += more
    head, _, rest = answer.partition(b"\r\n\r\n")
    first, *given = head.decode().split("\r\n")
    return int(first.split()[1]), dict(line.lower().split(": ", 1) for line in given), rest


def calls(cloud, service):
    """How many calls of any kind each pod's service has had."""
    return [len(getattr(pod, service).faults.calls) for pod in cloud]


def rows(gateway):
    """The store, but for what ends by itself."""
    return {name: rows for name, rows in gateway.store().items() if name not in ("quota_claims",)}


@pytest.mark.parametrize("target", ["/v2.0/networks?name=caf\u00e9", "/v2.0/caf\u00e9", "/v2.0/networks?\u6771"])
def test_bytes_that_no_target_may_have_are_refused_by_the_server(cloud, gateway, target):
    """RFC 9112 3.2: what we would read as characters and send on as others never comes in; escaped it does."""
    user, before = User(gateway), calls(cloud, "network")
    assert send(gateway, "network", "GET", target.encode().decode("latin-1"), user.token.id)[0] == 400
    assert calls(cloud, "network") == before


def test_the_same_text_with_escapes(gateway):
    user = User(gateway)
    made = user.net("az2", name="caf\u00e9")
    status, _, raw = send(gateway, "network", "GET", "/v2.0/networks?name=caf%c3%A9", user.token.id)
    assert (status, [each["id"] for each in json.loads(raw)["networks"]]) == (200, [made])


@pytest.fixture(scope="module")
def full(gateway):
    """B: at home in both pods, and with every quota used up."""
    user, boss = at_home_in_both(gateway), User(gateway, "admin")
    flavor(gateway)
    for service, quota in (("compute", "instances"), ("volume", "volumes"), ("network", "network")):
        put(boss, user, service, **{quota: 2 if service == "network" else 0})
    return user


@pytest.mark.parametrize(("service", "door"), [(service, door) for service, doors in DOORS.items() for door in doors])
def test_no_spelling_goes_round_the_quota(cloud, gateway, full, service, door):
    token, body = full.token.id, BODIES[service]
    plain = send(gateway, service, "POST", PLAIN[service], token, body)
    assert plain[0] in (403, 409, 413)
    target = door.format(project=full.project, other=User(gateway).project)
    before, mark = rows(gateway), len(cloud.log)
    with cloud.unchanged():
        status, headers, raw = send(gateway, service, "POST", target, token, body)
    assert status in (400, 404, plain[0]), raw
    assert status != plain[0] or raw == plain[2]
    assert headers["x-tricircle-request-id"]
    assert json.loads(raw)
    assert cloud.writes(mark, done=False) == []
    assert rows(gateway) == before
    assert open_claims(gateway) == []


@pytest.mark.parametrize(("service", "door"), [
    ("compute", "/v2.1/flavors/../servers"), ("compute", "/v2.1/os-keypairs/%2e%2e/servers"),
    ("network", "/v2.0/quotas/../networks"), ("network", "/v2.0/quotas/%2E./networks"),
    ("volume", "/v3/types/../volumes"), ("volume", "/v3/os-quota-sets/.%2e/volumes")])
def test_no_spelling_makes_a_thing_in_every_pod(cloud, gateway, service, door):
    user = User(gateway)
    flavor(gateway)
    before, asked = rows(gateway), calls(cloud, service)
    status, _, raw = send(gateway, service, "POST", door, user.token.id, BODIES[service])
    assert status == 400, raw
    assert calls(cloud, service) == asked
    assert rows(gateway) == before


@pytest.mark.parametrize(("service", "door"), [
    ("compute", "/v2.1/os%2dserver-groups"), ("network", "/v2.0/security_groups"), ("network", "/v2.0/policies"),
    ("network", "/v2.0/security-groups.foo"), ("network", "/v2.0/security-groups/index"),
    ("network", "/v2.0/log/security_groups")])
def test_no_spelling_takes_a_forged_mark(cloud, gateway, service, door):
    user = User(gateway)
    mark = f"tricircle:{user.project[:8]}-0000-4000-8000-000000000000"
    member = {"compute": "server_group", "network": "policy" if "polic" in door else "security_group"}[service]
    body = {member: {"name": mark, "description": mark, "policies": ["affinity"]} if service == "compute" else
            {"name": "x", "description": mark}}
    with cloud.unchanged():
        status, _, raw = send(gateway, service, "POST", door, user.token.id, body)
    assert status in (400, 404), raw


@pytest.mark.parametrize("change", [
    ("PUT", "/v2.0/routers/{id}/add-router-interface"), ("PUT", "/v2.0/routers/{id}/add_router_interface/index"),
    ("PUT", "/v2.0/routers/{id}/add_router_interface.json"), ("PUT", "/v2.0/routers/{ID}/add_router_interface"),
    ("PUT", "/v2.0/routers/{id}%20/add_router_interface"), ("PUT", "/v2.0/%72outers/{id}/add_router_interface")])
def test_an_action_is_the_same_by_any_spelling(cloud, gateway, change):
    """The gateway's own part is not left out: the job of the router."""
    user = User(gateway)
    router = user.make("routers", name="r")["id"]
    _, subnet = user.wired("az2")
    method, door = change
    mark = len(cloud.log)
    status, _, raw = send(gateway, "network", method, door.format(id=router, ID=router.upper()), user.token.id,
                          {"subnet_id": subnet})
    jobs = [row for row in gateway.store()["jobs"] if router in row]
    if status == 200:
        assert json.loads(raw)["subnet_id"] == subnet
        assert len(jobs) == 1
    else:
        assert status in (400, 404)
        assert jobs == []
        assert cloud.writes(mark, done=False) == []


@pytest.mark.parametrize(("service", "method", "target"), [
    ("compute", "PUT", "/v2.1/servers?_method=POST"), ("network", "PUT", "/v2.0/networks?x=_method&%5fmethod=POST"),
    ("volume", "PUT", "/v3/volumes?_method=POST"), ("network", "GET", "/v2.0/networks?_method=POST")])
def test_no_query_is_the_method(cloud, gateway, full, service, method, target):
    with cloud.unchanged():
        assert send(gateway, service, method, target, full.token.id, BODIES[service])[0] == 400


@pytest.mark.parametrize("service", ["compute", "volume", "network", "admin"])
@pytest.mark.parametrize("target", ["/#x", "//", "/%2f", "/v2.1#1", "/v3/../", "/" + "a" * 8300, "/v2.1/%00", "/\\",
                                    "/?a=\x01", "/v2.1?\x7f"])
def test_without_a_token_no_path_reaches_a_pod_or_keystone(cloud, gateway, service, target):
    asked, keystone = [calls(cloud, each) for each in ("compute", "volume", "network")], len(cloud.keystone_calls)
    status, headers, raw = send(gateway, service, "GET", target)
    assert status == 400
    assert headers["content-type"] == "application/json"
    assert headers["x-tricircle-request-id"] == headers["x-openstack-request-id"]
    assert json.loads(raw)
    assert [calls(cloud, each) for each in ("compute", "volume", "network")] == asked
    assert len(cloud.keystone_calls) == keystone


@pytest.mark.parametrize(("service", "target"), [
    ("compute", "/"), ("compute", "/v2.1"), ("compute", "/v2.1/"), ("volume", "/"), ("network", "/"), ("admin", "/"),
    ("compute", "http://gateway/v2.1/"), ("compute", "/%76%32.1")])
def test_version_documents_need_no_token(gateway, service, target):
    assert send(gateway, service, "GET", target)[0] in (200, 300)


@pytest.mark.parametrize(("service", "target", "status"), [
    ("volume", "/v3", 302), ("volume", "/v3/", 200), ("network", "/v2.0", 404), ("network", "/v2.0/", 200),
    ("admin", "/v1.0", 200), ("admin", "/v1.0/", 200)])
def test_version_documents_that_need_one(gateway, service, target, status):
    assert send(gateway, service, "GET", target)[0] == 401
    assert send(gateway, service, "GET", target, User(gateway, "admin").token.id)[0] == status


def test_without_a_token_version_documents_do_not_make_us_ask(cloud, gateway):
    """Also when no pod answers: each of two processes asks once, and goes on with what it has heard."""
    for pod in cloud:
        pod.compute.faults.html = 503
    asked, began = sum(calls(cloud, "compute")), time.monotonic()
    for _ in range(50):
        for target in ("/", "/v2.1", "/v2.1/", "/v2"):
            assert send(gateway, "compute", "GET", target)[0] in (200, 300, 503)
    # Four paths, two processes, two pods; once more in a second.
    seconds = time.monotonic() - began
    assert sum(calls(cloud, "compute")) - asked <= 16 * (1 + seconds)
