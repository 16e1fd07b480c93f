"""The SQLite file: one connection a thread, write-ahead log, short transactions."""
import contextlib
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from sqlite_utils import Database as Tables

from tricircle.errors import StoreBusy
from tricircle.store.migrations import migrations

BUSY_SECONDS = 5.0


def new_id() -> str:
    """A fresh UUID in OpenStack's form (36 characters, with dashes)."""
    return str(uuid.uuid4())


def now() -> float:
    """Seconds since the epoch; every time in the store has this unit."""
    return time.time()


class Database:
    """Connections to one SQLite file.

    Args:
        path: the file; made with its folder when missing. `:memory:` is not supported: each thread has its own
            connection, so each would see another database.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._local = threading.local()

    def connection(self) -> sqlite3.Connection:
        """This thread's connection, in autocommit mode: a transaction is begun by `write` only."""
        found = getattr(self._local, "connection", None)
        if found is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            found = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            found.row_factory = sqlite3.Row
            found.execute("PRAGMA journal_mode=WAL")
            found.execute("PRAGMA foreign_keys=ON")
            self._local.connection = found
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
        with _busy():
            return [dict(row) for row in self.connection().execute(sql, args)]

    def row(self, sql: str, args: tuple | list | dict = ()) -> dict | None:
        """The first row of a SELECT, or None. Raises as `rows`."""
        with _busy():
            found = self.connection().execute(sql, args).fetchone()
        return dict(found) if found else None

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
        connection = self.connection()
        # FULL: an allocation that was handed to a pod must not be forgotten by a power cut.
        connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        with _busy():
            connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.rollback()
            raise
        with _busy():
            connection.commit()

    def upgrade(self) -> list[str]:
        """Bring the schema up to date; safe to call from several processes at once.

        Returns:
            The names of the migrations applied now, in order.
        """
        connection = self.connection()
        tables = Tables(connection)
        before = {m.name for m in migrations.pending(tables)}
        migrations.apply(tables)
        return sorted(before)


@contextlib.contextmanager
def _busy() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreBusy(str(error)) from error
