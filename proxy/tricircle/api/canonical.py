"""One spelling for each path: what is routed, checked against access rules, sent to pods, logged and used as a key.

A pod decodes a path before it looks where it leads, and HTTP clients fold dots and slashes on the way there. Whoever
decides by the raw path therefore decides about another thing than the pod does. So a request's target is taken apart
here, before anything else looks at it, and put together again in the one way that all of us use.

Source: RFC 3986 2.3, 3.3 and 6.2.2.
"""
import re
from itertools import pairwise
from typing import Any
from urllib.parse import quote, unquote, unquote_plus, unquote_to_bytes

from tricircle.errors import BadRequest
from tricircle.freetext import BEFORE_FREE, is_free_filter
from tricircle.uuids import ANY_CASE, LENGTH, lowered

LONGEST = 8192
# RFC 3986 3.3: what a segment may have in it as it is; so does keystonemiddleware (webob) when it reads access rules.
AS_IS = "-._~!$&'()*+,;=:@"
ABSOLUTE = re.compile(r"https?://[^/?#]*", re.I)   # a proxy may send the absolute form (RFC 9112 3.2.2)
HALF_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
# C0, DEL, C1: `\n` at the end of a segment is none to a regular expression that ends in `$`.
FORBIDDEN = re.compile(r"[/\\\x00-\x1f\x7f-\x9f]")
# Routes, which Nova, Cinder and Neutron's extensions use, takes this parameter for the method of the request.
METHOD = re.compile(r"(?:^|[&;])_method(?:[=&;]|$)")


# Nearly every path has one spelling only. No capitals, since an id may have them, and no dot at the front of a segment.
PLAIN = re.compile(r"(?:/[a-z0-9_][a-z0-9._-]*)+/?")
# RFC 3986 3.4: what a query may have in it as it is, but for what an escape, a blank or an id in capitals has.
PLAIN_QUERY = re.compile(r"[G-Za-z0-9._~!$&'()*,;=:@/?-]*")
VALUE_AS_IS = "-._~!$'()*,=:@/?"   # less what parts pairs, and `+`, which is a blank
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def rewrite(environ: dict[str, Any]) -> None:
    """Give a WSGI environment the canonical path, in the place of the one that was sent.

    Args:
        environ: its REQUEST_URI (with the query), PATH_INFO (decoded, as WSGI wants it) and QUERY_STRING are replaced.

    Raises:
        BadRequest: the path or the query could mean something else to a pod.
    """
    raw = environ.get("REQUEST_URI") or quote(environ.get("PATH_INFO", "/").encode("latin-1"))
    try:
        environ["QUERY_STRING"] = query(environ.get("QUERY_STRING", ""))
        set_path(environ, path(raw))
        if METHOD.search(unquote(environ.get("QUERY_STRING", ""))):
            raise BadRequest("the query's parameter _method is not allowed")
    except BadRequest:
        # For the log alone.
        environ["REQUEST_URI"] = quote(raw.partition("?")[0].encode("latin-1"), safe="/%")[:LONGEST]
        environ["PATH_INFO"] = "/"
        raise


def set_path(environ: dict[str, Any], whole: str) -> None:
    """Replace a request's path.

    Args:
        environ: of WSGI.
        whole: canonical.
    """
    asked = environ.get("QUERY_STRING", "")
    environ["REQUEST_URI"] = f"{whole}?{asked}" if asked else whole
    environ["PATH_INFO"] = unquote(whole, "latin-1")


def query(raw: str) -> str:
    """Spell a query in the canonical way: filters and their order as they were sent, an id in its one spelling.

    HTTP clients escape what a query must not have in it, and each of them does it in another way: one takes every
    percent sign of a query with a half escape for itself, another sends all as it is.

    Args:
        raw: without the question mark; its bytes as latin-1.

    Returns:
        What decodes to the same parameters, of RFC 3986's characters alone.

    Raises:
        BadRequest: there is a control character.
    """
    if PLAIN_QUERY.fullmatch(raw):
        return raw
    if CONTROL.search(raw):
        raise BadRequest("the query has a control character that is not escaped")
    return "&".join(map(_pair, _escaped(raw).split("&")))


def _escaped(raw: str) -> str:
    """Escape what may not stand in a query; a percent sign that begins no escape is one; escapes are in capitals."""
    whole = ESCAPE.sub(lambda found: found[0].upper(), HALF_ESCAPE.sub("%25", raw))
    return quote(whole.encode("latin-1"), safe=AS_IS + "/?%")


def _pair(pair: str) -> str:
    """Spell one `name=value`; the id may stand behind a field's name, as in Neutron's `fixed_ips=subnet_id=<id>`."""
    name, _, value = pair.partition("=")
    text = unquote_plus(value, "latin-1") if len(value) >= LENGTH else ""
    before, mark, last = text.rpartition("=")
    found = last.rstrip(" ")   # MariaDB compares without regard to blanks at the end
    if not ANY_CASE.fullmatch(found) or is_free_filter(pair):
        return pair
    return f"{name}={quote(before + mark, safe=VALUE_AS_IS, encoding='latin-1')}{found.lower()}"


def path(target: str) -> str:
    """The canonical path of a request's target.

    Args:
        target: as in the request line, with or without a query; its bytes as latin-1.

    Returns:
        The path; every spelling of the same segments gives the same string.

    Raises:
        BadRequest: there are dot segments, empty segments, a fragment, slashes or control characters in a segment,
            bytes that are not UTF-8, an escape in what was decoded, or it is too long.
    """
    origin = ABSOLUTE.match(target)
    raw, _, asked = target[origin.end() if origin else 0:].partition("?")
    raw = "/" if origin and not raw else raw
    if "#" in raw or "#" in asked:
        raise BadRequest("the request's target has a fragment")
    if len(raw) <= LONGEST and PLAIN.fullmatch(raw):
        return raw
    if not raw.startswith("/"):
        raise BadRequest("the request's target is no path")
    if len(raw) > LONGEST:
        raise BadRequest(f"the path is longer than {LONGEST} characters")
    *segments, last = raw.split("/")[1:]
    parts = [*map(_segment, segments), _segment(last) if last else ""]
    whole = "/" + "/".join(part if before in BEFORE_FREE else lowered(part) for before, part in pairwise(["", *parts]))
    if len(whole) > LONGEST:
        raise BadRequest(f"the path is longer than {LONGEST} characters")
    return whole


def _segment(raw: str) -> str:
    if HALF_ESCAPE.search(raw):
        raise BadRequest("the path has a percent sign that begins no escape")
    try:
        text = unquote_to_bytes(raw.encode("latin-1")).decode()
    except UnicodeError as error:
        raise BadRequest("the path is not UTF-8") from error
    if text in ("", ".", ".."):
        raise BadRequest("the path has an empty segment or one of dots")
    if FORBIDDEN.search(text):
        raise BadRequest("the path has a slash, a backslash or a control character in a segment")
    if ESCAPE.search(text):   # Neutron's pecan decodes once more
        raise BadRequest("the path is escaped twice")
    return quote(text, safe=AS_IS)
