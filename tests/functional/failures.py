"""How a pod may fail, and what a user asks meanwhile: the data of test_failures.py."""
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic

from tests.functional.client import Answer
from tests.functional.standin.cloud import Pod
from tests.functional.user import IMAGE, User, flavor

# Seconds; each fault would last until it is ended, so what comes back in time was not waited for.
DEADLINES = {"deadline": 4.0, "list_deadline": 3.0, "connect_deadline": 1.0}
ZONES = {"Pod1": "az1", "Pod2": "az2"}
COLLECTIONS = {"servers": "compute", "networks": "network", "volumes": "volume"}


def _all(**faults: object) -> Callable[[Pod], None]:
    def begin(pod: Pod) -> None:
        for service in pod.services:
            for name, value in faults.items():
                setattr(service.faults, name, value)
    return begin


@dataclass(frozen=True)
class Failure:
    """One way for a pod to fail, and the statuses that a user gets of what only that pod can answer.

    Args:
        name: its row in docs/failures.md.
        begin: makes a pod fail so.
        status: of most calls.
        volume: of a new volume: Tricircle has a question of its own first, and nothing is sent when that fails.
        bodiless: of a call whose answer has no body.
        counted: as what Prometheus gets the calls.
    """

    name: str
    begin: Callable[[Pod], None]
    status: int
    volume: int
    bodiless: int
    counted: str = "unreachable"

    def expected(self, what: str) -> int:
        """The status of a call of `Town.calls`."""
        return {"create volumes in Pod2": self.volume, "delete volumes in Pod2": self.bodiless}.get(what, self.status)


FAILURES = (
    Failure("refuses connections", Pod.refuse, 503, 503, 503),
    Failure("drops packets", Pod.deafen, 503, 503, 503),
    Failure("accepts and is silent", _all(silent=True), 504, 503, 504),
    Failure("one byte a second", _all(drip=1), 504, 503, 202),
    Failure("half a body", _all(half=True), 502, 503, 202),
    Failure("502 in HTML", _all(html=502), 502, 502, 502, "502"),
    Failure("region gone from the catalogue", Pod.withdraw, 503, 503, 503),
)
# The rows of docs/failures.md, and the tests of each: file and function.
TABLE = "test_failures.py::test_what_only_that_pod_has_is_an_error_that_says_what_to_do"
ROWS = {failure.name: TABLE for failure in FAILURES} | {
    "500 on every third call": "test_failures.py::test_500_on_every_third_call",
    "many calls hang in a silent pod": "test_failures.py::test_many_calls_to_a_silent_pod_leave_threads_for_the_others",
    "a service fails again and again": "test_breakers.py::test_one_probe_goes_out_at_a_time",
    "an answer is lost": "long/test_process.py::test_a_lost_answer_is_not_repeated",
    "a job's pod is away": "test_keystone_down.py::test_a_job_waits_and_says_why",
    "Keystone is away: requests": "test_keystone_down.py::test_keystone_is_down",
    "a silent Keystone, new tokens": "test_keystone_down.py::test_a_silent_keystone_leaves_threads_for_who_is_known",
    "Keystone is away: jobs": "test_keystone_down.py::test_a_job_waits_and_says_why",
    "memcached is away": "test_keystone_down.py::test_memcached_dies",
    "the disk is full: requests": "test_full_disk.py::test_the_disk_is_full",
    "the disk is full: jobs": "test_full_disk.py::test_a_worker_on_a_full_disk_waits",
    "the database is locked: requests": "test_store_busy.py::test_a_router_is_not_changed_without_its_job",
    "the database is locked: jobs": "long/test_store_busy.py::test_a_job_whose_outcome_cannot_be_written_runs_again",
}


@dataclass(frozen=True)
class Said:
    """What came of one call: the answer and the seconds that it took."""

    answer: Answer
    seconds: float


class Town:
    """A user with a network, a server and two volumes in each of two pods, and all that he may do."""

    def __init__(self, gateway):
        self.gateway, self.user = gateway, User(gateway)
        self.has = {}
        for pod, zone in ZONES.items():
            network, _ = self.user.wired(zone)
            self.has[pod] = {"networks": network, "servers": self.user.boot(network, zone),
                             "volumes": self.user.disk(zone), "spare": self.user.disk(zone)}

    def calls(self) -> dict[str, Callable[[], Answer]]:
        """{what: call}; `create networks in Pod2` is the pattern of the names."""
        user, found = self.user, {}
        for collection, service in COLLECTIONS.items():
            found[f"list {collection}"] = lambda s=service, c=collection: getattr(user, s).get(f"/{c}")
        for pod, has in self.has.items():
            for collection, service in COLLECTIONS.items():
                client, member = getattr(user, service), f"/{collection}/{has[collection]}"
                found[f"show {collection} in {pod}"] = lambda c=client, m=member: c.get(m)
                found[f"create {collection} in {pod}"] = lambda c=collection, p=pod: self.create(c, p, f"new-{p}")
            found[f"change networks in {pod}"] = lambda h=has: user.network.put(
                f"/networks/{h['networks']}", {"network": {"name": "changed"}})
            found[f"delete volumes in {pod}"] = lambda h=has: user.volume.delete(f"/volumes/{h['spare']}")
        return found

    def create(self, collection: str, pod: str, name: str) -> Answer:
        """POST of something to a pod."""
        body = {"name": name}
        if collection == "networks":
            body["availability_zone_hints"] = [ZONES[pod]]
        else:
            body["availability_zone"] = ZONES[pod]
        if collection == "servers":
            body |= {"imageRef": IMAGE, "flavorRef": flavor(self.gateway),
                     "networks": [{"uuid": self.has[pod]["networks"]}]}
        if collection == "volumes":
            body["size"] = 1
        return getattr(self.user, COLLECTIONS[collection]).post(f"/{collection}", {collection[:-1]: body})

    def named(self, collection: str, name: str) -> list[str]:
        """Ids of what the user sees under a name."""
        listed = getattr(self.user, COLLECTIONS[collection]).ok("GET", f"/{collection}?limit=1000")[collection]
        return [row["id"] for row in listed if row["name"] == name]

    def ask_all(self) -> dict[str, Said]:
        """All calls at once."""
        def timed(call: Callable[[], Answer]) -> Said:
            began = monotonic()
            answer = call()
            return Said(answer, monotonic() - began)

        calls = self.calls()
        with ThreadPoolExecutor(len(calls)) as pool:
            futures = {what: pool.submit(timed, call) for what, call in calls.items()}
            return {what: future.result() for what, future in futures.items()}
