"""One microversion for all pods: what is outside their intersection is refused, and `latest` is what all of them speak.

Otherwise two pods of different releases would answer one request in different shapes.
"""
import re
from functools import lru_cache

from tricircle.api import versions
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request
from tricircle.errors import BadRequest, NotAcceptable
from tricircle.routing.catalogue import Path, Service

STANDARD = "openstack-api-version"
FORM = re.compile(r"([1-9][0-9]{0,8})\.([1-9][0-9]{0,8}|0)")


def negotiate(gateway: Gateway, request: Request, path: Path) -> None:
    """Read the request's microversion, and write what the pods get.

    Args:
        gateway: parts.
        request: gets its `microversion`; the headers that go down name exactly that one.
        path: parsed; Nova's `/v2` knows no microversions.

    Raises:
        BadRequest: it is malformed.
        NotAcceptable: not all pods speak it.
    """
    service = path.service
    asked = _asked(service, request.headers)
    if not asked or path.prefix.split("/")[1] != service.versions[0]:
        return
    match = FORM.fullmatch(asked)
    if not match and asked != "latest":
        raise BadRequest(f"API Version String {asked} is of invalid format. Must be of format MajorNum.MinorNum.")
    wanted = (int(match[1]), int(match[2])) if match else None
    span = versions.span(gateway, service)
    if span is None:
        return   # no pod tells: the request itself will say that none answers
    lowest, highest = span
    request.microversion = wanted or highest
    if not lowest <= request.microversion <= highest:
        error = NotAcceptable(f"Version {asked} is not supported by the API. Minimum is {dotted(lowest)} and maximum "
                              f"is {dotted(highest)}.")
        error.headers = headers(service, request.microversion)
        raise error
    for name, value in headers(service, request.microversion):
        if name != "Vary":
            request.caller.headers[name.lower()] = value


def headers(service: Service, version: tuple[int, int] | None) -> list[tuple[str, str]]:
    """How the service says which microversion an answer has; nothing said means the oldest one."""
    return list(_headers(service.microversion, service.legacy_header, version or service.oldest))


@lru_cache(maxsize=256)
def _headers(name: str, legacy: str, version: tuple[int, int]) -> tuple[tuple[str, str], ...]:
    text = dotted(version)
    found = (("OpenStack-API-Version", f"{name} {text}"), ("Vary", "OpenStack-API-Version"))
    return (*found, (legacy, text), ("Vary", legacy)) if legacy else found


def dotted(version: tuple[int, int]) -> str:
    """As it is written."""
    return f"{version[0]}.{version[1]}"


def _asked(service: Service, given: dict[str, str]) -> str:
    """The service's part of the header that serves all of OpenStack, or Nova's older one."""
    for part in given.get(STANDARD, "").split(","):
        words = part.split()
        if service.microversion and len(words) == 2 and words[0].lower() == service.microversion:
            return words[1].lower() if words[1].lower() == "latest" else words[1]
    return given.get(service.legacy_header.lower(), "").strip() if service.legacy_header else ""
