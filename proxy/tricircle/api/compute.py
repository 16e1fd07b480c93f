"""Where Nova's and Cinder's APIs show the big region itself: zones, an aggregate for each pod, unreachable servers."""
from datetime import UTC, datetime

from tricircle.api import generic, partial
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.errors import ApiError, NotFound, PodUnreachable
from tricircle.routing.catalogue import UUID, Path
from tricircle.store import pods


def aggregates(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """`ag_<pod>` with the pod's zone, as the original made them; only administrators see them.

    Writes go to a pod by `X-Tricircle-Pod`, where an aggregate has hosts.
    """
    if request.method != "GET" or UUID.match(path.member):
        return None
    gateway.policy.check(request.caller, "pods:list")
    shown = [_aggregate(pod) for pod in pods.bottom(gateway.db)]
    if not path.member:
        return Response.of_json(200, {"aggregates": shown})
    for aggregate in shown:
        if str(aggregate["id"]) == path.member:
            return Response.of_json(200, {"aggregate": aggregate})
    raise NotFound(f"Aggregate {path.member} could not be found.")


def _aggregate(pod: dict) -> dict:
    def stamp(seconds: float) -> str:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000000")

    return {"id": pod["aggregate_id"], "uuid": pod["pod_id"], "name": f"ag_{pod['pod_name']}",
            "availability_zone": pod["az_name"], "hosts": [], "metadata": {"availability_zone": pod["az_name"]},
            "created_at": stamp(pod["created_at"]), "updated_at": stamp(pod["updated_at"]), "deleted": False,
            "deleted_at": None}


def zones(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """The zones of all pods. Hosts belong to pods; `detail` shows none (see `X-Tricircle-Pod`)."""
    if request.method != "GET" or path.member:
        return None
    names = sorted({pod["az_name"] for pod in pods.bottom(gateway.db)})
    record = {"zoneState": {"available": True}}
    hosts = {"hosts": None} if path.service.name == "compute" else {}
    return Response.of_json(200, {"availabilityZoneInfo": [{"zoneName": name, **record, **hosts} for name in names]})


def servers(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """A server of a pod that does not answer is shown in part, where the caller understands that."""
    if request.method not in ("GET", "HEAD") or not path.member or path.rest:
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


HANDLERS = {("compute", "servers"): servers, ("compute", "os-aggregates"): aggregates,
            ("compute", "os-availability-zone"): zones, ("volume", "os-availability-zone"): zones}
