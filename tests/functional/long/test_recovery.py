"""The database is lost, or an old one is put in its place: the pods tell what has to be in it, and the work goes on."""
import pytest

from tests.functional.recovery import Place, Scene


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = Place(tmp_path_factory.mktemp("recovery"), works=True)
    yield made
    made.close()


@pytest.fixture(scope="module")
def scene(place):
    return Scene(place)


def test_what_an_old_backup_says_wrongly_is_put_right_once_all_pods_answer(place, scene):
    place.stop()
    place.sql("DELETE FROM replicas WHERE kind IN ('routers', 'networks') OR local_id IN (SELECT group_id FROM "
              "default_groups)")
    right = place.rows()
    assert place.tricircle("rebuild").returncode == 0
    before = place.rows()
    assert len(before["replicas"]) > len(right["replicas"])
    one, two = (pod["pod_id"] for pod in (place.gateway.pods["Pod1"], place.gateway.pods["Pod2"]))
    # A project that is gone has the VLAN and addresses of another one; one thing is elsewhere, others are gone.
    place.sql("UPDATE bridges SET project_id = 'ghost'")
    place.sql("UPDATE bridge_ips SET project_id = 'ghost', router_id = 'ghost'")
    place.sql(f"UPDATE routings SET pod_id = '{one}' WHERE resource_id = '{scene.server}'")
    place.sql(f"INSERT INTO routings (resource_id, pod_id, kind, project_id, created_at) "
              f"VALUES ('gone', '{one}', 'servers', 'p', 0)")
    place.sql(f"INSERT INTO replicas VALUES ('gone', '{two}', 'routers', 'p', 'gone too', 0, 0, 0)")
    place.sql("UPDATE replicas SET local_id = 'was replaced' WHERE kind = 'security-groups' AND "
              f"resource_id = '{scene.group}'")
    wrong = place.rows()
    dry = place.tricircle("rebuild", "--dry-run")
    assert (dry.returncode, place.rows()) == (0, wrong), dry.stderr
    assert "would change" in dry.stdout
    assert "drop bridges ghost: vlan" in dry.stdout
    place.cloud["Pod2"].refuse()
    try:
        part = place.tricircle("rebuild")
    finally:
        place.cloud.recover()
    assert part.returncode == 1
    assert "not complete: pod Pod2" in part.stdout
    assert {name: [row for row in rows if row not in place.rows()[name]] for name, rows in wrong.items()} == {
        name: [] for name in wrong}, "nothing goes while a pod is away"
    done = place.tricircle("rebuild")
    assert done.returncode == 0, done.stdout + done.stderr
    assert place.rows() == before
    place.gateway.settle()
    place.start()
    place.settle()
    assert place.rows() == before


def test_a_lost_database_is_made_again_from_the_pods_and_used_on(place, scene):
    before, seen = place.rows(), scene.listed()
    assert {"routers", "networks", "subnets", "ports", "security-groups", "subnetpools", "address-scopes"} == {
        row[2] for row in before["replicas"]}
    assert len(before["bridge_ips"]) == 2
    place.lose()
    assert not place.rows()["routings"], "the test would prove nothing"
    assert scene.listed() == seen, "no list is a matter of what the store knows"
    done = place.tricircle("rebuild")
    assert done.returncode == 0, done.stdout + done.stderr
    after = place.rows()
    for table in before:
        if table != "bindings":   # of projects that have nothing (yet) nobody can tell
            assert set(before[table]) <= set(after[table]), table
    for table in ("bridges", "bridge_ips", "pool_prefixes"):
        assert after[table] == before[table]
    again = place.tricircle("rebuild")
    assert "nothing to change" in again.stdout, again.stdout
    assert place.rows() == after
    assert scene.listed() == seen
    place.start()
    place.settle()
    assert place.rows() == after, "the jobs have found everything right"
    scene.delete()
    assert scene.left() == []
    assert place.rows()["bridges"] == place.rows()["bridge_ips"] == []
    kept = [row for row in place.rows()["replicas"] if row[0] in (scene.router, scene.group, scene.pool)]
    assert kept == []
