"""What a list's query asks for: filters for the pods, sorting and paging for us."""
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from tricircle.api.message import Request
from tricircle.routing.catalogue import SERVER_TIMES, SORT_FIELDS, Path

PAGING = ("limit", "marker", "page_reverse")
# What merging itself looks at; asked for in addition to the user's `fields`, and taken out again.
NEEDED_FIELDS = {"id", "description"}


@dataclass(frozen=True)
class Query:
    """A query string, taken apart.

    Args:
        pairs: (name, value) in order.
        sort: [(field of the record, descending)].
        marker: id of the last record of the page before.
        limit: largest page; None for all.
        reverse: Neutron's `page_reverse`.
        fields: Neutron's `fields`; empty for all.
    """

    pairs: tuple[tuple[str, str], ...]
    sort: tuple[tuple[str, bool], ...]
    marker: str | None
    limit: int | None
    reverse: bool
    fields: frozenset[str]

    def value(self, name: str) -> str | None:
        """The last value of a parameter."""
        return dict(self.pairs).get(name)


def read(request: Request, path: Path) -> Query:
    """Take a list's query apart."""
    pairs = tuple(parse_qsl(request.query, keep_blank_values=True))
    last = dict(pairs)
    limit = last.get("limit", "")
    return Query(pairs, tuple(_sort(pairs, path)), last.get("marker"),
                 int(limit) or None if limit.isdecimal() else None,   # what is no number a pod refuses
                 last.get("page_reverse", "").lower() in ("true", "1"),
                 frozenset(value for name, value in pairs if name == "fields"))


def _sort(pairs: tuple[tuple[str, str], ...], path: Path) -> list[tuple[str, bool]]:
    """sort_key and sort_dir, each several times (Nova, Neutron), or sort=key:dir,... (Cinder)."""
    keys = [value for name, value in pairs if name == "sort_key"]
    directions = [value for name, value in pairs if name == "sort_dir"]
    for part in ",".join(value for name, value in pairs if name == "sort").split(","):
        if part:
            key, _, direction = part.partition(":")
            keys.append(key)
            directions.append(direction or "desc")
    neutron = path.service.errors == "neutron"
    directions += ["asc" if neutron else "desc"] * (len(keys) - len(directions))
    names = {} if neutron else SORT_FIELDS | (SERVER_TIMES if path.collection.path == "servers" else {})
    sort = [(names.get(key, key), direction == "desc") for key, direction in zip(keys, directions, strict=False)]
    if not sort and not neutron:
        # What Nova and Cinder do by themselves: the newest first.
        sort = [(names.get("created_at", "created_at"), True), ("id", True)] if path.rest == "/detail" else []
    return sort


def for_pod(request: Request, path: Path, query: Query, zoned: bool) -> str:
    """Path and query that go to each pod.

    Without paging, since a marker means something to one pod only; without the user's zone where the pod was chosen
    by it; and the long list where the short one does not show what to sort by.

    Args:
        request: the user's.
        path: parsed.
        query: of the request.
        zoned: the pods were chosen by the filter `availability_zone`.
    """
    pairs = [(name, value) for name, value in query.pairs
             if name not in PAGING and not (zoned and name == "availability_zone")]
    if query.fields:
        needed = NEEDED_FIELDS | {path.collection.parent, *(field for field, _ in query.sort)} - {""}
        if path.collection.path == "security-groups":
            needed |= {"name", "project_id"}
        pairs += [("fields", name) for name in sorted(needed - query.fields)]
    where = request.path + ("/detail" if _needs_detail(path, query) else "")
    return f"{where}?{urlencode(pairs)}" if pairs else where


def _needs_detail(path: Path, query: Query) -> bool:
    return bool(path.collection.brief and not path.rest
                and any(field not in path.collection.brief for field, _ in query.sort))


def cut_fields(path: Path, query: Query, records: list) -> list:
    """Only what the user asked for."""
    kept = query.fields or (set(path.collection.brief) if _needs_detail(path, query) else None)
    if not kept:
        return records
    return [{name: value for name, value in record.items() if name in kept} for record in records]


def next_link(request: Request, query: Query, marker: str) -> str:
    """The link to the page after `marker`."""
    pairs = [(name, value) for name, value in query.pairs if name != "marker"]
    return f"{request.root}{request.path}?{urlencode([*pairs, ('marker', marker)])}"
