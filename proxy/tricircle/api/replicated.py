"""Things with replicas: these go with them, and follow their changes by a job."""
import json
import logging

from tricircle.api import generic, judged
from tricircle.api.forward import failure, present, send
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.api.owing import owing
from tricircle.api.pool_subnets import listed
from tricircle.crosspod import followers, rbac
from tricircle.errors import PodUnreachable, TricircleError
from tricircle.jobs.queue import announced
from tricircle.routing import replicas as make
from tricircle.routing.catalogue import UUID, Path
from tricircle.routing.collections import ALIAS_RULES
from tricircle.routing.references import mentions
from tricircle.store import pods, replicas, routings
from tricircle.upstream.scatter import scatter

LOG = logging.getLogger(__name__)


def delete_replicas(gateway: Gateway, request: Request, path: Path) -> Response:
    """Delete something that has replicas.

    Replicas first, with the user's own token: a group that a server in another pod uses is in use. When the home
    refuses in the end, the replicas come back with the next request that needs them. One that was half made when its
    request died is looked for: nobody would know of it any more.
    """
    unfinished = replicas.unfinished(gateway.db, path.member)
    if not unfinished and not replicas.of_resource(gateway.db, path.member):
        return generic.plain(gateway, request, path)
    original = judged.changeable(gateway, request, path.collection.path, path.member)
    if not original:
        return generic.plain(gateway, request, path)
    rows = {pod["pod_id"]: pod for pod in pods.bottom(gateway.db)}
    for pod_id in unfinished:
        try:
            make.finish(gateway.db, gateway.upstream, request.caller, path.collection.path, path.member,
                        original["project_id"], rows[pod_id])
        except PodUnreachable as error:
            raise failure(error) from error
    for pod_id in replicas.of_resource(gateway.db, path.member):
        try:
            answer = send(gateway, request, path, rows[pod_id], target=request.target)   # If-Match is for the home
        except PodUnreachable as error:
            raise failure(error) from error
        if answer.status not in (204, 404):
            return present(gateway, request, path, rows[pod_id], answer)
        replicas.drop(gateway.db, path.member, pod_id)
    return generic.plain(gateway, request, path)


def followed(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """A changed policy (or rule of it), subnet pool or address scope is carried to the replicas."""
    if request.method in ("GET", "HEAD") or not UUID.match(path.member):
        return None
    if request.method == "DELETE" and not path.rest:
        return delete_replicas(gateway, request, path)
    try:
        changed = judged.changeable(gateway, request, path.collection.path, path.member) \
            if replicas.of_resource(gateway.db, path.member) else None
    except make.Refused:   # the home says no to the request itself, too: with a 400 where the body is wrong
        return generic.plain(gateway, request, path)
    response = owing(gateway, request, path, followers.CARRIED[path.collection.path],
                     {path.member: changed["project_id"]} if changed else {})
    if changed and response.status < 300:
        _carry(gateway, path.member)
    return response


def _carry(gateway: Gateway, resource_id: str) -> None:
    """Bring the replicas up to date before the user is answered: his next request may need what he has just allowed.

    What fails here is left to the job, which is announced already.

    Args:
        gateway: parts.
        resource_id: home id.
    """
    home = routings.home(gateway.db, resource_id)
    rows = {pod["pod_name"]: pod for pod in pods.bottom(gateway.db)}
    spanned = replicas.of_resource(gateway.db, resource_id)
    there = next((pod for pod in rows.values() if home and pod["pod_id"] == home["pod_id"]), None)
    if not there:
        return

    def carried(name: str) -> None:
        try:
            followers.sync(gateway.db, gateway.upstream, resource_id, there, rows[name])
        except TricircleError as error:   # the home has accepted the change, which is not to be called failed
            LOG.info("the replica of %s in pod %s is left to the job: %s", resource_id, name, error)

    scatter([name for name, pod in rows.items() if pod["pod_id"] in spanned and pod is not there], carried)


def alias_rules(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """The same for a rule that is called without its policy (Neutron's extension `qos-rules-alias`)."""
    if request.method in ("GET", "HEAD") or not UUID.match(path.member):
        return None
    home = gateway.locator.find(request.caller, *path.named)
    policies = listed(gateway, request, home, "qos/policies", "fields=id&fields=rules") if home else ()
    policy = next((each["id"] for each in policies if any(rule.get("id") == path.member
                                                          for rule in each.get("rules") or ())), None)
    if not policy or not replicas.of_resource(gateway.db, policy):
        return None
    changed = judged.changeable(gateway, request, "qos/policies", policy)
    response = owing(gateway, request, path, "qos_policy", {policy: changed["project_id"]} if changed else {})
    if changed and response.status < 300:
        _carry(gateway, policy)
    return response


def rbac_policies(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """Whom a thing is shared with is carried to its replicas."""
    if request.method in ("GET", "HEAD"):
        return None
    document, kept = request.body_json, None
    if path.member:
        shown = generic.plain(gateway, request.question(), path)
        if shown.status != 200:
            return shown
        document = json.loads(shown.body)
        kept = document["rbac_policy"] if request.method == "DELETE" else None
    carried = (each for each in mentions("network", document).resources
               if each[1] in followers.CARRIED and replicas.of_resource(gateway.db, each[2]))
    _, collection, object_id = next(carried, ("", "", ""))
    # Who may share a thing need not be allowed to change it (QoS policies), and who may withdraw a policy need not be
    # allowed to make it ("*" is an administrator's to share with): to see it is all that can be asked before.
    shared = judged.seen(gateway, request, collection, object_id) if object_id else None
    if not shared:
        return None
    with announced(gateway.db, followers.CARRIED[collection], {object_id: shared["project_id"]}) as owed:
        gone = []
        response = (_withdraw(gateway, request, path, object_id, kept, gone) if kept else None) or \
            generic.plain(gateway, request, path)
        if 400 <= response.status < 500 and not gone:
            owed.refused()
    if response.status < 300 and not kept:
        _carry(gateway, object_id)
    return response


def _withdraw(gateway: Gateway, request: Request, path: Path, object_id: str, policy: dict,
              gone: list[str]) -> Response | None:
    """Stop sharing the replicas, in the user's name; the home comes afterwards.

    They are the first, since a pod where somebody uses one refuses, and knows only of its own. After a refusal the job
    shares those again that were already withdrawn; in a pod that is away it withdraws later.

    Args:
        gateway, request, path: as everywhere.
        object_id: home id of what is shared.
        policy: the home's.
        gone: gets the ids of the pods that have withdrawn theirs, or may have.

    Returns:
        A pod's refusal, or None.
    """
    rows = {pod["pod_id"]: pod for pod in pods.bottom(gateway.db)}
    for pod_id in replicas.of_resource(gateway.db, object_id):
        try:
            twin = rbac.like(policy, listed(gateway, request, rows[pod_id], "rbac-policies", f"object_id={object_id}"))
            answer = send(gateway, request, path, rows[pod_id], target=f"/v2.0/rbac-policies/{twin['id']}") \
                if twin else None
        except PodUnreachable as error:
            gone += [pod_id] if error.sent else []
            continue
        if answer and answer.status not in (204, 404):
            return present(gateway, request, path, rows[pod_id], answer)
        gone += [pod_id] if answer and answer.ok else []
    return None


HANDLERS = {**{("network", collection): followed for collection in followers.JOBS},
            **{("network", path): alias_rules for path in ALIAS_RULES}, ("network", "rbac-policies"): rbac_policies}
