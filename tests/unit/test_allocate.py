"""Allocations are unique whoever races for them: threads of one process, or several processes on one file."""
import multiprocessing
import threading

import pytest

from tricircle.errors import TricircleError
from tricircle.store import Database, bridges, pods

VLANS = range(2001, 3001)
CIDRS = [f"100.64.{n}.0/24" for n in range(200)]
IPS = [f"100.64.0.{n}" for n in range(1, 255)]


@pytest.fixture
def db(tmp_path):
    found = Database(tmp_path / "tricircle.sqlite")
    found.upgrade()
    return found


def race(count, work):
    """Run work(n) in `count` threads that start together; their results."""
    start, results = threading.Barrier(count), {}

    def one(number):
        start.wait()
        results[number] = work(number)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == count
    return [results[number] for number in range(count)]


def test_fifty_threads_of_one_project_get_one_bridge(db):
    rows = race(50, lambda _: bridges.allocate_bridge(db, "p", VLANS, CIDRS))
    assert rows == [rows[0]] * 50
    assert db.rows("SELECT project_id FROM bridges") == [{"project_id": "p"}]


def test_fifty_projects_share_neither_vlan_nor_subnet(db):
    rows = race(50, lambda n: bridges.allocate_bridge(db, f"p{n}", VLANS, CIDRS))
    assert len({row["vlan"] for row in rows}) == len({row["cidr"] for row in rows}) == 50


def test_fifty_routers_share_no_address_and_a_repeated_question_gets_the_same(db):
    bridges.allocate_bridge(db, "p", VLANS, CIDRS)
    pod = pods.create(db, "Pod1", "az1")["pod_id"]
    ips = race(50, lambda n: bridges.allocate_ip(db, "p", f"r{n // 2}", pod, IPS))
    assert ips[0::2] == ips[1::2]
    assert len(set(ips)) == 25


def _process(path, start, number, answers):
    db = Database(path)
    start.wait()
    mine = bridges.allocate_bridge(db, f"p{number}", VLANS, CIDRS)
    shared = bridges.allocate_bridge(db, "shared", VLANS, CIDRS)
    answers.put((mine["vlan"], mine["cidr"], shared["vlan"]))


def test_processes_race_on_one_file(db):
    spawn = multiprocessing.get_context("fork")
    start, answers = spawn.Barrier(6), spawn.Queue()
    processes = [spawn.Process(target=_process, args=(db.path, start, n, answers)) for n in range(6)]
    for process in processes:
        process.start()
    found = [answers.get(timeout=30) for _ in processes]
    for process in processes:
        process.join()
    assert len({vlan for vlan, _, _ in found}) == len({cidr for _, cidr, _ in found}) == 6
    assert len({shared for _, _, shared in found}) == 1


def test_candidates_that_a_pod_uses_are_never_handed_out_and_running_out_is_said(db):
    assert bridges.allocate_bridge(db, "p", [2005, 2006], CIDRS)["vlan"] == 2005
    assert bridges.allocate_bridge(db, "q", [2005, 2006], CIDRS)["vlan"] == 2006
    with pytest.raises(bridges.Exhausted, match="no VLAN is free"):
        bridges.allocate_bridge(db, "r", [2005, 2006], CIDRS)


def test_leaving_a_refused_vlan_happens_once_for_all_who_saw_the_refusal(db):
    bridges.allocate_bridge(db, "p", VLANS, CIDRS)
    rows = race(20, lambda _: bridges.move_vlan(db, "p", 2001, range(2002, 3001)))
    assert {row["vlan"] for row in rows} == {2002}
    with pytest.raises(bridges.NoBridge):
        bridges.move_vlan(db, "nobody", 2001, VLANS)


def test_a_bridge_goes_with_its_last_address_and_not_before(db):
    pod = pods.create(db, "Pod1", "az1")["pod_id"]
    bridges.allocate_bridge(db, "p", VLANS, CIDRS)
    bridges.allocate_ip(db, "p", "r1", pod, IPS)
    bridges.allocate_ip(db, "p", "r2", pod, IPS)
    assert bridges.shared_pods(db, "p", "r1") == {pod}
    assert bridges.release_ip(db, "r1", pod)
    assert not bridges.release_bridge(db, "p")
    assert bridges.allocate_ip(db, "p", "r3", pod, IPS) == "100.64.0.1"
    bridges.release_ip(db, "r2", pod)
    bridges.release_ip(db, "r3", pod)
    assert bridges.release_bridge(db, "p")
    with pytest.raises(bridges.NoBridge):
        bridges.allocate_ip(db, "p", "r1", pod, IPS)


def test_of_fifty_routers_that_leave_a_pod_at_once_one_stays_to_delete_the_network(db):
    pod = pods.create(db, "Pod1", "az1")["pod_id"]
    bridges.allocate_bridge(db, "p", VLANS, CIDRS)
    for number in range(50):
        bridges.allocate_ip(db, "p", f"r{number}", pod, IPS)
    assert race(50, lambda n: bridges.release_ip(db, f"r{n}", pod, keep_last=True)).count(False) == 1
    assert len(db.rows("SELECT * FROM bridge_ips")) == 1


def test_allocating_and_releasing_at_once_leaves_no_address_without_a_bridge(db):
    pod = pods.create(db, "Pod1", "az1")["pod_id"]

    def work(number):
        for _ in range(5):
            try:
                bridges.allocate_bridge(db, "p", VLANS, CIDRS)
                bridges.allocate_ip(db, "p", f"r{number}", pod, IPS)
            except bridges.NoBridge:
                continue
            except TricircleError as error:
                return error
            bridges.release_ip(db, f"r{number}", pod)
            bridges.release_bridge(db, "p")
        return None

    assert race(8, work) == [None] * 8
    assert db.rows("SELECT ip FROM bridge_ips WHERE project_id NOT IN (SELECT project_id FROM bridges)") == []
