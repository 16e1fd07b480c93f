"""What a body refers to."""
from hypothesis import given
from hypothesis import strategies as st

from tricircle.routing.references import mentions

A, B, C = (f"{digit * 8}-0000-0000-0000-000000000000" for digit in "abc")
anything = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
                        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                            st.sampled_from(["server", "networks", "uuid", "port", "flavorRef", "availability_zone",
                                             "security_groups", "block_device_mapping_v2", "subnet_id"]), inner,
                            max_size=4), max_leaves=15)


def test_server():
    found = mentions("compute", {"server": {
        "availability_zone": "az1", "flavorRef": "http://gateway/v2.1/flavors/1", "imageRef": C, "key_name": "me",
        "networks": [{"uuid": A}, {"port": B}], "security_groups": [{"name": "web"}],
        "block_device_mapping_v2": [{"uuid": C, "source_type": "image"}, {"uuid": B, "source_type": "volume"}]}})
    assert sorted(found.resources) == [("network", "networks", A), ("network", "ports", B), ("volume", "volumes", B)]
    assert (found.zone, found.flavors, found.keypairs, found.groups) == ("az1", ["1"], ["me"], ["web"])


def test_port():
    found = mentions("network", {"port": {"network_id": A, "security_groups": [B], "fixed_ips": [{"subnet_id": C}],
                                          "device_id": A, "name": B}})
    assert sorted(found.resources) == [("network", "networks", A), ("network", "security-groups", B),
                                       ("network", "subnets", C)]


def test_hints():
    assert mentions("network", {"network": {"availability_zone_hints": ["az2", 5]}}).hints == ["az2"]


@given(anything, st.sampled_from(["compute", "volume", "network"]))
def test_nothing_that_a_user_sends_breaks_it(body, service):
    mentions(service, body)
