"""Security groups across stand-in pods: at once when a server needs one, by a job when a rule changes."""
import pytest

from tests.functional.gateway import until
from tests.functional.scene import PATIENCE


@pytest.fixture
def group(cloud, gateway):
    """A user's group at home in Pod1 with a replica in Pod2."""
    token = cloud.identity.newcomer()
    user = gateway.client("network", token)
    home = user.ok("POST", "/security-groups", {"security_group": {"name": "web"}})["security_group"]["id"]
    pod = next(pod.name for pod in cloud if home in pod.network.shelf("security-groups"))
    other = next(name for name in cloud.pods if name != pod)
    allow(user, home, protocol="icmp")
    network = user.ok("POST", "/networks", {"network": {"name": "n", "availability_zone_hints": [f"az{other[-1]}"]}})
    network_id = network["network"]["id"]
    user.ok("POST", "/subnets", {"subnet": {"network_id": network_id, "ip_version": 4, "cidr": "10.0.0.0/24"}})
    user.ok("POST", "/ports", {"port": {"network_id": network_id, "security_groups": [home]}})
    replica = next(row["id"] for row in cloud[other].network.shelf("security-groups").values()
                   if row["description"] == f"tricircle:{home}")
    return user, home, cloud[other].network, replica


def allow(user, group_id, **rule):
    body = {"security_group_id": group_id, "direction": "ingress", "ethertype": "IPv4", **rule}
    return user.ok("POST", "/security-group-rules", {"security_group_rule": body})["security_group_rule"]["id"]


def protocols(network, group_id):
    return sorted(str(rule["protocol"]) for rule in network.shelf("security-group-rules").values()
                  if rule["security_group_id"] == group_id)


def test_a_replica_has_the_rules_before_the_port_that_needs_it(group):
    _, _, network, replica = group
    assert protocols(network, replica) == ["None", "None", "icmp"]


def test_a_changed_rule_follows_by_a_job(group, worker):
    user, home, network, replica = group
    rule = allow(user, home, protocol="tcp", port_range_min=22, port_range_max=22)
    until(lambda: "tcp" in protocols(network, replica), PATIENCE)
    user.ok("DELETE", f"/security-group-rules/{rule}")
    until(lambda: "tcp" not in protocols(network, replica), PATIENCE)
    assert protocols(network, replica) == ["None", "None", "icmp"]
