"""How a network's move from pod to pod is taken back or ended, whatever step it was interrupted after."""
from tricircle.errors import PodUnreachable
from tricircle.store import Database, jobs, moves, replicas, routings
from tricircle.upstream import ownership
from tricircle.upstream.client import Upstream, member
from tricircle.upstream.neutron import listed, question

GO_ALONG = ("network:dhcp", "network:distributed")   # owners of ports that go with their network


def take_back(db: Database, upstream: Upstream, network_id: str, pod: dict) -> None:
    """Delete a copy, subnets included. Raises PodUnreachable; then the job does it later."""
    known = routings.home(db, network_id)
    local = replicas.to_local(db, pod["pod_id"], [network_id]).get(network_id) or (known and ownership.search(
        db, upstream, pod, "networks", network_id, known["project_id"]))
    if local:
        subnets = _subnets(db, upstream, local, pod)
        gone = upstream.ask(pod["pod_name"], "network", "DELETE", f"/v2.0/networks/{local}")
        if gone.status not in (204, 404):
            raise PodUnreachable(pod["pod_name"], "network", f"keeps its copy of network {network_id}: {gone.status}")
        for subnet_id in subnets:
            replicas.drop(db, subnet_id, pod["pod_id"])
    replicas.drop(db, network_id, pod["pod_id"])


def settle(db: Database, upstream: Upstream, network_id: str, home: dict, pod: dict) -> None:
    """End a move that was interrupted: the old one is still there, then the copy goes; or it is gone, then the copy
    is the network.

    Args:
        home: row of the pod where the network is known to be.
        pod: row of a pod that has, or may have, a copy.

    Raises:
        PodUnreachable: one of them does not answer.
    """
    # It may have moved before.
    called = replicas.to_local(db, home["pod_id"], [network_id]).get(network_id, network_id)
    there = upstream.ask(home["pod_name"], "network", "GET", f"/v2.0/networks/{called}")
    local = replicas.to_local(db, pod["pod_id"], [network_id]).get(network_id)
    if there.status == 404 and local:
        project_id = routings.home(db, network_id)["project_id"]
        moves.arrive(db, network_id, _subnets(db, upstream, local, pod), project_id, home["pod_id"], pod["pod_id"])
    elif there.ok and not _is_shadow(db, upstream, network_id, local, pod):
        take_back(db, upstream, network_id, pod)
    elif there.status not in (200, 404):
        raise PodUnreachable(home["pod_name"], "network", f"answered {there.status} for network {network_id}")


def _is_shadow(db: Database, upstream: Upstream, network_id: str, local: str | None, pod: dict) -> bool:
    """Whether what stands for a network in a pod is there for floating IPs of its ports, and no copy of a move.

    A request that makes a shadow owes the job `shadow`, which also takes it away when it is needed no more.

    Raises:
        PodUnreachable: the pod does not answer.
    """
    if not local or jobs.is_owed(db, "shadow", network_id):
        return bool(local)
    found = listed(upstream, pod["pod_name"], "ports", question({"network_id": local}, ("device_owner",)))
    return any(port["device_owner"] not in GO_ALONG for port in found)


def _subnets(db: Database, upstream: Upstream, local: str, pod: dict) -> list[str]:
    """Home ids of a copy's subnets."""
    copy = upstream.ask(pod["pod_name"], "network", "GET", f"/v2.0/networks/{local}")
    return list(replicas.to_home(db, pod["pod_id"], member(copy, "network").get("subnets", [])).values())
