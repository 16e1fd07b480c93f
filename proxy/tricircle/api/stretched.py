"""What a router has on its replicas: a gateway, and extra routes whose next hops are in other pods than its home."""
from dataclasses import replace

from tricircle.api.gateway import Gateway
from tricircle.crosspod import view
from tricircle.errors import PodUnreachable
from tricircle.parts import parts
from tricircle.routing import rewrite
from tricircle.routing.caller import Caller
from tricircle.store import pods, replicas
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.neutron import question, records
from tricircle.upstream.scatter import scatter

INFO, ROUTES = "external_gateway_info", "routes"
NONE = (None, {})
Away = dict[str, dict[str, dict]]   # {router id: {pod name: record of the replica}}


def look(gateway: Gateway, caller: Caller, router_ids: list[str]) -> tuple[Away, dict[str, PodUnreachable]]:
    """Read the replicas of some routers, in the user's name.

    Args:
        gateway: parts.
        caller: the user.
        router_ids: home ids.

    Returns:
        ({router id: {pod name: external_gateway_info, and routes without the plumbing}}, {pod that cannot be asked:
        why}).
    """
    local = replicas.of_resources(gateway.db, router_ids)
    there = {pod["pod_name"]: pod["pod_id"] for pod in pods.bottom(gateway.db) if pod["pod_id"] in local}
    deadline = Deadline(gateway.upstream.conf.list_deadline)
    answers, missing = scatter(there, lambda name: _records(gateway, caller, name, there[name],
                                                            list(local[there[name]]), deadline))
    found: Away = {}
    for name, shown in answers.items():
        for router in shown:
            found.setdefault(router["id"], {})[name] = router
    return found, missing


def _records(gateway: Gateway, caller: Caller, name: str, pod_id: str, local: list[str],
             deadline: Deadline) -> list[dict]:
    found = []
    for part in parts(local):
        answer = gateway.upstream.call(name, "network", "GET",
                                       f"/v2.0/routers?{question({'id': part}, ('id', INFO, ROUTES))}",
                                       headers=caller.headers, deadline=deadline)
        shown = records(replace(answer, body=rewrite.up(gateway.db, pod_id, answer.body)), "routers")
        found += [view.hide(router, gateway.conf.bridge.cidr) for router in shown]
    return found


def fill(gateway: Gateway, caller: Caller, shown: dict[str, dict]) -> list[str]:
    """Show of routers what is not at home.

    Args:
        gateway, caller: as in `look`.
        shown: {router id: the router as its home shows it, without the plumbing}; changed in place.

    Returns:
        Pods that could not be asked.
    """
    found, missing = look(gateway, caller, list(shown))
    for router_id, there in found.items():
        router = shown[router_id]
        gateways = [record[INFO] for record in there.values() if record.get(INFO)]
        if router.get(INFO, "none asked for") in NONE and gateways:
            router[INFO] = gateways[0]
        if ROUTES in router:
            router[ROUTES] = router[ROUTES] + [route for record in there.values() for route in record[ROUTES]]
    return list(missing)
