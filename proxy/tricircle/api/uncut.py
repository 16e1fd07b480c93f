"""A write's answer comes whole from its pod, and is cut to the user's `fields` at the end.

Neutron cuts what it answers to any method where it serves a resource itself (neutron/pecan_wsgi/hooks/userfilters.py),
and without the id in it nobody here would know what was made.
"""
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from tricircle import jsons
from tricircle.api.message import Request, Response
from tricircle.routing.catalogue import Path, singular

# Those that Neutron does not leave to controllers of extensions, which show the whole record to all but a GET.
CORE = frozenset({"networks", "subnets", "ports", "subnetpools"})


def answered(request: Request, path: Path, serve: Callable[[Request], Response]) -> Response:
    """Answer a write without the user's `fields` on the way.

    Args:
        request: the user's.
        path: parsed.
        serve: answers it.
    """
    pairs = parse_qsl(request.query, keep_blank_values=True) if path.service.name == "network" and not path.rest else ()
    fields = {value for name, value in pairs if name == "fields"}
    if not fields:
        return serve(request)
    response = serve(replace(request, query=urlencode([pair for pair in pairs if pair[0] != "fields"])))
    if response.status not in (200, 201) or response.stream is not None or path.collection.path not in CORE:
        return response
    try:
        document = jsons.loads(response.body)
    except ValueError:   # of an odd pod
        return response
    for name in (path.collection.path, singular(path.collection.path)):
        if isinstance(document, dict) and name in document:
            document[name] = _cut(document[name], fields)
    response.body = jsons.dumps(document)
    return response


def _cut(found: Any, fields: set[str]) -> Any:
    """Cut a record, or each of several."""
    if isinstance(found, list):
        return [_cut(each, fields) for each in found]
    return {name: value for name, value in found.items() if name in fields} if isinstance(found, dict) else found
