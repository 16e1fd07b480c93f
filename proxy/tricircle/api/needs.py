"""Make what a request refers to exist in the pod that gets it: routers, groups, policies, pools, flavors, keypairs."""
import json
import re
from collections.abc import Callable
from dataclasses import replace

from tricircle.api import alike, attaching, bulk, group_names, judged, moving, shadows
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.crosspod import followers, groups, pairing
from tricircle.errors import ApiError, NotFound, PodUnreachable
from tricircle.jobs.queue import announced
from tricircle.routing import default_group, replicas
from tricircle.routing.catalogue import SERVICES, Path, parse, singular
from tricircle.routing.placement import Placed, apart, closed
from tricircle.routing.references import Mentions
from tricircle.store import default_groups, jobs, pods
from tricircle.store import replicas as rows
from tricircle.upstream import ownership
from tricircle.upstream.client import READS
from tricircle.upstream.deadline import Deadline

ROUNDS = 2   # a row of a replica that is gone is found out in the first one
# Nova's NetworkNotFound (nova/exception.py), as nova/network/neutron.py validate_networks raises it for all networks
# that are not there at once; the same from Zed to 2026.1. It must be the whole message: the schema's errors, for one,
# repeat what was sent ("Invalid input for field/attribute ... Value: {'uuid': ...").
UUID_WORD = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
NETWORKS_MISSED = re.compile(rf"Network ({UUID_WORD}(?:, {UUID_WORD})*) could not be found\.")


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
    if request.method in READS and not placed.moves and not placed.needed:
        return []
    pod, made, deadline = placed.pod, [], Deadline(gateway.upstream.conf.deadline)
    for _, collection, resource_id, home in deadline.each(placed.needed):
        if collection == "ports":
            shadows.ensure(gateway, request, path, resource_id, home, pod)
        elif collection not in followers.CARRIED:
            _replicate(gateway, request, collection, resource_id, home, pod)
        elif shown := _shown(gateway, request, collection, resource_id, pod):
            made += (_bring_pool if collection == "subnetpools" else bring)(
                gateway, request, collection, shown, home, pod)
    alike.satisfy(gateway, request, found, pod, deadline)
    made += _bring_groups(gateway, request, found.groups, pod, deadline)
    if "default" in found.groups or (not found.groups and _takes_default_group(request, path)):
        _ensure_default(gateway, request, pod)
    _follow_new_groups(gateway, request, made, pod)
    return made


def _shown(gateway: Gateway, request: Request, collection: str, resource_id: str, pod: dict) -> dict | None:
    """Something as its home shows it to the caller, or its replica while the home is away; None when they do not.

    What is there already is looked at all the same: it is about to be brought up to date, with our own account.
    """
    try:
        return judged.seen(gateway, request, collection, resource_id)
    except replicas.Refused as refused:
        if refused.status != 404:
            raise
        return None
    except PodUnreachable:
        if not rows.to_local(gateway.db, pod["pod_id"], [resource_id]):
            raise
        return shadows.read(gateway, request, pod, collection, singular(collection), resource_id)


def take_along(gateway: Gateway, request: Request, path: Path, placed: Placed, refusal: Response) -> bool:
    """Bring the networks to the server's pod, when it misses nothing else.

    Nova looks for networks after it has looked at the policy, the body, image, flavor and groups (nova/compute/api.py
    `_validate_and_build_base_options`), and names those that are not there: a request with anything else wrong has got
    its answer by then, and its networks stay where they are. So they do when one that it names is nowhere.

    Args:
        gateway, request, path: as in `satisfy`.
        placed: those of its `moves` that are done are taken out.
        refusal: the pod's answer to the request without them.

    Returns:
        Whether all that the pod misses is there now: then the request may be tried again.

    Raises:
        ApiError, PodUnreachable: as `moving.move`.
    """
    missing = _networks_missed(refusal)
    wanted = [each for each in placed.moves if each[0] in missing]
    return bool(missing) and len(wanted) == len(missing) and _taken(gateway, request, path, placed, wanted)


def take_to_server(gateway: Gateway, request: Request, path: Path, placed: Placed) -> None:
    """Bring a network to the server that it shall be attached to, where Nova is going to look for it.

    Nova's API does not look for the network: its host does, and the answer to a missing one is 500 without a reason
    (nova/compute/api.py `attach_interface`). So the network comes first.

    Args, raises: as `take_along`.
    """
    if attaching.takes_interface(gateway, request, path):
        _taken(gateway, request, path, placed, list(placed.moves))


def _taken(gateway: Gateway, request: Request, path: Path, placed: Placed, wanted: list[tuple[str, dict]]) -> bool:
    """Move networks, all or none; whether they are in the server's pod now."""
    deadline = Deadline(gateway.upstream.conf.deadline)
    owners = {network_id: _owner_of_movable(gateway, request, network_id, home, _cannot(path, home, placed.pod))
              for network_id, home in deadline.each(wanted)}
    if not all(owners.values()):
        return False
    tasks = [_move(gateway, request, path, network_id, home, placed.pod) for network_id, home in wanted]
    for task in deadline.each(tasks if len(tasks) > 1 else ()):
        moving.check(task)
    for task in deadline.each(tasks):
        with announced(gateway.db, "network", {task.network_id: owners[task.network_id]}) as owed:
            try:
                moving.move(task)
            except ApiError as error:
                if error.status < 500:   # it stays where it is, and nothing of a copy is left
                    owed.refused()
                raise
        placed.moves.remove((task.network_id, task.home))
    return True


def _networks_missed(refusal: Response) -> set[str]:
    """Read of which networks Nova says that they are not there; none where it says anything else."""
    try:
        said = json.loads(refusal.body)["badRequest"]["message"]
    except (ValueError, LookupError, TypeError):
        return set()
    found = NETWORKS_MISSED.fullmatch(said) if isinstance(said, str) else None
    return set(found[1].split(", ")) if found else set()


def _cannot(path: Path, home: dict, pod: dict) -> Callable[[str], ApiError]:
    """Return what makes the error that says why a network stays."""
    def cannot(reason: str) -> ApiError:
        why = "" if pods.is_enabled(home) else f"; {closed(home)}"
        return apart(path, f"{reason}: it is in availability zone {home['az_name']} (pod {home['pod_name']}), the "
                           f"server's place is {pod['az_name']} (pod {pod['pod_name']}){why}. Make the server in "
                           f"{home['az_name']}, or give it a network of {pod['az_name']} and join both by a router")
    return cannot


def _owner_of_movable(gateway: Gateway, request: Request, network_id: str, home: dict,
                      cannot: Callable[[str], ApiError]) -> str | None:
    """Return the project of a network that the caller may take along; None where he may not see or change it.

    Of such a one the pod has said that there is none. What its home says while another request moves it does not hold.

    Args:
        gateway, request: as in `satisfy`.
        network_id: home id.
        home: row of the pod that it is to leave.
        cannot: makes the error.

    Raises:
        ApiError: of `cannot`: it is another project's.
        PodUnreachable: its home does not answer.
    """
    for _ in range(ROUNDS):
        try:
            network = judged.seen(gateway, request, "networks", network_id)
            if network and network["project_id"] != request.caller.project_id:
                raise cannot(f"network {network_id} stays where it was put")
            if network and judged.changeable(gateway, request, "networks", network_id):
                return network["project_id"]
        except replicas.Refused:
            pass
        if not moving.others_have_moved(gateway.db, network_id, home):
            break
    return None


def _move(gateway: Gateway, request: Request, path: Path, network_id: str, home: dict, pod: dict) -> moving.Move:
    """Return the move of one network, after the pools of its subnets."""
    def bring_pool(pool_id: str) -> None:
        owner = gateway.locator.find(request.caller, "network", "subnetpools", pool_id)
        shown = _shown(gateway, request, "subnetpools", pool_id, pod) if owner and owner["pod_id"] != pod["pod_id"] \
            else None
        if shown:
            _bring_pool(gateway, request, "subnetpools", shown, owner, pod)

    return moving.Move(gateway.db, gateway.upstream, request.caller, network_id, home, pod, _cannot(path, home, pod),
                       bring_pool)


def _replicate(gateway: Gateway, request: Request, collection: str, resource_id: str, home: dict, pod: dict) -> None:
    """A replica; of what the home does not show to the caller there is none, and the pod says so in its own words."""
    try:
        replicas.ensure(gateway.db, gateway.upstream, request.caller, collection, resource_id, home, pod)
    except (NotFound, replicas.Refused) as refused:
        if refused.status != 404:
            raise


def bring(gateway: Gateway, request: Request, collection: str, shown: dict, home: dict,
          pod: dict) -> list[tuple[str, str]]:
    """A replica like its home. What the store took for one, and is gone or another project's, is made anew.

    Args:
        gateway, request: as in `satisfy`.
        collection: one of `followers.CARRIED`.
        shown: the original (id, project_id) as its home shows it to the user.
        home, pod: rows.

    Returns:
        As `satisfy`, when it was made now.

    Raises:
        NotFound: the original is gone.
        PodUnreachable, Refused: as `satisfy`.
    """
    db, made, resource_id = gateway.db, False, shown["id"]
    for _ in range(ROUNDS):
        made = replicas.ensure(db, gateway.upstream, request.caller, collection, resource_id, home, pod) or made
        try:
            pair = followers.sync(db, gateway.upstream, resource_id, home, pod)
        except PodUnreachable as error:
            _follow_later(gateway, followers.CARRIED[collection], shown, pod, error, made)
            break
        except NotFound:   # a group that a rule names is gone from the pod
            named = rows.of_project(db, shown["project_id"], pod["pod_id"], collection)
            if not pairing.forget_gone(db, gateway.upstream, pod, named):
                raise
            continue
        if pair and not pair.original:
            raise NotFound(f"{collection} {resource_id} does not exist")
        if pair and pair.is_sound:
            break
    return [(collection, resource_id)] if made else []


def _bring_pool(gateway: Gateway, request: Request, collection: str, shown: dict, home: dict,
                pod: dict) -> list[tuple[str, str]]:
    """A pool after its address scope, which the caller need not see."""
    scope = shown.get("address_scope_id")
    made = bring_scope(gateway, request, scope, pod) if scope else []
    return bring(gateway, request, collection, shown, home, pod) + made


def bring_scope(gateway: Gateway, request: Request, scope: str, pod: dict) -> list[tuple[str, str]]:
    """See to it that a pod has an address scope that a pool which the caller uses is in, or joins.

    Args, returns, raises: as of `bring`; `scope` is the home id.
    """
    own = {"X-Auth-Token": gateway.upstream.account.token()}
    # The locator answers whoever has the same identity at once: an answer to our account must not be one to the user.
    identity = replace(request.caller.identity, user_id="")
    ours = replace(request, caller=replace(request.caller, identity=identity, headers=own))
    home = gateway.locator.find(ours.caller, "network", "address-scopes", scope)
    if not home or home["pod_id"] == pod["pod_id"]:
        return []
    shown = judged.seen(gateway, ours, "address-scopes", scope)
    return bring(gateway, ours, "address-scopes", shown, home, pod) if shown else []


def _bring_groups(gateway: Gateway, request: Request, names: list[str], pod: dict,
                  deadline: Deadline) -> list[tuple[str, str]]:
    """Replicas of the groups that Nova's body calls by name or id; as `satisfy` returns them."""
    homes, made = group_names.homes(gateway, request, [name for name in names if name != "default"], pod), []
    for home_id, home in deadline.each(dict(homes.values()).items()):
        shown = _shown(gateway, request, "security-groups", home_id, pod) if home["pod_id"] != pod["pod_id"] else None
        made += bring(gateway, request, "security-groups", shown, home, pod) if shown else []
    return made


def _follow_new_groups(gateway: Gateway, request: Request, made: list[tuple[str, str]], pod: dict) -> None:
    """Rules of other groups that name a new one as remote could not be carried over while it was not there."""
    new = [resource_id for collection, resource_id in made if collection == "security-groups"]
    project_id = request.caller.project_id
    for other in rows.of_project(gateway.db, project_id, pod["pod_id"], "security-groups") if new else ():
        if other != new[-1]:   # which came after all others
            jobs.enqueue(gateway.db, "security_group", other, project_id)


def forget_gone(gateway: Gateway, request: Request, placed: Placed) -> bool:
    """Drop the rows of replicas that a pod has refused a request for, since it does not have them any more.

    Returns:
        Whether there were any of what its home shows to the user: then the request may be tried again. Not when a pod
        cannot be asked.
    """
    db, upstream, pod = gateway.db, gateway.upstream, placed.pod
    try:
        seen = [each for each in placed.needed if _is_seen(gateway, request, *each[:3])]
    except PodUnreachable:
        return False
    named = [resource_id for service, _, resource_id, _ in seen if service == "network"]
    groups_of_servers = [row for _, collection, each, _ in seen if collection == "os-server-groups"
                         and (row := rows.in_one_pod(db, each, pod["pod_id"]))]
    try:
        gone = [row for row in groups_of_servers
                if not ownership.server_group(upstream, pod["pod_name"], row["local_id"])]
        for row in gone:
            rows.forget(db, row)
        return pairing.forget_gone(db, upstream, pod, named) or bool(gone)
    except PodUnreachable:
        return False


def _is_seen(gateway: Gateway, request: Request, service: str, collection: str, resource_id: str) -> bool:
    path = parse(SERVICES[service], f"{request.caller.prefix(SERVICES[service])}/{collection}/{resource_id}")
    return judged.shows(gateway, request, path)


def _follow_later(gateway: Gateway, kind: str, shown: dict, pod: dict, error: PodUnreachable,
                  made: bool = False) -> None:
    """A replica serves as it is while its home does not answer: nobody can change the home then.

    What it lacks is owed to it, whoever asks for it next: a new one may be half made.

    Raises:
        PodUnreachable: it is the pod itself that does not answer, or the replica is new and has no rules yet.
    """
    jobs.enqueue(gateway.db, kind, shown["id"], shown["project_id"])
    if made or error.pod == pod["pod_name"]:
        raise error


def _takes_default_group(request: Request, path: Path) -> bool:
    """Whether Nova or Neutron will put the project's default group on what is made."""
    if request.method != "POST" or path.member:
        return False
    if path.collection.path == "servers":
        return isinstance((request.body_json or {}).get("server"), dict)
    return path.collection.path == "ports" and any("security_groups" not in port
                                                   for port in bulk.members(request, path))


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
            own = {"id": group_id, "project_id": request.caller.project_id}
            return _follow_later(gateway, "security_group", own, pod, error)
        if pair and pair.is_sound:
            return
        if pair and not pair.original:
            rows.drop(db, group_id)
            default_groups.forget(db, group_id)
