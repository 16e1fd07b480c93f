"""What Nova and Cinder have in common: error bodies, microversions, a project in the path, paging with links."""
import re
from urllib.parse import urlencode

from tests.functional.standin import doors
from tests.functional.standin.service import Service, page, request_id, visible
from tests.functional.standin.web import Refused, Request, Response

NAMES = {400: "badRequest", 403: "forbidden", 404: "itemNotFound", 405: "badMethod",
         409: "conflictingRequest", 413: "overLimit", 415: "badMediaType", 429: "overLimit", 501: "notImplemented",
         503: "serviceUnavailable"}
PROJECT = re.compile(r"^(/v\d+(?:\.\d+)?)/([0-9a-f]{32})(/|$)")


class Microversioned(Service):
    """Base of Nova and Cinder; `low` and `high` are what a test may narrow.

    Args:
        pod: see Service.
    """

    kind = ""             # as in the header: compute, volume
    prefix = ""           # /v2.1
    legacy = ""           # the older header
    low: tuple[int, int]
    high: tuple[int, int]

    def error(self, refused):
        """{"itemNotFound": {"code": ..., "message": ...}}."""
        name = NAMES.get(refused.status, "computeFault")
        return {name: {"code": refused.status, "message": refused.message}}

    def normal(self, request):
        """Take the project out of the path and read the microversion."""
        request.path = {"compute": doors.nova, "volume": doors.cinder}[self.kind](request.path)
        match = PROJECT.match(request.path)
        request.project = match.group(2) if match else None
        if match:
            request.path = match.group(1) + request.path[match.end(2):]
        request.version = self._version(request)

    def _version(self, request):
        wanted = None
        for part in request.headers.get("openstack-api-version", "").split(","):
            words = part.split()
            if len(words) == 2 and words[0].lower() == self.kind:
                wanted = words[1]
        if self.kind == "volume" and not wanted and request.headers.get("openstack-api-version"):
            raise Refused(400, "The server could not comply with the request since it is either malformed or otherwise "
                               "incorrect.")   # "API version None is not supported", as Cinder logs it
        wanted = wanted or (self.legacy and request.headers.get(self.legacy)) or ".".join(map(str, self.low))
        if wanted == "latest":
            return self.high
        if not re.fullmatch(r"\d+\.(0|[1-9]\d*)", wanted):
            raise Refused(400, f"API Version String {wanted} is of invalid format. Must be of format "
                               "MajorNum.MinorNum.")
        version = tuple(map(int, wanted.split(".")))
        if not self.low <= version <= self.high:
            raise Refused(406, f"Version {wanted} is not supported by the API. Minimum is {_dotted(self.low)} and "
                               f"maximum is {_dotted(self.high)}.")
        return version

    def finish(self, request, response):
        """Microversion and request id headers."""
        id = request_id()
        response.headers.setdefault("X-Compute-Request-Id", id)
        response.headers.setdefault("X-Openstack-Request-Id", id)
        version = getattr(request, "version", None)
        if version and request.path.startswith(self.prefix):
            response.headers["OpenStack-API-Version"] = f"{self.kind} {_dotted(version)}"
            response.headers["Vary"] = "OpenStack-API-Version"
            if self.legacy:
                response.headers["X-OpenStack-Nova-API-Version"] = _dotted(version)
                response.headers["Vary"] += ", X-OpenStack-Nova-API-Version"

    def _authenticate(self, request, asked):
        super()._authenticate(request, asked)
        if request.project and request.project != request.who.project.id:
            raise Refused(400, f"Malformed request URL: URL's project_id '{request.project}' doesn't match Context's "
                               f"project_id '{request.who.project.id}'")

    def version_document(self, request, id, status="CURRENT"):
        """One version, as in discovery."""
        return {"id": id, "status": status, "version": _dotted(self.high), "min_version": _dotted(self.low),
                "updated": "2013-07-23T11:33:21Z",
                "links": [{"rel": "self", "href": f"{request.base}{self.prefix}/"}],
                "media-types": [{"base": "application/json", "type": "application/json"}]}

    def member(self, request: Request, name: str) -> dict:
        """The member object of a body."""
        given = self.body(request).get(name)
        if not isinstance(given, dict):
            raise Refused(400, f"Invalid input for field/attribute {name}. '{name}' is a required property")
        return given

    def checked(self, check, given):
        """What a check makes of a value; 400 where it refuses."""
        try:
            return check(given)
        except ValueError as error:
            # Nova repeats the value that was sent (nova/api/validation/validators.py).
            raise Refused(400, f"Invalid input for field/attribute. Value: {str(given)[:1000]}. {error}") from None

    def links(self, request, collection: str, id: str) -> list[dict]:
        """self and bookmark."""
        base = f"{request.base}{self.prefix}" + (f"/{request.project}" if request.project else "")
        plain = request.base + (f"/{request.project}" if request.project else "")
        return [{"rel": "self", "href": f"{base}/{collection}/{id}"},
                {"rel": "bookmark", "href": f"{plain}/{collection}/{id}"}]

    def number(self, request, name: str) -> int | None:
        """A query parameter that is a number of zero or more."""
        given = request.arg(name)
        if given is None:
            return None
        if not re.fullmatch(r"\d{1,9}", given):
            raise Refused(400, f"Invalid input for query parameters {name}. Value: {given[:80]}. It is not an integer.")
        return int(given)

    def listing(self, request, name: str, rows: list[dict], view, path: str = "") -> Response:
        """A page of rows, with the link to the next one."""
        limit = self.number(request, "limit")
        limit = min(limit or 1000, 1000) if limit != 0 or self.kind == "compute" else 0
        marker = request.arg("marker")
        rows, _ = page(rows, limit, marker, self.no_marker(marker))
        answer = {name: [view(row) for row in rows]}
        if rows and len(rows) == limit:     # a full page promises another one, be there one or not
            query = [(k, v) for k, v in request.query if k != "marker"] + [("marker", rows[-1]["id"])]
            base = f"{request.base}{self.prefix}" + (f"/{request.project}" if request.project else "")
            href = f"{base}{request.path.removeprefix(self.prefix)}?{urlencode(query)}"
            answer[f"{name}_links"] = [{"rel": "next", "href": href}]
        return Response(200, answer)

    def no_marker(self, marker) -> Refused:
        """Nova's word for a marker that is not there; Cinder has another one."""
        return Refused(400, f"marker [{marker}] not found")

    def _refuse(self, request, refused):
        if refused.kind == "HTTPNotFound":     # the router's, not the service's
            return Response(404, b"404 Not Found\n\nThe resource could not be found.\n", {"Content-Type": "text/plain"})
        return super()._refuse(request, refused)

    def brief(self, request, collection: str, row: dict, *more: str) -> dict:
        """id, name and links."""
        return {**{key: row[key] for key in ("id", "name", *more)}, "links": self.links(request, collection, row["id"])}

    def plain(self, row: dict) -> dict:
        """A row without its private parts."""
        return visible(row)


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def newest_first(rows: list[dict], created: str) -> list[dict]:
    """Nova's and Cinder's default order: created descending, then id descending."""
    return sorted(rows, key=lambda row: (row[created], str(row["id"])), reverse=True)
