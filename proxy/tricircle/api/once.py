"""Lists of what is the same in every pod: each thing once, from pods that are up to date with it."""
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from tricircle.api.gateway import Gateway
from tricircle.api.message import Request
from tricircle.crosspod import naming
from tricircle.crosspod.shapes import SHAPES, Shape
from tricircle.routing.catalogue import Path
from tricircle.store import behind, named
from tricircle.upstream.merge import collection_key


def tidy(path: Path) -> Callable[[Gateway, Request, dict[str, Any], dict[str, dict]], None] | None:
    """What `listing.merged_list` has to do with the pods' documents before it merges them; None for most kinds."""
    shape = SHAPES.get(f"{path.service.name}/{path.collection.path}")
    if not shape:
        return None

    def change(gateway: Gateway, request: Request, documents: dict[str, Any], rows: dict[str, dict]) -> None:
        lists = {rows[name]["pod_id"]: document[key] for name, document in documents.items()
                 if (key := collection_key(document))}
        late = behind.of_kind(gateway.db, shape.kind)
        for pod_id, records in lists.items():
            if pod_id in late:
                records[:] = [each for each in records if key_of(shape, request, each) not in late[pod_id]]
        if shape.named:
            naming.adopt(gateway.db, shape, lists)
            homes = named.of_kind(gateway.db, shape.kind)
            for record in (record for records in lists.values() for record in records):
                record["id"] = homes.get(record["name"], record["id"])

    return change


def key_of(shape: Shape, request: Request, record: dict) -> str:
    """The key of a record in a list or an answer (see `Thing`)."""
    record = record.get(shape.member, record)
    key = str(record["id" if shape.named else shape.key])
    return f"{owner(request)}/{key}" if shape.owned else key


def owner(request: Request) -> str:
    """Whose things a request is about."""
    asked = parse_qs(request.query).get("user_id")
    return asked[-1] if asked else request.caller.user_id
