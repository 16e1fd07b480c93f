"""Where a resource lives. What is not known is asked of the pods, once, however many requests of a user wait for it.

Only what a pod shows to the caller is learned: a refusal says nothing about what is there.
"""
import logging
import threading
import time
from concurrent.futures import Future
from typing import Any

from tricircle import marks, metrics, trace
from tricircle.errors import NotFound, PodUnreachable, StoreBusy, Unavailable
from tricircle.routing import rewrite, sightings
from tricircle.routing.caller import Caller
from tricircle.routing.catalogue import SERVICES, Service, find, kind_of
from tricircle.routing.fields import parent_of, project_of
from tricircle.routing.sightings import Named, Sightings
from tricircle.store import Database, pods, replicas, routings
from tricircle.store.routings import Found
from tricircle.upstream import ownership
from tricircle.upstream.client import Upstream
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.scatter import scatter

LOG = logging.getLogger(__name__)
# For so long nobody is asked again about an id that nobody has. What is made through any gateway is known at once.
MISSED_SECONDS = 3.0
MISSES = 10_000


class Locator:
    """Finds homes.

    Args:
        db: knows most of them.
        upstream: for the rest.
    """

    def __init__(self, db: Database, upstream: Upstream):
        self.db, self.upstream = db, upstream
        self._asking: dict[tuple, Future] = {}
        self._lock = threading.Lock()
        self._missed = Recently(MISSED_SECONDS, MISSES)
        self._rightly = Recently(MISSED_SECONDS, MISSES)

    def find(self, caller: Caller, service: str, collection: str, resource_id: str) -> dict | None:
        """The home pod of a resource.

        Args:
            caller: in whose name the pods are asked; what the caller may not see is not there for them.
            service: `compute`, `volume` or `network`.
            collection: its path, `servers`.
            resource_id: home id.

        Returns:
            The pod's row; None when no pod has it.

        Raises:
            Unavailable: no reachable pod has it, and some pod could not be asked.
            NotFound: it is Tricircle's own: a replica or plumbing.
        """
        known = routings.home_pod(self.db, resource_id, kind_of(collection))
        metrics.looked_up("hit" if known else "miss")
        if known:
            return known
        # What one user sees is no answer for another one, nor for the same one with other roles.
        key = (caller.identity, service, collection, resource_id)
        with self._lock:
            future, first = self._asking.get(key), False
            if future is None:
                future, first = self._asking.setdefault(key, Future()), True
        if first:
            self._answer(key, future, caller)
        trace.waited()
        return future.result()

    def find_many(self, caller: Caller, named: list[Named]) -> dict[Named, dict | None]:
        """The home pods of several resources, under one deadline.

        Args:
            caller: as in `find`.
            named: (service, collection, id), each once.

        Raises:
            Unavailable, NotFound: as `find`.
        """
        if len(named) == 1:
            return {named[0]: self.find(caller, *named[0])}
        known = routings.home_pods(self.db, [(each[2], kind_of(each[1])) for each in named])
        found = {each: known.get((each[2], kind_of(each[1]))) for each in named}
        unknown = [each for each, pod in found.items() if pod is None]
        for each in named:
            metrics.looked_up("hit" if found[each] else "miss")
        return found | (self._ask(caller, unknown) if unknown else {})

    def elsewhere(self, caller: Caller, service: str, collection: str, resource_id: str, pod: dict) -> dict | None:
        """The pod that has something which the pod that was believed to have it does not find.

        The row is corrected then. All pods are asked: where the one itself shows it, its 404 was about something else.

        Args:
            caller, service, collection, resource_id: as in `find`.
            pod: row of the pod that answered 404.

        Returns:
            Row of another pod; None when no other pod shows it.
        """
        named, key = (service, collection, resource_id), (caller.identity, service, collection, resource_id)
        if key in self._rightly or key in self._missed:
            return None
        bottom = pods.by_name(self.db)
        seen = self._look(caller, [named], bottom)
        home = next(iter(seen.shown.get(named, ())), pod["pod_name"])
        if home == pod["pod_name"]:
            self._rightly.add(key)
            return None
        LOG.warning("%s %s is in pod %s, not in pod %s", collection, resource_id, home, pod["pod_name"])
        self._learn(caller, seen, bottom)
        return bottom[home]

    def shows(self, caller: Caller, named: Named, pod: dict) -> bool:
        """Whether a pod shows to the caller what is known to be there.

        Args:
            caller: whose token.
            named: (service, collection, home id).
            pod: row.

        Raises:
            PodUnreachable: the pod does not answer.
        """
        service, collection, resource_id = named
        path = f"{caller.prefix(SERVICES[service])}/{collection}/{resource_id}"
        there = rewrite.down(self.db, pod["pod_id"], path.encode()).decode()
        return self.upstream.call(pod["pod_name"], service, "GET", there,
                                  headers=caller.headers_for(SERVICES[service]),
                                  deadline=Deadline(self.upstream.conf.list_deadline)).ok

    def having(self, caller: Caller, service: Service, path: str, member: str = "",
               field: str = "id") -> list[dict]:
        """Rows of the pods that have something at a path: a member, or a list that is not empty.

        Where the caller may not look there is one that says so.

        Args:
            caller: in whose name they are asked.
            service: whose API.
            path: path and query.
            member: value of a field of a record that the list must have.
            field: which one.

        Raises:
            Unavailable: no pod that answers has it, and some pod could not be asked.
        """
        deadline = Deadline(self.upstream.conf.list_deadline)
        bottom = pods.by_name(self.db)
        answers, missing = scatter(bottom, lambda name: self.upstream.call(
            name, service.name, "GET", path, headers=caller.headers_for(service), deadline=deadline))
        found = [bottom[name] for name, answer in answers.items() if answer.ok and _has(answer.json(), member, field)]
        if found:
            return found
        broken = [*missing, *(name for name, answer in answers.items() if answer.status >= 500)]
        if broken:
            raise _unavailable("what the request names", broken)
        return [bottom[name] for name, answer in answers.items() if answer.status in sightings.REFUSED][:1]

    def _answer(self, key: tuple, future: Future, caller: Caller) -> None:
        named = key[-3:]
        try:
            future.set_result(self._ask(caller, [named])[named])
        except BaseException as error:  # noqa: BLE001 - whoever waits must get it, whatever it is
            future.set_exception(error)
        finally:
            with self._lock:
                del self._asking[key]

    def _ask(self, caller: Caller, unknown: list[Named]) -> dict[Named, dict | None]:
        """Homes of what the store does not know. Raises Unavailable, NotFound."""
        asked = [each for each in unknown if (caller.identity, *each) not in self._missed]
        if not asked:
            return dict.fromkeys(unknown)
        bottom = pods.by_name(self.db)
        seen = self._look(caller, asked, bottom)
        self._learn(caller, seen, bottom)
        found: dict[Named, dict | None] = dict.fromkeys(unknown)
        for each in asked:
            # A pod that refuses has the right answer for the caller, though nothing is known by it.
            name = next(iter([*seen.shown.get(each, ()), *seen.refused.get(each, ())]), None)
            if name:
                found[each] = bottom[name]
            elif each in seen.ours:   # no pod may answer that it has it
                raise NotFound(f"{each[1]} {each[2]} could not be found")
            elif each in seen.missing:
                raise _unavailable(each[2], seen.missing[each])
            else:
                self._missed.add((caller.identity, *each))
        return found

    def _look(self, caller: Caller, wanted: list[Named], bottom: dict[str, dict]) -> Sightings:
        """What the pods show, without replicas and plumbing: what is such in a pod has no name there for a user."""
        deadline = Deadline(self.upstream.conf.list_deadline)
        seen = sightings.look(self.upstream, caller, list(bottom), wanted, deadline)
        for name, collection in sorted({(name, key[1]) for key, records in seen.shown.items() for name in records}):
            there = {key: records[name] for key, records in seen.shown.items()
                     if key[1] == collection and name in records}
            ours = self._ours(bottom[name], collection, list(there.values()), deadline)
            for key in [key for key, record in there.items() if record["id"] in ours]:
                del seen.shown[key][name]
                seen.ours.add(key)
        return seen

    def _ours(self, pod: dict, collection: str, records: list[dict], deadline: Deadline) -> set[str]:
        """Ids of those that are Tricircle's, or may be as long as the pod of an original does not answer."""
        known = replicas.to_home(self.db, pod["pod_id"], [record["id"] for record in records])
        rest = [record for record in records if record["id"] not in known]
        try:
            return known.keys() | ownership.by_mark(self.db, self.upstream, pod, collection, rest, deadline).keys()
        except PodUnreachable:
            return known.keys() | {record["id"] for record in rest if marks.is_marked(record, collection)}

    def _learn(self, caller: Caller, seen: Sightings, bottom: dict[str, dict]) -> None:
        for name, pod in bottom.items():
            rows = [Found(key[2], kind_of(key[1]), project_of(records[name]) or caller.project_id,
                          parent_of(records[name], find(key[1], key[0])))
                    for key, records in seen.shown.items() if next(iter(records), None) == name]
            try:
                routings.correct(self.db, rows, pod["pod_id"])
            except StoreBusy as error:   # the next one asks again; a read must not fail for that
                LOG.warning("not remembered where %s are: %s", [row[0] for row in rows], error)


class Recently:
    """What was so a short while ago.

    Args:
        seconds: how long it is believed.
        most: entries; the oldest go.
    """

    def __init__(self, seconds: float, most: int):
        self._seconds, self._most = seconds, most
        self._until: dict[tuple, float] = {}
        self._lock = threading.Lock()

    def __contains__(self, key: tuple) -> bool:
        return self._until.get(key, 0.0) > time.monotonic()

    def __len__(self) -> int:
        return len(self._until)

    def add(self, key: tuple) -> None:
        """From now on."""
        with self._lock:
            self._until.pop(key, None)
            self._until[key] = time.monotonic() + self._seconds
            while len(self._until) > self._most:
                del self._until[next(iter(self._until))]


def _has(document: Any, member: str, field: str) -> bool:
    values = document.values() if isinstance(document, dict) else ()
    if not member:
        return any(values)
    return any(isinstance(record, dict) and record.get(field) == member
               for value in values if isinstance(value, list) for record in value)


def _unavailable(what: str, names: list[str]) -> Unavailable:
    return Unavailable(f"{what} is in none of the pods that answer, and {', '.join(names)} cannot be reached now: "
                       "try again later")
