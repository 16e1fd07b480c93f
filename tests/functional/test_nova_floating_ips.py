"""Nova's old API for floating IPs: the address comes from the pod of its pool, wherever the project is at home."""
import pytest

from tests.functional.test_floatingips import Case
from tests.functional.user import User


@pytest.fixture
def user(gateway):
    """Somebody whose default pod is Pod1."""
    user = User(gateway)
    user.net("az1")
    return user


@pytest.fixture
def pool(outside):
    """An external network in Pod2: its record."""
    return outside.admin.ok("GET", f"/networks/{outside.network}")["network"]


@pytest.mark.parametrize("by", ["name", "id", None])
def test_an_address_of_another_pod(cloud, user, pool, by):
    made = user.compute.ok("POST", "/os-floating-ips", {"pool": pool[by]} if by else {})["floating_ip"]
    assert made["pool"] == pool["name"]
    assert set(cloud["Pod2"].network.shelf("floatingips")) == {made["id"]}
    assert user.compute.ok("GET", "/os-floating-ips")["floating_ips"] == [made]
    assert user.compute.ok("GET", f"/os-floating-ips/{made['id']}")["floating_ip"] == made
    assert user.network.ok("GET", f"/floatingips/{made['id']}")["floatingip"]["floating_ip_address"] == made["ip"]
    assert user.compute.delete(f"/os-floating-ips/{made['id']}").status == 202
    assert user.compute.get(f"/os-floating-ips/{made['id']}").status == 404
    assert user.network.ok("GET", "/floatingips")["floatingips"] == []


def test_pools_of_all_pods(user, pool):
    assert user.compute.ok("GET", "/os-floating-ip-pools")["floating_ip_pools"] == [{"name": pool["name"]}]


@pytest.mark.parametrize(("body", "status"), [({"pool": "nowhere"}, 404), ({"pool": 7}, 400), ([], 400)])
def test_no_such_pool(cloud, user, pool, body, status):
    with cloud.unchanged():
        assert user.compute.post("/os-floating-ips", body).status == status


def test_a_server_gets_and_loses_an_address_of_another_pod(gateway, outside):
    case = Case(gateway, outside)
    floating, server = case.floating(), case.user.boot(case.nets["Pod1"], "az1")

    def act(name, **fields):
        body = {name: {"address": floating["floating_ip_address"], **fields}}
        return case.user.compute.post(f"/servers/{server}/action", body).status

    assert act("addFloatingIp", fixed_address="192.0.2.99") == 400
    assert act("removeFloatingIp") == 409
    assert act("addFloatingIp") == 202
    shown = case.show(floating)
    assert shown["port_details"]["device_id"] == server
    assert act("removeFloatingIp") == 202
    assert case.show(floating)["port_id"] is None
    assert act("addFloatingIp", fixed_address=shown["fixed_ip_address"]) == 202
    assert case.show(floating)["port_details"] == shown["port_details"]
