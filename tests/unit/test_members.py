"""Members of a remote group in other pods: rules by address, for them and for nobody else."""
from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st

from tricircle import marks
from tricircle.crosspod.groups import MEANING, meaning
from tricircle.crosspod.members import Group, Seen, steps

PODS = ("Pod1", "Pod2", "Pod3")
NETS = {"Pod1": "10.0.1.0/24", "Pod2": "10.0.2.0/24", "Pod3": "10.0.3.0/24"}
HOMES = {"web": "Pod1", "db": "Pod2"}
SERVICE = "service"


def rule(rule_id, **fields):
    return {**dict.fromkeys(MEANING), "direction": "ingress", "ethertype": "IPv4", "id": rule_id, "description": "",
            "project_id": "tenant", **fields}


def local(group, pod):
    return group if HOMES[group] == pod else f"{group}-in-{pod}"


def apply(pod, seen, todo):
    """What the pod has after the steps; Neutron refuses two equal rules."""
    rules = {group: {row["id"]: row for row in found.rules} for group, found in seen[pod].groups.items()}
    for number, step in enumerate(todo):
        if step["method"] == "DELETE":
            gone = step["path"].rsplit("/", 1)[1]
            assert sum(found.pop(gone, None) is not None for found in rules.values()) == 1
            continue
        for place, body in enumerate(step["body"]["security_group_rules"]):
            fields = dict(body)
            local_id = fields.pop("security_group_id")
            group = next(each for each, found in seen[pod].groups.items() if found.local_id == local_id)
            made = rule(f"{pod}-new{number}-{place}-{group}", **fields, project_id=SERVICE)
            assert meaning(made) not in {meaning(row) for row in rules[group].values()}
            rules[group][made["id"]] = made
    return {**seen, pod: Seen({group: Group(found.local_id, list(rules[group].values()))
                               for group, found in seen[pod].groups.items()}, seen[pod].members, seen[pod].routed,
                               SERVICE)}


def extras(seen, pod, group):
    return {meaning(row) for row in seen[pod].groups[group].rules if marks.is_member(row, SERVICE)}


ADDRESSES = {pod: st.sets(st.sampled_from([f"10.0.{pod[-1]}.{n}/32" for n in (4, 5)] + ["192.168.0.1/32"]))
             for pod in PODS}
RULES = st.builds(dict, direction=st.sampled_from(["ingress", "egress"]), protocol=st.sampled_from([None, "tcp"]),
                  ethertype=st.sampled_from(["IPv4", "IPv6"]),
                  remote=st.sampled_from([("remote_group_id", "web"), ("remote_group_id", "db"),
                                          ("remote_ip_prefix", "10.0.2.4/32"), ("remote_ip_prefix", None)]))
OLD = st.builds(dict, direction=st.just("ingress"), protocol=st.sampled_from([None, "tcp", "udp"]),
                remote_ip_prefix=st.sampled_from(["10.0.2.4/32", "10.0.1.5/32", "10.9.9.9/32"]),
                description=st.sampled_from([marks.member(pod) for pod in PODS]),
                project_id=st.sampled_from([SERVICE, SERVICE, "tenant"]))   # a forged mark is on a rule of its owner's


def distinct(rows):
    return list({meaning(row): row for row in rows}.values())


def rules_of(drawn, prefix):
    return [rule(f"{prefix}{n}", **{key: value for key, value in each.items() if key != "remote"},
                 **dict([each["remote"]])) for n, each in enumerate(drawn)]


@st.composite
def worlds(draw):
    """Two groups of a project in some of three pods; the replicas have their home's rules, and old rules of ours."""
    rules = {group: rules_of(draw(st.lists(RULES, max_size=4)), group) for group in HOMES}
    seen = {}
    for pod in PODS:
        groups = {}
        for group, home in HOMES.items():
            if pod == home or draw(st.booleans()):
                own = [{**row, "id": f"{pod}-{row['id']}"} for row in rules[group]]
                old = [rule(f"{pod}-{group}-old{n}", **each) for n, each in enumerate(draw(st.lists(OLD, max_size=3)))]
                groups[group] = Group(local(group, pod), distinct(own + old))
        members = {group: draw(ADDRESSES[pod]) for group in groups}
        seen[pod] = Seen(groups, members, [NETS[other] for other in PODS if other != pod], SERVICE)
    return seen


@given(worlds())
def test_all_members_that_are_reached_and_nobody_else(seen):
    for pod in PODS:
        after = apply(pod, seen, steps(pod, seen, set()))
        for group, found in seen[pod].groups.items():
            home = seen[HOMES[group]].groups[group].rules
            taken = {meaning(row) for row in [*found.rules, *home] if not marks.is_member(row, SERVICE)}
            wanted = {meaning({**row, "remote_group_id": None, "remote_ip_prefix": address})
                      for row in home if row["remote_group_id"] and row["ethertype"] == "IPv4"
                      for other in PODS if other != pod
                      for address in seen[other].members.get(row["remote_group_id"], ())
                      if any(ip_network(address).subnet_of(ip_network(net)) for net in seen[pod].routed)}
            assert extras(after, pod, group) == wanted - taken
            own = [row for row in found.rules if not marks.is_member(row, SERVICE)]
            assert [row for row in after[pod].groups[group].rules if not marks.is_member(row, SERVICE)] == own
        assert steps(pod, after, set()) == []


@given(worlds(), st.sampled_from(PODS))
def test_a_pod_that_does_not_answer_keeps_its_members(whole, away):
    """What was let in from there stays; what no rule says any more goes; a home that is away says nothing."""
    settled = whole
    for pod in PODS:
        settled = apply(pod, settled, steps(pod, settled, set()))
    seen = {pod: found for pod, found in settled.items() if pod != away}
    for pod in seen:
        assert steps(pod, seen, {away}) == []
        bare = {name: Seen({group: Group(found.local_id, [row for row in found.rules if not row["remote_group_id"]])
                            for group, found in each.groups.items()}, each.members, each.routed, SERVICE)
                for name, each in seen.items()}
        after = apply(pod, bare, steps(pod, bare, {away}))
        for group in after[pod].groups:
            assert extras(after, pod, group) == (extras(seen, pod, group) if HOMES[group] == away else set())


def world(**routed):
    """`web` lets itself in; it has a member in Pod1 and one in Pod2."""
    named = {"remote_group_id": "web"}
    return {pod: Seen({"web": Group(local("web", pod), [rule(f"{pod}-r", **named)])}, {"web": {address}},
                      routed.get(pod, [NETS["Pod1" if pod == "Pod2" else "Pod2"]]), SERVICE)
            for pod, address in (("Pod1", "10.0.1.4/32"), ("Pod2", "10.0.2.4/32"))}


def test_a_rule_says_from_the_beginning_whose_it_is_and_all_come_at_once():
    (todo,) = steps("Pod1", world(), set())
    assert (todo["method"], todo["path"]) == ("POST", "/v2.0/security-group-rules")
    assert todo["body"] == {"security_group_rules": [
        {"direction": "ingress", "ethertype": "IPv4", "remote_ip_prefix": "10.0.2.4/32", "security_group_id": "web",
         "description": "tricircle:member:Pod2"}]}


def test_without_a_way_there_nobody_is_let_in():
    assert steps("Pod1", world(Pod1=[]), set()) == []
    assert steps("Pod2", world(Pod1=[]), set()) != []


def test_a_group_that_is_in_a_pod_without_the_group_that_it_names():
    """`web` names `db`, whose only port is in Pod2: the replica of `web` in Pod1 has no rule for it, but needs one."""
    seen = {"Pod1": Seen({"web": Group("web-in-Pod1", [])}, {}, [NETS["Pod2"]], SERVICE),
            "Pod2": Seen({"web": Group("web", [rule("r", remote_group_id="db")]), "db": Group("db", [])},
                         {"db": {"10.0.2.9/32"}}, [NETS["Pod1"]], SERVICE)}
    (todo,) = steps("Pod1", seen, set())
    assert [body["remote_ip_prefix"] for body in todo["body"]["security_group_rules"]] == ["10.0.2.9/32"]
    assert steps("Pod2", seen, set()) == []
