"""One pod's list, in the user's terms: translated, without replicas, plumbing, and what belongs to them."""
from collections.abc import Iterable
from typing import Any

from tricircle import freetext, jsons, marks
from tricircle.api import query as queries
from tricircle.api.forward import links, send, upward
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request
from tricircle.api.query import Query
from tricircle.errors import PodUnreachable
from tricircle.parts import parts
from tricircle.routing import fields, numbers, rewrite
from tricircle.routing.catalogue import Path
from tricircle.store import replicas
from tricircle.upstream import ownership
from tricircle.upstream.bodies import MOST
from tricircle.upstream.client import Answer
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.merge import collection_key, dig
from tricircle.upstream.neutron import listed, question
from tricircle.upstream.paging import Batch, Declined


class PodList:
    """A list as one pod has it.

    Args:
        gateway: parts.
        request: the user's.
        path: parsed, without a member.
        pod: row.
        query: the request's, taken apart.
        target: path and query without paging.
        deadline: of all calls together.
    """

    def __init__(self, gateway: Gateway, request: Request, path: Path, pod: dict, query: Query, target: str,
                 deadline: Deadline):
        self._gateway, self._request, self._path, self.pod = gateway, request, path, pod
        self._target, self._reverse, self._deadline = target, query.reverse, deadline
        self._zoned = any(field in fields.ZONES for field, _ in query.sort)
        self._size = 0                                       # bytes of all answers
        self.headers: list[tuple[str, str]] | None = None   # of the first answer
        self.frame: dict[str, Any] = {}                      # what it has beside the records
        self.key: str | None = None
        self.empty: bool | None = None                       # whether its first page has no record; None: not told
        self.foreign: set[str] = set()                       # home ids of what is here as a replica only

    def dress(self, records: list) -> None:
        """The pod's zones, or numbers, become the user's, in place. Apart, since it takes most of the time."""
        if self._path.collection.per_pod:
            numbers.up(self._path, self.pod, records)
            self._gateway.zones.of_hosts(self.pod, records)
        else:
            self._gateway.zones.up(self.pod, records)

    def ask(self, marker: str | None, size: int | None) -> Batch:
        """Records behind a marker, in order of reading, not yet dressed unless that is what they are sorted by.

        Raises:
            Declined: the pod says 4xx.
            PodUnreachable: no answer, or none that makes sense.
        """
        document = self._document(marker, size)
        key = collection_key(document)
        if not key or not all("id" in record for record in document[key]):
            raise self._no_list()
        if self._zoned:
            self.dress(document[key])
        records = document[key][::-1] if self._reverse else document[key]
        follows = [link.get("rel") for link in self._links(document, key)]
        more = records and ("previous" if self._reverse else "next") in follows
        return Batch(self._shown(records), records[-1]["id"] if more else None)

    def probe(self, marker: str) -> None:
        """Ask for the page behind a marker. Raises Declined where the pod refuses the marker, and as `ask`."""
        self._document(marker, 1)

    def whole(self) -> Any:
        """The whole document: pages that the pod cuts by itself (Nova at 1,000) are put together. Raises as `ask`."""
        document = self._document(None, None)
        key = collection_key(document)
        if not key:
            self.dress([document])
            return document
        records, asked = document[key], set()
        while document[key] and self._goes_on(document, key):
            last = dig(document[key][-1], self._path.collection.marker)
            if not last or last in asked or self._size > MOST:
                raise self._no_list()
            asked.add(last)
            document = self._document(last, None)
            if collection_key(document) != key:
                raise self._no_list()
            records += document[key]
        self.dress(records)
        return {**self.frame, key: records if self._path.collection.gathers else self._shown(records)}

    def _document(self, marker: str | None, size: int | None) -> Any:
        target = queries.paged(self._target, marker, size, self._reverse)
        answer = send(self._gateway, self._request, self._path, self.pod, target=target, deadline=self._deadline)
        if 400 <= answer.status < 500:
            raise Declined(answer.status, answer)
        self._size += len(answer.body)
        document = self._parsed(answer) if answer.ok else None
        if document is None:
            raise PodUnreachable(self.pod["pod_name"], self._path.service.name, f"answered {answer.status}")
        key = collection_key(document)
        if not isinstance(document, dict) or (key and not all(map(self._is_record, document[key]))):
            raise self._no_list()
        if self.headers is None:
            self.headers, self.key = upward(answer), key
            self.empty = bool(key) and not document[key]
            self.frame = {name: value for name, value in document.items()
                          if name != self.key and not name.endswith("_links")} if self.key else {}
        return document

    def _links(self, document: dict, key: str) -> list[dict]:
        """Return the links of a page to those around it."""
        found = document.get(self._path.collection.links_of(key))
        return [link for link in found if isinstance(link, dict)] if isinstance(found, list) else []

    def _goes_on(self, document: dict, key: str) -> bool:
        """Whether a page is followed by another one; where pages have no links, a full one may be."""
        collection, most = self._path.collection, self._path.service.max_limit
        if collection.links_of(key) or not collection.marker or collection.gathers:
            return bool(self._links(document, key))
        return most is not None and len(document[key]) >= most

    def _is_record(self, value: Any) -> bool:
        """Whether a value has what the merging of lists goes by, in the form that it goes by."""
        collection = self._path.collection
        if not isinstance(value, dict) or not isinstance(value.get("project_id") or "", str):
            return False
        by_name = collection.everywhere and collection.natural == "name"
        if not isinstance(value.get("id", None if collection.gathers or by_name else ""), str | int):
            return False
        natural = dig(value, collection.natural) if collection.natural else None
        if not isinstance(natural, str | int | None) or (natural is None and collection.everywhere):
            return False
        return isinstance(value.get(collection.gathers) or [], list)

    def _no_list(self) -> PodUnreachable:
        return PodUnreachable(self.pod["pod_name"], self._path.service.name, "answered without a list of records")

    def _parsed(self, answer: Answer) -> Any:
        """The document in the user's terms; None when it is not JSON."""
        homes = replicas.to_home(self._gateway.db, self.pod["pod_id"], rewrite.ids(answer.body))
        if not self._path.collection.everywhere:    # what is the same everywhere has no home whose record alone counts
            self.foreign |= replicas.strangers(self._gateway.db, self.pod["pod_id"], list(homes.values()))
        try:
            document = jsons.loads(links(self._gateway, self._request, self._path, self.pod, answer.body))
        except ValueError:
            return None
        return freetext.in_document(document, freetext.swapping(homes)) if homes else document

    def _shown(self, records: list[dict]) -> list[dict]:
        """Without what is Tricircle's, and without what is marked and may be: its original's pod does not answer."""
        parent = self._path.collection.parent
        rest = [record for record in records if not (
            _is_among(record, "id", self.foreign) or (parent and _is_among(record, parent, self.foreign)))]
        ours = self._by_mark([record for record in rest if isinstance(record.get("id"), str)])
        rest = [record for record in rest if not _is_among(record, "id", ours)]
        field = self._path.collection.network
        hidden = self._hidden({record[field] for record in rest if isinstance(record.get(field), str)}) \
            if field else ()
        return [record for record in rest if not _is_among(record, field, hidden)]

    def _hidden(self, network_ids: set[str]) -> Iterable[str]:
        """Return the ids of those networks that are Tricircle's, by the marks that Neutron shows to our own account.

        Raises:
            PodUnreachable: the pod's Neutron does not tell.
        """
        local = replicas.to_local(self._gateway.db, self.pod["pod_id"], sorted(network_ids))
        homes = {local.get(each, each): each for each in network_ids}
        upstream, name = self._gateway.upstream, self.pod["pod_name"]
        seen = [record for part in parts(list(homes)) for record in listed(
            upstream, name, "networks", question({"id": part}, ("id", "project_id", "description")), self._deadline)]
        ours = ownership.by_mark(self._gateway.db, upstream, self.pod, "networks", seen, self._deadline)
        return {homes[each] for each in ours}

    def _by_mark(self, records: list[dict]) -> Iterable[str]:
        kind = self._path.collection.path
        try:
            return ownership.by_mark(self._gateway.db, self._gateway.upstream, self.pod, kind, records, self._deadline)
        except PodUnreachable:
            return {record["id"] for record in records if marks.is_marked(record, kind)}


def _is_among(record: dict, field: str, ids: Iterable[str]) -> bool:
    """Whether a field of a record is one of some ids; a pod may have anything there."""
    value = record.get(field)
    return isinstance(value, str) and value in ids
