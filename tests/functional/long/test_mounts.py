"""Where things are: IPv6, paths under a prefix, TLS, proxies in front of the pods and of the gateway."""
import json

import pytest

from tests.functional.certificates import Authority
from tests.functional.client import POOL
from tests.functional.gateway import Gateway
from tests.functional.standin import Cloud
from tests.functional.standin.web import Mount
from tests.functional.user import User, holders

PREFIXES = {"compute": "/compute", "volume": "/volume", "network": "/networking", "identity": "/identity"}


def mounted(folder, mount, **changed):
    """A cloud whose services are reached in a certain way, and its gateway, unregistered."""
    cloud = Cloud(2, mount=mount)
    return cloud, Gateway(cloud, folder, **changed).start()


def trust(file):
    """Settings by which a gateway trusts an authority, or does not."""
    return {"account": f"cafile = {file}", "authtoken": f"cafile = {file}"}


@pytest.fixture(scope="module", params=["ipv6", "prefix", "tls", "tls over ipv6 under a prefix"])
def user(request, tmp_path_factory):
    """Somebody whose cloud is reached in one of several ways."""
    folder = tmp_path_factory.mktemp("mount")
    host = "::1" if "ipv6" in request.param else "127.0.0.1"
    authority = Authority(folder) if "tls" in request.param else None
    prefixes = PREFIXES if "prefix" in request.param else {}
    cloud, gateway = mounted(folder, lambda service: Mount(
        host, prefixes.get(service, ""), authority and authority.server(host)),
        bind_host="::" if ":" in host else host, **(trust(authority.file) if authority else {}))
    gateway.register()
    found = User(gateway)
    yield found
    gateway.stop()
    cloud.close()


def links_of(answer) -> list[str]:
    """Every link in a body."""
    found, stack = [], [answer.body]
    while stack:
        each = stack.pop()
        stack += each.values() if isinstance(each, dict) else each if isinstance(each, list) else []
        found += [each["href"]] if isinstance(each, dict) and "href" in each else []
    return found


def test_things_are_made_and_found(user):
    cloud = user.gateway.cloud
    network, _ = user.wired("az2")
    server, volume = user.boot(network, "az2"), user.disk("az1")
    assert holders(cloud, "compute", "servers", server) == ["Pod2"]
    assert holders(cloud, "volume", "volumes", volume) == ["Pod1"]
    assert {row["id"] for row in user.network.ok("GET", "/networks")["networks"]} >= {network}


@pytest.mark.parametrize(("service", "path"), [
    ("compute", "/servers/{server}"), ("compute", "/servers/detail"), ("volume", "/volumes/{volume}"),
    ("volume", "/volumes/detail")])
def test_links_lead_to_the_gateway_and_on(user, service, path):
    things = {"server": user.boot(None, "az1"), "volume": user.disk("az1")}
    client = getattr(user, service)
    answer = client.get(path.format(**things))
    links = links_of(answer)
    assert links
    root = client.url.rsplit("/", 1)[0]
    for pod in user.gateway.cloud:
        assert getattr(pod, service).server.url.encode() not in answer.raw
    assert [link for link in links if not link.startswith(root + "/")] == []
    own = [link for link in links if "/v" in link.removeprefix(root)[:4] and (service == "compute" or "/v3" in link)]
    assert client.get(own[0]).status == 200


@pytest.mark.parametrize("service", ["compute", "volume", "network"])
def test_version_documents(user, service):
    client = getattr(user, service)
    root = client.url.rsplit("/", 1)[0]
    for path in ("/", client.url.removeprefix(root) + "/"):
        answer = POOL.request("GET", root + path, headers={"X-Auth-Token": client.token})   # Neutron wants one
        assert answer.status in (200, 300)
        links = [link for link in links_of_raw(answer.data) if "docs.openstack" not in link]
        assert links
        assert [link for link in links if not link.startswith(root + "/")] == []


def links_of_raw(raw):
    """As `links_of`, of bytes."""
    return links_of(type("Answer", (), {"body": json.loads(raw)}))


def test_an_unknown_authority_is_no_pod(tmp_path):
    """The pods' certificates are signed by another authority than the one that is trusted: no token goes there."""
    (tmp_path / "other").mkdir()
    trusted, other = Authority(tmp_path), Authority(tmp_path / "other")
    cloud, gateway = mounted(tmp_path, lambda service: Mount(
        tls=(trusted if service == "identity" else other).server("127.0.0.1")), **trust(trusted.file))
    try:
        gateway.register()
        answer = gateway.client("compute", "alice").get("/servers/" + "0" * 8 + "-0000-4000-8000-" + "0" * 12)
        assert answer.status == 503
        made = gateway.client("network", "alice").post("/networks", {"network": {"name": "x"}})
        assert made.status == 503
        assert "certificate is not trusted" in made["NeutronError"]["message"]
        assert "[service_account]cafile" in made["NeutronError"]["message"]
        assert all(pod.network.faults.calls == [] and pod.compute.faults.calls == [] for pod in cloud)
    finally:
        gateway.stop()
        cloud.close()


def test_a_certificate_for_another_host_is_no_pod(tmp_path):
    authority = Authority(tmp_path)
    cloud, gateway = mounted(tmp_path, lambda service: Mount(
        tls=authority.server("127.0.0.1" if service == "identity" else "127.0.0.2")), **trust(authority.file))
    try:
        gateway.register()
        made = gateway.client("network", "alice").post("/networks", {"network": {"name": "x"}})
        assert made.status == 503
        assert "certificate is not trusted" in made["NeutronError"]["message"]
        assert all(pod.network.faults.calls == [] for pod in cloud)
    finally:
        gateway.stop()
        cloud.close()


FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "cloud.example", "X-Forwarded-Prefix": "/compute"}


HOSTED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "cloud.example:8774"}
ROOTS = {    # {trusted proxies: [(what comes from 127.0.0.1, root of the links in the answer; None: our own)]}
    "127.0.0.1": [(FORWARDED, "https://cloud.example/compute"), (HOSTED, "https://cloud.example:8774"),
                  ({**FORWARDED, "X-Forwarded-Prefix": "/x\"y"}, "https://cloud.example")],
    "192.0.2.1, 127.0.0.0/28": [(FORWARDED, "https://cloud.example/compute")],
    "192.0.2.1": [(FORWARDED, None)],
    "": [(FORWARDED, None)]}


@pytest.mark.parametrize("trusted", ROOTS)
def test_a_proxy_in_front_is_believed_when_it_is_the_trusted_one(cloud, tmp_path, trusted):
    gateway = Gateway(cloud, tmp_path, api=f"trusted_proxy = {trusted}" if trusted else "").start().register()
    try:
        user = User(gateway)
        for headers, root in ROOTS[trusted]:
            _links_begin_with(cloud, user, headers, root or f"http://127.0.0.1:{gateway.ports['compute']}")
    finally:
        gateway.stop()


def _links_begin_with(cloud, user, headers, root):
    server = user.boot(None, "az1", headers={**headers, "OpenStack-API-Version": "compute 2.37"})
    assert not any("forwarded" in name for name in cloud.writes()[-1].headers), "it is said to us, not to the pod"
    for path in (f"/servers/{server}", "/servers/detail"):
        links = links_of(user.compute.get(path, headers=headers))
        assert links
        assert [link for link in links if not link.startswith(root + "/")] == []
    document = POOL.request("GET", user.compute.url, headers=headers)
    assert f"{root}/v2.1/" in links_of_raw(document.data)


def test_a_dual_stack_address(cloud, tmp_path):
    gateway = Gateway(cloud, tmp_path, bind_host="::").start()
    try:
        for host in ("[::1]", "127.0.0.1"):
            root = f"http://{host}:{gateway.ports['admin']}"
            links = links_of_raw(POOL.request("GET", f"{root}/").data)
            assert links == [f"{root}/v1.0/"]
    finally:
        gateway.stop()
