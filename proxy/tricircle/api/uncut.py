"""A write's answer comes whole from its pod, and is cut to the user's `fields` at the end.

Neutron cuts what it answers to any method where its core plugin serves the records (`query.CORE`); an extension's
controller shows the whole record to all but a GET. Without the id in it nobody here would know what was made.
"""
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode

from tricircle.api import query as queries
from tricircle.api.message import Request, Response
from tricircle.routing.catalogue import Path


def answered(request: Request, path: Path, serve: Callable[[Request], Response]) -> Response:
    """Answer a write without the user's `fields` on the way.

    Args:
        request: the user's.
        path: parsed.
        serve: answers it.
    """
    fields = queries.fields(request, path) if path.service.name == "network" and not path.rest else ()
    if not fields:
        return serve(request)
    pairs = [pair for pair in parse_qsl(request.query, keep_blank_values=True) if pair[0] != "fields"]
    response = serve(replace(request, query=urlencode(pairs)))
    if response.status in (200, 201) and response.stream is None and path.collection.path in queries.CORE:
        queries.cut_body(response, fields)
    return response
