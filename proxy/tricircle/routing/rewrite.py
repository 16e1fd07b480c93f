"""Ids, links and zones on the wire.

A UUID has a constant form, so one pass of a regular expression over a body, a path or a query maps a resource's home
id to a pod's local id on the way down, and back on the way up, for every resource that exists or will exist.
"""
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from tricircle.routing.catalogue import ZONE_FIELDS
from tricircle.store import Database, replicas
from tricircle.uuids import ids, swap

NESTED = (dict, list)


def down(db: Database, pod_id: str, data: bytes) -> bytes:
    """Home ids become the pod's local ids."""
    return swap(data, replicas.to_local(db, pod_id, ids(data)))


def up(db: Database, pod_id: str, data: bytes) -> bytes:
    """The pod's local ids become home ids."""
    return swap(data, replicas.to_home(db, pod_id, ids(data)))


def links(data: bytes, pod_root: str, own_root: str) -> bytes:
    """Links to a pod become links to the gateway.

    Args:
        data: a body or a header's value.
        pod_root: the pod's endpoint without version, `http://pod:8774`. A pod behind a TLS front end that does not know
            of it writes http:// where the endpoint has https://.
        own_root: how the caller reached the gateway, `http://gateway:19998`.
    """
    # What follows must not belong to the host's name or port: http://pod:877 is not a part of http://pod:8774.
    place = re.escape(pod_root.partition("://")[2]).encode()
    pattern = re.compile(rb"https?://" + place + rb"(?![\w.:-])")
    return pattern.sub(lambda _: own_root.encode(), data)


def walk(body: Any) -> Iterator[tuple[str, str, dict | list, Any]]:
    """Every value of a JSON document, without recursion: a hostile one may be nested deeper than Python's stack.

    Yields:
        (parent field, field, holder, value); the field of a list's item is empty, and its parent is the list's field.
    """
    stack: list[tuple[str, Any]] = [("", body)]
    while stack:
        parent, holder = stack.pop()
        if isinstance(holder, dict):
            items = [(key, value, key) for key, value in holder.items()]
        else:
            # An item of a list stands for the list: {"networks": [{"uuid": ...}]} gives ("networks", "uuid").
            items = [("", value, parent) for value in holder] if isinstance(holder, list) else []
        for field, value, name in items:
            yield parent, field, holder, value
            if isinstance(value, dict | list):
                stack.append((name, value))


def zones(body: Any, translate: Callable[[str, str, dict], str]) -> bool:
    """Translate every availability zone in a document, in place.

    Args:
        body: a JSON document.
        translate: gives the new name for (old name, field, the object that holds it); an empty one takes it out.

    Returns:
        Whether anything was changed.
    """
    changed, stack = False, [body] if isinstance(body, NESTED) else []
    while stack:
        holder = stack.pop()
        if isinstance(holder, dict):
            for field in ZONE_FIELDS & holder.keys():
                changed = _zone(holder, field, translate) or changed
            holder = holder.values()
        stack += [value for value in holder if isinstance(value, NESTED)]
    return changed


def _zone(holder: dict, field: str, translate: Callable[[str, str, dict], str]) -> bool:
    value = holder[field]
    if isinstance(value, str) and value:
        new: Any = translate(value, field, holder)
    elif isinstance(value, list) and all(isinstance(item, str) for item in value):
        new = [name for name in dict.fromkeys(translate(item, field, holder) for item in value) if name]
    else:
        return False
    if new == value:
        return False
    if new == "":
        del holder[field]
    else:
        holder[field] = new
    return True


def dump(body: Any) -> bytes:
    """JSON as the services write it."""
    return json.dumps(body).encode()
