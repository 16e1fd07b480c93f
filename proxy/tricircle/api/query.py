"""What a list's query asks for: filters for the pods, sorting and paging for us."""
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from tricircle import jsons, marks
from tricircle.api.message import Request, Response
from tricircle.routing.catalogue import SERVER_TIMES, SORT_FIELDS, TIMES, Path
from tricircle.upstream.paging import comparable

PAGING = ("limit", "marker", "page_reverse", "offset")
SORTING = ("sort", "sort_key", "sort_dir")
NUMBER = re.compile(r"[0-9]{1,40}")
LARGEST = 10 ** 9   # beyond it Python's own counters end
# What merging itself looks at; asked for in addition to the user's `fields`, and taken out again.
NEEDED_FIELDS = {"id", "project_id"}
# Collections of Neutron's core plugin: it cuts what it answers to any method, with `fields` whatever they say
# (neutron/pecan_wsgi/hooks/userfilters.py). An extension's controller has taken the place of that of subnet pools.
CORE = frozenset({"networks", "subnets", "ports"})


@dataclass(frozen=True)
class Query:
    """A query string, taken apart.

    Args:
        pairs: (name, value) in order.
        sort: [(field of the record, descending)], as far as records of different pods can be compared.
        marker: id of the last record of the page before.
        limit: largest page; None for all, and where it is no number, which the pods refuse in their own words.
        offset: Cinder's `offset`: how many records to pass over.
        reverse: Neutron's `page_reverse`.
        fields: Neutron's `fields`; empty for all.
        neutron: it is for Neutron, which has its own ways of paging.
        besides: as of `Request`.
    """

    pairs: tuple[tuple[str, str], ...]
    sort: tuple[tuple[str, bool], ...]
    marker: str | None
    limit: int | None
    offset: int
    reverse: bool
    fields: frozenset[str]
    neutron: bool
    besides: frozenset[str] = frozenset()

    def value(self, name: str) -> str | None:
        """The last value of a parameter."""
        return dict(self.pairs).get(name)

    @property
    def filters_late(self) -> bool:
        """Whether a filter is one that Neutron applies to the page that it has cut, which may then be empty, and the
        last one, though more follows (neutron/plugins/ml2/plugin.py `get_networks`).
        """
        return self.neutron and any(name.startswith("provider:") for name, _ in self.pairs)

    @property
    def nothing(self) -> bool:
        """Nova and Cinder take a limit of 0 by its word; to Neutron it is none."""
        return not self.neutron and _number(self.value("limit") or "") == 0


def read(request: Request, path: Path) -> Query:
    """Take a list's query apart."""
    pairs = tuple(parse_qsl(request.query, keep_blank_values=True))
    before, order = path.collection.unpaged or (None, ())
    if before and (request.microversion or path.service.oldest) < before:
        kept = tuple(pair for pair in pairs if pair[0] not in PAGING + SORTING)
        return Query(kept, comparable(list(order), TIMES), None, None, 0, False, frozenset(), neutron=False)
    last, neutron = dict(pairs), path.service.errors == "neutron"
    most = path.service.max_limit
    limit = _number(last.get("limit", "0"))
    if limit is not None and most:
        limit = min(limit or most, most)
    return Query(pairs, tuple(_sort(pairs, path)), last.get("marker"), limit or None,
                 _number(last.get("offset", "0")) or 0, neutron and last.get("page_reverse", "").lower() == "true",
                 fields(request, path) if neutron else frozenset(), neutron, request.besides)


def fields(request: Request, path: Path) -> frozenset[str]:
    """Return Neutron's `fields`.

    One without a name is none to it (NeutronPecanController.build_field_list), but records of `CORE` are cut to it.
    """
    named = {value for name, value in parse_qsl(request.query, keep_blank_values=True) if name == "fields"}
    return frozenset(named if path.collection.path in CORE else named - {""})


def completed(request: Request, path: Path, dressed: Iterable[str], needed: Iterable[str],
              answer: Callable[[Request], Response]) -> Response:
    """Answer a GET whose records we dress, which takes some of their fields; the user sees what was asked for.

    Args:
        request: the user's.
        path: parsed.
        dressed: fields that the dressing changes; where none of them is asked for, nothing is asked for besides.
        needed: fields that it looks at.
        answer: gives the dressed answer to a request.
    """
    asked = fields(request, path)
    besides = frozenset(needed) - asked if asked.intersection(dressed) else frozenset()
    if not besides:
        return answer(request)
    response = answer(replace(request, besides=request.besides | besides))
    if response.status != 200 or response.stream is not None:
        return response
    cut_body(response, asked | request.besides, besides)
    return response


def cut_body(response: Response, kept: Collection[str], besides: Iterable[str] = ()) -> None:
    """Cut, in place, the records of an answer of Neutron; one that is no JSON, of an odd pod, stays as it is.

    Args:
        response: of a status that has records.
        kept: fields of a record.
        besides: fields that were asked for besides, of which the pod's links to other pages speak, too.
    """
    try:
        document = jsons.loads(response.body)
    except ValueError:
        return
    if isinstance(document, dict):
        response.body = jsons.dumps({name: _unlinked(value, besides) if name.endswith("_links") else cut(value, kept)
                                     for name, value in document.items()})


def _unlinked(links: Any, besides: Iterable[str]) -> Any:
    """Links to pages, without some fields in their queries."""
    extra = {f"fields={name}" for name in besides}
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and isinstance(link.get("href"), str):
            where, mark, query = link["href"].partition("?")
            link["href"] = where + mark + "&".join(part for part in query.split("&") if part not in extra)
    return links


def cut(found: Any, kept: Collection[str]) -> Any:
    """Cut a record, or each of several, to some of its fields; what is neither stays as it is."""
    if isinstance(found, list):
        return [cut(each, kept) for each in found]
    return {name: value for name, value in found.items() if name in kept} if isinstance(found, dict) else found


def _number(text: str) -> int | None:
    return min(int(text), LARGEST) if NUMBER.fullmatch(text) else None


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
    return list(comparable(sort or list(path.order), TIMES))


def for_pod(request: Request, path: Path, query: Query, zoned: bool) -> str:
    """Path and query that go to each pod, without paging; see `paged`.

    Without the user's zone where the pod was chosen by it; and the long list where the short one does not show what to
    sort by.

    Args:
        request: the user's.
        path: parsed.
        query: of the request.
        zoned: the pods were chosen by the filter `availability_zone`.
    """
    pairs = [(name, value) for name, value in query.pairs
             if not _is_ours(name, value, query) and not (zoned and name == "availability_zone")]
    if query.fields:
        needed = NEEDED_FIELDS | query.besides | {marks.field(path.collection.path), path.collection.parent,
                                  *(field for field, _ in query.sort)} - {""}
        if path.collection.path == "security-groups":
            needed.add("name")
        pairs += [("fields", name) for name in sorted(needed - query.fields)]
    where = request.path + ("/detail" if _needs_detail(path, query) else "")
    return f"{where}?{urlencode(pairs)}" if pairs else where


def _is_ours(name: str, value: str, query: Query) -> bool:
    """Whether a parameter pages the merged list; a limit or offset that is no number is for the pods to refuse."""
    if name == "page_reverse":
        return query.neutron
    return name == "marker" or (name in PAGING and bool(NUMBER.fullmatch(value)))


def _needs_detail(path: Path, query: Query) -> bool:
    return bool(path.collection.brief and not path.rest
                and any(field not in path.collection.brief for field, _ in query.sort))


def cut_fields(path: Path, query: Query, records: list) -> list:
    """Only what the user asked for."""
    kept = query.fields | query.besides or (set(path.collection.brief) if _needs_detail(path, query) else None)
    if not kept:
        return records
    return cut(records, kept)


def paged(target: str, marker: str | None, size: int | None, reverse: bool) -> str:
    """A pod's own page: path and query of `for_pod`, with paging."""
    given = {"limit": size, "marker": marker, "page_reverse": reverse or None}
    pairs = urlencode({name: value for name, value in given.items() if value is not None})
    return target + ("&" if "?" in target else "?") * bool(pairs) + pairs


def links(request: Request, query: Query, ids: list[str], full: bool) -> list[dict]:
    """Links to the pages around one, as the service makes them: the next one is promised when this one is full.

    Neutron links an empty page, too, without a marker (neutron/api/api_common.py `get_pagination_links`).

    Args:
        request: the user's.
        query: of the request.
        ids: of the page's records.
        full: the page has as many records as were asked for.
    """
    found, shown = [], bool(ids) or query.neutron
    if shown and (full or query.reverse):
        found.append({"rel": "next", "href": _link(request, query, **_marker(ids[-1:]))})
    if query.neutron and (full or not query.reverse):
        found.append({"rel": "previous", "href": _link(request, query, **_marker(ids[:1]), page_reverse="True")})
    return found


def _marker(ids: list[str]) -> dict[str, str]:
    return {"marker": ids[0]} if ids else {}


def _link(request: Request, query: Query, **more: str) -> str:
    pairs = [(name, value) for name, value in query.pairs if name not in PAGING or name == "limit"]
    return f"{request.root}{request.path}?{urlencode([*pairs, *more.items()])}"
