"""Floating IPs for ports in other pods: the user sees his own port, and what is no longer needed goes.

A job `shadow` of the port's network is announced by whatever may end the need for a shadow: a floating IP that changes
or goes, a port or a server that goes.
"""
import json
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from tricircle.api import generic, judged, shadows
from tricircle.api import query as queries
from tricircle.api.forward import failure, name_silent
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.errors import BadRequest, PodUnreachable
from tricircle.jobs.queue import announced
from tricircle.parts import parts
from tricircle.routing import replicas as make
from tricircle.routing import rewrite
from tricircle.routing.catalogue import UUID, Path
from tricircle.routing.references import mentions
from tricircle.store import jobs, pods, replicas, routings
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.neutron import question, records
from tricircle.upstream.scatter import scatter

DETAILS = ("name", "network_id", "mac_address", "admin_state_up", "status", "device_id", "device_owner")
FREE = {"port_id": None, "fixed_ip_address": None, "router_id": None, "status": "DOWN", "port_details": None}
# Fields that tell to which ports a floating IP leads, and whose it is.
LEADING = ("port_id", "port_forwardings", "project_id")
DETACH = "/os-interface/"


def floatingips(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """Each change is followed by the jobs of the networks whose ports it is about."""
    if path.rest:
        return None
    if request.method == "GET":
        return queries.completed(request, path, {*FREE, "port_forwardings"}, LEADING, lambda asked: _dressed(
            gateway, asked, generic.plain(gateway, asked, path)))
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
    return _owing(gateway, request, path, networks_of(gateway, [port])) if port else None


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
    return _owing(gateway, request, path, networks_of(gateway, found))


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
            port = _own_port(gateway, request, each)
            found[port["network_id"]] = port["project_id"]
        if collection == "floatingips" and homes[each]:
            shown = shadows.read(gateway, request, homes[each], "floatingips", "floatingip", each)
            if shown and replicas.of_resource(gateway.db, shown["port_id"] or ""):
                judged.changeable(gateway, request, "floatingips", each)
                found |= networks_of(gateway, [{"id": shown["port_id"], "project_id": shown["project_id"]}])
    return found


def _own_port(gateway: Gateway, request: Request, port_id: str) -> dict:
    """Return a port that the user may change.

    Raises:
        BadRequest: the user sees the port, which is another project's, in Neutron's words (neutron/db/l3_db.py
            `_internal_fip_assoc_data`).
        Refused: the user does not see it, or may change nothing in the project.
    """
    try:
        return judged.changeable(gateway, request, "ports", port_id)
    except make.Refused as refused:
        shown = judged.seen(gateway, request, "ports", port_id) if refused.status == 403 else None
        if not shown or shown["project_id"] == request.caller.project_id:
            raise
    raise BadRequest(f"Bad floatingip request: Cannot process floating IP association with Port {port_id}, since that "
                     "port is owned by a different tenant.")


def networks_of(gateway: Gateway, ports: list[dict]) -> dict[str, str]:
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
    if b'port_id"' not in response.body:
        return response
    document = json.loads(response.body)
    records = [value for *_, value in rewrite.walk(document) if isinstance(value, dict)]
    ports = away(gateway, [each for record in records for each in (record.get("port_id"), *_forwarded(record)) if each])
    if not ports.there and not ports.gone and not ports.missing:
        return response
    owe(gateway, {each: record.get("project_id", request.caller.project_id) for record in records
                  for each in (record.get("port_id"), *_forwarded(record)) if each in ports.gone})
    for record in records:
        if record.get("port_id") in ports.there and "port_details" in record:
            record["port_details"] = ports.there[record["port_id"]]
        elif record.get("port_id") in ports.gone:
            record |= {name: value for name, value in FREE.items() if name in record}
        if ports.gone.intersection(_forwarded(record)):
            _forget_forwardings(record, ports.gone)
    name_silent(response, ports.missing)
    response.body = rewrite.dump(document)
    return response


def _forwarded(record: dict) -> list[str]:
    """Ports to which the forwardings of a floating IP lead, where its pod shows them with it."""
    shown = record.get("port_forwardings")
    return [each["internal_port_id"] for each in shown if isinstance(each, dict)
            and isinstance(each.get("internal_port_id"), str)] if isinstance(shown, list) else []


def _forget_forwardings(record: dict, gone: set[str]) -> None:
    """Neutron deletes the forwardings to a port with it; with the last one the floating IP leaves its router."""
    record["port_forwardings"] = [each for each in record["port_forwardings"]
                                  if each.get("internal_port_id") not in gone]
    if not record["port_forwardings"] and "router_id" in record:
        record["router_id"] = None


@dataclass(frozen=True)
class Away:
    """Ports that have shadows.

    Args:
        there: {port: its details}.
        gone: those that their pods do not have any more.
        missing: pods that could not be asked; then none is taken for gone.
    """

    there: dict[str, dict] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)


def away(gateway: Gateway, port_ids: list[str]) -> Away:
    """Look after those ports that have shadows, in our own name; nobody is asked where there are none.

    To the owner of a floating IP Neutron, too, shows the details of a port that is another project's, which the owner
    could not see otherwise (neutron/db/l3_fip_port_details.py).

    Args:
        gateway: parts.
        port_ids: home ids, as a pod has shown them to the caller.
    """
    local = replicas.of_resources(gateway.db, list(dict.fromkeys(port_ids)))
    shadowed = sorted({port_id for homes in local.values() for port_id in homes.values()})
    there, missing = _details(gateway, shadowed) if shadowed else ({}, [])
    return Away(there, set() if missing else set(shadowed) - there.keys(), missing)


def owe(gateway: Gateway, owners: dict[str, str]) -> None:
    """Ask for the jobs of ports, {port: project}, that went without our knowing: with a server, or in the pod's API."""
    shown = [{"id": port_id, "project_id": project_id} for port_id, project_id in owners.items()]
    for network_id, project_id in networks_of(gateway, shown).items():
        jobs.enqueue(gateway.db, "shadow", network_id, project_id)


def _details(gateway: Gateway, port_ids: list[str]) -> tuple[dict[str, dict], list[str]]:
    """({port: its details} of those that are there, pods that could not be asked)."""
    known = {port_id: row["pod_id"] for port_id, row in routings.homes(gateway.db, port_ids).items()}
    rows, deadline = pods.by_name(gateway.db), Deadline(gateway.upstream.conf.list_deadline)
    asked = {name: [each for each in port_ids if known.get(each, row["pod_id"]) == row["pod_id"]]
             for name, row in rows.items()}

    def look(name: str) -> list[dict]:
        found = []
        for part in parts(asked[name]):
            query = question({"id": part}, ("id", *DETAILS))
            answer = gateway.upstream.ask(name, "network", "GET", f"/v2.0/ports?{query}", deadline=deadline)
            found += records(replace(answer, body=rewrite.up(gateway.db, rows[name]["pod_id"], answer.body)), "ports")
        return found

    found, missing = scatter([name for name, ids in asked.items() if ids], look)
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
