"""Make what a request refers to exist in the pod that gets it, once."""
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from tricircle import marks
from tricircle.errors import ApiError, BadGateway, NotFound, PodUnreachable, Unavailable
from tricircle.routing import rewrite
from tricircle.routing.caller import Caller
from tricircle.routing.catalogue import COMPUTE, NETWORK, Service
from tricircle.store import Database
from tricircle.store import replicas as rows
from tricircle.upstream import ownership
from tricircle.upstream.client import Answer, Upstream, document, member
from tricircle.upstream.deadline import Deadline

CLAIM_SECONDS = 30.0
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Recipe:
    """How a replica is made.

    Args:
        service: where.
        member: key of the body.
        fields: what it takes over from its home, where that has it.
        by_user: whoever makes it owns it (Nova's server groups): it is made with the caller's token.
        more: gives what else is in its body, of the original.
    """

    service: Service
    member: str
    fields: tuple[str, ...]
    by_user: bool = False
    more: Callable[[dict], dict] = lambda _: {}


def inside(port: dict) -> list[dict]:
    """A port's IPv4 addresses, as in its `fixed_ips`: those that a floating IP can stand for."""
    return [address for address in port["fixed_ips"] if "." in address["ip_address"]]


RECIPES = {
    "routers": Recipe(NETWORK, "router", ("name", "admin_state_up")),
    "security-groups": Recipe(NETWORK, "security_group", ("name", "stateful")),
    "qos/policies": Recipe(NETWORK, "policy", ("name",)),
    "subnetpools": Recipe(NETWORK, "subnetpool", ("name", "prefixes", "min_prefixlen", "max_prefixlen",
                                                  "default_prefixlen", "default_quota")),
    "address-scopes": Recipe(NETWORK, "address_scope", ("ip_version",)),
    "networks": Recipe(NETWORK, "network", ("name",)),
    "subnets": Recipe(NETWORK, "subnet", ("name", "network_id", "ip_version", "cidr"),
                      more=lambda subnet: {"gateway_ip": subnet["gateway_ip"], "enable_dhcp": False}),
    "ports": Recipe(NETWORK, "port", ("name", "network_id"),
                    more=lambda port: {"fixed_ips": inside(port), "security_groups": []}),
    "os-server-groups": Recipe(COMPUTE, "server_group", ("policy", "rules"), by_user=True),
}
# Server groups have one policy, and rules for it, since 2.64; every pod since Stein speaks it.
MICROVERSION = {"OpenStack-API-Version": "compute 2.64", "Content-Type": "application/json"}


class Refused(ApiError):
    """A pod's own error, to be shown as it is: in home ids."""

    def __init__(self, answer: Answer):
        super().__init__(f"pod {answer.pod} answered {answer.status}")
        self.answer, self.status = answer, answer.status


def ensure(db: Database, upstream: Upstream, caller: Caller, collection: str, resource_id: str, home: dict,
           pod: dict) -> bool:
    """See to it that a pod has a replica of a resource of which there are `RECIPES`.

    The home's copy is read with the caller's token: what he may not see is not there for him. The replica is made
    with Tricircle's account, in the same project, with its mark in it from the first moment on.

    Args:
        db, upstream: as everywhere.
        caller: whose request needs it.
        collection: one of `RECIPES`.
        resource_id: home id.
        home: row of the home pod.
        pod: row of the pod that needs the replica.

    Returns:
        Whether it was made now, by this call.

    Raises:
        Refused: the home does not show it to the caller, or the pod refused the replica.
        NotFound: it would be the caller's own, and the original is not his project's.
        PodUnreachable: home or pod did not answer; a half-made replica is found by its mark next time.
        Unavailable: another request has been making it for too long.
    """
    if rows.to_local(db, pod["pod_id"], [resource_id]):
        return False
    row = _claim(db, caller, collection, resource_id, pod)
    if row["mine"]:
        _make(db, upstream, caller, row, home, pod)
    return row["mine"]


def _claim(db: Database, caller: Caller, collection: str, resource_id: str, pod: dict) -> dict:
    """The row of a replica that is there, or that is the caller's to make. Raises Unavailable."""
    deadline = Deadline(CLAIM_SECONDS)
    while not deadline.passed():
        row = rows.claim(db, resource_id, pod["pod_id"], collection, caller.project_id, CLAIM_SECONDS)
        if row["mine"] or row["local_id"]:
            return row
        time.sleep(POLL_SECONDS)
    raise Unavailable(f"{collection} {resource_id} is still being made in pod {pod['pod_name']}: try again")


def finish(db: Database, upstream: Upstream, caller: Caller, collection: str, resource_id: str, project_id: str,
           pod: dict) -> None:
    """Learn what became of a replica whose request may have died: afterwards it is known, or there is none.

    Args:
        collection: one of `RECIPES`.
        resource_id: home id.
        project_id: owner of the original.
        pod: row of a pod where a replica is not finished.

    Raises:
        PodUnreachable, Unavailable: as `ensure`.
    """
    row = _claim(db, caller, collection, resource_id, pod)
    if not row["mine"]:
        return
    claimed = db, resource_id, pod["pod_id"], row["fence"]
    try:
        local = _adopt(db, upstream, caller, pod, collection, resource_id, project_id)
    except PodUnreachable:
        rows.step_back(*claimed)
        raise
    if local:
        rows.settle(*claimed[:3], local, row["fence"], project_id)
    else:
        rows.abandon(*claimed)


def _make(db: Database, upstream: Upstream, caller: Caller, row: dict, home: dict, pod: dict) -> None:
    resource_id, collection = row["resource_id"], row["kind"]
    recipe = RECIPES[collection]
    claimed = db, resource_id, pod["pod_id"], row["fence"]
    try:
        path = rewrite.down(db, home["pod_id"], f"/{collection}/{resource_id}".encode()).decode()
        seen = _as_caller(upstream, caller, recipe, home, "GET", path)
        original = (_at_home(db, home, seen) or {}).get(recipe.member) if seen.ok else None
        local = _adopt(db, upstream, caller, pod, collection, resource_id, original["project_id"]) \
            if original else None
    except (PodUnreachable, Unavailable):   # or the next request would wait for a claim that nobody works at
        rows.step_back(*claimed)
        raise
    if not original:
        rows.step_back(*claimed)
        raise _refused(db, home, seen)
    if recipe.by_user and original["project_id"] != caller.project_id:
        rows.step_back(*claimed)
        raise NotFound(f"{collection} {resource_id} belongs to another project, which alone can have a replica made")
    if local is None:
        made = _post(db, upstream, caller, pod, collection, resource_id, original)
        if not made.ok:
            rows.abandon(*claimed)
            raise _refused(db, pod, made)
        local = member(made, recipe.member).get("id")
        if not local:
            raise BadGateway(f"pod {pod['pod_name']} made a replica of {resource_id} but did not say under which id")
    rows.settle(db, resource_id, pod["pod_id"], local, row["fence"], original["project_id"])


def _refused(db: Database, pod: dict, answer: Answer) -> Refused:
    """Make an error of a pod's answer, which may name other replicas: the subnet in which an address is taken."""
    return Refused(replace(answer, body=rewrite.up(db, pod["pod_id"], answer.body)))


def _at_home(db: Database, home: dict, seen: Answer) -> dict | None:
    """The answer in home ids: what has moved is called otherwise in its pod."""
    try:
        return json.loads(rewrite.up(db, home["pod_id"], seen.body))
    except ValueError:
        return None


def _post(db: Database, upstream: Upstream, caller: Caller, pod: dict, collection: str, resource_id: str,
          original: dict) -> Answer:
    recipe = RECIPES[collection]
    # A pool without a quota shows null for it, which Neutron does not take: "'None' is not an integer".
    body = {name: original[name] for name in recipe.fields if original.get(name) not in ({}, None)}
    body = json.loads(rewrite.down(db, pod["pod_id"], rewrite.dump(body | recipe.more(original))))
    body[marks.field(collection)] = marks.replica(resource_id)
    if recipe.by_user:
        return _as_caller(upstream, caller, recipe, pod, "POST", f"/{collection}", {recipe.member: body})
    body["project_id"] = original["project_id"]
    return upstream.ask(pod["pod_name"], "network", "POST", f"/v2.0/{collection}", {recipe.member: body})


def _as_caller(upstream: Upstream, caller: Caller, recipe: Recipe, pod: dict, method: str, path: str,
               body: dict | None = None) -> Answer:
    """A call with his token, but in our own words: his microversion is that of his request."""
    headers = caller.headers
    if recipe.service is COMPUTE:
        headers = {name: value for name, value in headers.items() if "api-version" not in name.lower()
                   and name.lower() != "content-type"} | MICROVERSION
    return upstream.call(pod["pod_name"], recipe.service.name, method, caller.prefix(recipe.service) + path,
                         headers=headers, body=json.dumps(body).encode() if body else None)


def _adopt(db: Database, upstream: Upstream, caller: Caller, pod: dict, collection: str, resource_id: str,
           project_id: str) -> str | None:
    """The replica that an earlier, interrupted request has left. Raises PodUnreachable."""
    recipe = RECIPES[collection]
    if not recipe.by_user:
        return ownership.search(db, upstream, pod, collection, resource_id, project_id)
    answer = _as_caller(upstream, caller, recipe, pod, "GET", f"/{collection}")
    listed = document(answer).get(ownership.LISTED[collection]) if answer.ok else None
    if listed is None:
        raise PodUnreachable(answer.pod, recipe.service.name, f"answered {answer.status} to a search for replicas")
    return ownership.pick(db, pod, collection, resource_id, project_id, listed)


def take_back(db: Database, upstream: Upstream, collection: str, resource_id: str, pod: dict) -> None:
    """Remove a replica that was made for a request which the pod then refused.

    Neutron keeps it when another request has come to use it meanwhile. Raises PodUnreachable.
    """
    local = rows.to_local(db, pod["pod_id"], [resource_id]).get(resource_id)
    if local is None:
        return
    if upstream.ask(pod["pod_name"], "network", "DELETE", f"/v2.0/{collection}/{local}").status in (204, 404):
        rows.drop(db, resource_id, pod["pod_id"])
