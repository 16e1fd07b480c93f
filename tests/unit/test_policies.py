"""Replicas of QoS policies and subnet pools, and RBAC policies of replicas: they end like their home's."""
from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st

from tricircle.crosspod import policies, pools, rbac
from tricircle.prefixes import nets, without

RULES = st.dictionaries(
    st.sampled_from([("bandwidth_limit", "egress"), ("bandwidth_limit", "ingress"), ("dscp_marking", "")]),
    st.integers(1, 3), max_size=3)


def policy(id, name, rules):
    """As Neutron shows it."""
    return {"id": id, "name": name, "rules": [
        {"id": f"{id}-{kind}-{way}", "type": kind, "value": value, "qos_policy_id": id,
         **({"direction": way} if way else {})}
        for (kind, way), value in rules.items()]}


def rules_of(found):
    """What they say."""
    return {(rule["type"], rule.get("direction", "")): rule["value"] for rule in found["rules"]}


def carry_out(replica, todo):
    """What Neutron would make of the steps."""
    after = {**replica, "rules": [dict(rule) for rule in replica["rules"]]}
    for step in todo:
        last = step["path"].rsplit("/", 1)[-1]
        rule = next((each for each in after["rules"] if each["id"] == last), None)
        if step["method"] == "DELETE":
            after["rules"].remove(rule)
        elif "policy" in step["body"]:
            after |= step["body"]["policy"]
        elif step["method"] == "PUT":
            rule |= next(iter(step["body"].values()))
        else:
            kind = last.removesuffix("_rules")
            made = {"type": kind, "id": f"new-{len(after['rules'])}", **step["body"][f"{kind}_rule"]}
            assert (kind, made.get("direction", "")) not in rules_of(after)
            after["rules"].append(made)
    return after


@given(RULES, RULES, st.sampled_from("xy"))
def test_a_replica_has_the_homes_rules(home, replica, name):
    wanted, has = policy("h", "x", home), policy("r", name, replica)
    after = carry_out(has, policies.steps(wanted, has))
    assert (rules_of(after), after["name"]) == (home, "x")
    assert policies.steps(wanted, after) == []


TARGETS = st.sets(st.sampled_from("abc"))


@given(TARGETS, TARGETS)
def test_a_replica_is_shared_with_whom_its_home_is(home, replica):
    def rows(targets, id):
        return [{"id": f"{id}{each}", "object_type": "qos_policy", "object_id": id, "action": "access_as_shared",
                 "target_tenant": each, "project_id": "p"} for each in targets]
    has = rows(replica, "r")
    for step in rbac.steps(rows(home, "h"), has, "r"):
        if step["method"] == "DELETE":
            has = [row for row in has if row["id"] != step["path"].rsplit("/", 1)[-1]]
        else:
            assert step["body"]["rbac_policy"]["object_id"] == "r"
            has.append({"id": "new", **step["body"]["rbac_policy"]})
    assert {row["target_tenant"] for row in has} == home
    assert len(has) == len(home)


# Subnet pools

NETS = st.lists(st.integers(0, 255).flatmap(lambda third: st.integers(22, 26).map(
    lambda length: str(ip_network(f"10.0.{third}.0/{length}", strict=False)))), min_size=1, max_size=4)


def pool(id, name, listed, scope):
    """As Neutron shows it."""
    return {"id": id, "name": name, "prefixes": [str(net) for net in without(nets(listed), [])], "min_prefixlen": "8",
            "max_prefixlen": "32", "default_prefixlen": "24", "default_quota": None, "address_scope_id": scope}


@given(NETS, NETS, st.sampled_from("ab"), st.sampled_from([None, "s"]))
def test_a_pool_ends_like_its_home(wanted, has, name, scope):
    home, replica = pool("h", "a", wanted, "s"), pool("r", name, has, scope)
    for step in pools.steps(home, replica):
        assert step["path"].startswith("/v2.0/subnetpools/r")
        given_nets = nets(step["body"].get("prefixes", ()))
        if step["path"].endswith("/remove_prefixes"):
            replica["prefixes"] = [str(net) for net in without(nets(replica["prefixes"]), given_nets)]
        elif step["path"].endswith("/add_prefixes"):
            replica["prefixes"] = [str(net) for net in without([*nets(replica["prefixes"]), *given_nets], [])]
        else:
            replica |= step["body"]["subnetpool"]
    assert {**replica, "id": "h"} == home
    assert pools.steps(home, replica) == []


def test_numbers_and_texts_of_them_are_the_same():
    home = pool("h", "a", ["10.0.0.0/24"], None)
    assert pools.steps(home, {**home, "id": "r", "min_prefixlen": 8}) == []
