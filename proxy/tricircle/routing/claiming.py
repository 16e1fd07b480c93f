"""Claim a part of a project's quota for one request.

In one pod alone the pod's own answer is the right one, and nothing is asked. With a second pod they are all asked what
they count. What is in flight is counted by claims in the store, taken in one transaction. Whether a pod counts a thing
in flight already cannot be told from outside; so as long as that decides, the request waits for the ones before it.
"""
import logging
import time
from urllib.parse import quote

from tricircle.errors import NotFound, PodUnreachable, StoreBusy
from tricircle.routing import usage
from tricircle.routing.empty_pods import EmptyPods
from tricircle.routing.room import Room
from tricircle.routing.takes import Amount
from tricircle.store import Database, claims, pods, quotas, spans
from tricircle.store.claims import Key
from tricircle.store.db import now
from tricircle.upstream.client import Upstream, document
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.scatter import scatter

LOG = logging.getLogger(__name__)
# A pod that does not tell its numbers by then counts with what it told last: the others must not suffer for it.
ASK_SECONDS = 5.0
WAIT_SECONDS = 5.0     # for what is in flight, with a thread in hand; then it counts as used
PAUSES = (0.05, 0.5)   # seconds: the first and the longest between two looks
GRACE_SECONDS = 15.0   # a claim outlives the call that it was taken for by so much
# Nova counts a server when its conductor has put it into a cell, and its ports and volumes are made on the host: a
# while after it has answered.
LATE_SECONDS = 30.0
ON_HOST = {("network", "port"), ("volume", "volumes"), ("volume", "gigabytes")}
LATE_KEYS = {("compute", "instances"), ("compute", "cores"), ("compute", "ram"), *ON_HOST}
SERVICES = {"compute": ("compute", "network", "volume")}   # a server takes ports; `os-volumes` are volumes
# What tells whether a project uses a pod at all.
USUAL = {"compute": {("compute", "instances"), ("compute", "server_groups"), ("network", "port"),
                     ("volume", "volumes")},
         "volume": {("volume", "volumes"), ("volume", "snapshots"), ("volume", "backups"), ("volume", "groups")}}
COLLECTIONS = {"compute": "os-quota-sets", "volume": "os-quota-sets", "network": "quotas"}


class Claimant:
    """One request that takes something of a project's quota.

    Args:
        db, upstream: as everywhere.
        project_id: whose quota.
        pod: row of the pod that gets the request.
        unused: in which pods a project uses nothing of a quota.
        path: (service, collection) of what is made.
    """

    def __init__(self, db: Database, upstream: Upstream, project_id: str, pod: dict, unused: EmptyPods,
                 path: tuple[str, str]):
        self.db, self.upstream, self.project_id, self.pod = db, upstream, project_id, pod
        self._unused, self._key = unused, (project_id, *path)
        self._seconds = upstream.conf.deadline + GRACE_SECONDS
        self._silent: set[str] = set()   # names of pods that did not answer: once is enough for one request

    def is_unsure(self) -> bool:
        """Return whether there are pods of which nobody knows whether the project has something there."""
        bottom = {pod["pod_id"] for pod in pods.bottom(self.db)}
        return self._unused.seen(self._key) is None and not bottom <= self._own()

    def look(self, keys: set[Key]) -> None:
        """Ask those pods what they count; one that does not answer has what it told last.

        Args:
            keys: of the quotas that are about to be used; the next request for the same may use others of its service.
        """
        keys = keys | USUAL.get(self._key[1], set())
        own = self._own()
        rows = {pod["pod_name"]: pod for pod in pods.bottom(self.db)}
        others = [name for name, pod in rows.items() if pod["pod_id"] not in own]
        told, failed = scatter(others, lambda name: usage.of_pod(
            self.db, self.upstream, self.project_id, rows[name], keys, self._deadline()))
        used = {name for name, numbers in told.items() if any(numbers.used.values())}
        used |= {name for name in failed
                 if any(claims.usage(self.db, self.project_id, rows[name]["pod_id"]).values())}
        self._unused.note(self._key, [pod["pod_id"] for pod in rows.values()],
                          own | {rows[name]["pod_id"] for name in used})

    def alone(self) -> tuple[bool, str | None]:
        """(whether the project is in this pod only, then a claim of an unknown amount).

        Looked at and claimed in one transaction: of two first requests to two pods the later one sees the other. When
        the store takes no write there is no claim: the pod keeps to the quota by itself.
        """
        def decide(rows: list[dict]) -> dict | None:
            if self._span(rows) != {self.pod["pod_id"]}:
                return None
            return {(each, claims.UNKNOWN): None for each in SERVICES.get(self._key[1], self._key[1:2])}
        try:
            claim = claims.take(self.db, self.project_id, self.pod["pod_id"], self._seconds, decide)
        except StoreBusy as error:
            if decide(claims.of_project(self.db, self.project_id)) is None:
                raise
            LOG.warning("no claim on the quota of project %s: %s", self.project_id, error)
            return True, None
        return claim is not None, claim

    def among_several(self, amount: Amount) -> tuple[str | None, int, Room]:
        """A claim beside those of other pods.

        Returns:
            (the claim, None when the quota would be passed; for how many; what was known).
        """
        deadline, pause, last = Deadline(WAIT_SECONDS), 0.0, False
        while True:
            claim, count, room = self._try(amount, first=pause == 0, last=last)
            if claim or last or room.at_best(amount) < amount.least:
                return claim, count, room
            pause = min(2 * pause, PAUSES[1]) or PAUSES[0]
            time.sleep(pause)
            last = deadline.passed()

    def _try(self, amount: Amount, first: bool, last: bool) -> tuple[str | None, int, Room]:
        """Ask, then decide. The claims that the pods' numbers surely contain are those that had ended before."""
        before = claims.of_project(self.db, self.project_id)
        counted = self._counted(before, amount, first)
        limits, used, silent = self._numbers(set(amount.units), self._span(before))
        # What we noted of a pod contains all that has ended there.
        counted |= {row["claim_id"] for row in before if row["ended_at"] is not None and row["pod_id"] in silent}
        found: list = []

        def decide(rows: list[dict]) -> dict | None:
            room = Room(limits, used, rows, counted)
            count = room.at_worst(amount)
            found[:] = count, room
            # Fewer than could be, because of what is in flight: not before that is over.
            sure = count == room.at_best(amount) and not room.unknown(amount)
            return {key: unit * count for key, unit in amount.units.items()} if \
                count >= amount.least and (sure or last) else None
        claim = claims.take(self.db, self.project_id, self.pod["pod_id"], self._seconds, decide)
        return claim, found[0], found[1]

    def _span(self, rows: list[dict]) -> set[str]:
        """Ids of the pods that have, or are about to get, something of the project's."""
        seen = self._unused.seen(self._key)
        return self._own() | (seen.held if seen else frozenset()) | {row["pod_id"] for row in rows}

    def _own(self) -> set[str]:
        return {self.pod["pod_id"]} | spans.own(self.db, self.project_id)

    def _counted(self, rows: list[dict], amount: Amount, first: bool) -> frozenset[str]:
        """Claims that whatever the pods are asked from now on contains: the ended ones, less what Nova counts late."""
        ended = {row["claim_id"] for row in rows if row["ended_at"] is not None}
        fresh = {row["claim_id"]: row["pod_id"] for row in rows if row["service"] == "compute"
                 and row["claim_id"] in ended and now() - row["ended_at"] < LATE_SECONDS}
        if not fresh or not LATE_KEYS & _kinds(amount):
            return frozenset(ended)
        # The first time it is not worth a question: mostly it does not matter.
        building = {pod_id for pod_id in set(fresh.values()) if first or self._building(pod_id, amount)}
        return frozenset(ended - {claim_id for claim_id, pod_id in fresh.items() if pod_id in building})

    def _building(self, pod_id: str, amount: Amount) -> bool:
        """Whether a pod has servers of the project that it may not count yet."""
        path = f"/v2.1/servers/detail?all_tenants=1&project_id={quote(self.project_id, safe='')}&status=BUILD"
        try:
            name = pods.show(self.db, pod_id)["pod_name"]
            if name in self._silent:
                return True
            answer = self.upstream.ask(name, "compute", "GET", path, deadline=self._deadline())
        except (PodUnreachable, NotFound):
            return True   # nothing is known; a pod that was taken away meanwhile is not asked for numbers either
        states = {server.get("OS-EXT-STS:task_state") for server in document(answer).get("servers", [])}
        return not answer.ok or "scheduling" in states or bool(states and ON_HOST & _kinds(amount))

    def _numbers(self, keys: set[Key], span: set[str]) -> tuple[dict[Key, int], dict[Key, int], set[str]]:
        """(the big region's limits, what all pods of a span count, ids of the pods that did not answer)."""
        rows = {pod["pod_name"]: pod for pod in pods.bottom(self.db) if pod["pod_id"] in span}
        deadline = self._deadline()
        told, failed = scatter([name for name in rows if name not in self._silent], lambda name: usage.of_pod(
            self.db, self.upstream, self.project_id, rows[name], keys, deadline))
        for name, numbers in told.items():
            claims.note_usage(self.db, self.project_id, rows[name]["pod_id"], numbers.used)
        counts = {rows[name]["pod_id"]: numbers.used for name, numbers in told.items()}
        for error in failed.values():
            LOG.warning("quota of project %s: %s; it counts with what it told last", self.project_id, error)
        self._silent |= failed.keys()
        silent = {rows[name]["pod_id"] for name in self._silent & rows.keys()}
        counts |= {pod_id: claims.usage(self.db, self.project_id, pod_id) for pod_id in silent}
        limits = {(service, name): quotas.numbers(self.db, service, COLLECTIONS[service], self.project_id).get(
            name, usage.smallest([numbers.limits[service, name] for numbers in told.values()
                                  if (service, name) in numbers.limits])) for service, name in keys}
        used = {key: sum(count.get(key, 0) for count in counts.values()) for key in keys}
        return limits, used, silent

    def _deadline(self) -> Deadline:
        return Deadline(min(ASK_SECONDS, self.upstream.conf.list_deadline))


def _kinds(amount: Amount) -> set[Key]:
    """Return the quotas that an amount takes of; for one of a volume type the one that it is a part of."""
    return {(service, name.partition("_")[0] if service == "volume" else name) for service, name in amount.units}
