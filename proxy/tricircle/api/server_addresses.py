"""A server's addresses show its floating IPs of other pods, which its own Nova does not know.

Nova's shape: what floats stands behind what is fixed, under the network of its port (nova/api/openstack/common.py
`get_networks_for_instance_from_nw_info`); `/servers/{id}/ips` tells neither type nor MAC address.
Only where the store has shadows of the project's ports anybody is asked: the pods of the shadows which of them have
floating IPs, then the homes of those ports whose they are; both with the user's token.
"""
import json
from collections.abc import Iterator
from typing import Any

from tricircle.api import compute, generic
from tricircle.api.floatingips import seen
from tricircle.api.forward import name_silent
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.errors import NotFound, Unavailable
from tricircle.parts import parts
from tricircle.routing import rewrite
from tricircle.routing.catalogue import UUID, Path
from tricircle.store import pods, replicas, routings
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.neutron import question
from tricircle.upstream.scatter import scatter

SECONDS = 5.0   # a server is not to wait for another pod's Neutron for as long as a list may
MOST = 1000     # shadows that are asked about
TYPE, MAC = "OS-EXT-IPS:type", "OS-EXT-IPS-MAC:mac_addr"
IPS = "/ips"
FLOATING = ("port_id", "fixed_ip_address", "floating_ip_address")


def servers(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """Serve what shows servers with their addresses: reads, and the changes that Nova answers with the server."""
    if request.method == "GET" and (path.rest in ("", "/detail", IPS) or path.rest.startswith(f"{IPS}/")):
        response = compute.servers(gateway, request, path) or generic.plain(gateway, request, path)
    elif path.member and ((request.method == "PUT" and not path.rest) or _rebuilds(request, path)):
        response = generic.plain(gateway, request, path)
    else:
        return None
    if response.status < 300 and response.stream is None and _may_float(gateway, request, path):
        _fill(gateway, request, path, response)
    return response


def _rebuilds(request: Request, path: Path) -> bool:
    return path.rest == "/action" and isinstance(request.body_json, dict) and "rebuild" in request.body_json


def _may_float(gateway: Gateway, request: Request, path: Path) -> bool:
    """Whether the store has shadows of ports of the project whose servers are shown; where it is all the body tells."""
    if not path.member and "all_tenants" in request.query:
        return True
    return replicas.any_of(gateway.db, _owner(gateway, request, path), "ports")


def _owner(gateway: Gateway, request: Request, path: Path) -> str:
    known = routings.home(gateway.db, path.member) if UUID.match(path.member) else None
    return known["project_id"] if known else request.caller.project_id


def _fill(gateway: Gateway, request: Request, path: Path, response: Response) -> None:
    document = json.loads(response.body)
    addresses = dict(_addresses(path, document))
    owners = {record["tenant_id"] for record in _records(document) if isinstance(record.get("tenant_id"), str)}
    shadows = replicas.of_projects(gateway.db, owners or {_owner(gateway, request, path)}, "ports", MOST)
    if not addresses or not shadows:
        return
    deadline = Deadline(min(SECONDS, gateway.upstream.conf.list_deadline))
    floating, missing = _floating(gateway, request, shadows, deadline)
    found, silent = _ports(gateway, request, list(floating), deadline) if floating else ({}, [])
    changed = False
    for port_id, port in found.items():
        for each in floating[port_id] if port["device_id"] in addresses else ():
            changed = _insert(addresses[port["device_id"]], port, each) or changed
    if changed:
        response.body = rewrite.dump(document)
    name_silent(response, list(dict.fromkeys([*missing, *silent])))


def _records(document: Any) -> list[dict]:
    """The servers of an answer."""
    if not isinstance(document, dict):
        return []
    listed = document.get("servers")
    records = listed if isinstance(listed, list) else [document.get("server")]
    return [record for record in records if isinstance(record, dict)]


def _addresses(path: Path, document: Any) -> Iterator[tuple[str, dict[str, list[dict]]]]:
    """(server, its addresses by network) of an answer, to be changed in place."""
    if path.rest.startswith(IPS):
        yield path.member, document["addresses"] if path.rest == IPS else document
    for record in _records(document):
        if isinstance(record.get("addresses"), dict):
            yield record["id"], record["addresses"]


def _floating(gateway: Gateway, request: Request, shadows: dict[str, dict[str, str]],
              deadline: Deadline) -> tuple[dict[str, list[dict]], list[str]]:
    """({port: its floating IPs in the pods that have a shadow of it}, pods that could not be asked)."""
    rows = {name: row for name, row in pods.by_name(gateway.db).items() if row["pod_id"] in shadows}

    def look(name: str) -> list[dict]:
        return [each for part in parts(sorted(shadows[rows[name]["pod_id"]]))
                for each in seen(gateway, request, rows[name], "floatingips", question({"port_id": part}, FLOATING),
                                 deadline)]

    listed, failed = scatter(rows, look)
    found: dict[str, list[dict]] = {}
    for each in (each for records in listed.values() for each in records):
        found.setdefault(each["port_id"], []).append(each)
    return found, list(failed)


def _ports(gateway: Gateway, request: Request, port_ids: list[str],
           deadline: Deadline) -> tuple[dict[str, dict], list[str]]:
    """({port: device and MAC address, as its home shows it}, pods that could not be asked)."""
    named = [("network", "ports", port_id) for port_id in port_ids]
    try:
        homes = gateway.locator.find_many(request.caller, named)
    except (Unavailable, NotFound):
        return {}, []
    rows, asked = pods.by_name(gateway.db), {}
    for (_, _, port_id), home in homes.items():
        if home:
            asked.setdefault(home["pod_name"], []).append(port_id)
    found, failed = scatter(asked, lambda name: [port for part in parts(asked[name]) for port in seen(
        gateway, request, rows[name], "ports", question({"id": part}, ("id", "device_id", "mac_address")), deadline)])
    return {port["id"]: port for listed in found.values() for port in listed}, list(failed)


def _insert(addresses: dict[str, list[dict]], port: dict, floating: dict) -> bool:
    """Put a floating IP behind the addresses of its port's network; whether it has one there."""
    for shown in addresses.values():
        fixed = next((each for each in shown if each["addr"] == floating["fixed_ip_address"]
                      and each.get(MAC, port["mac_address"]) == port["mac_address"]), None)
        if fixed:
            more = {TYPE: "floating", MAC: port["mac_address"]} if TYPE in fixed else {}
            shown.append({"version": 4, "addr": floating["floating_ip_address"], **more})
            return True
    return False


HANDLERS = {("compute", "servers"): servers}
