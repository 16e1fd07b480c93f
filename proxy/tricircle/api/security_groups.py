"""Security groups: one `default` for the user, replicas that follow their home."""
from tricircle.api import generic
from tricircle.api.forward import failure, present, send
from tricircle.api.gateway import Gateway
from tricircle.api.listing import default_groups_once, merged_list, pods_to_ask
from tricircle.api.message import Request, Response
from tricircle.api.owing import owing
from tricircle.errors import PodUnreachable
from tricircle.routing.catalogue import UUID, Path
from tricircle.routing.references import mentions
from tricircle.store import default_groups, pods, replicas


def security_groups(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """The list shows one `default` group for a project; a changed group is carried to its replicas."""
    if request.method in ("GET", "HEAD") and not path.member:
        return merged_list(gateway, request, path, pods_to_ask(gateway, request, path), default_groups_once)
    if request.method == "PUT" and UUID.match(path.member):
        return _owing(gateway, request, path, [path.member])
    if request.method == "DELETE" and UUID.match(path.member):
        return _delete_group(gateway, request, path)
    return None


def _delete_group(gateway: Gateway, request: Request, path: Path) -> Response:
    """Replicas first, with the user's own token: a group that a server in another pod uses is in use.

    When the home refuses in the end, the replicas come back with the next request that needs them.
    """
    shown = generic.plain(gateway, request.question(), path)
    if shown.status != 200:
        return shown   # whoever may not see it gets 404 from the replicas, too: that must not count as gone
    rows = {pod["pod_id"]: pod for pod in pods.bottom(gateway.db)}
    for pod_id in replicas.of_resource(gateway.db, path.member):
        try:
            answer = send(gateway, request, path, rows[pod_id], target=request.target)   # If-Match is for the home
        except PodUnreachable as error:
            raise failure(error) from error
        if answer.status not in (204, 404):
            return present(gateway, request, path, rows[pod_id], answer)
        replicas.drop(gateway.db, path.member, pod_id)
    response = generic.plain(gateway, request, path)
    if response.status == 204:
        default_groups.forget(gateway.db, path.member)
    return response


def security_group_rules(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """A changed rule is carried to the replicas of its group."""
    if request.method == "POST":
        found = mentions("network", request.body_json).resources
        changed = [resource_id for _, collection, resource_id in found if collection == "security-groups"]
    elif request.method == "DELETE" and UUID.match(path.member):
        changed = _group_of_rule(gateway, request, path)
    else:
        return None
    return _owing(gateway, request, path, changed)


def _group_of_rule(gateway: Gateway, request: Request, path: Path) -> list[str]:
    home = gateway.locator.find(request.caller, "network", path.collection.path, path.member)
    if not home:
        return []
    try:
        rule = (send(gateway, request.question(), path, home).json() or {}).get("security_group_rule", {})
    except PodUnreachable as error:
        raise failure(error) from error
    return [rule["security_group_id"]] if "security_group_id" in rule else []


def _owing(gateway: Gateway, request: Request, path: Path, group_ids: list[str]) -> Response:
    replicated = [group_id for group_id in group_ids if replicas.of_resource(gateway.db, group_id)]
    return owing(gateway, request, path, "security_group", replicated)


HANDLERS = {("network", "security-groups"): security_groups, ("network", "security-group-rules"): security_group_rules}
