"""What a body refers to."""
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tricircle.errors import BadRequest
from tricircle.routing.references import MOST, mentions

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
    assert found.resources == [("network", "networks", A), ("network", "ports", B), ("volume", "volumes", B)]
    assert (found.zone, found.flavors, found.keypairs, found.groups) == ("az1", ["1"], ["me"], ["web"])


def test_port():
    found = mentions("network", {"port": {"network_id": A, "security_groups": [B], "fixed_ips": [{"subnet_id": C}],
                                          "device_id": A, "name": B}})
    assert found.resources == [("network", "networks", A), ("network", "security-groups", B), ("network", "subnets", C)]


@pytest.mark.parametrize("odd", [f"{A}\n", f"\n{A}", f"{A} ", f"{A}?", A.upper()])
def test_what_is_no_id_to_the_letter_is_none(odd):
    """It would be a part of a URL."""
    assert mentions("volume", {"volume": {"source_volid": odd}}).resources == []
    assert mentions("network", {"port": {"network_id": odd}}).resources == []


def test_each_once_whatever_names_it():
    ports = [{"network_id": A, "security_groups": [B, B]} for _ in range(3 * MOST)]
    assert mentions("network", {"ports": ports}).resources == [("network", "networks", A),
                                                               ("network", "security-groups", B)]


def test_hints():
    assert mentions("network", {"network": {"availability_zone_hints": ["az2", 5]}}).hints == ["az2"]


@pytest.mark.parametrize("names", [
    lambda many: {"port": {"security_groups": [f"{number:08x}-0000-0000-0000-000000000000" for number in many]}},
    lambda many: {"server": {"security_groups": [{"name": f"group{number}"} for number in many]}},
    lambda many: {f"x{number}": {"flavorRef": f"flavor{number}"} for number in many}])
def test_more_than_the_bound_are_refused(names):
    for service in ("compute", "network"):
        mentions(service, names(range(MOST)))
    with pytest.raises(BadRequest, match=f"more than {MOST} things"):
        [mentions(service, names(range(MOST + 1))) for service in ("compute", "network")]


def test_a_large_body_is_read_in_linear_time():
    """Each object is looked at once: counted, since seconds say little on a busy machine."""
    class Counted(dict):
        reads = 0

        def items(self):
            Counted.reads += 1
            return super().items()

    def cost(size):
        Counted.reads = 0
        mentions("network", Counted({"ports": [Counted(network_id=A, fixed_ips=[Counted(subnet_id=B)])
                                               for _ in range(size)]}))
        return Counted.reads

    assert cost(2000) < 2.1 * cost(1000)


@given(anything, st.sampled_from(["compute", "volume", "network"]))
def test_nothing_that_a_user_sends_breaks_it(body, service):
    mentions(service, body)


def test_a_body_deeper_than_the_stack():
    document = json.loads('{"a":' * 900 + "1" + "}" * 900)
    assert mentions("compute", {"server": document}).resources == []


@pytest.mark.parametrize(("body", "named"), [
    ({"router": {"flavor_id": A}}, [("network", "flavors", A)]),
    ({"service_profile": {"id": A}}, [("network", "service-profiles", A)]),
    ({"local_ip": {"network_id": A, "local_port_id": B}}, [("network", "networks", A), ("network", "ports", B)]),
    ({"port_association": {"fixed_port_id": A}}, [("network", "ports", A)]),
    ({"ndp_proxy": {"router_id": A, "port_id": B}}, [("network", "routers", A), ("network", "ports", B)]),
    ({"metering_label_rule": {"metering_label_id": A}}, [("network", "metering/metering-labels", A)]),
    ({"subnet": {"segment_id": A}}, [("network", "segments", A)]),
    ({"log": {"resource_type": "security_group", "resource_id": A, "target_id": B}},
     [("network", "security-groups", A), ("network", "ports", B)]),
    ({"log": {"resource_type": "other", "resource_id": A}}, []),
    ({"endpoint_group": {"type": "subnet", "endpoints": [A]}}, [("network", "subnets", A)]),
    ({"endpoint_group": {"type": "cidr", "endpoints": ["10.0.0.0/8"]}}, []),
    ({"firewall_group": {"ports": [A], "ingress_firewall_policy_id": B}},
     [("network", "ports", A), ("network", "fwaas/firewall-policies", B)]),
    ({"ports": [{"network_id": A}]}, [("network", "networks", A)])])
def test_of_neutrons_extensions(body, named):
    assert mentions("network", body).resources == named


def test_an_attachment_without_a_server():
    assert mentions("volume", {"attachment": {"volume_uuid": A}}).resources == [("volume", "volumes", A)]


def test_where_a_backend_has_what_cinder_shall_take():
    assert mentions("volume", {"volume": {"host": "node2@nfs#pool", "ref": {"source-name": "x"}}}).nodes == [
        "node2@nfs#pool"]
