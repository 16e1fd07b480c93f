"""Who gets to write when many want to."""
import multiprocessing
import sqlite3
import threading
import time

import pytest

from tricircle import trace
from tricircle.errors import StoreBusy
from tricircle.store import Database, db

WRITERS, TURNS = 20, 5


@pytest.fixture
def store(tmp_path):
    """A database with one table."""
    made = Database(tmp_path / "x.sqlite")
    with made.write() as c:
        c.execute("CREATE TABLE notes (writer)")
    yield made
    made.close()


def _write_until(path, ready, done):
    """A process of twenty threads that write turn after turn."""
    busy = Database(path)

    def run():
        while not done.is_set():
            with busy.write(durable=False) as c:
                c.execute("INSERT INTO notes VALUES (0)")
                time.sleep(0.003)
            ready.set()
    for thread in [threading.Thread(target=run) for _ in range(WRITERS)]:
        thread.start()


def test_nobody_starves(store):
    """Twenty threads beside a process of twenty that never pause: each of them gets each of its turns in time."""
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=_write_until, args=(store.path, ready, done))
    other.start()
    failed = []

    def run(writer):
        try:
            for _ in range(TURNS):
                with store.write(durable=False) as c:
                    c.execute("INSERT INTO notes VALUES (?)", (writer,))
        except StoreBusy as error:
            failed.append(error)
    try:
        assert ready.wait(30)
        threads = [threading.Thread(target=run, args=(writer,)) for writer in range(1, WRITERS + 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        done.set()
        other.join()
    assert failed == []
    rows = store.rows("SELECT writer, count(*) AS turns FROM notes WHERE writer > 0 GROUP BY writer")
    assert [row["turns"] for row in rows] == [TURNS] * WRITERS


@pytest.mark.parametrize("where", ["in a thread", "in another process"])
def test_a_writer_that_never_ends_is_not_waited_for_for_ever(store, monkeypatch, where):
    monkeypatch.setattr(db, "BUSY_SECONDS", 0.2)
    holder = store if where == "in a thread" else Database(store.path)   # a second one knows nothing of the first
    held, over = threading.Event(), threading.Event()

    def hold():
        with holder.write():
            held.set()
            over.wait(30)
        holder.close()
    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert held.wait(10)
        with pytest.raises(StoreBusy), store.write():
            pass
    finally:
        over.set()
        thread.join()
    with store.write() as c:
        c.execute("INSERT INTO notes VALUES (1)")
    assert len(store.rows("SELECT * FROM notes")) == 1


def test_a_commit_that_fails_gives_the_lock_back(store):
    """As on a full disk: SQLite leaves the transaction open then, and nobody else could ever write."""
    with store.write() as c:
        c.execute("CREATE TABLE parents (id PRIMARY KEY)")
        c.execute("CREATE TABLE children (parent REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(sqlite3.IntegrityError), store.write() as c:
        c.execute("INSERT INTO children VALUES (1)")
    other = Database(store.path)
    with other.write() as c:
        c.execute("INSERT INTO notes VALUES (1)")
    other.close()
    assert store.rows("SELECT * FROM children") == []


def test_a_full_disk_is_told_as_such_and_leaves_nothing_half_written(store):
    pages = store.row("PRAGMA page_count")["page_count"]
    store.connection().execute(f"PRAGMA max_page_count = {pages + 3}")
    with pytest.raises(StoreBusy, match="full"), store.write() as c:
        c.executemany("INSERT INTO notes VALUES (?)", [("x" * 4096,)] * 9)
    assert store.rows("SELECT * FROM notes") == []
    with store.write() as c:
        c.execute("INSERT INTO notes VALUES (1)")


def test_a_small_table_is_read_again_only_when_something_was_written(store):
    sql, asked = "SELECT writer FROM notes", []
    store.connection().set_trace_callback(asked.append)

    def kept():
        asked.clear()
        return store.kept(sql), sql in asked

    assert kept() == ([], True)
    assert kept() == ([], False)
    with store.write() as c:
        c.execute("INSERT INTO notes VALUES (1)")
    assert kept() == ([{"writer": 1}], True)
    with sqlite3.connect(store.path) as another:   # as of another process
        another.execute("UPDATE notes SET writer = 2")
    assert kept() == ([{"writer": 2}], True)
    assert kept() == ([{"writer": 2}], False)
    store.close()
    assert store.kept(sql) == [{"writer": 2}]


def test_what_was_rolled_back_is_not_kept(store):
    sql = "SELECT writer FROM notes"

    def broken_off():
        with store.write() as c:
            c.execute("INSERT INTO notes VALUES (1)")
            assert store.kept(sql) == [{"writer": 1}]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken_off()
    assert store.kept(sql) == []


def test_whoever_changes_rows_changes_their_own(store):
    with store.write() as c:
        c.execute("INSERT INTO notes VALUES (1)")
    store.kept("SELECT writer FROM notes")[0]["writer"] = 2
    assert store.kept("SELECT writer FROM notes") == [{"writer": 1}]


@pytest.fixture
def request_of_a_user():
    """What this thread does is done for a request."""
    made = trace.begin("req-1")
    made.versions = {}
    yield made
    trace._CURRENT.set(None)


def test_a_request_sees_what_was_committed_before_it_and_during_its_calls_to_pods(store, request_of_a_user):
    sql = "SELECT writer FROM notes"

    def elsewhere(value):
        other = Database(store.path)
        with other.write() as c:
            c.execute("INSERT INTO notes VALUES (?)", (value,))
        other.close()

    elsewhere(1)
    assert store.kept(sql) == [{"writer": 1}]
    with store.write() as c:
        c.execute("INSERT INTO notes VALUES (2)")
    assert store.kept(sql) == [{"writer": 1}, {"writer": 2}]
    elsewhere(3)
    trace.asked("Pod1")
    assert len(store.kept(sql)) == 3
    elsewhere(4)
    with store.write() as c:   # which may have waited for the other one
        c.execute("DELETE FROM notes WHERE writer = 0")
    assert len(store.kept(sql)) == 4
    elsewhere(5)
    trace.begin("req-2").versions = {}
    assert len(store.kept(sql)) == 5


def test_a_job_sees_each_commit_at_once(store):
    sql = "SELECT writer FROM notes"
    trace.begin("router:1:2")
    try:
        assert store.kept(sql) == []
        other = Database(store.path)
        with other.write() as c:
            c.execute("INSERT INTO notes VALUES (1)")
        other.close()
        assert store.kept(sql) == [{"writer": 1}]
    finally:
        trace._CURRENT.set(None)


def test_what_is_kept_has_bounds(store):
    for writer in range(db.MOST_KEPT * 2):
        store.kept("SELECT writer FROM notes WHERE writer = ?", (writer,))
    assert len(store._local.kept) <= db.MOST_KEPT
    before = len(store._local.kept)
    many = tuple(range(db.MOST_ARGS + 1))
    store.kept(f"SELECT writer FROM notes WHERE writer IN ({', '.join('?' * len(many))})", many)
    assert len(store._local.kept) == before
