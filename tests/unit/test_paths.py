"""The catalogue against the paths that Nova, Cinder and Neutron register: nothing of theirs is served by luck.

`paths/` holds what `tools/api_paths.py` prints for each release; its docstring says how to do that again.
"""
import re
from pathlib import Path as File

import pytest

from tricircle.errors import NotFound
from tricircle.routing.catalogue import COLLECTIONS, COMPUTE, NETWORK, VOLUME, Service, parse
from tricircle.routing.collections import GONE, SERVICE_WORDS
from tricircle.routing.doors import FREE, plain

ID = "0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f"
FILES = sorted((File(__file__).parent / "paths").glob("*.txt"))
SERVICES = {"nova": COMPUTE, "cinder": VOLUME, "neutron": NETWORK}
# What hangs on one member and has ids or names of its own: it is where the member is. Free text in paths is in `FREE`.
OWN = {
    "compute": {"servers": {"consoles", "migrations", "os-instance-actions", "os-interface", "os-volume_attachments",
                            "shares"}, "os-floating-ip-dns": {"entries"}},
    "volume": {"types": {"encryption"}, "volumes": {"encryption"}},
    "network": {"agents": {"dhcp-networks", "l3-routers"}, "networks": {"dhcp-agents"}, "routers": {
                    "l3-agents", "conntrack_helpers"},
                "floatingips": {"port_forwardings"}, "local_ips": {"port_associations"},
                "flavors": {"next_providers", "service_profiles"},
                "qos/policies": {f"{kind}_rules" for kind in (
                    "bandwidth_limit", "dscp_marking", "minimum_bandwidth", "minimum_packet_rate",
                    "packet_rate_limit")},
                "logging/logging-resources": {"firewall_logs"},
                "bgpvpn/bgpvpns": {"network_associations", "port_associations", "router_associations"}}}


def lines(file: File) -> list[tuple[set[str], str]]:
    """[(methods, path)] of one list; Neutron's have no methods."""
    found = [line.split(" ") for line in file.read_text().splitlines()]
    return [(set(each[0].split(",")) if len(each) > 1 else set(), each[-1]) for each in found]


def known(service: Service, path: str):
    """The parts of a path; None where the door refuses it."""
    try:
        return parse(service, plain(service, f"/{service.versions[0]}/{path.format(*[ID] * 9)}"))
    except NotFound:
        return None


@pytest.fixture(params=FILES, ids=lambda file: file.stem)
def listed(request):
    service = SERVICES[request.param.stem.partition("-")[0]]
    return service, [(methods, path, known(service, path)) for methods, path in lines(request.param)]


def test_two_releases_of_each():
    assert [file.stem for file in FILES] == [f"{name}-{release}" for name in sorted(SERVICES)
                                             for release in ("2026.2", "zed")]


def test_every_collection_has_an_entry(listed):
    """Names of Neutron's without the prefix that the catalogue has for them are refused: see doors.py."""
    service, found = listed
    prefixed = {path.rpartition("/")[2] for path in COLLECTIONS[service.name] if "/" in path}
    refused = {path.partition("/")[0].replace("_", "-") for _, path, parsed in found if parsed is None}
    assert refused <= prefixed
    assert {parsed.collection.path for _, _, parsed in found if parsed} <= COLLECTIONS[service.name].keys()


def test_every_entry_is_of_a_release():
    """An entry that no service has (any more) is dead, or a slip of the pen."""
    found = {(service.name, (parsed := known(service, path)) and parsed.collection.path)
             for file in FILES for service in [SERVICES[file.stem.partition("-")[0]]] for _, path in lines(file)}
    found |= {("network", path) for path in COLLECTIONS["network"] if "/" in path}   # definitions leave prefixes out
    found.add(("network", "extensions"))
    assert {(name, path) for name, table in COLLECTIONS.items() for path in table} <= found


def test_words_are_no_members(listed):
    """`detail` in `servers/detail` is no server."""
    _, found = listed
    taken = {(parsed.collection.path, parsed.member) for _, _, parsed in found
             if parsed and parsed.member not in ("", ID) and parsed.collection.path not in GONE}
    assert taken <= {("quotas", "project"), ("quotas", "tenant")}   # members of what is the same everywhere, in any pod


def test_every_part_of_a_member_is_named(listed):
    service, found = listed
    unknown = set()
    for _, path, parsed in found:
        part = re.match(r"/([^/]+)/" + ID, parsed.rest) if parsed and parsed.member else None
        if part and part[1] not in FREE and part[1] not in OWN[service.name].get(parsed.collection.path, ()):
            unknown.add(path)
    assert not unknown


def test_what_no_get_shows_is_found_otherwise(listed):
    """By the list, or as the thing that it is a side of."""
    service, found = listed
    if service is NETWORK:
        pytest.skip("Neutron registers every method for everything")
    methods = {path: each for each, path, _ in found}
    for path, each in methods.items():
        collection, _, member = path.partition("/")
        entry = known(service, collection).collection
        words = service is VOLUME and entry.words == SERVICE_WORDS   # Zed's Cinder has one route for all of them
        if member == "{}" and "GET" not in each and collection not in GONE and not words:
            assert entry.listed or entry.of, path
