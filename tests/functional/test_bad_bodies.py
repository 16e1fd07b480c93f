"""Bodies that no honest client sends, to every endpoint: a 4xx in the service's format, nothing made."""
import json

import pytest

from tests.functional.user import User, flavor

MAX = 1 << 20
DEEP = 100_000
# (method, path, member key); names in braces are things of the user, made once
ENDPOINTS = [
    ("admin", "POST", "/pods", "pod"), ("admin", "PUT", "/pods/{pod}", "pod"),
    ("admin", "POST", "/bindings", "pod_binding"), ("admin", "PUT", "/jobs/{router}", "job"),
    ("compute", "POST", "/servers", "server"), ("compute", "PUT", "/servers/{server}", "server"),
    ("compute", "POST", "/servers/{server}/action", "reboot"),
    ("compute", "POST", "/servers/{server}/action", "resize"),
    ("compute", "POST", "/servers/{server}/action", "addSecurityGroup"),
    ("compute", "POST", "/servers/{server}/metadata", "metadata"),
    ("compute", "PUT", "/servers/{server}/metadata/colour", "meta"),
    ("compute", "POST", "/servers/{server}/os-volume_attachments", "volumeAttachment"),
    ("compute", "POST", "/servers/{server}/remote-consoles", "remote_console"),
    ("compute", "POST", "/flavors", "flavor"), ("compute", "POST", "/flavors/tiny/os-extra_specs", "extra_specs"),
    ("compute", "POST", "/flavors/tiny/action", "addTenantAccess"),
    ("compute", "POST", "/os-keypairs", "keypair"), ("compute", "POST", "/os-server-groups", "server_group"),
    ("compute", "PUT", "/os-quota-sets/{project}", "quota_set"),
    ("volume", "POST", "/volumes", "volume"), ("volume", "PUT", "/volumes/{volume}", "volume"),
    ("volume", "POST", "/volumes/{volume}/action", "os-extend"),
    ("volume", "POST", "/volumes/{volume}/metadata", "metadata"),
    ("volume", "POST", "/snapshots", "snapshot"), ("volume", "POST", "/types", "volume_type"),
    ("volume", "PUT", "/os-quota-sets/{project}", "quota_set"),
    ("network", "POST", "/networks", "network"), ("network", "PUT", "/networks/{network}", "network"),
    ("network", "POST", "/subnets", "subnet"), ("network", "PUT", "/subnets/{subnet}", "subnet"),
    ("network", "POST", "/ports", "port"), ("network", "PUT", "/ports/{port}", "port"),
    ("network", "POST", "/routers", "router"), ("network", "PUT", "/routers/{router}", "router"),
    ("network", "PUT", "/routers/{router}/add_router_interface", "subnet_id"),
    ("network", "PUT", "/routers/{router}/remove_router_interface", "subnet_id"),
    ("network", "PUT", "/routers/{router}/add_extraroutes", "router"),
    ("network", "POST", "/security-groups", "security_group"),
    ("network", "PUT", "/security-groups/{group}", "security_group"),
    ("network", "POST", "/security-group-rules", "security_group_rule"),
    ("network", "POST", "/address-scopes", "address_scope"),
    ("network", "POST", "/subnetpools", "subnetpool"), ("network", "PUT", "/subnetpools/{pool}", "subnetpool"),
    ("network", "PUT", "/subnetpools/{pool}/add_prefixes", "prefixes"),
    ("network", "PUT", "/subnetpools/{pool}/remove_prefixes", "prefixes"),
    ("network", "PUT", "/subnetpools/{pool}/onboard_network_subnets", "network_id"),
    ("network", "POST", "/floatingips", "floatingip"), ("network", "PUT", "/quotas/{project}", "quota"),
]
FREE = ("metadata", "extra_specs", "meta")     # objects whose keys the user chooses


def raw_bodies(member: str) -> dict[str, bytes]:
    """Bytes that are no proper JSON object, or one that is wrong on the outside."""
    key = json.dumps(member).encode()
    return {
        "nothing": b"", "half": b'{"' + member.encode(), "text": b"hello", "null": b"null", "list": b"[]",
        "number": b"1", "string": b'"x"', "empty object": b"{}", "other member": b'{"bogus": {"name": "x"}}',
        "null member": b"{%b: null}" % key, "list member": b"{%b: []}" % key, "number member": b"{%b: 5}" % key,
        "string member": b"{%b: \"x\"}" % key, "list of lists": b"{%b: [[{}]]}" % key,
        "unknown field": b'{%b: {"bogus_field": 1}}' % key,
        "deep lists": b"[" * DEEP + b"]" * DEEP,
        "deep member": b"{%b: " % key + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
        "deep in limits": b"{%b: " % key + b'{"bogus_field":' * 900 + b"1" + b"}" * 900 + b"}",
        "invalid utf-8": b'{%b: {"name": "\xff\xfe"}}' % key, "bare NUL": b'{%b: {"name": "\x00"}}' % key,
        "huge integer": b'{%b: {"size": %b, "mtu": 1}}' % (key, b"9" * 10_000),
        "float for all": b'{%b: {"name": 1e400, "size": NaN}}' % key,
        "too large": b'{%b: {"name": "%b"}}' % (key, b"x" * (MAX + 10)),
    }


@pytest.fixture(scope="module")
def things(gateway):
    """One of everything, an administrator's: policy must not answer in validation's place."""
    user = User(gateway, gateway.cloud.identity.newcomer(("admin", "member", "reader")))
    network, subnet = user.wired("az1")
    user.network.ok("GET", "/security-groups")
    found = {"user": user, "project": user.project, "pod": gateway.pods["Pod1"]["pod_id"], "network": network,
            "subnet": subnet, "port": user.make("ports", network_id=network)["id"],
            "router": user.make("routers", name="r")["id"], "group": user.make("security-groups", name="g")["id"],
            "pool": user.make("subnetpools", name="p", prefixes=["10.0.0.0/16"])["id"],
            "server": user.boot(network, "az1"), "volume": user.disk("az1"), "flavor": flavor(gateway)}
    # Looking at them once ends BUILD and creating, which would else change in the middle of a test.
    user.compute.ok("GET", f"/servers/{found['server']}")
    user.volume.ok("GET", f"/volumes/{found['volume']}")
    return found


def assert_refused(service: str, answer) -> None:
    """A 4xx as that service writes it, with a request id."""
    assert 400 <= answer.status < 500, f"{answer.status} {answer.raw[:300]!r}"
    assert answer.status not in (401, 403), f"{answer.status} {answer.raw[:300]!r}"
    assert answer.headers["x-openstack-request-id"].startswith("req-")
    assert answer.headers["content-type"].startswith("application/json")
    body = answer.body
    if service == "network":
        assert set(body["NeutronError"]) == {"type", "message", "detail"}
    elif service == "admin":
        assert body["error"]["code"] == answer.status
        assert body["error"]["message"]
    else:
        (fault,) = body.values()
        assert fault["code"] == answer.status
        assert fault["message"]


def precious(gateway, things) -> dict:
    """The store, but for what is only a memory of what pods have, and for jobs: they name a resource, not a change.

    Claims on quotas of other projects are other tests', and run out in between.
    """
    memory = ("routings", "default_groups", "jobs")
    rows = {name: rows for name, rows in gateway.store().items() if name not in memory}
    return rows | {"quota_claims": [row for row in rows["quota_claims"] if things["project"] in row]}


@pytest.mark.parametrize(("service", "method", "path", "member"), ENDPOINTS)
def test_bytes(cloud, gateway, things, service, method, path, member):
    client = getattr(things["user"], service)
    before = precious(gateway, things)
    wrong = {}
    with cloud.unchanged():
        for name, raw in raw_bodies(member).items():
            if member in FREE and name == "unknown field":
                continue
            answer = client.call(method, path.format(**things), raw=raw)
            try:
                assert_refused(service, answer)
            except (AssertionError, KeyError, ValueError) as error:
                wrong[name] = f"{type(error).__name__} {error}: {answer.status} {answer.raw[:200]!r}"
    assert not wrong, "\n".join(f"{name}: {what}" for name, what in wrong.items())
    assert precious(gateway, things) == before


@pytest.mark.parametrize(("service", "path"), [("admin", "/pods"), ("compute", "/servers"), ("volume", "/volumes"),
                                               ("network", "/networks")])
def test_far_too_large(cloud, things, service, path):
    with cloud.unchanged():
        answer = getattr(things["user"], service).call("POST", path, raw=b'{"x": "' + b"x" * (8 * MAX) + b'"}')
    assert answer.status == 413
    assert_refused(service, answer)


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data; boundary=x",
                                  "application/x-www-form-urlencoded", "nonsense"])
@pytest.mark.parametrize(("service", "path"), [("compute", "/servers"), ("volume", "/volumes"),
                                               ("network", "/networks"), ("admin", "/pods")])
def test_wrong_content_type(cloud, things, service, path, kind):
    with cloud.unchanged():
        answer = getattr(things["user"], service).call("POST", path, raw=b"<server/>", headers={"Content-Type": kind})
    assert_refused(service, answer)
    assert answer.status in (400, 415)


@pytest.mark.parametrize("id", ["%00", "..%2f..%2fetc%2fpasswd", "x" * 5000, "%ff%fe", "%0d%0aX-Evil:%201", "{}",
                                "%25s", "00000000-0000-0000-0000-00000000000g",
                                "' or 1=1", "\u00e9".encode().hex(), "..;"])
@pytest.mark.parametrize(("service", "collection"), [
    ("compute", "servers"), ("compute", "flavors"), ("compute", "os-keypairs"), ("volume", "volumes"),
    ("network", "networks"), ("network", "routers"), ("admin", "pods"), ("admin", "jobs"), ("admin", "bindings")])
def test_hostile_ids(cloud, things, service, collection, id):
    with cloud.unchanged():
        for method in ("GET", "DELETE"):
            answer = getattr(things["user"], service).call(method, f"/{collection}/{id}")
            assert 400 <= answer.status < 500, f"{method} {answer.status} {answer.raw[:300]!r}"
            assert "X-Evil" not in answer.headers


@pytest.mark.parametrize("query", ["limit=abc", "limit=-1", "limit=99999999999999999999", "marker=%00",
                                   "marker=nowhere", "sort_key=%00", "sort_dir=sideways", "fields=",
                                   "limit=1&limit=x", "%ff=%fe", "&&==",
                                   "name=" + "x" * 5000, "sort_key=__class__", "page_reverse=maybe&limit=1"])
@pytest.mark.parametrize(("service", "path"), [("compute", "/servers"), ("compute", "/servers/detail"),
                                               ("volume", "/volumes"), ("network", "/networks"), ("admin", "/jobs")])
def test_hostile_queries(cloud, things, service, path, query):
    with cloud.unchanged():
        answer = getattr(things["user"], service).get(f"{path}?{query}")
    assert answer.status < 500, f"{answer.status} {answer.raw[:300]!r}"
    if answer.status >= 400:
        assert_refused(service, answer)
