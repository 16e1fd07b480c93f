"""Make what a request refers to exist in the pod that gets it, once."""
import time
from collections.abc import Callable

from tricircle import marks
from tricircle.errors import ApiError, BadGateway, PodUnreachable, Unavailable
from tricircle.routing.caller import Caller
from tricircle.routing.catalogue import NETWORK
from tricircle.store import Database
from tricircle.store import replicas as rows
from tricircle.upstream.client import Answer, Upstream
from tricircle.upstream.deadline import Deadline

CLAIM_SECONDS = 30.0
POLL_SECONDS = 0.05
# What a replica takes over from its home: {collection: (member key, fields)}.
RECIPES = {
    "routers": ("router", ("name", "admin_state_up")),
    "security-groups": ("security_group", ("name", "stateful")),
}


class Refused(ApiError):
    """A pod's own error, to be shown as it is."""

    def __init__(self, answer: Answer):
        super().__init__(f"pod {answer.pod} answered {answer.status}")
        self.answer, self.status = answer, answer.status


def ensure(db: Database, upstream: Upstream, caller: Caller, collection: str, resource_id: str, home: dict,
           pod: dict) -> bool:
    """See to it that a pod has a replica of a router or security group.

    The home's copy is read with the caller's token: what he may not see is not there for him. The replica is made
    with Tricircle's account, in the same project, with its mark in the description from the first moment on.

    Args:
        db, upstream: as everywhere.
        caller: whose request needs it.
        collection: `routers` or `security-groups`.
        resource_id: home id.
        home: row of the home pod.
        pod: row of the pod that needs the replica.

    Returns:
        Whether it was made now, by this call.

    Raises:
        Refused: the home does not show it to the caller, or the pod refused the replica.
        PodUnreachable: home or pod did not answer; a half-made replica is found by its mark next time.
        Unavailable: another request has been making it for too long.
    """
    deadline = Deadline(CLAIM_SECONDS)
    while not deadline.passed():
        if rows.to_local(db, pod["pod_id"], [resource_id]):
            return False
        row = rows.claim(db, resource_id, pod["pod_id"], collection, caller.project_id, CLAIM_SECONDS)
        if row["mine"]:
            _make(db, upstream, caller, row, home, pod)
            return True
        time.sleep(POLL_SECONDS)
    raise Unavailable(f"{collection} {resource_id} is still being made in pod {pod['pod_name']}: try again")


def _make(db: Database, upstream: Upstream, caller: Caller, row: dict, home: dict, pod: dict) -> None:
    resource_id, collection = row["resource_id"], row["kind"]
    member, fields = RECIPES[collection]
    give_up: Callable[[], None] = lambda: rows.abandon(db, resource_id, pod["pod_id"], row["fence"])  # noqa: E731
    try:
        seen = upstream.call(home["pod_name"], "network", "GET", f"{caller.prefix(NETWORK)}/{collection}/{resource_id}",
                             headers=caller.headers)
    except PodUnreachable:
        give_up()
        raise
    original = (seen.json() or {}).get(member) if seen.ok else None
    if not original:
        give_up()
        raise Refused(seen)
    local = _adopt(upstream, pod, collection, resource_id, original["project_id"])
    if local is None:
        body = {name: original[name] for name in fields if name in original}
        body |= {"project_id": original["project_id"], "description": marks.replica(resource_id)}
        made = upstream.ask(pod["pod_name"], "network", "POST", f"/v2.0/{collection}", {member: body})
        if not made.ok:
            give_up()
            raise Refused(made)
        local = (made.json() or {}).get(member, {}).get("id")
        if not local:
            raise BadGateway(f"pod {pod['pod_name']} made a replica of {resource_id} but did not say under which id")
    rows.settle(db, resource_id, pod["pod_id"], local, row["fence"])


def _adopt(upstream: Upstream, pod: dict, collection: str, resource_id: str, project_id: str) -> str | None:
    """The replica that an earlier, interrupted request has left.

    Of the same project only: a stranger could write the mark on a router of his own to have it taken for the replica.
    """
    query = f"description={marks.replica(resource_id)}&project_id={project_id}&fields=id"
    answer = upstream.ask(pod["pod_name"], "network", "GET", f"/v2.0/{collection}?{query}")
    found = (answer.json() or {}).get(collection.replace("-", "_")) if answer.ok else None
    return found[0]["id"] if found else None


def take_back(db: Database, upstream: Upstream, collection: str, resource_id: str, pod: dict) -> None:
    """Remove a replica that was made for a request which the pod then refused.

    Neutron keeps it when another request has come to use it meanwhile. Raises PodUnreachable.
    """
    local = rows.to_local(db, pod["pod_id"], [resource_id]).get(resource_id)
    if local is None:
        return
    if upstream.ask(pod["pod_name"], "network", "DELETE", f"/v2.0/{collection}/{local}").status in (204, 404):
        rows.drop(db, resource_id, pod["pod_id"])
