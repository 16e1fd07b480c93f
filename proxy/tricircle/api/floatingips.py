"""Floating IPs for ports in other pods: the user sees his own port, and what is no longer needed goes.

A job `shadow` of the port's network is announced by whatever may end the need for a shadow: a floating IP that changes
or goes, a port or a server that goes.
"""
import json
from dataclasses import replace
from urllib.parse import urlencode

from tricircle.api import generic, judged, shadows
from tricircle.api.forward import UNREACHABLE_HEADER, failure
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.errors import PodUnreachable
from tricircle.jobs.queue import announced
from tricircle.parts import parts
from tricircle.routing import rewrite
from tricircle.routing.catalogue import UUID, Path
from tricircle.routing.references import mentions
from tricircle.store import jobs, pods, replicas
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.neutron import question, records
from tricircle.upstream.scatter import scatter

DETAILS = ("name", "network_id", "mac_address", "admin_state_up", "status", "device_id", "device_owner")
FREE = {"port_id": None, "fixed_ip_address": None, "router_id": None, "status": "DOWN", "port_details": None}
DETACH = "/os-interface/"


def floatingips(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """Each change is followed by the jobs of the networks whose ports it is about."""
    if path.rest:
        return None
    if request.method in ("GET", "HEAD"):
        return _dressed(gateway, request, generic.plain(gateway, request, path))
    try:
        networks = _networks(gateway, request, path)
    except PodUnreachable as error:
        raise failure(error) from error
    with announced(gateway.db, "shadow", networks):
        return _dressed(gateway, request, generic.plain(gateway, request, path))


def ports(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """A port that goes has no floating IP any more."""
    if request.method != "DELETE" or path.rest or not UUID.match(path.member):
        return None
    if not replicas.of_resource(gateway.db, path.member):
        return None
    port = judged.changeable(gateway, request, "ports", path.member)
    return _owing(gateway, request, path, _of_ports(gateway, [port])) if port else None


def servers(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """Ports that Nova has made go with their server, or when they are taken off it."""
    if request.method != "DELETE" or not UUID.match(path.member) or (path.rest and not path.rest.startswith(DETACH)):
        return None
    if not replicas.any_of(gateway.db, request.caller.project_id, "ports"):
        return None
    home = gateway.locator.find(request.caller, "compute", "servers", path.member)
    if not home:
        return None
    query = urlencode({"device_id": path.member, "fields": ("id", "project_id")}, doseq=True)
    try:
        found = seen(gateway, request, home, "ports", query)
    except PodUnreachable as error:
        raise failure(error) from error
    return _owing(gateway, request, path, _of_ports(gateway, found))


def _owing(gateway: Gateway, request: Request, path: Path, networks: dict[str, str]) -> Response | None:
    if not networks:
        return None
    with announced(gateway.db, "shadow", networks) as owed:
        response = generic.plain(gateway, request, path)
        if 400 <= response.status < 500:
            owed.refused()
        return response


def _networks(gateway: Gateway, request: Request, path: Path) -> dict[str, str]:
    """{network: project} for the port that the floating IP leaves and the one that it gets, where it is in another pod.

    A shadow of a port stands for what the port's owner wants there: whoever may not change the floating IP or the port
    gets none.

    Raises:
        Refused: the user may not change one of them.
    """
    mentioned = dict.fromkeys(mentions("network", request.body_json).resources)
    if UUID.match(path.member):
        mentioned["network", "floatingips", path.member] = None
    there = gateway.locator.find_many(request.caller, list(mentioned))
    named, homes = [key[1:] for key in there], {key[2]: home for key, home in there.items()}
    deadline = Deadline(gateway.upstream.conf.deadline)
    here = {homes[each]["pod_id"] for collection, each in named if collection != "ports" and homes[each]}
    found = {}
    for collection, each in deadline.each(named):
        if collection == "ports" and homes[each] and homes[each]["pod_id"] not in here:
            port = judged.changeable(gateway, request, "ports", each)
            found[port["network_id"]] = port["project_id"]
        if collection == "floatingips" and homes[each]:
            shown = shadows.read(gateway, request, homes[each], "floatingips", "floatingip", each)
            if shown and replicas.of_resource(gateway.db, shown["port_id"] or ""):
                judged.changeable(gateway, request, "floatingips", each)
                found |= _of_ports(gateway, [{"id": shown["port_id"], "project_id": shown["project_id"]}])
    return found


def _of_ports(gateway: Gateway, ports: list[dict]) -> dict[str, str]:
    """{network: project} of those ports that have shadows, as the shadows tell; the ports themselves may be gone.

    Args:
        gateway: parts.
        ports: (id, project_id), as a pod has shown them to the user.
    """
    owners, found = {port["id"]: port["project_id"] for port in ports}, {}
    for pod_id, local in replicas.of_resources(gateway.db, list(owners)).items():
        name = pods.show(gateway.db, pod_id)["pod_name"]
        for local_id, port_id in local.items():
            answer = gateway.upstream.ask(name, "network", "GET", f"/v2.0/ports/{local_id}?fields=network_id")
            if answer.ok:
                network = json.loads(rewrite.up(gateway.db, pod_id, answer.body))["port"]["network_id"]
                found.setdefault(network, owners[port_id])
    return found


def _dressed(gateway: Gateway, request: Request, response: Response) -> Response:
    """Floating IPs with what their real ports have to say for themselves; a port that is gone has none."""
    if b'"port_id"' not in response.body:
        return response
    document = json.loads(response.body)
    records = [value for *_, value in rewrite.walk(document) if isinstance(value, dict) and value.get("port_id")]
    away = [record for record in records if replicas.of_resource(gateway.db, record["port_id"])]
    if not away:
        return response
    details, missing = _details(gateway, request, [record["port_id"] for record in away])
    for record in away:
        port_id = record["port_id"]
        if port_id in details:
            record |= {"port_details": details[port_id]} if "port_details" in record else {}
        elif not missing:
            _owe(gateway, record | {"project_id": record.get("project_id", request.caller.project_id)})
            record |= {name: value for name, value in FREE.items() if name in record}
    if missing and UNREACHABLE_HEADER not in dict(response.headers):
        response.headers.append((UNREACHABLE_HEADER, ", ".join(missing)))
    response.body = rewrite.dump(document)
    return response


def _owe(gateway: Gateway, record: dict) -> None:
    """The port went without our knowing, with its server or in its pod's own API."""
    shown = {"id": record["port_id"], "project_id": record["project_id"]}
    for network_id, project_id in _of_ports(gateway, [shown]).items():
        jobs.enqueue(gateway.db, "shadow", network_id, project_id)


def _details(gateway: Gateway, request: Request, port_ids: list[str]) -> tuple[dict[str, dict], list[str]]:
    """({port: its details} of those that are there, pods that could not be asked)."""
    asked: dict[str, list[str]] = {}
    for port_id in port_ids:
        home = gateway.locator.find(request.caller, "network", "ports", port_id)
        if home:
            asked.setdefault(home["pod_name"], []).append(port_id)
    rows = pods.by_name(gateway.db)

    def look(name: str) -> list[dict]:
        return [port for part in parts(asked[name]) for port in seen(
            gateway, request, rows[name], "ports", question({"id": part}, ("id", *DETAILS)))]

    found, missing = scatter(asked, look)
    return {port["id"]: {name: port[name] for name in DETAILS}
            for listed in found.values() for port in listed}, list(missing)


def seen(gateway: Gateway, request: Request, pod: dict, collection: str, query: str,
         deadline: Deadline | None = None) -> list[dict]:
    """A list of a pod's Neutron as the caller sees it, in home ids.

    Args:
        gateway, request: as everywhere.
        pod: row.
        collection: its path, `ports`.
        query: in the pod's ids.
        deadline: that of a list without one.

    Raises:
        PodUnreachable: the pod does not answer, or not with a list.
    """
    answer = gateway.upstream.call(pod["pod_name"], "network", "GET", f"/v2.0/{collection}?{query}",
                                   headers=request.caller.headers,
                                   deadline=deadline or Deadline(gateway.upstream.conf.list_deadline))
    return records(replace(answer, body=rewrite.up(gateway.db, pod["pod_id"], answer.body)), collection)


HANDLERS = {("network", "floatingips"): floatingips, ("network", "ports"): ports, ("compute", "servers"): servers}
