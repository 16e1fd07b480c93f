"""Replicas of security groups: their rules follow the home's."""
from hypothesis import given
from hypothesis import strategies as st

from tricircle.crosspod.groups import MEANING, Rules, steps

LOCAL, OWN = "local-group", "service"
IDS = {"home-group": LOCAL, "known": "known-there"}


def rule(rule_id, **fields):
    return {**dict.fromkeys(MEANING), "direction": "ingress", "ethertype": "IPv4", "id": rule_id, **fields}


def apply(rules, todo):
    """What the replica has after the steps."""
    has = {row["id"]: row for row in rules.replica}
    for number, step in enumerate(todo):
        if step["method"] == "DELETE":
            del has[step["path"].rsplit("/", 1)[1]]
        else:
            given = dict(step["body"]["security_group_rule"])
            assert given.pop("security_group_id") == LOCAL
            has[f"new{number}"] = rule(f"new{number}", **given)
    return list(has.values())


def meaning(row, ids=None):
    group = row["remote_group_id"]
    return tuple((ids or {}).get(group, group) if name == "remote_group_id" else row[name] for name in MEANING)


RULES = st.builds(
    dict, direction=st.sampled_from(["ingress", "egress"]), protocol=st.sampled_from([None, "tcp", "icmp"]),
    port_range_min=st.sampled_from([None, 22]), remote_ip_prefix=st.sampled_from([None, "10.0.0.0/8"]),
    remote_group_id=st.sampled_from([None, "home-group", "known", "unknown"]))


def rule_set(draws, prefix, ids=None):
    """Neutron has no two equal rules in a group."""
    rows = [rule(f"{prefix}{n}", **fields) for n, fields in enumerate(draws)]
    for row in rows:
        row["remote_group_id"] = (ids or {}).get(row["remote_group_id"], row["remote_group_id"])
    return list({meaning(row): row for row in rows}.values())


@given(st.lists(RULES, max_size=8), st.lists(RULES, max_size=8))
def test_the_replica_ends_with_the_homes_rules(home, replica):
    rules = Rules(rule_set(home, "h"), rule_set(replica, "r", IDS), LOCAL, IDS, OWN)
    after = apply(rules, steps(rules))
    wanted = {meaning(row, IDS) for row in rules.home if row["remote_group_id"] != "unknown"}
    assert {meaning(row) for row in after} == wanted
    assert len(after) == len(wanted)
    assert steps(Rules(rules.home, after, LOCAL, IDS, OWN)) == []


def test_a_rule_for_a_member_elsewhere_stays_until_the_home_has_one_like_it():
    """Neutron takes no second rule of the same meaning."""
    ours = rule("ours", remote_ip_prefix="10.0.2.4/32", description="tricircle:member:Pod2",
                project_id=OWN)
    assert steps(Rules([{**ours, "id": "homes"}], [ours], LOCAL, IDS, OWN)) == []
    plain = rule("h", remote_ip_prefix="10.0.2.4/32")
    gone, made = steps(Rules([plain], [ours], LOCAL, IDS, OWN))
    assert (gone["method"], gone["path"].rsplit("/", 1)[1]) == ("DELETE", "ours")
    assert made["body"]["security_group_rule"]["description"] == "tricircle:h"


def test_rules_that_neutron_made_are_taken_over():
    own = {"direction": "egress", "ethertype": "IPv6"}
    assert steps(Rules([rule("h", **own)], [rule("r", **own)], LOCAL, IDS, OWN)) == []


def test_a_rule_carries_its_home_from_the_beginning():
    made = steps(Rules([rule("h", protocol="icmp")], [], LOCAL, IDS, OWN))
    assert [step["body"]["security_group_rule"]["description"] for step in made] == ["tricircle:h"]


def test_what_is_forbidden_goes_before_anything_is_allowed():
    todo = steps(Rules([rule("h", protocol="icmp")], [rule("r", protocol="tcp")], LOCAL, IDS, OWN))
    assert [step["method"] for step in todo] == ["DELETE", "POST"]


def test_a_rule_that_cannot_be_translated_lets_nobody_in():
    home = [rule("a", remote_group_id="unknown"), rule("b", remote_address_group_id="list")]
    assert steps(Rules(home, [], LOCAL, IDS, OWN)) == []
