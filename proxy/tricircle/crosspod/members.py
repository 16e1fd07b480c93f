"""A rule that names a remote group means its members in all pods.

A pod's Neutron knows the ports of its own only. Members in other pods, which are reached over a bridge under their own
addresses, get rules by address beside the one that names the group. They are marked, belong to Tricircle's project, and
no user sees them.

They are no address groups: to Neutron's iptables firewalls up to early 2024 a rule with one is a rule for everybody
(bug 2058138), and OVN has them since 2025.1.
"""
from dataclasses import dataclass
from ipaddress import ip_network

from tricircle import marks
from tricircle.crosspod import view
from tricircle.crosspod.alike import ask
from tricircle.crosspod.groups import MEANING, delete_rule, meaning
from tricircle.errors import PodUnreachable
from tricircle.store import Database, replicas
from tricircle.upstream import ownership
from tricircle.upstream.client import Upstream
from tricircle.upstream.neutron import listed, question

RULES = "/v2.0/security-group-rules"
FIELDS = {"security-groups": ("id", "description", "project_id", "security_group_rules"), "routers": ("id", "routes"),
          "ports": ("id", "security_groups", "fixed_ips", "allowed_address_pairs")}
CHANGING = ("status=BUILD", "task_state=deleting")


@dataclass(frozen=True)
class Group:
    """A security group in a pod; the groups that its rules name have home ids."""

    local_id: str
    rules: list[dict]


@dataclass(frozen=True)
class Seen:
    """What a pod has of a project.

    Args:
        groups: {home id: group}.
        members: {home id of a group: addresses of its ports}, as CIDRs.
        routed: CIDRs in other pods to which the project's routers lead.
        own: id of Tricircle's project.
    """

    groups: dict[str, Group]
    members: dict[str, set[str]]
    routed: list[str]
    own: str


def steps(pod: str, seen: dict[str, Seen], missing: set[str]) -> list[dict]:
    """What lets in members elsewhere, and nobody else any more, in one pod. Pure.

    Args:
        pod: its name.
        seen: of all pods that answered, by name.
        missing: pods that did not answer. What was let in from there stays while a rule still says so.

    Returns:
        Steps as `crosspod.steps.run` takes them.
    """
    todo, elsewhere = [], _elsewhere(pod, seen)
    for group_id, group in sorted(seen[pod].groups.items()):
        home = next((each.groups[group_id] for each in seen.values()
                     if group_id in each.groups and each.groups[group_id].local_id == group_id), None)
        if home:   # else its pod does not answer, and nobody can change it now
            todo += _group_steps(group, home.rules, elsewhere, missing, seen[pod].own)
    return todo


def _elsewhere(pod: str, seen: dict[str, Seen]) -> dict[str, dict[str, str]]:
    """{home id of a group: {address: its pod}} of the members that the pod can reach."""
    nets = [ip_network(cidr) for cidr in seen[pod].routed]
    found: dict[str, dict[str, str]] = {}
    for other in sorted(seen.keys() - {pod}):
        for group_id, addresses in seen[other].members.items():
            for address in sorted(addresses):
                if any(_within(address, net) for net in nets):
                    found.setdefault(group_id, {}).setdefault(address, other)
    return found


def _within(address: str, net) -> bool:
    single = ip_network(address)
    return single.version == net.version and single.subnet_of(net)


def _group_steps(group: Group, home: list[dict], elsewhere: dict[str, dict[str, str]],
                 missing: set[str], own: str) -> list[dict]:
    naming = [rule for rule in home if rule.get("remote_group_id")]
    taken = {meaning(rule) for rule in [*group.rules, *home] if not marks.is_member(rule, own)}
    wanted = {_by_address(rule, address): pod for rule in naming
              for address, pod in elsewhere.get(rule["remote_group_id"], {}).items()
              if rule["ethertype"] == f"IPv{ip_network(address).version}"}
    target = {each: pod for each, pod in wanted.items() if each not in taken}
    has = {meaning(rule): rule for rule in group.rules if marks.is_member(rule, own)}
    said = {_by_address(rule, None) for rule in naming}
    gone = [rule["id"] for each, rule in has.items() if each not in target and not (
        rule["description"].removeprefix(marks.MEMBER) in missing and _by_address(rule, None) in said)]
    new = {each: pod for each, pod in target.items() if each not in has}
    return [*map(delete_rule, sorted(gone)), *([_create(group.local_id, new)] if new else [])]


def _by_address(rule: dict, address: str | None) -> tuple:
    return meaning({**rule, "remote_group_id": None, "remote_ip_prefix": address})


def _create(local_id: str, new: dict[tuple, str]) -> dict:
    """All rules of a group in one call."""
    bodies = [{**{name: value for name, value in zip(MEANING, each, strict=True) if value is not None},
               "security_group_id": local_id, "description": marks.member(pod)} for each, pod in new.items()]
    words = ", ".join(dict.fromkeys(body["remote_ip_prefix"] for body in bodies))
    return {"name": f"let members in other pods into group {local_id}: {words}", "method": "POST", "path": RULES,
            "body": {"security_group_rules": bodies}}


def look(db: Database, upstream: Upstream, project_id: str, pod: dict, supernet: str) -> Seen:
    """What a pod has of a project.

    Args:
        pod: row.
        supernet: range of all bridge subnets.

    Raises:
        PodUnreachable: no proper answer.
    """
    found = {collection: listed(upstream, pod["pod_name"], collection,
                                question({"project_id": project_id}, fields))
             for collection, fields in FIELDS.items()}
    named = {each for group in found["security-groups"] for rule in group["security_group_rules"]
             for each in (group["id"], rule.get("remote_group_id")) if each}
    named |= {each for port in found["ports"] for each in (port["id"], *port["security_groups"])}
    homes = replicas.to_home(db, pod["pod_id"], sorted(named))
    homes |= ownership.by_mark(db, upstream, pod, "security-groups",
                               [group for group in found["security-groups"] if group["id"] not in homes])
    groups, members = {}, {}
    for group in found["security-groups"]:
        rules = [{**rule, "remote_group_id": homes.get(rule.get("remote_group_id"), rule.get("remote_group_id"))}
                 for rule in group["security_group_rules"]]
        groups[homes.get(group["id"], group["id"])] = Group(group["id"], rules)
    for port in found["ports"]:
        for each in port["security_groups"] if port["id"] not in homes else ():   # one that stands for another
            members.setdefault(homes.get(each, each), set()).update(_addresses(port))
    routed = [route["destination"] for router in found["routers"] for route in view.plumbing(router, supernet)]
    # The way out leads everywhere, and says of nothing that it is reached over the bridge.
    return Seen(groups, members, [cidr for cidr in routed if ip_network(cidr).prefixlen],
                upstream.account.project_id())


def _addresses(port: dict) -> list[str]:
    """As Neutron has it, allowed address pairs are members too."""
    given = [*port["fixed_ips"], *(port.get("allowed_address_pairs") or ())]
    return [str(ip_network(each["ip_address"], strict=False)) for each in given]


def changing(upstream: Upstream, project_id: str, pod: dict) -> bool:
    """Whether Nova is about to make or delete ports of the project. Raises PodUnreachable."""
    for which in CHANGING:
        answer = ask(upstream, pod["pod_name"], "GET",
                     f"/v2.1/servers?all_tenants=1&project_id={project_id}&limit=1&{which}")
        servers = (answer.json() or {}).get("servers") if answer.ok else None
        if servers is None:
            raise PodUnreachable(pod["pod_name"], "compute", f"answered {answer.status} to a list of servers")
        if servers:
            return True
    return False
