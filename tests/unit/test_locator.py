"""What is learned about homes, and from what."""
import json
import threading
import uuid
from types import SimpleNamespace

import pytest
import urllib3

from tricircle.errors import NotFound, PodUnreachable, Unavailable
from tricircle.routing.caller import Caller, Identity
from tricircle.routing.catalogue import NETWORK
from tricircle.routing.locator import MISSES, Locator, Recently
from tricircle.store import Database, pods, replicas, routings
from tricircle.upstream.client import Answer
from tricircle.upstream.deadline import Deadline

A, B = (Caller(Identity(f"user{name}", project_id=f"project{name}", roles=frozenset({"member"})),
               {"X-Auth-Token": name}) for name in "AB")


class Pods:
    """Stands for `Upstream`: pods with records, each seen by its own project."""

    def __init__(self):
        self.conf = SimpleNamespace(list_deadline=15.0)
        self.things = {}      # {(pod, collection, id): record}
        self.says = {}        # {pod: status, or an error, whatever is asked}
        self.calls = []
        self.most = 1000      # records on a page
        self.gate = None      # held until it is set

    def call(self, pod, service, method, path, *, headers, deadline):
        self.calls.append((pod, path))
        if self.gate:
            assert self.gate.wait(10)
        said = self.says.get(pod)
        if isinstance(said, Exception):
            raise said
        where, _, query = path.partition("?")
        parts = where.split("/")[2:]
        status, body = said or 200, {}
        if not said and query:
            wanted = [pair.removeprefix("id=") for pair in query.split("&") if pair.startswith("id=")]
            seen = [each for (name, kind, id), each in self.things.items() if name == pod and id in wanted
                    and kind == parts[0] and each["project_id"] == f"project{headers['X-Auth-Token']}"]
            body = {parts[0]: seen[:self.most]}
            if len(seen) >= self.most:
                body |= {f"{parts[0]}_links": [{"rel": "next"}]}
        elif not said:
            found = self.things.get((pod, *parts[-2:]), {"project_id": ""})
            status = 200 if found["project_id"] == f"project{headers['X-Auth-Token']}" else 404
            body = {"thing": found}
        return Answer(pod, status, urllib3.HTTPHeaderDict(), json.dumps(body).encode())


@pytest.fixture
def place(tmp_path):
    db = Database(tmp_path / "db.sqlite")
    db.upgrade()
    for number in (1, 2):
        pods.create(db, f"Pod{number}", f"az{number}")
    upstream = Pods()
    return SimpleNamespace(db=db, upstream=upstream, locator=Locator(db, upstream))


def have(place, pod, kind, owner="projectA"):
    id = str(uuid.uuid4())
    place.upstream.things[(pod, kind, id)] = {"id": id, "project_id": owner}
    return id


def test_what_a_pod_shows_is_learned_once(place):
    port = have(place, "Pod2", "ports")
    for _ in range(3):
        assert place.locator.find(A, "network", "ports", port)["pod_name"] == "Pod2"
    assert len(place.upstream.calls) == 2
    assert routings.home(place.db, port)["project_id"] == "projectA"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_is_an_answer_but_teaches_nothing(place, status):
    place.upstream.says = {"Pod1": 404, "Pod2": status}
    id = str(uuid.uuid4())
    assert place.locator.find(B, "compute", "os-hypervisors", id)["pod_name"] == "Pod2"
    assert routings.home(place.db, id) is None


@pytest.mark.parametrize("said", [500, 502, 429, 300, PodUnreachable("Pod2", "network", "is away")])
def test_a_broken_pod_has_not_said_that_it_has_it_not(place, said):
    place.upstream.says = {"Pod2": said}
    with pytest.raises(Unavailable, match="Pod2"):
        place.locator.find(A, "network", "ports", str(uuid.uuid4()))
    with pytest.raises(Unavailable, match="Pod2"):
        place.locator.find_many(A, [("network", "ports", str(uuid.uuid4())) for _ in range(3)])
    here = have(place, "Pod1", "ports")
    assert place.locator.find(A, "network", "ports", here)["pod_name"] == "Pod1"


def test_a_broken_pod_hides_no_name_either(place):
    place.upstream.says = {"Pod1": 404, "Pod2": 503}
    with pytest.raises(Unavailable, match="Pod2"):
        place.locator.having(A, NETWORK, "/v2.0/agents?host=x")


def test_an_answer_about_something_else_teaches_nothing(place):
    id = str(uuid.uuid4())
    place.upstream.things[("Pod2", "network-ip-availabilities", id)] = {"network_id": id, "project_id": "projectA"}
    assert place.locator.find(A, "network", "network-ip-availabilities", id)["pod_name"] == "Pod2"
    assert routings.home(place.db, id) is None


def test_a_row_of_another_collection_is_no_home(place):
    """As it was left by a refusal before refusals taught nothing."""
    port = have(place, "Pod1", "ports")
    wrong = pods.by_name(place.db)["Pod2"]
    routings.learn(place.db, [(port, "os-hypervisors", "projectB")], wrong["pod_id"])
    assert place.locator.find(A, "network", "ports", port)["pod_name"] == "Pod1"
    row = routings.home(place.db, port)
    assert (row["kind"], row["project_id"]) == ("ports", "projectA")


def test_one_projects_claim_leaves_anothers_row_alone(place):
    rows = {name: pod["pod_id"] for name, pod in pods.by_name(place.db).items()}
    routings.learn(place.db, [("x", "ports", "projectA")], rows["Pod1"])
    routings.learn(place.db, [("x", "servers", "projectB")], rows["Pod2"])
    assert routings.home(place.db, "x")["pod_id"] == rows["Pod1"]
    routings.learn(place.db, [("x", "ports", "projectA")], rows["Pod2"])
    assert routings.home(place.db, "x")["pod_id"] == rows["Pod2"]


def test_a_wrong_row_is_corrected_by_whoever_sees_the_thing(place):
    server, rows = have(place, "Pod1", "servers"), pods.by_name(place.db)
    routings.learn(place.db, [(server, "servers", "projectB")], rows["Pod2"]["pod_id"])
    assert place.locator.elsewhere(B, "compute", "servers", server, rows["Pod2"]) is None
    assert routings.home(place.db, server)["pod_id"] == rows["Pod2"]["pod_id"]
    assert place.locator.elsewhere(A, "compute", "servers", server, rows["Pod2"])["pod_name"] == "Pod1"
    row = routings.home(place.db, server)
    assert (row["pod_id"], row["project_id"]) == (rows["Pod1"]["pod_id"], "projectA")


def test_a_404_about_something_else_moves_nothing_and_is_looked_into_once(place):
    server, rows = have(place, "Pod1", "servers"), pods.by_name(place.db)
    for _ in range(5):
        assert place.locator.elsewhere(A, "compute", "servers", server, rows["Pod1"]) is None
    assert len(place.upstream.calls) == 2


def test_what_is_hidden_from_a_user_has_no_home(place):
    rows = pods.by_name(place.db)
    known = have(place, "Pod2", "routers")
    replicas.record(place.db, str(uuid.uuid4()), rows["Pod2"]["pod_id"], "routers", "projectA", known)
    for _ in range(2):
        with pytest.raises(NotFound):   # None would leave the answer to whichever pod is the user's default one
            place.locator.find(A, "network", "routers", known)
    assert routings.home(place.db, known) is None


def test_many_unknown_ids_are_one_question_to_each_pod(place):
    ports = [have(place, f"Pod{1 + number % 2}", "ports") for number in range(60)]
    nobody = [str(uuid.uuid4()) for _ in range(40)]
    named = [("network", "ports", each) for each in ports + nobody]
    found = place.locator.find_many(A, named)
    assert [found[each] and found[each]["pod_name"] for each in named[:60]] == ["Pod1", "Pod2"] * 30
    assert not any(found[each] for each in named[60:])
    assert len(place.upstream.calls) == 2
    assert place.locator.find_many(A, named).keys() == found.keys()
    assert len(place.upstream.calls) == 2, "what was learned, and what nobody has, is not asked for again"
    assert all(len(path) < 6000 for _, path in place.upstream.calls)


def test_a_pod_that_cuts_its_list_short_is_asked_for_the_rest(place):
    place.upstream.most = 20
    ports = [("network", "ports", have(place, "Pod1", "ports")) for _ in range(50)]
    assert {pod["pod_name"] for pod in place.locator.find_many(A, ports).values()} == {"Pod1"}


def test_servers_are_asked_for_one_by_one_each_once(place):
    servers = [("compute", "servers", have(place, "Pod1", "servers")) for _ in range(9)]
    assert all(place.locator.find_many(A, servers).values())
    assert sorted(place.upstream.calls) == sorted(
        (pod, f"/v2.1/servers/{id}") for pod in ("Pod1", "Pod2") for *_, id in servers)


def test_what_one_user_may_see_answers_no_other_users_question(place):
    port = have(place, "Pod1", "ports")
    place.upstream.gate = threading.Event()
    found = {}

    def ask(name, caller):
        found[name] = place.locator.find(caller, "network", "ports", port)

    sames = Caller(Identity(A.user_id, project_id=A.project_id, roles=frozenset({"reader"})), {"X-Auth-Token": "none"})
    threads = [threading.Thread(target=ask, args=each) for each in (("B", B), ("reader", sames), ("A", A), ("A2", A))]
    for thread in threads:
        thread.start()
    while len(place.upstream.calls) < 6:   # three identities, two pods
        assert any(thread.is_alive() for thread in threads)
    place.upstream.gate.set()
    for thread in threads:
        thread.join(10)
    assert (found["B"], found["reader"]) == (None, None)
    assert found["A"]["pod_name"] == found["A2"]["pod_name"] == "Pod1"
    assert len(place.upstream.calls) == 6, "the same user's questions are one"


def test_one_deadline_for_all_that_a_request_needs():
    deadline = Deadline(1000)
    items = deadline.each(range(5))
    assert [next(items), next(items)] == [0, 1]
    deadline._end = 0
    with pytest.raises(Unavailable, match="repeat it"):
        next(items)


def test_memory_is_short_and_bounded():
    memory = Recently(0.0, 3)
    for number in range(10):
        memory.add((number,))
    assert len(memory) == 3
    assert (9,) not in memory
    assert MISSES <= 10_000
