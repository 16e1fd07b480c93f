"""Old databases become new ones in place, and copies of a busy one are whole."""
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlite_utils import Database as Tables

from tricircle.store import Database, jobs, pods, replicas, routings
from tricircle.store.backup import BackupFailed, copy
from tricircle.store.db import WrongSchema
from tricircle.store.migrations import m014_refusals, migrations

NAMES = [migration.name for migration in migrations.pending(Tables(memory=True))]
TRICIRCLE = Path(sys.executable).with_name("tricircle")


def old(path, steps):
    """A database as the first `steps` migrations made it, with a row in every table."""
    connection = sqlite3.connect(path)
    tables = Tables(connection)
    migrations.apply(tables, stop_before=NAMES[steps:steps + 1])
    for table in content(connection):
        columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
        values = [_value(table, *column[1:3]) for column in columns]
        connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)
    connection.commit()
    before = content(connection)
    connection.close()
    return before


def _value(table, name, kind):
    """Rows refer to each other: every id is the same one."""
    if name == "state":
        return "queued"
    if name == "kind" and table == "routings":
        return "servers"
    return 1 if kind in ("INTEGER", "REAL") else f"{name if name != 'id' or table == 'bindings' else 'job_id'}-1"


def content(connection):
    """{table: [its rows as {column: value}]}."""
    names = [name for name, in connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY rowid")]
    found = {}
    for name in names:
        rows = connection.execute(f"SELECT * FROM {name}")
        fields = [each[0] for each in rows.description]
        found[name] = [dict(zip(fields, row, strict=True)) for row in rows]
    return found


@pytest.mark.parametrize("steps", range(1, len(NAMES)), ids=lambda steps: NAMES[steps - 1])
def test_every_earlier_schema_is_upgraded_in_place_with_its_rows(tmp_path, steps):
    path = tmp_path / "tricircle.sqlite"
    before = old(path, steps)
    assert all(before.values())
    db = Database(path)
    with pytest.raises(WrongSchema, match="run `tricircle db upgrade`"):
        db.check()
    assert db.upgrade() == NAMES[steps:]
    db.check()
    after = content(sqlite3.connect(path))
    for table, rows in before.items():
        assert [{name: row[name] for name in rows[0]} for row in after[table]] == rows
    assert db.rows("PRAGMA foreign_key_check") == db.upgrade() == []
    fresh = Database(tmp_path / "fresh.sqlite")
    fresh.upgrade()
    assert [db.rows(f"PRAGMA table_info({table})") for table in after] == [
        fresh.rows(f"PRAGMA table_info({table})") for table in content(fresh.connection())]


def test_processes_that_start_together_upgrade_once(tmp_path):
    path = tmp_path / "tricircle.sqlite"
    old(path, 1)
    done, wrong = [], []

    def run():
        try:
            done.extend(Database(path).upgrade())
        except sqlite3.Error as error:
            wrong.append(error)
    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (wrong, done) == ([], NAMES[1:])


@pytest.mark.parametrize("command", ["db upgrade", "serve", "worker", "pod list"])
def test_the_database_of_a_newer_tricircle_is_refused_with_the_remedy(tmp_path, command):
    path = tmp_path / "tricircle.sqlite"
    db = Database(path)
    db.upgrade()
    with db.write() as c:
        c.execute("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('tricircle', 'm999_x', '')")
    conf = tmp_path / "tricircle.conf"
    conf.write_text(f"[DEFAULT]\nstate_path = {tmp_path}\n")
    done = subprocess.run([TRICIRCLE, *command.split(), "--config-file", conf], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 2
    assert "newer Tricircle (m999_x): install that one" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def db(tmp_path):
    made = Database(tmp_path / "tricircle.sqlite")
    made.upgrade()
    yield made
    made.close()


def test_what_was_learned_from_refusals_goes(db):
    pod = pods.create(db, "Pod1", "az1")["pod_id"]
    routings.learn(db, [("port", "os-hypervisors", "b"), ("moved", "networks", "a"), ("group", "groups", "a")], pod)
    with db.write() as c:
        m014_refusals(c)
    assert [row for row in ("port", "moved", "group") if routings.home(db, row)] == ["moved"]


def test_a_copy_of_a_busy_database_is_of_one_moment(db, tmp_path):
    """A thread writes to two tables in each transaction: every copy has both, and nothing with a gap before it."""
    pod = pods.create(db, "Pod1", "az1")["pod_id"]
    over, begun = threading.Event(), threading.Event()

    def hammer():
        for number in range(1_000_000):
            if over.is_set():
                break
            with db.write(durable=False) as c:
                c.execute("INSERT INTO cursors (cursor_key, cursor) VALUES (?, '')", (number,))
                c.execute("INSERT INTO routings (resource_id, pod_id, kind, project_id, created_at) "
                          "VALUES (?, ?, 'servers', 'p', ?)", (number, pod, number))
            if number > 50:
                begun.set()
        db.close()
    thread = threading.Thread(target=hammer)
    thread.start()
    try:
        assert begun.wait(30)
        counts = []
        for number in range(5):
            target = tmp_path / f"copy{number}"
            assert copy(db, target) == target.stat().st_size > 0
            assert target.stat().st_mode & 0o777 == 0o600
            with sqlite3.connect(target) as found:
                assert found.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                halves = [sorted(int(number) for number, in found.execute(f"SELECT {column} FROM {table}"))
                          for column, table in (("resource_id", "routings"), ("cursor_key", "cursors"))]
            counts.append(len(halves[0]))
            assert halves == [list(range(counts[-1]))] * 2
    finally:
        over.set()
        thread.join()
    assert counts == sorted(counts)
    assert sorted(each.name for each in tmp_path.glob("copy*")) == [f"copy{n}" for n in range(5)]


def test_a_copy_takes_the_place_of_the_lost_one(db, tmp_path):
    pod = pods.create(db, "Pod1", "az1")["pod_id"]
    jobs.enqueue(db, "router", "r", "p")
    replicas.record(db, "r", pod, "routers", "p", "l")
    copy(db, tmp_path / "copy")
    db.close()
    for name in ("", "-wal", "-shm"):
        Path(f"{db.path}{name}").unlink(missing_ok=True)
    (tmp_path / "copy").rename(db.path)
    restored = Database(db.path)
    assert restored.upgrade() == []
    assert replicas.of_resource(restored, "r") == {pod: "l"}
    routings.learn(restored, [("s", "servers", "p")], pod)
    assert restored.row("PRAGMA journal_mode") == {"journal_mode": "wal"}


@pytest.mark.parametrize(("name", "words"), [("there", "exists already: name a new file"), ("no/folder", "cannot be")])
def test_a_copy_goes_to_a_new_file_only(db, tmp_path, name, words):
    (tmp_path / "there").write_text("precious")
    with pytest.raises(BackupFailed, match=words):
        copy(db, tmp_path / name)
    assert (tmp_path / "there").read_text() == "precious"


def test_nothing_is_left_of_a_copy_that_is_not_sound(db, tmp_path):
    db.connection().execute("PRAGMA foreign_keys = OFF")
    db.connection().execute("INSERT INTO bindings VALUES ('b', 't', 'az', 'no such pod', 0, 0)")
    with pytest.raises(BackupFailed, match="not sound"):
        copy(db, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
