"""Replicas of QoS policies and RBAC policies of replicas: they end like their home's."""
from hypothesis import given
from hypothesis import strategies as st

from tricircle.crosspod import policies, rbac

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
