"""Tricircle's own API, v1.0: pods, bindings, jobs. The original's URLs and JSON, with the right status codes."""
import logging
from urllib.parse import parse_qsl, urlencode

from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.crosspod import quota_numbers
from tricircle.errors import BadRequest, MethodNotAllowed, NotFound, PodUnreachable, Unprocessable
from tricircle.jobs import queue
from tricircle.store import jobs, pods, quotas
from tricircle.upstream.account import SERVICE_TYPES

LOG = logging.getLogger(__name__)
POD_FIELDS = ("pod_id", "pod_name", "az_name", "pod_az_name", "dc_name", "status", "disabled_reason")
BINDING_FIELDS = ("id", "tenant_id", "pod_id", "created_at", "updated_at")
JOB_FIELDS = ("id", "kind", "resource_id", "project_id", "state", "attempts", "not_before", "created_at", "started_at",
              "finished_at", "last_error")
JOB_FILTERS = {"state", "kind", "resource_id", "project_id", "limit", "marker"}
LONGEST = 255


def versions(request: Request) -> Response:
    """`GET /`: needs no token, as with every service today."""
    link = {"rel": "self", "href": f"{request.root}/v1.0/"}
    return Response.of_json(200, {"versions": [
        {"status": "CURRENT", "id": "v1.0", "updated": "2015-09-09T00:00:00Z", "links": [link]}]})


def root(request: Request) -> Response:
    """`GET /v1.0`."""
    links = [{"rel": rel, "href": f"{request.root}/v1.0/{path}"} for rel, path in
             (("self", ""), ("pods", "pods"), ("bindings", "bindings"), ("jobs", "jobs"))]
    return Response.of_json(200, {"version": "1.0", "links": links})


def create_pod(gateway: Gateway, request: Request) -> Response:
    """Register a region as a pod; without `az_name` it is the top one.

    Raises:
        BadRequest: no `pod` object, or a field that is no text.
        Unprocessable: no name, or a region without the endpoints that a pod needs.
        Conflict: the name is taken, or there is a top pod already.
    """
    given = _texts(request, "pod", POD_FIELDS[1:])
    if not given.get("pod_name"):
        raise Unprocessable("pod_name is needed: the name of a Keystone region")
    if "az_name" in given and not given["az_name"]:
        raise Unprocessable("az_name is empty: leave it out to register the top region")
    _check_region(gateway, given["pod_name"], given.get("az_name", ""))
    pod = pods.create(gateway.db, **{"az_name": "", **given})
    if not pod["top"]:
        _lift_quota(gateway, pod["pod_name"])
        for key in quotas.owners(gateway.db):
            jobs.enqueue(gateway.db, "quota", quota_numbers.resource(*key), key[2])
    return Response.of_json(201, {"pod": _only(pod, POD_FIELDS)})


def _lift_quota(gateway: Gateway, name: str) -> None:
    """Bridge networks, and rules, of all projects are the service project's: Neutron's default quota ends at a hundred.

    A pod that does not take it is registered all the same: a job that meets the quota says what to raise.
    """
    body = {"quota": dict.fromkeys(("network", "subnet", "port", "security_group_rule"), -1)}
    try:
        path = f"/v2.0/quotas/{gateway.upstream.account.project_id()}"
        answer = gateway.upstream.ask(name, "network", "PUT", path, body)
    except PodUnreachable as error:
        LOG.warning("quota of the service project: %s", error)
        return
    if not answer.ok:
        LOG.warning("quota of the service project in pod %s: %s %s", name, answer.status, answer.body[:200])


def _check_region(gateway: Gateway, name: str, az_name: str) -> None:
    top = gateway.upstream.conf.top_region
    if (name == top) == bool(az_name):
        raise Unprocessable(f"{top} is the top region and takes no az_name; every other region needs one")
    regions = gateway.upstream.account.regions()
    if name not in regions:
        regions = gateway.upstream.account.regions(anew=True)
    missing = [service for service in SERVICE_TYPES if service not in regions.get(name, {})]
    if missing:
        raise Unprocessable(f"Keystone's catalogue has no {' and no '.join(missing)} endpoint in region {name} "
                            f"(interface {gateway.upstream.conf.interface}): register it first, or mind the spelling")


def list_pods(gateway: Gateway, request: Request) -> Response:
    """All pods."""
    return Response.of_json(200, {"pods": [_only(pod, POD_FIELDS) for pod in pods.list_all(gateway.db)]})


def show_pod(gateway: Gateway, request: Request, pod_id: str) -> Response:
    """One pod."""
    return Response.of_json(200, {"pod": _only(pods.show(gateway.db, pod_id), POD_FIELDS)})


def update_pod(gateway: Gateway, request: Request, pod_id: str) -> Response:
    """Change zones, data centre, or whether something new may be placed there; a pod's name is its region and stays."""
    given = _texts(request, "pod", POD_FIELDS[1:])
    pod = pods.show(gateway.db, pod_id)
    if given.pop("pod_name", pod["pod_name"]) != pod["pod_name"]:
        raise BadRequest("pod_name cannot be changed: it is the name of the Keystone region")
    return Response.of_json(200, {"pod": _only(pods.update(gateway.db, pod_id, given), POD_FIELDS)})


def delete_pod(gateway: Gateway, request: Request, pod_id: str) -> Response:
    """Forget a pod."""
    pods.delete(gateway.db, pod_id)
    return Response(204)


def create_binding(gateway: Gateway, request: Request) -> Response:
    """Bind a project to a pod, for the zone of that pod."""
    given = _texts(request, "pod_binding", ("tenant_id", "pod_id"))
    for field in ("tenant_id", "pod_id"):
        if not given.get(field):
            raise Unprocessable(f"{field} is needed")
    binding = pods.bind(gateway.db, given["tenant_id"], given["pod_id"])
    return Response.of_json(201, {"pod_binding": _only(binding, BINDING_FIELDS)})


def list_bindings(gateway: Gateway, request: Request) -> Response:
    """All bindings, or those of `tenant_id`."""
    found = pods.bindings(gateway.db, _query(request).get("tenant_id"))
    return Response.of_json(200, {"pod_bindings": [_only(binding, BINDING_FIELDS) for binding in found]})


def show_binding(gateway: Gateway, request: Request, binding_id: str) -> Response:
    """One binding."""
    return Response.of_json(200, {"pod_binding": _only(pods.show_binding(gateway.db, binding_id), BINDING_FIELDS)})


def delete_binding(gateway: Gateway, request: Request, binding_id: str) -> Response:
    """Delete a binding."""
    pods.unbind(gateway.db, binding_id)
    return Response(204)


def list_jobs(gateway: Gateway, request: Request) -> Response:
    """Jobs, the newest first, by pages; filters `state`, `kind`, `resource_id`, `project_id`.

    Raises:
        BadRequest: something else is asked for, or a value cannot be.
    """
    pairs = parse_qsl(request.query, keep_blank_values=True)
    query = dict(pairs)
    unknown = set(query) - JOB_FILTERS
    if unknown or len(query) < len(pairs):
        raise BadRequest(f"unknown filter {', '.join(sorted(unknown))[:LONGEST]}" if unknown else
                         "a filter is given twice")
    if query.get("state", jobs.STATES[0]) not in jobs.STATES:
        raise BadRequest(f"state is one of {', '.join(jobs.STATES)}")
    size = _page_size(query.pop("limit", str(jobs.MOST)))
    found = jobs.list_all(gateway.db, **query, limit=size + 1)
    page = {"jobs": [_only(job, JOB_FIELDS) for job in found[:size]]}
    if len(found) > size:
        following = urlencode(query | {"limit": size, "marker": found[size - 1]["id"]})
        page["jobs_links"] = [{"rel": "next", "href": f"{request.root}/v1.0/jobs?{following}"}]
    return Response.of_json(200, page)


def _page_size(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > LONGEST or int(text) < 1:
        raise BadRequest("limit is a whole number from 1 on")
    return min(int(text), jobs.MOST)


def show_job(gateway: Gateway, request: Request, job_id: str) -> Response:
    """One job, with the log of its tasks."""
    job = _only(jobs.show(gateway.db, job_id), JOB_FIELDS)
    return Response.of_json(200, {"job": {**job, "log": [_only(line, ("at", "pod", "text"))
                                                         for line in jobs.log_of(gateway.db, job_id)]}})


def redo_job(gateway: Gateway, request: Request, job_id: str) -> Response:
    """Run a failed, dead or cancelled job again."""
    return Response.of_json(202, {"job": _only(jobs.redo(gateway.db, job_id), JOB_FIELDS)})


def cancel_job(gateway: Gateway, request: Request, job_id: str) -> Response:
    """Take a job off the queue, or from its worker. 202: a call that is under way in a pod may still end there."""
    return Response.of_json(202, {"job": _only(queue.cancel(gateway.conf, gateway.db, job_id), JOB_FIELDS)})


ROUTES = (
    ("POST", "pods", "pods:create", create_pod), ("GET", "pods", "pods:list", list_pods),
    ("GET", "pods/<pod_id>", "pods:show", show_pod), ("PUT", "pods/<pod_id>", "pods:update", update_pod),
    ("DELETE", "pods/<pod_id>", "pods:delete", delete_pod),
    ("POST", "bindings", "bindings:create", create_binding), ("GET", "bindings", "bindings:list", list_bindings),
    ("GET", "bindings/<binding_id>", "bindings:show", show_binding),
    ("DELETE", "bindings/<binding_id>", "bindings:delete", delete_binding),
    ("GET", "jobs", "jobs:list", list_jobs), ("GET", "jobs/<job_id>", "jobs:show", show_job),
    ("PUT", "jobs/<job_id>", "jobs:redo", redo_job), ("DELETE", "jobs/<job_id>", "jobs:cancel", cancel_job),
)


def serve(gateway: Gateway, request: Request) -> Response:
    """Answer a request to the admin API.

    Raises:
        NotFound, MethodNotAllowed: by path and method.
        ApiError: as the handlers.
    """
    parts = request.path[1:].removesuffix("/").split("/")
    if parts == ["v1.0"] and request.method == "GET":
        return root(request)
    allowed = parts in ([""], ["v1.0"])
    for method, pattern, rule, handler in ROUTES if parts[:1] == ["v1.0"] else ():
        wanted = pattern.split("/")
        if len(wanted) != len(parts) - 1 or wanted[0] != parts[1]:
            continue
        allowed = True
        if method == request.method:
            gateway.policy.check(request.caller, rule)
            return handler(gateway, request, *parts[2:])
    if allowed:
        raise MethodNotAllowed(f"{request.method} is not possible at {request.path}")
    raise NotFound(f"there is nothing at {request.path}")


def _texts(request: Request, member: str, fields: tuple[str, ...]) -> dict[str, str]:
    """The text fields of a body's object, stripped."""
    body = (request.body_json or {}).get(member)
    if not isinstance(body, dict):
        raise BadRequest(f"the body must be an object with an object `{member}`")
    unknown = set(body) - set(fields)
    if unknown:
        raise BadRequest(f"unknown field {', '.join(sorted(unknown))[:LONGEST]}")
    for name, value in body.items():
        if not isinstance(value, str) or len(value) > LONGEST or any(ord(letter) < 32 for letter in value):
            raise BadRequest(f"{name} must be text of at most {LONGEST} printable characters")
    return {name: value.strip() for name, value in body.items()}


def _only(row: dict, fields: tuple[str, ...]) -> dict:
    return {field: row[field] for field in fields}


def _query(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.query))

