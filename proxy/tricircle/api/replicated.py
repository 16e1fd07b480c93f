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
from tricircle.upstream.deadline import Deadline
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
    if request.method == "GET" or not UUID.match(path.member):
        return None
    if request.method == "DELETE" and not path.rest:
        return delete_replicas(gateway, request, path)
    if not replicas.of_resource(gateway.db, path.member):
        return generic.plain(gateway, request, path)
    return _changed(gateway, request, path, path.collection.path, path.member)


def _changed(gateway: Gateway, request: Request, path: Path, collection: str, resource_id: str) -> Response:
    """Forward a change of something that has replicas, or of a part of it, and carry it to them.

    Args:
        gateway, request, path: as everywhere.
        collection: of what has the replicas.
        resource_id: its home id.
    """
    kind = followers.CARRIED[collection]
    try:
        thing = judged.changeable(gateway, request, collection, resource_id)
    except make.Refused:
        # The home refuses most of such requests, too, and in other words where the body is wrong. What it takes all the
        # same (by other rules for a part, or a moment later) is carried like any other change.
        response = generic.plain(gateway, request, path)
        thing = judged.seen(gateway, request, collection, resource_id) if response.status < 300 else None
        with announced(gateway.db, kind, _owner(resource_id, thing)):
            pass
    else:
        response = owing(gateway, request, path, kind, _owner(resource_id, thing))
    if thing and response.status < 300:
        _carry(gateway, resource_id)
    return response


def _owner(resource_id: str, thing: dict | None) -> dict[str, str]:
    return {resource_id: thing["project_id"]} if thing else {}


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
    if request.method == "GET" or not UUID.match(path.member):
        return None
    home = gateway.locator.find(request.caller, *path.named)
    policies = listed(gateway, request, home, "qos/policies", "fields=id&fields=rules") if home else ()
    policy = next((each["id"] for each in policies if any(rule.get("id") == path.member
                                                          for rule in each.get("rules") or ())), None)
    if not policy or not replicas.of_resource(gateway.db, policy):
        return None
    return _changed(gateway, request, path, "qos/policies", policy)


def rbac_policies(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """Whom a thing is shared with is carried to its replicas."""
    if request.method == "GET":
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
        refusal, withdrawn = _withdraw(gateway, request, path, object_id, kept) if kept else (None, False)
        response = refusal or generic.plain(gateway, request, path)
        if 400 <= response.status < 500 and not withdrawn:
            owed.refused()
    if response.status < 300 and not kept:
        _carry(gateway, object_id)
    return response


def _withdraw(gateway: Gateway, request: Request, path: Path, object_id: str,
              policy: dict) -> tuple[Response | None, bool]:
    """Stop sharing the replicas, in the user's name; the home comes afterwards.

    They are the first, since a pod where somebody uses one refuses, and knows only of its own. After a refusal the job
    shares those again that were already withdrawn; in a pod that is away it withdraws later.

    Args:
        gateway, request, path: as everywhere.
        object_id: home id of what is shared.
        policy: the home's.

    Returns:
        (a pod's refusal, or None; whether a pod has stopped sharing its replica, or may have).
    """
    rows, withdrawn = {pod["pod_id"]: pod for pod in pods.bottom(gateway.db)}, False
    spanned = [rows[pod_id] for pod_id in replicas.of_resource(gateway.db, object_id)]
    for pod in Deadline(gateway.upstream.conf.deadline).each(spanned):
        try:
            twin = rbac.like(policy, listed(gateway, request, pod, "rbac-policies", f"object_id={object_id}"))
        except PodUnreachable:
            continue
        try:
            answer = send(gateway, request, path, pod, target=f"/v2.0/rbac-policies/{twin['id']}") if twin else None
        except PodUnreachable as error:
            withdrawn = withdrawn or error.sent
            continue
        if answer and answer.status not in (204, 404):
            return present(gateway, request, path, pod, answer), withdrawn
        withdrawn = withdrawn or bool(answer and answer.ok)
    return None, withdrawn


HANDLERS = {**{("network", collection): followed for collection in followers.JOBS},
            **{("network", path): alias_rules for path in ALIAS_RULES}, ("network", "rbac-policies"): rbac_policies}
