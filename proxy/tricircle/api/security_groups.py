"""Security groups: one `default` for the user, replicas that follow their home, members in other pods unseen."""
from typing import Any

from tricircle.api import generic, judged, unseen
from tricircle.api.asking import pods_to_ask
from tricircle.api.forward import failure, send
from tricircle.api.gateway import Gateway
from tricircle.api.listing import default_groups_once, merged_list
from tricircle.api.message import Request, Response
from tricircle.api.owing import owing
from tricircle.api.replicated import delete_replicas
from tricircle.errors import NotFound, PodUnreachable
from tricircle.routing.catalogue import UUID, Path
from tricircle.routing.fields import members
from tricircle.store import default_groups, replicas
from tricircle.upstream.client import member


def security_groups(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """The list shows one `default` group for a project; a changed group is carried to its replicas."""
    if request.method == "GET" and not path.member:
        return unseen.hide(gateway, merged_list(gateway, request, path, pods_to_ask(gateway, request, path),
                                                default_groups_once))
    if path.rest or not UUID.match(path.member):
        return None   # tags are the home's alone
    if request.method == "GET":
        return unseen.hide(gateway, generic.plain(gateway, request, path))
    if request.method == "PUT":
        return unseen.hide(gateway, _owing(gateway, request, path, {path.member}))
    if request.method == "DELETE":
        return _delete_group(gateway, request, path)
    return None


def _delete_group(gateway: Gateway, request: Request, path: Path) -> Response:
    response = delete_replicas(gateway, request, path)
    if response.status == 204:
        default_groups.forget(gateway.db, path.member)
    return response


def security_group_rules(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """A changed rule is carried to the replicas of its group; Tricircle's own rules are nobody's."""
    if request.method == "POST":
        return _create_rules(gateway, request, path)
    if not UUID.match(path.member):
        return None
    home = gateway.locator.find(request.caller, "network", path.collection.path, path.member)
    if not home:
        raise NotFound(f"Security group rule {path.member} does not exist", "SecurityGroupRuleNotFound")
    if request.method != "DELETE":
        return None
    return _owing(gateway, request, path, _group_of_rule(gateway, request, path, home))


def _create_rules(gateway: Gateway, request: Request, path: Path) -> Response:
    changed = _groups_named(request.body_json)
    response = _owing(gateway, request, path, changed)
    try:
        while unseen.gave_way(gateway, response, changed):
            response = _owing(gateway, request, path, changed)
    except PodUnreachable as error:
        raise failure(error) from error
    return response


def _groups_named(body: Any) -> set[str]:
    """Ids of the groups that get the rules of a body; a group that a rule lets in stays as it is."""
    return {member["security_group_id"] for member in members(body) if isinstance(member.get("security_group_id"), str)}


def _group_of_rule(gateway: Gateway, request: Request, path: Path, home: dict) -> set[str]:
    try:
        rule = member(send(gateway, request.question(), path, home), "security_group_rule")
    except PodUnreachable as error:
        raise failure(error) from error
    return {rule["security_group_id"]} if "security_group_id" in rule else set()


def _owing(gateway: Gateway, request: Request, path: Path, group_ids: set[str]) -> Response:
    owners = {}
    for group_id in sorted(group_ids):
        group = judged.changeable(gateway, request, "security-groups", group_id) \
            if replicas.of_resource(gateway.db, group_id) else None
        owners |= {group_id: group["project_id"]} if group else {}
    return owing(gateway, request, path, "security_group", owners)


HANDLERS = {("network", "security-groups"): security_groups, ("network", "security-group-rules"): security_group_rules}
