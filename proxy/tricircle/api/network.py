"""Where Neutron's API shows the big region itself: zones, the pod of an external network, topologies by default."""
import re

from tricircle.api import bulk, generic
from tricircle.api.forward import POD_HEADER
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.errors import ApiError
from tricircle.routing import fields
from tricircle.routing.catalogue import Path
from tricircle.store import pods
from tricircle.upstream.deadline import Deadline

ONE_TAG = re.compile(r"/tags/[^/]+\Z")
NO_TOPOLOGY = "AutoAllocationFailure"   # type of Neutron's error where a project can have none


def is_one_tag(path: str) -> bool:
    """Whether a path is that of one tag, where Neutron looks at no body and clients send what they like."""
    return bool(ONE_TAG.search(path))


def networks(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """An external network's hint is the name of a pod, not of a zone (as in the original)."""
    given = bulk.members(request, path)
    if not given or not all(map(fields.is_external, given)):
        return None
    return generic.perform(gateway, request, path, external=True)


def zones(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """The user's zones, one record a zone and kind of resource, as Neutron lists them."""
    if request.method != "GET" or path.member:
        return None
    return Response.of_json(200, {"availability_zones": [
        {"name": name, "resource": resource, "state": "available" if enabled else "unavailable"}
        for name, enabled in pods.zones(gateway.db).items() for resource in ("network", "router")]})


def topology(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """An auto-allocated topology is made in the project's pod, or else in the first one whose Neutron can make it.

    That needs a default external network and a default subnet pool, which need not be in every pod. Neutron deletes
    what is not there without a word, and refuses to delete where there can be none, so all pods are asked to.
    """
    if not path.member or request.method not in ("GET", "DELETE"):
        return None
    response = generic.plain(gateway, request, path)
    if not _may_be_elsewhere(response):
        return response
    asked, making = dict(response.headers).get(POD_HEADER), request.method == "GET"
    others = [pod for pod in pods.bottom(gateway.db) if pod["pod_name"] != asked
              and (not making or pods.is_enabled(pod))]
    for pod in Deadline(gateway.upstream.conf.deadline).each(others):
        try:
            other = generic.exchange(gateway, request, path, pod)
        except ApiError:   # a pod that is away can make none; whether it has deleted one is not known
            if not making:
                raise
            continue
        if other.status == 200 if making else not _may_be_elsewhere(other):
            return other
        if other.status == 204:
            response = other
    return response


def _may_be_elsewhere(response: Response) -> bool:
    """Whether a pod's answer leaves it open that another pod has the topology: it had none, or has deleted its own."""
    return response.status == 204 or response.neutron_error == NO_TOPOLOGY


HANDLERS = {("network", "networks"): networks, ("network", "availability_zones"): zones,
            ("network", "auto-allocated-topology"): topology, ("network", "auto-allocated-topologies"): topology}
