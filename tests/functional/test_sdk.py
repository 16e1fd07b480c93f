"""The field's own client against the gateway: what openstacksdk asks, follows and expects."""
import openstack
import pytest

from tests.functional.standin.identity import PASSWORD
from tests.functional.user import IMAGE, User, flavor, holders


@pytest.fixture(scope="module")
def user(gateway):
    """Somebody with three of each in both pods."""
    found = User(gateway)
    for zone in ("az1", "az2"):
        for _ in range(3):
            found.net(zone)
            found.boot(None, zone)
            found.disk(zone)
    return found


@pytest.fixture(scope="module")
def sdk(gateway, user):
    """A connection of that user, as clouds.yaml would make it for RegionOne."""
    urls = {f"{kind}_endpoint_override": f"http://127.0.0.1:{gateway.ports[service]}{path}" for kind, service, path in (
        ("compute", "compute", "/v2.1"), ("network", "network", ""),
        ("block_storage", "volume", f"/v3/{user.project}"))}
    return openstack.connect(
        auth_url=gateway.cloud.auth_url, username=user.token.user.name, password=PASSWORD, region_name="RegionOne",
        project_name=user.token.project.name, user_domain_name="Default", project_domain_name="Default", **urls)


def test_lists_by_pages(sdk):
    assert len({s.id for s in sdk.compute.servers(limit=2)}) == 6
    assert len({s.id for s in sdk.compute.servers(details=False, limit=1)}) == 6
    assert len({v.id for v in sdk.block_storage.volumes(limit=2)}) == 6
    assert len({n.id for n in sdk.network.networks(limit=2)}) == 6
    assert {s.availability_zone for s in sdk.compute.servers()} == {"az1", "az2"}


def test_the_zones(sdk):
    assert [z.name for z in sdk.compute.availability_zones()] == ["az1", "az2"]
    assert {z.name for z in sdk.network.availability_zones()} == {"az1", "az2"}


def test_a_server_from_its_network_to_its_end(cloud, gateway, sdk):
    flavor(gateway)
    network = sdk.network.create_network(name="sdk", availability_zone_hints=["az2"])
    subnet = sdk.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.200.0.0/24")
    group = sdk.network.create_security_group(name="sdk")
    sdk.network.create_security_group_rule(security_group_id=group.id, direction="ingress", protocol="icmp")
    key = sdk.compute.create_keypair(name="sdk", public_key="ssh-ed25519 AAAA sdk")
    server = sdk.compute.create_server(name="sdk", image_id=IMAGE, flavor_id="tiny", networks=[{"uuid": network.id}],
                                       availability_zone="az2", key_name=key.name, security_groups=[{"name": "sdk"}])
    server = sdk.compute.wait_for_server(server, wait=20, interval=0.1)
    assert holders(cloud, "compute", "servers", server.id) == ["Pod2"]
    assert [ip["addr"] for ip in server.addresses["sdk"]] == ["10.200.0.2"]
    port, = sdk.network.ports(device_id=server.id)
    assert port.security_group_ids == [group.id]
    volume = sdk.block_storage.create_volume(size=1, availability_zone="az2")
    sdk.block_storage.wait_for_status(volume, "available", wait=10, interval=0.1)
    sdk.compute.create_volume_attachment(server, volume_id=volume.id)
    assert sdk.block_storage.get_volume(volume.id).status == "in-use"
    sdk.compute.stop_server(server)
    assert sdk.compute.get_server(server.id).status == "SHUTOFF"
    sdk.compute.delete_server(server)
    sdk.compute.wait_for_delete(server, wait=10, interval=0.1)
    sdk.block_storage.delete_volume(volume)
    sdk.network.delete_security_group(group)
    sdk.network.delete_subnet(subnet)
    sdk.network.delete_network(network)
    for pod in cloud:
        left = [row for shelf in pod.network.shelves.values() for row in shelf.values() if row.get("name") == "sdk"]
        assert left == []


def test_find_by_name_over_both_pods(sdk, user):
    for zone in ("az1", "az2"):
        name = f"named-{zone}"
        id = user.net(zone, name=name)
        assert sdk.network.find_network(name).id == id
        server = user.boot(None, zone, name=name)
        assert sdk.compute.find_server(name).id == server
    assert sdk.network.find_network("nothing") is None


def test_errors_are_the_sdks_own_classes(sdk):
    with pytest.raises(openstack.exceptions.NotFoundException):
        sdk.compute.get_server("11111111-2222-4333-8444-999999999999")
    with pytest.raises(openstack.exceptions.NotFoundException):
        sdk.network.get_network("11111111-2222-4333-8444-999999999999")
    with pytest.raises(openstack.exceptions.BadRequestException):
        sdk.block_storage.create_volume(size=1, availability_zone="mars")
    with pytest.raises(openstack.exceptions.ForbiddenException):
        sdk.compute.create_flavor(name="x", ram=1, vcpus=1, disk=1)
