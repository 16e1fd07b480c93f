"""No spelling of a path leads a pod to a thing while the gateway takes it for another one."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tricircle.errors import NotFound
from tricircle.routing.catalogue import COMPUTE, NETWORK, SERVICES, VOLUME, parse
from tricircle.routing.doors import plain

ID = "0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f"
PROJECT = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(("service", "path", "wanted"), [
    (NETWORK, "/v2.0/security_groups", "/v2.0/security-groups"),
    (NETWORK, "/v2.0/security_groups.json", "/v2.0/security-groups"),
    (NETWORK, "/v2.0/networks.json/", "/v2.0/networks/"),
    (NETWORK, f"/v2.0/networks/{ID}.json", f"/v2.0/networks/{ID}"),
    (NETWORK, f"/v2.0/qos/policies/{ID}/bandwidth-limit-rules", f"/v2.0/qos/policies/{ID}/bandwidth_limit_rules"),
    (NETWORK, f"/v2.0/routers/{ID}/add-router-interface", f"/v2.0/routers/{ID}/add_router_interface"),
    (NETWORK, f"/v2.0/agents/{ID}/dhcp_networks", f"/v2.0/agents/{ID}/dhcp-networks"),
    (NETWORK, "/v2.0/availability-zones", "/v2.0/availability_zones"),
    (NETWORK, "/v2.0/qos/rule_types", "/v2.0/qos/rule-types"),
    (NETWORK, "/v2.0/extensions/quotas", "/v2.0/extensions/quotas"),
    (NETWORK, "/v2.0/metering/metering-labels", "/v2.0/metering/metering-labels"),
    (NETWORK, f"/v2.0/networks/{ID}/tags/INDEX.x%20%C3%A9", f"/v2.0/networks/{ID}/tags/INDEX.x%20%C3%A9"),
    (NETWORK, f"/v2.0/policies/{ID}/tags/a%20b", f"/v2.0/policies/{ID}/tags/a%20b"),
    (NETWORK, "/v2.0", "/v2.0"), (NETWORK, "/v2.0/", "/v2.0/"), (NETWORK, "/", "/"),
    (NETWORK, f"/v2.0/networks/{ID.upper()}.json", f"/v2.0/networks/{ID}"),
    (VOLUME, f"/v3/volumes/{ID.upper()}.json", f"/v3/volumes/{ID}"),
    (VOLUME, f"/v3/{PROJECT}/volumes.json", f"/v3/{PROJECT}/volumes"),
    (VOLUME, f"/v3/volumes/{ID}/action.json", f"/v3/volumes/{ID}/action"),
    (VOLUME, f"/v3/volumes/{ID}/metadata/a.json.json", f"/v3/volumes/{ID}/metadata/a.json.json"),
    (VOLUME, "/v3/os-hosts/host.example@lvm%23pool", "/v3/os-hosts/host.example@lvm%23pool"),
    (COMPUTE, "/v2.1/os-volumes_boot", "/v2.1/servers"),
    (COMPUTE, f"/v2/{PROJECT}/os-volumes_boot/detail", f"/v2/{PROJECT}/servers/detail"),
    (COMPUTE, "/v2.1/os-keypairs/my%20key.json", "/v2.1/os-keypairs/my%20key.json"),
    (COMPUTE, "/v2.1/abc/os-volumes_boot", "/v2.1/abc/servers"),
])
def test_plain(service, path, wanted):
    assert plain(service, path) == wanted
    assert plain(service, wanted) == wanted


@pytest.mark.parametrize(("service", "path"), [
    (NETWORK, "/v2.0/policies"), (NETWORK, f"/v2.0/policies/{ID}"), (NETWORK, "/v2.0/policies/tags/tags"),
    (NETWORK, f"/v2.0/policies/{ID}/index"), (NETWORK, "/v2.0/rule_types"), (NETWORK, "/v2.0/metering/policies"),
    (NETWORK, "/v2.0/qos/networks"), (NETWORK, "/v2.0/metering/security_groups"), (NETWORK, "/v2.0/log/routers"),
    (NETWORK, "/v2.0/floatingips/networks"), (NETWORK, "/v2.0/whatever/subnets"), (NETWORK, "/v2.0/networks/index"),
    (NETWORK, f"/v2.0/networks/{ID}/index"), (NETWORK, f"/v2.0/routers/{ID}/add_router_interface/index"),
    (NETWORK, "/v2.0/networks/_lookup"), (NETWORK, "/v2.0/security-groups.foo"), (NETWORK, "/v2.0/networks.map"),
    (NETWORK, "/v2.0/networks/.json"), (VOLUME, f"/v3/{PROJECT}/volumes/.json"),
    (NETWORK, "/v2.0/networks.json.json"), (NETWORK, f"/v2.0/routers/{ID}/add_router_interface.foo"),
    (NETWORK, f"/v2.0/networks/{ID}%20"), (NETWORK, f"/v2.0/networks/{ID[:-1]}%C3%A9"),
    (NETWORK, "/v2.0/networks%20"), (VOLUME, f"/v3/{PROJECT}/volumes/tags/x%20"),
    (NETWORK, "/v2.0/qos/policies/tags/index"), (VOLUME, f"/v3/volumes/{ID}%20"),
    (VOLUME, f"/v3/volumes/{ID}.json.json"),
    (COMPUTE, "/v2.1/servers.json"), (COMPUTE, "/v2.1/os-keypairs/key%20"), (COMPUTE, "/v2.1/%20servers"),
])
def test_closed(service, path):
    with pytest.raises(NotFound):
        plain(service, path)


PARTS = st.sampled_from(["v2.0", "v2.1", "v2", "v3", PROJECT, ID, "abc", "networks",
                         "security-groups", "security_groups", "qos", "policies", "rule-types", "metering", "index",
                         "servers", "os-volumes_boot", "volumes", "tags", "metadata", "detail", "action", "x",
                         "_lookup", "ports", "add-router-interface", "extensions"])

CLOSED = ("os-volumes_boot", "security_groups", "policies", "qos/networks")


def outcome(service, path):
    """The plain path, or that there is none."""
    try:
        return plain(service, path)
    except NotFound:
        return None


@given(st.sampled_from([COMPUTE, VOLUME]), st.lists(st.tuples(PARTS, st.sampled_from(["", ".json", "%20"])), min_size=1,
                                                    max_size=6))
def test_a_project_in_the_path_changes_nothing_else(service, parts):
    """Wherever free text begins: behind the member, and not at a place that is counted from the left."""
    (first, _), *others = parts
    first = first if first not in (PROJECT, ID, "abc") else "volumes"
    rest = "/".join([first, *(a + b for a, b in others)])
    version = f"/{service.versions[0]}"
    short, long = outcome(service, f"{version}/{rest}"), outcome(service, f"{version}/{PROJECT}/{rest}")
    assert long == (short and short.replace(version, f"{version}/{PROJECT}", 1))


@given(st.sampled_from(list(SERVICES.values())), st.lists(st.tuples(PARTS, st.sampled_from(["", "", ".json", ".foo"])),
                                                          max_size=6), st.sampled_from(["", "/"]))
def test_what_is_plain_stays(service, parts, slash):
    path = "/" + "/".join(a + b for a, b in parts) + (slash if parts else "")
    try:
        found = plain(service, path)
    except NotFound:
        return
    assert plain(service, found) == found
    parsed = parse(service, found)
    tagged = found.removesuffix("/").replace("/v2.0/policies/", "/v2.0/qos/policies/", 1)   # see TAGGED
    assert not parsed or parsed.whole == tagged
    assert not parsed or parsed.collection.path not in CLOSED
