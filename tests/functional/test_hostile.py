"""Bodies that look right and are not: right fields, wrong or hostile values, in any combination. Never a 5xx."""
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.functional.gateway import Gateway
from tests.functional.standin import Cloud
from tests.functional.user import IMAGE, User

FIELDS = {
    ("compute", "/servers", "server"): (
        "name", "flavorRef", "imageRef", "networks", "availability_zone", "security_groups", "key_name", "metadata",
        "block_device_mapping_v2", "min_count", "user_data", "tags", "OS-DCF:diskConfig"),
    ("compute", "/flavors", "flavor"): ("name", "id", "ram", "vcpus", "disk", "swap", "os-flavor-access:is_public"),
    ("compute", "/os-keypairs", "keypair"): ("name", "public_key", "type"),
    ("volume", "/volumes", "volume"): (
        "size", "name", "availability_zone", "snapshot_id", "source_volid", "volume_type", "metadata", "imageRef"),
    ("network", "/networks", "network"): (
        "name", "admin_state_up", "availability_zone_hints", "router:external", "provider:network_type", "shared",
        "description", "mtu", "project_id"),
    ("network", "/subnets", "subnet"): (
        "network_id", "ip_version", "cidr", "gateway_ip", "allocation_pools", "host_routes", "dns_nameservers"),
    ("network", "/ports", "port"): (
        "network_id", "fixed_ips", "security_groups", "device_id", "device_owner", "mac_address", "binding:profile"),
    ("network", "/routers", "router"): ("name", "external_gateway_info", "routes", "availability_zone_hints", "ha"),
    ("network", "/security-group-rules", "security_group_rule"): (
        "security_group_id", "direction", "protocol", "port_range_min", "remote_ip_prefix", "remote_group_id"),
    ("admin", "/pods", "pod"): ("pod_name", "az_name", "pod_az_name", "dc_name"),
    ("admin", "/bindings", "pod_binding"): ("tenant_id", "pod_id"),
}
HOSTILE = ["\u0000", "' OR 1=1 --", "../../etc/passwd", "\x1b[31m", "A" * 70_000, "{{7*7}}", "%00%0d%0aX-Evil: 1",
           "\ud800", "tricircle:" + IMAGE, "00000000-0000-0000-0000-00000000000g", IMAGE, "az1", "az2", "Pod1", "mars",
           "default", "", " ", "\u202e", "10.0.0.0/24", "0.0.0.0/0", "255.255.255.255/99", "http://127.0.0.1:1/",
           "az1:node1", ":", "\u00df" * 300]
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.just(10 ** 400), st.floats(), st.sampled_from(HOSTILE),
                    st.text(max_size=20))
KEYS = st.sampled_from(["uuid", "port", "name", "id", "subnet_id", "ip_address", "network_id", "source_type",
                        "project_id", "description", "availability_zone", "start", "destination", "nexthop",
                        "__proto__", ""])
VALUES = st.recursive(SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=4),
                                                       st.dictionaries(KEYS, inner, max_size=4)), max_leaves=8)


@pytest.fixture(scope="module")
def user(tmp_path_factory):
    """An administrator in a cloud of its own: what is made here by luck may be shared with everybody."""
    cloud = Cloud(2)
    gateway = Gateway(cloud, tmp_path_factory.mktemp("hostile")).start().register()
    found = User(gateway, cloud.identity.newcomer(("admin", "member")))
    found.boot(found.net("az1"))
    yield found
    gateway.stop()
    cloud.close()


@pytest.mark.parametrize("target", FIELDS, ids=lambda target: target[2])
def test_any_value_in_any_field(user, target):
    service, path, member = target
    client = getattr(user, service)
    bodies = st.dictionaries(st.sampled_from(FIELDS[target]), VALUES, max_size=5)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(fields=bodies, extra=st.sampled_from([{}, {"os:scheduler_hints": {"group": "x"}}, {"bogus": []}]))
    def run(fields, extra):
        raw = json.dumps({member: fields, **extra}).encode()
        answer = client.call("POST", path, raw=raw)
        assert answer.status < 500, f"{answer.status} {answer.raw[:300]!r} for {raw[:600]!r}"
        if answer.status >= 400:
            assert answer.headers["content-type"].startswith("application/json")
            assert answer.body
    run()


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_text_where_the_gateway_itself_reads(user, value):
    """Fields by which Tricircle chooses a pod or makes things exist."""
    server = {"name": "x", "flavorRef": "tiny", "imageRef": IMAGE, "networks": "none"}
    for client, path, body in (
            (user.compute, "/servers", {"server": {**server, "flavorRef": value}}),
            (user.compute, "/servers", {"server": {**server, "key_name": value}}),
            (user.compute, "/servers", {"server": {**server, "security_groups": [{"name": value}]}}),
            (user.compute, "/servers", {"server": {**server, "availability_zone": value}}),
            (user.volume, "/volumes", {"volume": {"size": 1, "availability_zone": value}}),
            (user.network, "/networks", {"network": {"availability_zone_hints": [value]}}),
            (user.network, "/networks", {"network": {"router:external": True, "availability_zone_hints": [value]}}),
            (user.network, "/networks", {"network": {"description": value}})):
        answer = client.post(path, body)
        assert answer.status < 500, f"{path} {body}: {answer.status} {answer.raw[:300]!r}"


@pytest.mark.parametrize("name", ["X-Auth-Token", "X-Openstack-Request-Id", "OpenStack-API-Version", "X-Tricircle-Pod",
                                  "Accept", "X-Forwarded-Host", "X-Service-Token", "Host"])
@pytest.mark.parametrize("value", ["", "x" * 3000, "\u00ff", "compute 2.1, volume 3.0", "req-" + IMAGE, "'\"<>;"])
def test_hostile_headers(user, name, value):
    for client, path in ((user.compute, "/servers"), (user.volume, "/volumes"), (user.network, "/networks"),
                         (user.admin, "/pods")):
        answer = client.get(path, headers={name: value})
        assert answer.status < 500, f"{name}: {answer.status} {answer.raw[:300]!r}"
        if answer.headers["content-type"].startswith("application/json"):
            assert answer.body, "what a caller sends must not break the JSON of the answer"
