"""Make what a request refers to exist in the pod that gets it: routers, groups, policies, pools, flavors, keypairs."""
from dataclasses import replace

from tricircle.api import alike, group_names, moving, shadows
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request
from tricircle.crosspod import followers, groups, pairing
from tricircle.errors import ApiError, NotFound, PodUnreachable
from tricircle.jobs.queue import announced
from tricircle.routing import default_group, replicas
from tricircle.routing.catalogue import Path
from tricircle.routing.placement import Placed, apart, closed
from tricircle.routing.references import Mentions
from tricircle.store import default_groups, jobs, pods
from tricircle.store import replicas as rows
from tricircle.upstream import ownership
from tricircle.upstream.deadline import Deadline

ROUNDS = 2   # a row of a replica that is gone is found out in the first one


def satisfy(gateway: Gateway, request: Request, path: Path, found: Mentions, placed: Placed) -> list[tuple[str, str]]:
    """See to all of it; nothing is done for what exists already.

    Args:
        gateway: parts.
        request: whose caller reads the originals.
        path: parsed.
        found: what the body mentions.
        placed: the pod, and the resources that must get a replica there.

    Returns:
        (collection, home id) of what got a replica now and shall not stay if the pod refuses the request.

    Raises:
        PodUnreachable: a pod that is needed for it does not answer.
        Refused: a pod said no.
    """
    pod, made, deadline = placed.pod, [], Deadline(gateway.conf.pods.deadline)
    for network_id, home in deadline.each(placed.moves):
        _move_network(gateway, request, path, network_id, home, pod)
    for _, collection, resource_id, home in deadline.each(placed.needed):
        if collection == "ports":
            shadows.ensure(gateway, request, path, resource_id, home, pod)
        elif collection == "subnetpools":
            made += _replicate_pool(gateway, request, resource_id, home, pod)
        elif collection in followers.CARRIED:
            made += bring(gateway, request, collection, resource_id, home, pod)
        else:
            _replicate(gateway, request, collection, resource_id, home, pod)
    alike.satisfy(gateway, request, found, pod, deadline)
    made += _bring_groups(gateway, request, found.groups, pod, deadline)
    if "default" in found.groups or (not found.groups and _takes_default_group(request, path)):
        _ensure_default(gateway, request, pod)
    _follow_new_groups(gateway, request, made, pod)
    return made


def _move_network(gateway: Gateway, request: Request, path: Path, network_id: str, home: dict, pod: dict) -> None:
    def cannot(reason: str) -> ApiError:
        why = "" if pods.is_enabled(home) else f"; {closed(home)}"
        return apart(path, f"{reason}: it is in pod {home['pod_name']}, "
                           f"the server's place is pod {pod['pod_name']}{why}")

    def bring_pool(pool_id: str) -> None:
        owner = gateway.locator.find(request.caller, "network", "subnetpools", pool_id)
        if owner and owner["pod_id"] != pod["pod_id"]:
            _replicate_pool(gateway, request, pool_id, owner, pod)

    with announced(gateway.db, "network", [network_id], request.caller.project_id):
        moving.move(moving.Move(gateway.db, gateway.upstream, request.caller, network_id, home, pod, cannot,
                                bring_pool))


def _replicate(gateway: Gateway, request: Request, collection: str, resource_id: str, home: dict, pod: dict) -> None:
    """A replica; of what the home does not show to the caller there is none, and the pod says so in its own words."""
    try:
        replicas.ensure(gateway.db, gateway.upstream, request.caller, collection, resource_id, home, pod)
    except (NotFound, replicas.Refused) as refused:
        if refused.status != 404:
            raise


def bring(gateway: Gateway, request: Request, collection: str, resource_id: str, home: dict,
          pod: dict) -> list[tuple[str, str]]:
    """A replica like its home. What the store took for one, and is gone or another project's, is made anew.

    Returns:
        As `satisfy`, when it was made now.

    Raises:
        NotFound: the original is gone.
        PodUnreachable, Refused: as `satisfy`.
    """
    db, made = gateway.db, False
    for _ in range(ROUNDS):
        made = replicas.ensure(db, gateway.upstream, request.caller, collection, resource_id, home, pod) or made
        try:
            pair = followers.sync(db, gateway.upstream, resource_id, home, pod)
        except PodUnreachable as error:
            _follow_later(gateway, request, followers.CARRIED[collection], resource_id, pod, error, made)
            break
        except NotFound:   # a group that a rule names is gone from the pod
            named = rows.of_project(db, request.caller.project_id, pod["pod_id"], collection)
            if not pairing.forget_gone(db, gateway.upstream, pod, named):
                raise
            continue
        if pair and not pair.original:
            raise NotFound(f"{collection} {resource_id} does not exist")
        if pair and pair.is_sound:
            break
    return [(collection, resource_id)] if made else []


def _replicate_pool(gateway: Gateway, request: Request, pool_id: str, home: dict, pod: dict) -> list[tuple[str, str]]:
    """A pool after its address scope, which the caller need not see."""
    try:
        shown = gateway.upstream.call(home["pod_name"], "network", "GET", f"/v2.0/subnetpools/{pool_id}",
                                      headers=request.caller.headers)
    except PodUnreachable as error:
        if not rows.to_local(gateway.db, pod["pod_id"], [pool_id]):
            raise
        _follow_later(gateway, request, "subnetpool", pool_id, pod, error)
        return []
    scope = (shown.json() or {}).get("subnetpool", {}).get("address_scope_id") if shown.ok else None
    ours = replace(request, caller=replace(request.caller, headers={"X-Auth-Token": gateway.upstream.account.token()}))
    made = bring(gateway, ours, "address-scopes", scope, home, pod) if scope else []
    return bring(gateway, request, "subnetpools", pool_id, home, pod) + made


def _bring_groups(gateway: Gateway, request: Request, names: list[str], pod: dict,
                  deadline: Deadline) -> list[tuple[str, str]]:
    """Replicas of the groups that Nova's body calls by name or id; as `satisfy` returns them."""
    homes, made = group_names.homes(gateway, request, [name for name in names if name != "default"], pod), []
    for home_id, home in deadline.each(dict(homes.values()).items()):
        if home["pod_id"] != pod["pod_id"]:
            made += bring(gateway, request, "security-groups", home_id, home, pod)
    return made


def _follow_new_groups(gateway: Gateway, request: Request, made: list[tuple[str, str]], pod: dict) -> None:
    """Rules of other groups that name a new one as remote could not be carried over while it was not there."""
    new = [resource_id for collection, resource_id in made if collection == "security-groups"]
    project_id = request.caller.project_id
    for other in rows.of_project(gateway.db, project_id, pod["pod_id"], "security-groups") if new else ():
        if other != new[-1]:   # which came after all others
            jobs.enqueue(gateway.db, "security_group", other, project_id)


def forget_gone(gateway: Gateway, placed: Placed) -> bool:
    """Drop the rows of replicas that a pod has refused a request for, since it does not have them any more.

    Returns:
        Whether there were any: then the request may be tried again. Not when the pod cannot be asked.
    """
    db, upstream, pod = gateway.db, gateway.upstream, placed.pod
    named = [resource_id for service, _, resource_id, _ in placed.needed if service == "network"]
    groups_of_servers = [row for _, collection, each, _ in placed.needed if collection == "os-server-groups"
                         and (row := rows.in_one_pod(db, each, pod["pod_id"]))]
    try:
        gone = [row for row in groups_of_servers
                if not ownership.server_group(upstream, pod["pod_name"], row["local_id"])]
        for row in gone:
            rows.forget(db, row)
        return pairing.forget_gone(db, upstream, pod, named) or bool(gone)
    except PodUnreachable:
        return False


def _follow_later(gateway: Gateway, request: Request, kind: str, resource_id: str, pod: dict, error: PodUnreachable,
                  made: bool = False) -> None:
    """A replica serves as it is while its home does not answer: nobody can change the home then.

    What it lacks is owed to it, whoever asks for it next: a new one may be half made.

    Raises:
        PodUnreachable: it is the pod itself that does not answer, or the replica is new and has no rules yet.
    """
    jobs.enqueue(gateway.db, kind, resource_id, request.caller.project_id)
    if made or error.pod == pod["pod_name"]:
        raise error


def _takes_default_group(request: Request, path: Path) -> bool:
    """Whether Nova or Neutron will put the project's default group on what is made."""
    if request.method != "POST" or path.member:
        return False
    body = request.body_json or {}
    if path.collection.path == "servers":
        return isinstance(body.get("server"), dict)
    if path.collection.path == "ports":
        bulk = body.get("ports")
        ports = bulk if isinstance(bulk, list) else [body.get("port")]
        return any(isinstance(port, dict) and "security_groups" not in port for port in ports)
    return False


def _ensure_default(gateway: Gateway, request: Request, pod: dict) -> None:
    """The pod's `default` group has the rules of the user's; a choice of a group that is gone does not hold."""
    db = gateway.db
    for _ in range(ROUNDS):
        group_id, replica = default_group.ensure(db, gateway.upstream, request.caller, pod)
        if not replica:
            return
        home = pods.show(db, default_groups.home(db, request.caller.project_id)["pod_id"])
        try:
            pair = followers.sync(db, gateway.upstream, group_id, home, pod, (groups,))
        except PodUnreachable as error:
            return _follow_later(gateway, request, "security_group", group_id, pod, error)
        if pair and pair.is_sound:
            return
        if pair and not pair.original:
            rows.drop(db, group_id)
            default_groups.forget(db, group_id)
