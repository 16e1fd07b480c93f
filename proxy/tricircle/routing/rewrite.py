"""Ids, links and zones on the wire.

A UUID has a constant form, so one pass of a regular expression over a body, a path or a query finds all that may be a
resource's id, whatever resources there will be. Only where one of them has a replica is the text taken apart, and the
home's id becomes the pod's local id on the way down, and back on the way up, except in free text (see `freetext`).
"""
import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

from tricircle import jsons
from tricircle.freetext import swapped
from tricircle.routing.fields import ZONE_LISTS, ZONES
from tricircle.store import Database, replicas
from tricircle.uuids import ids

Change = tuple[str, Any, Any]


def down(db: Database, pod_id: str, data: bytes) -> bytes:
    """Home ids become the pod's local ids."""
    return swapped(data, replicas.to_local(db, pod_id, ids(data)))


def up(db: Database, pod_id: str, data: bytes) -> bytes:
    """The pod's local ids become home ids."""
    return swapped(data, replicas.to_home(db, pod_id, ids(data)))


def links(data: bytes, pod_root: str, own_root: str) -> bytes:
    """Links to a pod become links to the gateway.

    Args:
        data: a body or a header's value. In a JSON document only `href` is a link: within a string, which a user may
            have written, the quotation marks around that word would be escaped.
        pod_root: the pod's endpoint without version, `http://pod:8774`. A pod behind a TLS front end that does not know
            of it writes http:// where the endpoint has https://.
        own_root: how the caller reached the gateway, `http://gateway:19998`.
    """
    pattern = _links_to(pod_root, data[:1] in (b"{", b"["))
    return pattern.sub(lambda found: found["href"] + own_root.encode(), data)


@lru_cache(maxsize=1024)   # as many as there are endpoints; each answer asks for it
def _links_to(pod_root: str, in_json: bool) -> re.Pattern[bytes]:
    # What follows must not belong to the host's name or port: http://pod:877 is not a part of http://pod:8774.
    place = re.escape(pod_root.partition("://")[2]).encode()
    before = rb'(?P<href>"href":\s*")' if in_json else rb"(?P<href>)"
    return re.compile(before + rb"https?://" + place + rb"(?![\w.:-])")


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


def zones(holders: Iterable[dict], translate: Callable[[str, str, dict], str]) -> list[Change]:
    """Translate the availability zones of some objects, in place.

    Args:
        holders: records, or a body's `fields.members`; what is inside of them is left alone.
        translate: gives the new name for (old name, field, the object that holds it); an empty one takes it out.

    Returns:
        (field, old value, new value) of each that was changed.
    """
    changes = [(field, holder[field], _zone(holder, field, translate))
               for holder in holders for field in ZONES & holder.keys()]
    return [change for change in changes if change[2] is not None]


def _zone(holder: dict, field: str, translate: Callable[[str, str, dict], str]) -> Any:
    """Translate one field; its new value, or None where nothing was changed."""
    value = holder[field]
    if isinstance(value, str) and field in ZONE_LISTS:
        return None   # Neutron says that it is no list
    if isinstance(value, str) and value:
        new: Any = translate(value, field, holder)
    elif isinstance(value, list) and all(isinstance(item, str) for item in value):
        if len(set(value)) < len(value):   # the pod refuses what is there twice
            return None
        new = [name for name in dict.fromkeys(translate(item, field, holder) for item in value) if name]
    else:
        return None
    if new == value:
        return None
    if new == "":
        del holder[field]
    else:
        holder[field] = new
    return new


def patched(data: bytes, changes: list[Change]) -> bytes | None:
    """Write some fields' new values into a document's bytes, which is quicker than to write all of it anew.

    Args:
        data: JSON.
        changes: as `zones` returns them.

    Returns:
        The document; None where a field is no field of one object alone, or is spelled otherwise than services do.
    """
    for field, old, new in changes:
        before = f'"{field}": {json.dumps(old)}'.encode()
        # Within a string the quotation mark at the end of the name would be escaped.
        if new == "" or data.count(f'"{field}":'.encode()) != 1 or data.count(before) != 1:
            return None
        data = data.replace(before, f'"{field}": {json.dumps(new)}'.encode())
    return data


def dump(body: Any) -> bytes:
    """JSON as the services write it."""
    return jsons.dumps(body)
