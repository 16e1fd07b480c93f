"""The four WSGI applications: admin, compute, volume, network."""
import http
import logging
import time
from collections.abc import Callable, Iterable

import bottle

from tricircle import logs, metrics, trace
from tricircle.api import (
    admin,
    affinity,
    canonical,
    compute,
    floatingips,
    generic,
    health,
    joining,
    network,
    nova_floating_ips,
    pool_subnets,
    port_forwardings,
    quotas,
    replicated,
    routers,
    security_groups,
    server_addresses,
    subnetpools,
    unseen,
    versions,
    volume_services,
)
from tricircle.api.auth import TokenCheck
from tricircle.api.channel import HELD
from tricircle.api.forward import failure
from tricircle.api.gateway import Gateway
from tricircle.api.generic import Handlers
from tricircle.api.message import REQUEST_ID, Request, Response, downward, error_body, new_request_id, read
from tricircle.errors import (
    ApiError,
    BadRequest,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    PodUnreachable,
    StoreBusy,
    Unavailable,
)
from tricircle.routing import doors
from tricircle.routing.caller import SERVICE_TOKEN, Caller, Identity
from tricircle.routing.catalogue import SERVICES, Path, Service, parse
from tricircle.routing.replicas import Refused
from tricircle.upstream.account import SERVICE_TYPES

LOG = logging.getLogger(__name__)
MODULES = (server_addresses, port_forwardings, floatingips, affinity, compute, joining, network, nova_floating_ips,
           pool_subnets, quotas, subnetpools, replicated, routers, security_groups, unseen, volume_services)
NOBODY = Identity()
# In Keystone's catalogue.
NAMES = {**SERVICE_TYPES, "admin": ("Cascading",)}
STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in http.HTTPStatus}
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
BODILESS = frozenset({100, 204, 304})   # the first one is the answer to a question of channel.py
OF_A_BODY = frozenset({"content-type", "content-length", "content-encoding", "content-range", "last-modified"})
WSGI = Callable[[dict, Callable], Iterable[bytes]]


def _handlers() -> Handlers:
    """{(service, collection): handlers}, of all modules: two topics may have something to say about servers."""
    found: Handlers = {}
    for module in MODULES:
        for key, handler in module.HANDLERS.items():
            found[key] = (*found.get(key, ()), handler)
    return found


SPECIAL = _handlers()


def application(gateway: Gateway, service_name: str) -> WSGI:
    """Build one service's application.

    Args:
        gateway: parts.
        service_name: `admin`, `compute`, `volume` or `network`.

    Returns:
        The whole stack: health, request id and log, canonical path, version documents, token check, handler.
    """
    max_body = gateway.conf.api.max_body_bytes

    def plain(environ: dict, start_response: Callable) -> Iterable[bytes]:
        response = _handle(gateway, service_name, environ, max_body)
        return _to_wsgi(response, environ["REQUEST_METHOD"], start_response)

    app = _bottle(gateway) if service_name == "admin" else plain
    guarded = TokenCheck(app, gateway.conf, _style(service_name), NAMES[service_name])
    healthcheck = health.application(gateway.conf)

    def outer(environ: dict, start_response: Callable) -> Iterable[bytes]:
        if environ.get("PATH_INFO") == health.PATH:   # asked all the time: it has no line in the log
            return healthcheck(environ, start_response)
        environ["tricircle.request_id"] = request_id = new_request_id()
        work, started = trace.begin(request_id), time.monotonic()
        work.versions = {}

        def start(status: str, headers: list, exc_info: object = None) -> Callable:
            headers = [*headers, ("X-Tricircle-Request-Id", request_id)]
            of_pod = next((value for name, value in headers if name.lower() == "x-openstack-request-id"), "")
            if not of_pod:   # no single pod has answered
                headers.append(("x-openstack-request-id", request_id))
                if service_name == "compute":
                    headers.append(("x-compute-request-id", request_id))
            code, seconds = status.split(" ", 1)[0], time.monotonic() - started
            metrics.answered(service_name, environ["REQUEST_METHOD"], code, seconds, len(work.pods))
            _note(environ, service_name, work, of_pod, code, seconds)
            return start_response(status, headers)

        try:
            _straighten(environ, service_name)
            behind = app if _is_open(service_name, environ) else guarded
        except ApiError as error:
            environ["tricircle.refusal"] = error
            behind = app
        try:
            return behind(environ, start)
        finally:
            work.versions = None   # the thread's next work is none of this request

    return outer


def _bottle(gateway: Gateway) -> WSGI:
    """Build the admin API's application.

    Those of the pods' APIs have one rule for all paths, so Bottle's router and casting, a tenth of a request's time,
    have nothing to do there.
    """
    app, most = bottle.Bottle(), gateway.conf.api.max_body_bytes
    for rule in ("/", "/<path:path>"):
        app.route(rule, method="ANY", callback=lambda path="": _to_bottle(
            _handle(gateway, "admin", bottle.request.environ, most)))
    return app


def _straighten(environ: dict, service_name: str) -> None:
    """From here on there is one path, for all who look at it."""
    canonical.rewrite(environ)
    if service_name != "admin":
        path = environ["REQUEST_URI"].partition("?")[0]
        canonical.set_path(environ, doors.plain(SERVICES[service_name], path))


def _note(environ: dict, service_name: str, work: trace.Trace, of_pod: str, status: str, seconds: float) -> None:
    """The request's line in the log. No query (of old, clients put tokens there) and no header but the request ids."""
    asked = environ.get("HTTP_X_OPENSTACK_REQUEST_ID", "")
    identity = environ.get("tricircle.identity", NOBODY)
    logs.request({
        "request_id": work.cause, "global_request_id": asked if REQUEST_ID.match(asked) else "-",
        "pod_request_id": of_pod or "-", "service": service_name, "method": environ["REQUEST_METHOD"],
        "path": environ["REQUEST_URI"].partition("?")[0],
        "status": status, "seconds": f"{seconds:.3f}", "project": identity.project_id or "-",
        "user": identity.user_id or "-", "pods": ",".join(sorted(work.pods)) or "-"})


def _style(service_name: str) -> str:
    return "admin" if service_name == "admin" else SERVICES[service_name].errors


def _is_open(service_name: str, environ: dict) -> bool:
    """Version documents need no token; OpenStack's clients ask for them before they have one."""
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        return False
    path = environ["PATH_INFO"]
    return path == "/" if service_name == "admin" else versions.is_open(SERVICES[service_name], path)


def _handle(gateway: Gateway, service_name: str, environ: dict, max_body: int) -> Response:
    """Answer a request, whatever happens.

    Args:
        gateway, service_name: as in `application`.
        environ: of WSGI, after the token check.
        max_body: bytes of JSON; oslo.config takes as long to say it as the reading.
    """
    style = _style(service_name)
    try:
        if "tricircle.refusal" in environ:
            raise environ["tricircle.refusal"]
        if HELD in environ and service_name != "admin" and "tricircle.identity" in environ:
            # A request that its path or its token condemns is refused here, before its body gets room.
            _place(service_name, environ["REQUEST_URI"].partition("?")[0], environ["tricircle.identity"])
        response = gateway.door.enter(service_name, environ)
        if response is None:
            request = read(environ, max_body)
            response = _answer(gateway, service_name, request, environ)
    except Refused as error:
        response = Response(error.answer.status, [("Content-Type", "application/json")], error.answer.body)
    except ApiError as error:
        response = Response.of_json(error.status, error_body(style, error))
        response.headers += error.headers
    except PodUnreachable as error:
        told = failure(error)
        response = Response.of_json(told.status, error_body(style, told))
    except StoreBusy as error:
        LOG.error("the database: %s", error)
        busy = Unavailable("Tricircle's database cannot take a write now: try again")
        response = Response.of_json(503, error_body(style, busy))
    except Exception:
        LOG.exception("%s %s", environ["REQUEST_METHOD"], environ["PATH_INFO"])
        broken = ApiError("an error in Tricircle itself; its log has the details under this request's id")
        response = Response.of_json(500, error_body(style, broken))
    return response


def _answer(gateway: Gateway, service_name: str, request: Request, environ: dict) -> Response:
    if service_name != "admin":
        _refuse_method(SERVICES[service_name], environ["REQUEST_METHOD"], request.path)
    if _is_open(service_name, environ):
        if service_name == "admin":
            return admin.versions(request)
        return versions.document(gateway, SERVICES[service_name], request, request.path)
    request.caller = _caller(gateway, request, environ)
    if service_name == "network" and network.is_one_tag(request.path):
        request.body = b""
    request.parse_body()
    if service_name == "admin":
        return admin.serve(gateway, request)
    root = versions.root_of(SERVICES[service_name], request, environ["tricircle.identity"].project_id)
    if root:
        return versions.document(gateway, SERVICES[service_name], request, root)
    path = _place(service_name, request.path, request.caller.identity)
    return generic.serve(gateway, request, path, SPECIAL)


def _refuse_method(service: Service, method: str, path: str) -> None:
    """Refuse a HEAD as the pods do, and a write to a document of Neutron's versions.

    Nova and Cinder know HEAD for the documents of their versions, Neutron for a tag.

    Raises:
        MethodNotAllowed, NotFound: the path has no such method.
    """
    of_version = versions.is_version_path(service, path)
    if service.errors == "neutron":
        if (of_version and method in WRITES) or (method == "HEAD" and not network.is_one_tag(path)):
            raise MethodNotAllowed(f"Method {method} is not allowed for the requested resource.",
                                   "HTTPMethodNotAllowed")
    elif method == "HEAD" and not of_version:
        raise NotFound("The resource could not be found.")


def _place(service_name: str, path: str, identity: Identity) -> Path:
    """Where a path of a pod's API leads.

    Raises:
        NotFound: nowhere.
        Forbidden, BadRequest: not with this token.
    """
    found = parse(SERVICES[service_name], path)
    if found is None:
        raise doors.nothing(path)
    if not identity.project_id:
        raise Forbidden("the token is for no project: get one that is scoped to a project")
    if found.project not in ("", identity.project_id):
        raise BadRequest(f"Malformed request URL: URL's project_id '{found.project}' doesn't match Context's "
                         f"project_id '{identity.project_id}'")
    return found


def _caller(gateway: Gateway, request: Request, environ: dict) -> Caller:
    """Whoever the token is for, and what goes to pods with our own questions in their name.

    The access rules of an application credential allow what the user asks of us, and not what we ask of other services
    on the way. OpenStack's services show their own token beside the user's then: keystonemiddleware does not look at
    the rules of such a request. The user's own request goes on without it (see `forward.send`).
    """
    identity, headers = environ["tricircle.identity"], downward(request)
    if identity.restricted:
        headers[SERVICE_TOKEN] = gateway.upstream.account.token()
    return Caller(identity, headers)


def _to_bottle(response: Response) -> bottle.HTTPResponse:
    """Bottle gives HEAD the headers of a GET, and closes a stream that is not wanted."""
    answer = bottle.HTTPResponse(response.body if response.stream is None else response.stream, response.status,
                                 response.headers)
    if "Content-Type" not in answer:
        answer.set_header("Content-Type", "application/json")
    return answer


def _to_wsgi(response: Response, method: str, start_response: Callable) -> Iterable[bytes]:
    """Begin an answer and return its body; a stream that is not returned is closed, since nobody else does it."""
    try:
        body = _begin(response, method, start_response)
    except BaseException:
        _close(response)
        raise
    if body is not response.stream:
        _close(response)
    return body


def _close(response: Response) -> None:
    if response.stream is not None:
        response.stream.close()


def _begin(response: Response, method: str, start_response: Callable) -> Iterable[bytes]:
    """Begin an answer and return its body; HEAD gets the headers of a GET and no body."""
    headers = [(name, value if value.isascii() else value.encode().decode("latin-1"))
               for name, value in response.headers]
    named, body = {name.lower() for name, _ in headers}, response.stream
    if "content-type" not in named:
        headers.append(("Content-Type", "application/json"))
    if body is None:
        body = [response.body]
        if "content-length" not in named:
            headers.append(("Content-Length", str(len(response.body))))
    empty = response.status in BODILESS
    if empty:
        headers = [(name, value) for name, value in headers if name.lower() not in OF_A_BODY]
    start_response(STATUS_LINES.get(response.status) or f"{response.status} Unknown", headers)
    return [] if empty or method == "HEAD" else body
