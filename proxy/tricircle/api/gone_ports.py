"""Floating IPs whose port in another pod is gone: they still hang on its shadow until the job `shadow` has run.

The user has nothing there any more. Before a pod is asked for what it refuses because of floating IPs they come off.
"""
from tricircle.api.gateway import Gateway
from tricircle.api.shadows import discard
from tricircle.crosspod.shadow import LEADING, targets
from tricircle.parts import parts
from tricircle.store import jobs, pods, replicas, routings
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.neutron import listed, question
from tricircle.upstream.scatter import scatter


def release(gateway: Gateway, project_id: str, local: dict[str, str]) -> dict[str, list[str]]:
    """Take the floating IPs of a router off those ports that are gone.

    Args:
        gateway: parts.
        project_id: the router's, which the user may change.
        local: {pod: the router's id there}.

    Returns:
        {pod: fixed addresses of the floating IPs that are left behind the router there}.

    Raises:
        PodUnreachable: a pod with the router does not answer.
    """
    deadline, rows = Deadline(gateway.upstream.conf.list_deadline), pods.by_name(gateway.db)
    found = {}
    for name in deadline.each(list(local)):
        query = question({"router_id": local[name]}, LEADING)
        led = [target for each in listed(gateway.upstream, name, "floatingips", query, deadline)
               for target in targets(each)]
        shadows = replicas.to_home(gateway.db, rows[name]["pod_id"], sorted({port_id for port_id, _ in led}))
        gone = _gone(gateway, rows, name, sorted(set(shadows.values())), deadline)
        for local_id in [each for each, port_id in shadows.items() if port_id in gone]:
            _owe(gateway, rows[name], local_id, project_id, deadline)
            discard(gateway, rows[name], local_id, shadows[local_id])
        found[name] = [address for port_id, address in led if shadows.get(port_id) not in gone]
    return found


def _gone(gateway: Gateway, rows: dict[str, dict], pod: str, port_ids: list[str], deadline: Deadline) -> set[str]:
    """Those ports that no pod but `pod` has. A port is called by its own id at home, and never moves.

    A pod that does not answer may have any of those whose home is not known to be another one.
    """
    known = {port_id: row["pod_id"] for port_id, row in routings.homes(gateway.db, port_ids).items()}
    asked = {name: [each for each in port_ids if known.get(each, row["pod_id"]) == row["pod_id"]]
             for name, row in rows.items() if name != pod}
    asked = {name: ids for name, ids in asked.items() if ids}
    seen, failed = scatter(asked, lambda name: {
        port["id"] for part in parts(asked[name])
        for port in listed(gateway.upstream, name, "ports", question({"id": part}, ["id"]), deadline)})
    there = set().union(*seen.values(), *(asked[name] for name in failed))
    return set(port_ids) - there


def _owe(gateway: Gateway, pod: dict, local_id: str, project_id: str, deadline: Deadline) -> None:
    """Ask for the job that takes the rest of the shadow away; the port may have gone without our knowing."""
    shown = listed(gateway.upstream, pod["pod_name"], "ports", question({"id": local_id}, ["network_id"]), deadline)
    networks = [port["network_id"] for port in shown]
    for network_id in replicas.to_home(gateway.db, pod["pod_id"], networks).values():
        jobs.enqueue(gateway.db, "shadow", network_id, project_id)
