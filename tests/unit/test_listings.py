# SPDX-License-Identifier: Apache-2.0
"""Which of a pod's resources count when its listings are compared."""

import pytest
from openstack.network.v2.network import Network
from openstack.network.v2.security_group import SecurityGroup
from openstack.network.v2.security_group_rule import SecurityGroupRule
from tests.lab import listings


def rule(**facts):
    return SecurityGroupRule(id="r", security_group_id="own", **facts)


@pytest.mark.parametrize(
    "resource",
    [
        SecurityGroup(id="own", name="default"),
        rule(direction="egress", ether_type="IPv6"),
        rule(direction="ingress", ether_type="IPv4", remote_group_id="own"),
    ],
)
def test_what_neutron_makes_for_a_new_project_does_not_count(resource):
    assert listings.of_neutrons_own_making(resource)


@pytest.mark.parametrize(
    "resource",
    [
        SecurityGroup(id="own", name="web"),
        rule(direction="ingress", protocol="icmp"),
        rule(direction="ingress"),
        rule(direction="ingress", protocol="tcp", remote_group_id="own"),
        rule(direction="ingress", remote_group_id="another"),
        rule(direction="egress", remote_ip_prefix="10.0.0.0/8"),
        Network(id="n", name="default"),
    ],
)
def test_everything_else_counts(resource):
    assert not listings.of_neutrons_own_making(resource)


def test_what_came_and_what_went_is_shown(tmp_path, monkeypatch, capsys):
    saved = tmp_path / "listings.json"
    monkeypatch.setattr("sys.argv", ["listings.py", "save", str(saved)])
    monkeypatch.setattr(listings, "all_listings", lambda: ["Pod1 port a", "Pod2 port b"])
    assert listings.main() == 0
    monkeypatch.setattr("sys.argv", ["listings.py", "compare", str(saved)])
    assert listings.main() == 0
    monkeypatch.setattr(listings, "all_listings", lambda: ["Pod2 port b", "Pod2 port c"])
    assert listings.main() == 1
    assert capsys.readouterr().out == "+ Pod2 port c\n- Pod1 port a\n"
