"""The SQLite file: one connection a thread, write-ahead log, short transactions."""
import contextlib
import fcntl
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from sqlite_utils import Database as Tables

from tricircle import trace
from tricircle.errors import StoreBusy, TricircleError
from tricircle.privileges import open_lock
from tricircle.store.migrations import migrations

BUSY_SECONDS = 5.0
MOST_KEPT, MOST_ARGS = 256, 40   # SELECTs of one thread whose rows are kept, and arguments of one of them
POLL_SECONDS = 0.001   # between two looks of one process whether another one still writes


def new_id() -> str:
    """A fresh UUID in OpenStack's form (36 characters, with dashes)."""
    return str(uuid.uuid4())


def now() -> float:
    """Seconds since the epoch; every time in the store has this unit."""
    return time.time()


class WrongSchema(TricircleError):
    """The file's schema is not that of this version."""


class Database:
    """Connections to one SQLite file.

    Args:
        path: the file; made with its folder when missing. `:memory:` is not supported: each thread has its own
            connection, so each would see another database.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._local = threading.local()
        self._writer = threading.Lock()

    def connection(self) -> sqlite3.Connection:
        """This thread's connection, in autocommit mode: a transaction is begun by `write` only."""
        found = getattr(self._local, "connection", None)
        if found is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            found = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            found.row_factory = sqlite3.Row
            found.execute("PRAGMA journal_mode=WAL")
            found.execute("PRAGMA foreign_keys=ON")
            self._local.connection, self._local.kept = found, {}
            self._local.version_cursor = found.cursor()   # for data_version: to make one takes a third of the question
            self._local.version_cursor.row_factory = None
        return found

    def close(self) -> None:
        """Close this thread's connection; it is opened again on the next use."""
        found = getattr(self._local, "connection", None)
        if found is not None:
            found.close()
            self._local.connection = None

    def rows(self, sql: str, args: tuple | list | dict = ()) -> list[dict]:
        """All rows of a SELECT as dictionaries.

        Raises:
            StoreBusy: another process held the file for longer than `BUSY_SECONDS`.
        """
        try:   # and not `with _busy()`: it costs as much as a small SELECT, and each request has several
            return [dict(row) for row in self.connection().execute(sql, args)]
        except sqlite3.OperationalError as error:
            raise StoreBusy(str(error)) from error

    def row(self, sql: str, args: tuple | list | dict = ()) -> dict | None:
        """The first row of a SELECT, or None. Raises as `rows`."""
        try:
            found = self.connection().execute(sql, args).fetchone()
        except sqlite3.OperationalError as error:
            raise StoreBusy(str(error)) from error
        return dict(found) if found else None

    def kept(self, sql: str, args: tuple = ()) -> list[dict]:
        """Return all rows of a SELECT, read again only when something was written to the file since.

        The rule is exact: `PRAGMA data_version` is another one after each commit of another connection, be it of
        another process, and `total_changes` after each row that this thread's own connection has written. To ask for
        both costs a third of reading a row. A request asks when it begins and after each wait for a pod, for a writer
        or for another request: what others commit in the milliseconds between, they commit while it is under way.

        Args:
            sql: one of a few constants.
            args: of it. What has many of them is not kept.

        Raises:
            StoreBusy: as `rows`.
        """
        connection = self.connection()
        if connection.in_transaction or len(args) > MOST_ARGS:   # what is not committed yet may be rolled back
            return self.rows(sql, args)
        version, kept, key = self._version(connection), self._local.kept, (sql, args)
        known, found = kept.get(key, (None, []))
        if known != version:
            found = self.rows(sql, args)
            if len(kept) >= MOST_KEPT:
                kept.clear()
            kept[key] = version, found
        return [row.copy() for row in found]   # callers may change theirs

    def _version(self, connection: sqlite3.Connection) -> tuple[int, int]:
        seen = trace.versions()
        version = seen.get(connection)
        if version is None:
            try:
                version = seen[connection] = self._local.version_cursor.execute("PRAGMA data_version").fetchone()[0]
            except sqlite3.OperationalError as error:
                raise StoreBusy(str(error)) from error
        return version, connection.total_changes

    @contextlib.contextmanager
    def write(self, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """A write transaction; committed at the end of the block, rolled back by an exception.

        BEGIN IMMEDIATE takes the write lock at once: a transaction that first reads and then upgrades fails with
        SQLITE_BUSY without waiting when another one wrote in between.

        Args:
            durable: False for what may be forgotten by a power cut: no disk is waited for while the lock is held.

        Raises:
            StoreBusy: the lock was not to be had within `BUSY_SECONDS`, or the disk is full.
            sqlite3.IntegrityError: a constraint was violated; callers turn it into their own conflict.
        """
        trace.waited()   # for other writers
        with _busy():
            connection = self.connection()
            # FULL: an allocation that was handed to a pod must not be forgotten by a power cut.
            connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        with self._turn():
            try:
                with _busy():
                    yield connection
                    connection.commit()
            except BaseException:   # also of a commit on a full disk, which leaves the transaction open and locked
                connection.rollback()
                raise

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """The write lock of the file: the threads of a process queue for it here, one polls for the process.

        SQLite's own waiting is a poll too, but with pauses of up to 0.1 s: beside forty busy threads the unlucky one
        waits for more than `BUSY_SECONDS`, while others have ten turns.
        """
        if not self._writer.acquire(timeout=BUSY_SECONDS):
            raise StoreBusy("other threads of this process have been writing for too long")
        try:
            with _busy():
                self._begin(time.monotonic() + BUSY_SECONDS)
            yield
        finally:
            self._writer.release()

    def _begin(self, end: float) -> None:
        connection = self.connection()
        connection.execute("PRAGMA busy_timeout = 0")
        try:
            while True:
                try:
                    connection.execute("BEGIN IMMEDIATE")
                    return
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                        raise
                    time.sleep(POLL_SECONDS)
        finally:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")

    def trouble(self) -> str:
        """Why nothing can be read; empty when all is well. A writer who takes long is no trouble."""
        if not self.path.exists():   # open connections would go on with a file that nobody sees any more
            return "there is no such file"
        try:
            self.connection().execute("SELECT 1 FROM pods LIMIT 1").fetchone()
        except sqlite3.Error as error:
            self.close()
            return str(error)
        return ""

    def upgrade(self) -> list[str]:
        """Bring the schema up to date; safe to call from several processes at once.

        Returns:
            The names of the migrations applied now, in order.

        Raises:
            WrongSchema: a newer Tricircle has made it.
            StoreBusy: the file cannot be opened.
        """
        with _busy():
            tables = Tables(self.connection())
        # `serve` and `worker` start together: the second would apply what the first is applying, and fail.
        with open_lock(Path(f"{self.path}.upgrade")) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = self._pending(tables)
            migrations.apply(tables)
        return before

    def check(self) -> None:
        """Raise WrongSchema unless the schema is the one that this Tricircle works with."""
        pending = self._pending(Tables(self.connection()))
        if pending:
            raise WrongSchema(f"{self.path} has an older schema ({', '.join(pending)} missing): "
                              "run `tricircle db upgrade`")

    def _pending(self, tables: Tables) -> list[str]:
        pending = [migration.name for migration in migrations.pending(tables)]
        known = {migration.name for migration in migrations.applied(tables)}
        foreign = sorted(known - {migration.name for migration in migrations.pending(Tables(memory=True))})
        if foreign:
            raise WrongSchema(f"{self.path} was made by a newer Tricircle ({', '.join(foreign)}): install that one")
        return pending


@contextlib.contextmanager
def _busy() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreBusy(str(error)) from error
