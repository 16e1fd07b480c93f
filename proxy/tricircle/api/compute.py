"""Where Nova's and Cinder's APIs show the big region itself: zones, an aggregate for each pod, unreachable servers."""
import json
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode

from tricircle.api import generic, partial
from tricircle.api.forward import UNREACHABLE_HEADER, present, send
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.errors import ApiError, Conflict, NotFound, PodUnreachable
from tricircle.routing import numbers
from tricircle.routing.catalogue import Path
from tricircle.routing.zones import INTERNAL
from tricircle.store import pods
from tricircle.upstream.client import document
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.scatter import scatter

SEARCHES = ("/search", "/servers")   # of a hypervisor
SINCE_UUID = (2, 41)      # aggregates show one


def aggregates(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """`ag_<pod>` with the pod's zone, as the original made them, before the pods' own.

    Whoever may list aggregates in the pods sees them.
    """
    number = numbers.whole(path.member)
    if path.member and (number is None or number >= numbers.STRIDE):
        return None
    if not path.member and request.method != "GET":
        return None
    shown = [_aggregate(pod, request) for pod in pods.bottom(gateway.db)]
    if not shown:
        gateway.policy.check(request.caller, "pods:list")
        return Response.of_json(200, {"aggregates": []})
    # The pods' own policy says who may see aggregates.
    everywhere = replace(path, member="", rest="")
    listed = generic.plain(gateway, request.question(path.base) if path.member else request, everywhere)
    if listed.status != 200:
        return listed
    if request.method != "GET":
        return _refuse_change(gateway, path)
    if path.member:
        for aggregate in shown:
            if str(aggregate["id"]) == path.member:
                return Response.of_json(200, {"aggregate": aggregate})
        raise NotFound(f"Aggregate {path.member} could not be found.")
    listed.body = json.dumps({"aggregates": shown + json.loads(listed.body)["aggregates"]}).encode()
    return listed


def _refuse_change(gateway: Gateway, path: Path) -> None:
    for pod in pods.bottom(gateway.db):
        if str(pod["aggregate_id"]) == path.member:
            raise Conflict(f"aggregate ag_{pod['pod_name']} stands for pod {pod['pod_name']}: change the pod instead")
    raise NotFound(f"Aggregate {path.member} could not be found.")


def _aggregate(pod: dict, request: Request) -> dict:
    def stamp(seconds: float) -> str:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000000")

    own = {"uuid": pod["pod_id"]} if (request.microversion or ()) >= SINCE_UUID else {}
    return {"id": pod["aggregate_id"], **own,
            "name": f"ag_{pod['pod_name']}", "availability_zone": pod["az_name"], "hosts": [],
            "metadata": {"availability_zone": pod["az_name"]}, "created_at": stamp(pod["created_at"]),
            "updated_at": stamp(pod["updated_at"]), "deleted": False, "deleted_at": None}


def zones(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """The zones of all pods; in detail, with the hosts that the pods show to an administrator."""
    if request.method != "GET" or path.member:
        return None
    hosts = {"hosts": None} if path.service.name == "compute" else {}
    records = {name: {"zoneName": name, "zoneState": {"available": enabled}, **hosts}
               for name, enabled in pods.zones(gateway.db).items()}
    if path.rest != "/detail":
        return Response.of_json(200, {"availabilityZoneInfo": list(records.values())})
    rows = pods.by_name(gateway.db)
    answers, missing = scatter(rows, lambda name: send(gateway, request, path, rows[name],
                                                       deadline=Deadline(gateway.upstream.conf.list_deadline)))
    for name, answer in answers.items():
        if not answer.ok:
            return present(gateway, request, path, rows[name], answer)
        for zone in document(answer).get("availabilityZoneInfo", []):
            shown = zone["zoneName"] if zone["zoneName"] == INTERNAL else rows[name]["az_name"]
            record = records.setdefault(shown, {**zone, "hosts": {}})
            record["hosts"] = (record["hosts"] or {}) | (zone["hosts"] or {})
    response = Response.of_json(200, {"availabilityZoneInfo": list(records.values())})
    if missing:
        response.headers.append((UNREACHABLE_HEADER, ", ".join(missing)))
    return response


def servers(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """A server of a pod that does not answer is shown in part, where the caller understands that."""
    if request.method != "GET" or not path.member or path.rest:
        return None
    try:
        return generic.plain(gateway, request, path)
    except ApiError as error:
        home = gateway.locator.find(request.caller, "compute", "servers", path.member) \
            if isinstance(error.__cause__, PodUnreachable) else None
        shown = partial.member(gateway, request, path, home) if home else None
        if not shown:
            raise
        return shown


def hypervisors(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """Before microversion 2.53 a part of a name may be searched for, which is in any number of pods."""
    if request.method != "GET" or path.rest not in SEARCHES:
        return None
    rows = pods.by_name(gateway.db)
    answers, missing = scatter(rows, lambda name: send(gateway, request, path, rows[name],
                                                       deadline=Deadline(gateway.upstream.conf.list_deadline)))
    shown = [present(gateway, request, path, rows[name], answer) for name, answer in answers.items()]
    found = [response for response in shown if response.status == 200]
    if not found:
        return next((response for response in shown if response.status != 404), shown[0] if shown else None)
    found[0].body = json.dumps({"hypervisors": [
        record for response in found for record in json.loads(response.body)["hypervisors"]]}).encode()
    if missing:
        found[0].headers.append((UNREACHABLE_HEADER, ", ".join(missing)))
    return found[0]


def hosts(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """Hosts of one of the user's zones: a pod calls its zone otherwise, so it is asked for all of its hosts."""
    pairs = parse_qsl(request.query, keep_blank_values=True)
    zone = dict(pairs).get("zone")
    if request.method != "GET" or path.member or not zone:   # Nova and Cinder pass over an empty one
        return None
    query = urlencode([(name, value) for name, value in pairs if name != "zone"])
    response = generic.plain(gateway, replace(request, query=query), path)
    if response.status == 200:
        document = json.loads(response.body)
        document["hosts"] = [host for host in document["hosts"] if host.get("zone") == zone]
        response.body = json.dumps(document).encode()
    return response


HANDLERS = {("compute", "servers"): servers, ("compute", "os-aggregates"): aggregates,
            ("compute", "os-hypervisors"): hypervisors, ("compute", "os-hosts"): hosts, ("volume", "os-hosts"): hosts,
            ("compute", "os-availability-zone"): zones, ("volume", "os-availability-zone"): zones}
