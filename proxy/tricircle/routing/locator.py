"""Where a resource lives. What is not known is asked of the pods, once, however many callers wait for the answer."""
import logging
import threading
from concurrent.futures import Future

from tricircle import marks, metrics
from tricircle.errors import StoreBusy, Unavailable
from tricircle.routing.caller import Caller
from tricircle.routing.catalogue import SERVICES, Service, find
from tricircle.store import Database, pods, replicas, routings
from tricircle.upstream.client import Answer, Upstream
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.scatter import scatter

LOG = logging.getLogger(__name__)
# A pod that refuses to show it has it. Everything else (404, 400 for a malformed id) says that it has not.
HERE = frozenset({200, 203, 403})
OWNERS = ("project_id", "tenant_id", "os-vol-tenant-attr:tenant_id", "os-extended-snapshot-attributes:project_id")


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

    def find(self, caller: Caller, service: str, collection: str, resource_id: str) -> dict | None:
        """The home pod of a resource.

        Args:
            caller: in whose name the pods are asked; what he may not see is not there for him.
            service: `compute`, `volume` or `network`.
            collection: its path, `servers`.
            resource_id: home id.

        Returns:
            The pod's row; None when no pod has it.

        Raises:
            Unavailable: no reachable pod has it, and some pod could not be asked.
        """
        known = routings.home_pod(self.db, resource_id)
        metrics.looked_up("hit" if known else "miss")
        if known:
            return known
        key = (caller.project_id, service, collection, resource_id)
        with self._lock:
            future, first = self._asking.get(key), False
            if future is None:
                future, first = self._asking.setdefault(key, Future()), True
        if first:
            self._answer(key, future, caller)
        return future.result()

    def having(self, caller: Caller, service: Service, path: str) -> list[dict]:
        """Rows of the pods that have something at a path: a member, or a list that is not empty.

        Where the caller may not look there is one that tells him so.

        Args:
            caller: in whose name they are asked.
            service: whose API.
            path: path and query.
        """
        deadline = Deadline(self.upstream.conf.list_deadline)
        bottom = pods.by_name(self.db)
        answers, _ = scatter(bottom, lambda name: self.upstream.call(
            name, service.name, "GET", path, headers=caller.headers, deadline=deadline))
        found = [bottom[name] for name, answer in answers.items() if answer.ok and any((answer.json() or {}).values())]
        return found or [bottom[name] for name, answer in answers.items() if answer.status == 403][:1]

    def _learn(self, resource_id: str, collection: str, project_id: str, pod: dict) -> None:
        try:
            routings.learn(self.db, [(resource_id, collection, project_id)], pod["pod_id"])
        except StoreBusy as error:   # the next one asks again; a read must not fail for that
            LOG.warning("not remembered where %s is: %s", resource_id, error)

    def _answer(self, key: tuple, future: Future, caller: Caller) -> None:
        try:
            future.set_result(self._ask(caller, *key[1:]))
        except BaseException as error:  # noqa: BLE001 - whoever waits must get it, whatever it is
            future.set_exception(error)
        finally:
            with self._lock:
                del self._asking[key]

    def _ask(self, caller: Caller, service: str, collection: str, resource_id: str) -> dict | None:
        path = f"{caller.prefix(SERVICES[service])}/{collection}/{resource_id}"
        deadline = Deadline(self.upstream.conf.list_deadline)
        bottom = pods.by_name(self.db)
        answers, missing = scatter(bottom, lambda name: self.upstream.call(
            name, service, "GET", path, headers=caller.headers, deadline=deadline))
        for name, answer in answers.items():
            pod = bottom[name]
            if answer.status in HERE and not _own(
                    answer, replicas.to_home(self.db, pod["pod_id"], [resource_id]), find(collection, service).mark):
                self._learn(resource_id, collection, _owner(answer) or caller.project_id, pod)
                return pod
        if missing:
            raise Unavailable(f"{resource_id} is in none of the pods that answer, and {', '.join(missing)} "
                              "cannot be reached now: try again later")
        return None


def _own(answer: Answer, known: dict[str, str], field: str) -> bool:
    """Whether it is a replica or plumbing: its id in the pod is not a name that a user knows."""
    document = answer.json()
    records = document.values() if isinstance(document, dict) else ()
    return bool(known) or any(isinstance(record, dict) and marks.is_marked(record, field) for record in records)


def _owner(answer: Answer) -> str | None:
    """The project that the pod names: an administrator finds other projects' things as well."""
    document = answer.json()
    records = [record for record in document.values() if isinstance(record, dict)] if isinstance(document, dict) else []
    return next((record[name] for record in records for name in OWNERS if record.get(name)), None)
