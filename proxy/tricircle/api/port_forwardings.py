"""Port forwardings of a floating IP to ports in other pods: they lead to the port's shadow, as floating IPs do.

The user sees his own port; what stands for it goes by the job `shadow` when the last one of it is gone. Neutron deletes
them with their port: those of a port that is gone in its pod are shown to nobody.
"""
import json

from tricircle.api import floatingips, generic, judged, shadows
from tricircle.api import query as queries
from tricircle.api.forward import failure, name_silent
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.errors import NotFound, PodUnreachable
from tricircle.jobs.queue import announced
from tricircle.routing import rewrite
from tricircle.routing.catalogue import UUID, Path
from tricircle.routing.references import mentions
from tricircle.store import replicas
from tricircle.upstream.deadline import Deadline


def port_forwardings(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """Each change is followed by the jobs of the networks whose ports it is about."""
    if not shadows.is_forwarding(path):
        return None
    if request.method == "GET":
        fields = queries.fields(request, path)
        return queries.completed(request, path, fields, ["internal_port_id"], lambda asked: _without_gone(
            gateway, asked, path, generic.plain(gateway, asked, path)))
    try:
        networks = _networks(gateway, request, path)
    except PodUnreachable as error:
        raise failure(error) from error
    with announced(gateway.db, "shadow", networks):
        return generic.plain(gateway, request, path)


def _networks(gateway: Gateway, request: Request, path: Path) -> dict[str, str]:
    """{network: project} of the ports in other pods to which it led, and is to lead. Raises as `floatingips`."""
    floating = ("network", "floatingips", path.member)
    named = dict.fromkeys([floating, *mentions("network", request.body_json).resources])
    homes = gateway.locator.find_many(request.caller, list(named)) if UUID.match(path.member) else {}
    home, found = homes.get(floating), {}
    if not home:
        return {}
    for (_, collection, each), pod in Deadline(gateway.upstream.conf.deadline).each(list(homes.items())):
        if collection == "ports" and pod and pod["pod_id"] != home["pod_id"]:
            port = judged.changeable(gateway, request, "ports", each)
            found[port["network_id"]] = port["project_id"]
    known = path.rest.rpartition("/")[2]
    shown = shadows.read(gateway, request, home, f"floatingips/{path.member}{shadows.FORWARDINGS}", "port_forwarding",
                         known) if UUID.match(known) else None
    if shown and replicas.of_resource(gateway.db, shown["internal_port_id"]):
        owner = judged.changeable(gateway, request, "floatingips", path.member)["project_id"]
        found |= floatingips.networks_of(gateway, [{"id": shown["internal_port_id"], "project_id": owner}])
    return found


def _without_gone(gateway: Gateway, request: Request, path: Path, response: Response) -> Response:
    """Forwardings of ports that are there. Raises NotFound: it is the one that was asked for."""
    if response.status != 200 or b'"internal_port_id"' not in response.body:
        return response
    document = json.loads(response.body)
    shown = [value for *_, value in rewrite.walk(document) if isinstance(value, dict)
             and isinstance(value.get("internal_port_id"), str)]
    ports = floatingips.away(gateway, [each["internal_port_id"] for each in shown])
    floatingips.owe(gateway, dict.fromkeys(ports.gone, request.caller.project_id))
    if "port_forwardings" in document and ports.gone:
        document["port_forwardings"] = [each for each in document["port_forwardings"]
                                        if each.get("internal_port_id") not in ports.gone]
        response.body = rewrite.dump(document)
    elif ports.gone:
        raise NotFound(f"Port Forwarding {path.rest.rpartition('/')[2]} could not be found.", "PortForwardingNotFound")
    name_silent(response, ports.missing)
    return response


HANDLERS = {("network", "floatingips"): port_forwardings}
