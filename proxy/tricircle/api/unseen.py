"""Rules for members of security groups in other pods are Tricircle's own: nobody sees them or is hindered by them."""
import json
from collections.abc import Callable

from tricircle import marks, uuids
from tricircle.api import generic
from tricircle.api.forward import POD_HEADER, failure
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.crosspod.members import RULES
from tricircle.parts import parts
from tricircle.routing import rewrite
from tricircle.routing.catalogue import Path
from tricircle.store import bridges, pods, replicas, spans
from tricircle.upstream.client import member
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.neutron import listed, question
from tricircle.upstream.scatter import scatter

NOVAS = "os-security-groups"


def hide(gateway: Gateway, response: Response) -> Response:
    """Neutron's security groups without those rules."""
    if marks.MEMBER.encode() not in response.body:
        return response
    own = gateway.upstream.account.project_id()
    return _without(response, "security_group_rules", lambda rule: marks.is_member(rule, own))


def gave_way(gateway: Gateway, response: Response, group_ids: list[str]) -> bool:
    """Whether a user's rule was refused because of one of those, which is gone now.

    Args:
        gateway: parts.
        response: to the user's request.
        group_ids: the groups that the request is about; rules of others are not touched.

    Raises:
        PodUnreachable: the pod does not answer any more.
    """
    pod = dict(response.headers).get(POD_HEADER)
    meant = {*group_ids, *(local for each in group_ids for local in replicas.of_resource(gateway.db, each).values())}
    for rule_id in uuids.ids(response.body) if response.status == 409 and pod else ():
        shown = gateway.upstream.ask(pod, "network", "GET", f"{RULES}/{rule_id}")
        rule = member(shown, "security_group_rule") if shown.ok else {}
        if rule.get("security_group_id") in meant and marks.is_member(rule, gateway.upstream.account.project_id()):
            return gateway.upstream.ask(pod, "network", "DELETE", f"{RULES}/{rule_id}").status in (204, 404)
    return False


def novas_groups(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """Nova shows the rules without what marks them: Neutron is asked which ones they are."""
    if request.method != "GET" or NOVAS not in (path.collection.path, path.rest.strip("/")):
        return None
    response = generic.plain(gateway, request, path)
    project_id = request.caller.project_id
    if b'"cidr"' not in response.body or not bridges.of_project(gateway.db, project_id):
        return response
    spanned = spans.of_project(gateway.db, project_id)
    names = [name for name, pod in pods.by_name(gateway.db).items() if pod["pod_id"] in spanned]
    shown, deadline = uuids.ids(response.body), Deadline(gateway.upstream.conf.list_deadline)
    found, failed = scatter(names, lambda name: _members(gateway, name, shown, deadline))
    if failed:
        raise failure(next(iter(failed.values())))
    ours = set().union(*found.values())
    return _without(response, "rules", lambda rule: rule["id"] in ours)


def _members(gateway: Gateway, pod: str, ids: list[str], deadline: Deadline) -> set[str]:
    """Those of the ids that are such rules in a pod."""
    found, own = set(), gateway.upstream.account.project_id()
    for part in parts(ids):
        query = question({"id": part}, ("id", "description", "project_id"))
        rules = listed(gateway.upstream, pod, "security-group-rules", query, deadline)
        found |= {rule["id"] for rule in rules if marks.is_member(rule, own)}
    return found


def _without(response: Response, field: str, ours: Callable[[dict], bool]) -> Response:
    document = json.loads(response.body)
    for _, name, holder, value in rewrite.walk(document):
        if name == field and isinstance(value, list):
            holder[field] = [rule for rule in value if not ours(rule)]
    response.body = rewrite.dump(document)
    return response


HANDLERS = {("compute", "servers"): novas_groups, ("compute", NOVAS): novas_groups}
