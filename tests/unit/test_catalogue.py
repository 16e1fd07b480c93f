"""Paths are taken apart and put together again."""
import pytest

from tricircle.routing.catalogue import COMPUTE, NETWORK, VOLUME, parse

PROJECT = "0123456789abcdef0123456789abcdef"
ID = "11111111-2222-3333-4444-555555555555"


@pytest.mark.parametrize(("service", "path", "prefix", "collection", "member", "rest"), [
    (COMPUTE, "/v2.1/servers", "/v2.1", "servers", "", ""),
    (COMPUTE, "/v2.1/servers/detail", "/v2.1", "servers", "", "/detail"),
    (COMPUTE, f"/v2.1/servers/{ID}", "/v2.1", "servers", ID, ""),
    (COMPUTE, f"/v2.1/{PROJECT}/servers/{ID}/action", f"/v2.1/{PROJECT}", "servers", ID, "/action"),
    (COMPUTE, "/v2.1/flavors/1/os-extra_specs/a", "/v2.1", "flavors", "1", "/os-extra_specs/a"),
    (COMPUTE, "/v2.1/os-keypairs/my%2Fkey", "/v2.1", "os-keypairs", "my%2Fkey", ""),
    (COMPUTE, "/v2.1/os-availability-zone/detail", "/v2.1", "os-availability-zone", "", "/detail"),
    (VOLUME, f"/v3/{PROJECT}/volumes/{ID}/metadata/k", f"/v3/{PROJECT}", "volumes", ID, "/metadata/k"),
    (VOLUME, f"/v3/{PROJECT}/types/default", f"/v3/{PROJECT}", "types", "", "/default"),
    (NETWORK, f"/v2.0/routers/{ID}/add_router_interface", "/v2.0", "routers", ID, "/add_router_interface"),
    (NETWORK, f"/v2.0/qos/policies/{ID}/bandwidth_limit_rules", "/v2.0", "qos/policies", ID, "/bandwidth_limit_rules"),
])
def test_parts(service, path, prefix, collection, member, rest):
    parsed = parse(service, path)
    assert (parsed.prefix, parsed.collection.path, parsed.member, parsed.rest) == (prefix, collection, member, rest)
    assert parsed.whole == path.removesuffix(".json")


@pytest.mark.parametrize("path", ["/", "/v9/servers", "/v2.1", f"/v2.1/{PROJECT}", "/servers", "//"])
def test_no_collection(path):
    assert parse(COMPUTE, path) is None
