"""What all the stand-in services share: tokens, request ids, error formats, the log of writes, rows on shelves."""
import contextlib
import copy
import datetime
import json
import re
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keystonemiddleware.auth_token import _path_matches

from tests.functional.standin.faults import WRITES, Faults
from tests.functional.standin.identity import Identity
from tests.functional.standin.routes import Routes
from tests.functional.standin.web import Refused, Request, Response, Server, request_id

RECORDED = Path(__file__).parent.parent / "recorded"
MEDIA = re.compile(r"^application/(json|[\w.+-]*\+json)\b", re.I)


def recorded(service: str) -> dict[str, Any]:
    """The recorded answers of a service: {name: member as answered}."""
    return json.loads((RECORDED / f"{service}.json").read_text())["answers"]


def stamp(micro: bool = False) -> str:
    """Now, as APIs write it."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f" if micro else "%Y-%m-%dT%H:%M:%SZ")


def visible(row: dict) -> dict:
    """A row without what it keeps for itself."""
    return {key: value for key, value in row.items() if not key.startswith("_")}


class Service:
    """A service of one pod, on a port of its own.

    Args:
        pod: has `name`, `identity`, `log` (writes of the whole cloud), `stops`, `lock` and `mount`.
    """

    name = ""
    service_type = ""   # in Keystone's catalogue, where that is another one
    open_paths: tuple[str, ...] = ("/",)   # answered without a token

    def __init__(self, pod):
        self.pod = pod
        self.identity: Identity = pod.identity
        self.shelves: dict[str, dict[str, dict]] = {}
        self.faults = Faults(stops=pod.stops)
        self.routes = Routes(self.table())
        self.server = Server(self.serve, self.faults, pod.mount(self.name))

    def table(self) -> list:
        """(method, path, function) of everything that is served."""
        raise NotImplementedError

    def error(self, refused: Refused) -> dict:
        """An error body in the service's own format."""
        raise NotImplementedError

    def normal(self, request: Request) -> None:
        """Adjust a request before it is routed (drop a project from its path, read a microversion)."""

    def finish(self, request: Request, response: Response) -> None:
        """Add the headers that every answer of the service has."""
        response.headers.setdefault("X-Openstack-Request-Id", request_id())

    def shelf(self, name: str) -> dict[str, dict]:
        """The rows of a collection, by id, in order of creation."""
        return self.shelves.setdefault(name, {})

    def find(self, collection: str, id: str, message: str = "", kind: str = "") -> dict:
        """A row by id, or 404."""
        row = self.shelf(collection).get(id)
        if row is None:
            raise Refused(404, message or f"{collection} {id} could not be found.", kind)
        return row

    def serve(self, request: Request) -> Response:
        """Answer a request; one at a time in each pod, as a transaction would be."""
        asked = request.path
        request.method = request.arg("_method", request.method).upper()   # as Routes does
        try:
            self.normal(request)
            if request.path not in self.open_paths:
                self._authenticate(request, asked)
            with self.pod.lock:
                function, match = self.routes.find(request)
                response = function(request, **match)
        except Refused as refused:
            response = self._refuse(request, refused)
        self.finish(request, response)
        if request.who:
            self.pod.log.hear(f"{self.pod.name} {self.name} {request.method} {asked}", request.who.user.name)
        if request.method in WRITES:
            self.pod.log.append(Write(self.pod.name, self.name, request.method, asked, _parsed(request.raw),
                                      request.who.user.name if request.who else None, response.status,
                                      dict(request.headers)))
        return response

    def _refuse(self, request: Request, refused: Refused) -> Response:
        if refused.status == 401:
            return Response(401, {"error": {"code": 401, "title": "Unauthorized", "message": refused.message}},
                            {"WWW-Authenticate": f'Keystone uri="{self.pod.keystone_url}"'})
        return Response(refused.status, self.error(refused))

    def _authenticate(self, request: Request, asked: str) -> None:
        """As keystonemiddleware does, also the access rules of application credentials."""
        who = request.who = self.identity.find(request.headers.get("x-auth-token"))
        service = self.identity.find(request.headers.get("x-service-token"))
        if "x-service-token" in request.headers and not (service and "service" in service.roles):
            who = None
        if not who or not (who.rules is None or service or any(
                (rule["service"], rule["method"]) == (self.service_type or self.name, request.method)
                and _path_matches(asked, rule["path"]) for rule in who.rules)):
            raise Refused(401, "The request you have made requires authentication.")

    def body(self, request: Request) -> dict:
        """The JSON object of a request; 415 for another media type, 400 for anything else."""
        if request.raw and not MEDIA.match(request.headers.get("content-type", "application/json")):
            raise Refused(415, f"Unsupported Content-Type {request.headers['content-type']}.",
                          "HTTPUnsupportedMediaType")
        try:
            found = json.loads(request.raw)
        except (ValueError, RecursionError):
            raise Refused(400, "Malformed request body: it is not JSON.", "HTTPBadRequest") from None
        if not isinstance(found, dict):
            raise Refused(400, "Malformed request body: it is no object.", "HTTPBadRequest")
        return found

    def admin(self, request: Request, what: str) -> None:
        """403 unless the caller is an administrator."""
        if not request.who.admin:
            raise Refused(403, f"Policy doesn't allow {what} to be performed.", "PolicyNotAuthorized")

    def writer(self, request: Request, what: str) -> None:
        """403 for a mere reader."""
        if not set(request.who.roles) & {"admin", "member", "manager", "service"}:
            raise Refused(403, f"Policy doesn't allow {what} to be performed.", "PolicyNotAuthorized")

    def snapshot(self) -> dict[str, dict[str, dict]]:
        """A copy of everything there is, to compare with later."""
        with self.pod.lock:
            return copy.deepcopy({name: rows for name, rows in self.shelves.items() if rows})


class Write:
    """One write call as a pod saw it.

    Args:
        pod, service, method, path, body, who (user name), status, headers.
    """

    def __init__(self, pod, service, method, path, body, who, status, headers):
        self.pod, self.service, self.method, self.path = pod, service, method, path
        self.body, self.who, self.status, self.headers = body, who, status, headers

    def __repr__(self):
        return f"<{self.pod} {self.service} {self.method} {self.path} by {self.who}: {self.status}>"


class Log:
    """The writes of a cloud, in order; and its reads, too, for whoever listens."""

    def __init__(self):
        self._writes: list[Write] = []
        self._listeners: list[tuple[str, list[str]]] = []
        self._lock = threading.Lock()

    def hear(self, call: str, who: str) -> None:
        """Tell the listeners of a call by a user."""
        for name, heard in self._listeners:
            if name == who:
                heard.append(call)

    @contextlib.contextmanager
    def listening(self, who: str) -> Iterator[list[str]]:
        """Within the block the list gets every call by a user."""
        listener = (who, [])
        self._listeners.append(listener)
        try:
            yield listener[1]
        finally:
            self._listeners.remove(listener)

    def append(self, write: Write) -> None:
        """Add one."""
        with self._lock:
            self._writes.append(write)

    def __len__(self):
        return len(self._writes)

    def since(self, mark: int = 0, done: bool = False) -> list[Write]:
        """Writes from a mark (a former `len`) on; with `done` only the ones that were accepted."""
        with self._lock:
            return [w for w in self._writes[mark:] if not done or w.status < 300]


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except (ValueError, RecursionError):
        return raw[:200]


def new_id() -> str:
    """A fresh UUID."""
    return str(uuid.uuid4())


def ordered(rows: list[dict], request: Request, keys: list[str], directions: list[str]) -> list[dict]:
    """Rows sorted by several keys."""
    for key, direction in reversed(list(zip(keys, directions, strict=False))):
        rows = sorted(rows, key=lambda row: (row.get(key) is not None, _comparable(row.get(key))),
                      reverse=direction.startswith("desc"))
    return rows


def _comparable(value: Any) -> Any:
    """Text without regard to case, as MariaDB's default collation has it."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else str(value).upper()


def page(rows: list[dict], limit: int | None, marker: str | None, missing: Refused) -> tuple[list[dict], bool]:
    """The rows after a marker, cut to the limit, and whether there are more."""
    if marker is not None:
        places = [place for place, row in enumerate(rows) if str(row.get("id")) == marker]
        if not places:
            raise missing
        rows = rows[places[0] + 1:]
    if limit is None:
        return rows, False
    return rows[:limit], len(rows) > limit
