"""Security groups: the replicas' rules follow the home's."""
from dataclasses import dataclass

from tricircle import marks
from tricircle.crosspod.pairing import Pair
from tricircle.crosspod.steps import Failure, run
from tricircle.errors import ApiError, BadGateway, Conflict, NotFound
from tricircle.store import Database, replicas, routings
from tricircle.upstream.client import Upstream

# What a rule means; two rules of a group that agree in all of it are the same to Neutron, which refuses the second.
MEANING = ("direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix",
           "remote_group_id")
# Refers to something that has no replicas. Without the rule nothing gets in, which is the safe side.
UNTRANSLATABLE = "remote_address_group_id"


@dataclass(frozen=True)
class Rules:
    """Rules of a home group and of one replica, and what the replica's pod calls the groups that they name.

    Args:
        home: as Neutron shows them.
        replica: likewise.
        local_group: id of the replica.
        local_ids: {home id: local id} of the groups named in `home`, where there is a replica.
        own: id of Tricircle's project.
        rename: the home's name, where the replica has another one: Nova looks groups up by name.
    """

    home: list[dict]
    replica: list[dict]
    local_group: str
    local_ids: dict[str, str]
    own: str
    rename: str | None = None


def steps(rules: Rules) -> list[dict]:
    """What makes the replica's rules those of the home. Pure.

    Rules are compared by meaning: those that Neutron put into the replica by itself are taken over when the home has
    the like, and go when it has not. What is forbidden goes first.

    Returns:
        Steps as `crosspod.steps.run` takes them.
    """
    target = {}
    for rule in rules.home:
        wanted = None if marks.is_member(rule, rules.own) else _translated(rule, rules.local_ids)
        if wanted:
            target.setdefault(wanted, rule["id"])
    has = {meaning(rule): rule["id"] for rule in rules.replica}
    # A rule for a member elsewhere (see `members`) goes when the group has one like it itself: Neutron takes no second.
    gone = [rule["id"] for rule in rules.replica
            if marks.is_member(rule, rules.own) == (meaning(rule) in target) or rule.get(UNTRANSLATABLE)]
    return [*([_rename(rules.local_group, rules.rename)] if rules.rename else []),
            *(delete_rule(rule_id) for rule_id in sorted(gone)),
            *(_create(wanted, home_id, rules.local_group) for wanted, home_id in target.items()
              if has.get(wanted) is None or has[wanted] in gone)]


def plan(db: Database, upstream: Upstream, pair: Pair) -> list[dict]:
    """What the replica of a pair lacks. Raises Unavailable: Keystone does not tell which rules are Tricircle's own."""
    return steps(observe(db, pair, upstream.account.project_id()))


def observe(db: Database, pair: Pair, own: str) -> Rules:
    """Both sides in the replica's terms.

    Args:
        pair: a sound one.
        own: id of Tricircle's project.
    """
    mine, replica, home_id, pod_id = pair.original, pair.replica, pair.home["pod_id"], pair.pod["pod_id"]
    named = sorted({rule["remote_group_id"] for rule in mine["security_group_rules"] if rule.get("remote_group_id")})
    # The home's pod, too, may have a mere replica of a group that a rule names.
    homes = replicas.to_home(db, home_id, named)
    wanted = [{**rule, "remote_group_id": homes.get(rule.get("remote_group_id"), rule.get("remote_group_id"))}
              for rule in mine["security_group_rules"]]
    named = sorted({homes.get(each, each) for each in named})
    ids = {named_id: named_id for named_id, row in routings.homes(db, named).items() if row["pod_id"] == pod_id}
    return Rules(wanted, replica["security_group_rules"], pair.local_id, ids | replicas.to_local(db, pod_id, named),
                 own, mine["name"] if mine["name"] != replica["name"] else None)


def apply_here(upstream: Upstream, pod: str, todo: list[dict]) -> None:
    """Carry out steps from this process.

    Raises:
        PodUnreachable: the pod gave no answer; what was not done is found by planning again.
        ApiError: the pod refused a step.
    """
    def send(method: str, path: str, body):
        answer = upstream.ask(pod, "network", method, path, body)
        return answer.status, answer.json()

    _, failure = run(todo, send)
    if failure:
        raise _as_error(pod, failure)


def _as_error(pod: str, failure: Failure) -> ApiError:
    known = {404: NotFound, 409: Conflict}.get(failure.status, BadGateway)
    return known(f"pod {pod}: {failure}", failure.kind or None)


def meaning(rule: dict) -> tuple:
    """What a rule means, without its ids."""
    return tuple(rule.get(name) for name in MEANING)


def _translated(rule: dict, local_ids: dict[str, str]) -> tuple | None:
    remote = rule.get("remote_group_id")
    if rule.get(UNTRANSLATABLE) or (remote and remote not in local_ids):
        return None
    return meaning({**rule, "remote_group_id": local_ids.get(remote)})


def _create(wanted: tuple, home_id: str, local_group: str) -> dict:
    given = {name: value for name, value in zip(MEANING, wanted, strict=True) if value is not None}
    body = {**given, "security_group_id": local_group, "description": marks.replica(home_id)}
    words = " ".join(str(value) for value in given.values())
    # 409: an equal rule came in between.
    return {"name": f"create rule {words}", "method": "POST", "path": "/v2.0/security-group-rules",
            "body": {"security_group_rule": body}, "done_on": [409]}


def _rename(group_id: str, name: str) -> dict:
    return {"name": f"rename the group to {name}", "method": "PUT", "path": f"/v2.0/security-groups/{group_id}",
            "body": {"security_group": {"name": name}}, "done_on": [404]}


def delete_rule(rule_id: str) -> dict:
    """A step."""
    return {"name": f"delete rule {rule_id}", "method": "DELETE", "path": f"/v2.0/security-group-rules/{rule_id}",
            "done_on": [404]}
