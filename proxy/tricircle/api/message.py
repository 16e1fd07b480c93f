"""Requests and answers, independent of the web framework."""
import json
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, BinaryIO

from tricircle import freetext, jsons, uuids
from tricircle.api import proxies
from tricircle.errors import ApiError, BadRequest, TooLarge
from tricircle.routing.caller import Caller
from tricircle.routing.references import Mentions, mentions

REQUEST_ID = re.compile(r"req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")   # `$` lets a newline through
# A letter, digit or dash that needs no escape in JSON. Ids and names of fields are looked for as they are.
ESCAPED = re.compile(rb"\\u00[2-7]")
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
# It goes into every link of an answer, JSON or not.
HOST = re.compile(r"[A-Za-z0-9.:\[\]_-]+\Z")
# Said between two neighbours only (RFC 9110 7.6.1), or made afresh for each hop.
HOP_BY_HOP = frozenset({"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
                        "te", "trailer", "trailers", "transfer-encoding", "upgrade", "host", "content-length",
                        "expect", "accept-encoding"})
# They speak of the one thing that a request addresses; our own questions on its behalf, and lists, are other things.
CONDITIONS = frozenset({"if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "range"})
PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+\Z")
LONGEST_NAME = 64   # of a header: so many characters of it are remembered, and users may write longer ones
# What may stand before a JSON object in any encoding that a pod's parser takes: blanks, byte order marks, and the
# other halves of UTF-16.
BEFORE_JSON = b" \t\r\n\x00\xef\xbb\xbf\xff\xfe"
PEEK = 1 << 16
DEEPEST = 200   # far more than any API has, and far less than Python's stack takes anywhere in a request
# Routes, which all three services use, takes the field `_method` of a form for the method of the request.
FORM = re.compile(r"\s*(application/x-www-form-urlencoded|multipart/form-data)\b", re.I)
# Set by keystonemiddleware for us (a pod finds out by itself from the token), and by a proxy in front of us.
IDENTITY = re.compile(r"^x-(identity-status|user(-.*)?|project-.*|domain-.*|tenant(-.*)?|roles?|service-(?!token$).*|"
                      r"is-admin-project|service-catalog|forwarded-.*)$|^(openstack-system-scope|forwarded)$")


@dataclass
class Request:
    """One request of a user.

    Args:
        method: upper case.
        path: canonical, see canonical.py; percent signs kept.
        query: as it was sent, without the question mark.
        headers: lower-case names.
        body: decoded of its transfer encoding; empty for a body that is no JSON.
        root: how the caller reached us, `http://gateway:19998`.
        request_id: of this request, `req-<uuid>`.
        caller: who asks; None for version documents.
        body_json: the parsed body, where there is one; see `parse_body`.
        microversion: the one that all pods will use, where the caller named one; see microversion.py.
        upload: a body that is no JSON: it goes to one pod as it is.
        ours: the gateway asks on the user's behalf what the user did not ask.
        besides: fields of Neutron's records that we ask for besides those that the query names; see `query.completed`.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    root: str
    request_id: str
    caller: Caller | None = None
    body_json: Any = None
    microversion: tuple[int, int] | None = None
    upload: "Upload | None" = None
    ours: bool = False
    besides: frozenset[str] = frozenset()
    _mentions: tuple[str, bytes, Mentions] | None = field(default=None, init=False, repr=False, compare=False)

    def mentions(self, service: str) -> Mentions:
        """Return what the body refers to; it is read again when another body has taken its place.

        Args:
            service: whose API the request is for.

        Raises:
            BadRequest: as `references.mentions`.
        """
        if self._mentions is None or self._mentions[0] != service or self._mentions[1] is not self.body:
            self._mentions = service, self.body, mentions(service, self.body_json)
        return self._mentions[2]

    @property
    def target(self) -> str:
        """Path and query, with the fields that are asked for besides."""
        query = "&".join([*([self.query] if self.query else []), *(f"fields={name}" for name in sorted(self.besides))])
        return f"{self.path}?{query}" if query else self.path

    def question(self, path: str | None = None) -> "Request":
        """A GET in the same caller's name, of the same path or another one."""
        headers = {name: value for name, value in self.headers.items() if name not in CONDITIONS}
        return Request("GET", path or self.path, "", headers, b"", self.root, self.request_id, self.caller, ours=True)

    def with_json(self, document: Any) -> "Request":
        """Return the same request with another body."""
        return replace(self, body=jsons.dumps(document), body_json=document)

    @property
    def conditions(self) -> dict[str, str]:
        """If-Match and its siblings."""
        return {name: value for name, value in self.headers.items() if name in CONDITIONS}

    def parse_body(self) -> None:
        """Read a JSON body into `body_json`; both have what it says in one spelling, whoever looks for an id in them.

        Raises:
            BadRequest: it is not JSON, or not an object.
        """
        if not self.body:
            return
        try:
            self.body_json = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise BadRequest("the request's body is not JSON", "HTTPBadRequest") from error
        if not isinstance(self.body_json, dict):
            raise BadRequest("the request's body must be a JSON object", "HTTPBadRequest")
        if self.body.count(b"{") + self.body.count(b"[") > DEEPEST and _depth(self.body_json) > DEEPEST:
            raise BadRequest(f"the request's body is nested more than {DEEPEST} deep", "HTTPBadRequest")
        if not _is_utf_8(self.body):
            self.body = json.dumps(self.body_json).encode()
        if b"\\u" in self.body:
            if SURROGATE.search(self.body) and not _is_text(self.body_json):
                raise BadRequest("the request's body has half a character (a lone surrogate) in it", "HTTPBadRequest")
            if ESCAPED.search(self.body):
                self.body = json.dumps(self.body_json).encode()
        if uuids.have_capitals(self.body):
            freetext.in_document(self.body_json, uuids.lowered, freetext.ID_FIRST)
            self.body = json.dumps(self.body_json).encode()


def _depth(document: Any) -> int:
    """How deep objects and lists are nested, without recursion."""
    depth, layer = 0, [document]
    while layer:
        depth += 1
        layer = [inner for each in layer if isinstance(each, dict | list)
                 for inner in (each.values() if isinstance(each, dict) else each)]
    return depth


def _is_utf_8(body: bytes) -> bool:
    """Whether a JSON document is in the one encoding in which all of us look for ids; a byte order mark is none."""
    if body.isascii() and b"\0" not in body:
        return True
    if json.detect_encoding(body) != "utf-8":
        return False
    try:
        body.decode()
    except UnicodeDecodeError:   # half a character, which json.loads takes
        return False
    return True


def _is_text(document: Any) -> bool:
    """Whether all strings can be written as UTF-8, as paths, databases and the pods want them."""
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        return False
    return True


@dataclass
class Upload:
    """A body that is not looked into.

    Args:
        file: at any place.
        length: bytes.
    """

    file: BinaryIO
    length: int


@dataclass
class Response:
    """One answer to a user.

    Args:
        status: HTTP status.
        headers: (name, value), repeated names allowed.
        body: whole.
        stream: pieces of a body that passes through, in `body`'s place.
    """

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    stream: Iterator[bytes] | None = None

    @classmethod
    def of_json(cls, status: int, document: Any) -> "Response":
        """An answer with a JSON body."""
        return cls(status, [("Content-Type", "application/json")], json.dumps(document).encode())

    @property
    def neutron_error(self) -> str:
        """The type of Neutron's error that the body tells; empty where it tells none."""
        try:
            document = json.loads(self.body)
        except ValueError:
            return ""
        error = document.get("NeutronError") if isinstance(document, dict) else None
        return str(error.get("type", "")) if isinstance(error, dict) else ""


def new_request_id() -> str:
    """A request id as oslo.middleware makes them."""
    # A UUID of version 4; uuid.uuid4 asks the kernel for each. It is no secret, and each process
    # has a seed of its own, also after a fork.
    text = f"{random.getrandbits(128):032x}"
    return f"req-{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[ord(text[16]) % 4]}{text[17:20]}-{text[20:]}"


def read(environ: Mapping[str, Any], max_body: int) -> Request:
    """Make a request of a WSGI environment.

    A HEAD is served as the GET that it stands for, so that it has the same headers; its body is left out at the end.

    Args:
        environ: with a canonical path; after keystonemiddleware, or before it for paths that need no token.
        max_body: bytes of JSON.

    Raises:
        TooLarge: the body is JSON and larger.
    """
    # keystonemiddleware puts None where a token says nothing.
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items()
               if name.startswith("HTTP_") and value is not None}
    if environ.get("CONTENT_TYPE"):
        headers["content-type"] = environ["CONTENT_TYPE"]
    prefix = environ.get(proxies.PREFIX, "").rstrip("/")
    if not PREFIX.match(prefix):
        prefix = ""
    path = environ["REQUEST_URI"].partition("?")[0]
    host = environ.get("HTTP_HOST", "")
    root = f"{environ['wsgi.url_scheme']}://{host if HOST.match(host) else _server(environ)}{prefix}"
    body, upload = _body(environ, max_body)
    method = "GET" if environ["REQUEST_METHOD"] == "HEAD" else environ["REQUEST_METHOD"]
    return Request(method, path, environ.get("QUERY_STRING", ""), headers, body, root,
                   environ["tricircle.request_id"], upload=upload)


def _server(environ: Mapping[str, Any]) -> str:
    return f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"


def is_document(environ: Mapping[str, Any]) -> bool:
    """Whether a body says that it is JSON, or says nothing."""
    kind = environ.get("CONTENT_TYPE", "").lower()
    return not kind or "json" in kind


def _body(environ: Mapping[str, Any], max_body: int) -> tuple[bytes, Upload | None]:
    """What was sent, and whether it is JSON: (the body, None) or (nothing, the body)."""
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal():
        raise BadRequest("the request's Content-Length is no number")
    if length == "0" or environ["REQUEST_METHOD"] in ("GET", "HEAD"):
        return b"", None   # what a GET carries means nothing (RFC 9110 9.3.1)
    stream = environ["wsgi.input"]
    # Neutron parses a body of any type: one that could be taken for JSON is always read, and bounded, as JSON.
    if not is_document(environ) and stream.read(PEEK).lstrip(BEFORE_JSON)[:1] not in (b"{", b""):
        return b"", Upload(stream, int(length))
    if int(length) > max_body:
        raise TooLarge(f"the request's body is larger than {max_body} bytes")
    stream.seek(0)
    return stream.read(int(length)), None


def named(connection: str) -> set[str]:
    """Headers that a `Connection` header says are between two neighbours only; never the token.

    Keystone's middleware has read the token by then, so without it a pod would be asked for nobody.
    """
    return {name.strip().lower() for name in connection.split(",")} - {"x-auth-token"}


def downward(request: Request) -> dict[str, str]:
    """What goes to a pod with every call: the caller's headers less hop-by-hop, conditions and identity.

    Our request id is the global one there.
    """
    kept = {name: value for name, value in request.headers.items() if not _stays(name)}
    for name in named(request.headers.get("connection", "")) & kept.keys():
        del kept[name]
    asked = request.headers.get("x-openstack-request-id", "")
    kept["x-openstack-request-id"] = asked if REQUEST_ID.match(asked) else request.request_id
    kept["accept-encoding"] = "identity"
    if FORM.match(kept.get("content-type", "")):
        kept["content-type"] = "application/octet-stream"   # no service takes forms, and Neutron asks for no type
    return kept


def _stays(name: str) -> bool:
    """Whether a header is none that goes down to a pod, whatever it says."""
    return _remembered(name) if len(name) <= LONGEST_NAME else _found(name)


@lru_cache(maxsize=4096)   # users' headers are nearly always the same
def _remembered(name: str) -> bool:
    return _found(name)


def _found(name: str) -> bool:
    return name in HOP_BY_HOP or name in CONDITIONS or bool(IDENTITY.match(name)) or name.startswith("x-tricircle-")


NOVA_NAMES = {400: "badRequest", 401: "unauthorized", 403: "forbidden", 404: "itemNotFound", 405: "badMethod",
              409: "conflictingRequest", 413: "overLimit", 415: "badMediaType", 429: "overLimit",
              501: "notImplemented", 503: "serviceUnavailable"}


def error_body(style: str, error: ApiError) -> dict:
    """An error in the form that the called service uses.

    Args:
        style: `nova` (Cinder's too), `neutron` or `admin`.
        error: status and message.
    """
    if style == "nova":
        fault = {"code": error.status, "message": error.message}
        if error.status in (413, 429) and "Retry-After" in dict(error.headers):   # as nova.api.openstack.wsgi.Fault
            fault["retryAfter"] = dict(error.headers)["Retry-After"]
        return {NOVA_NAMES.get(error.status, "computeFault"): fault}
    if style == "neutron":
        return {"NeutronError": {"type": error.kind, "message": error.message, "detail": ""}}
    return {"error": {"code": error.status, "title": error.kind, "message": error.message}}
