"""A copy of the database while others read and write it: all of one moment, or none."""
import os
import sqlite3
from pathlib import Path

from tricircle.errors import TricircleError
from tricircle.store.db import Database


class BackupFailed(TricircleError):
    """No copy was made; nothing is left of the attempt."""


def copy(db: Database, target: Path) -> int:
    """Copy the database into a new file that only its owner reads.

    One step of SQLite's backup takes all pages in one read transaction, which the write-ahead log lets writers pass.

    Args:
        db: may be in use.
        target: must not exist.

    Returns:
        Size of the copy in bytes.

    Raises:
        BackupFailed: the target exists or cannot be written, or the copy is not sound.
    """
    try:
        # Ours from the first byte on: a file that is made wide open and closed later has been read by then.
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError as error:
        raise BackupFailed(f"{target} exists already: name a new file, or move that one away") from error
    except OSError as error:
        raise BackupFailed(f"{target} cannot be written: {error.strerror}. Also for root the command works as the user "
                           "who owns the database: name a file in a folder of that user") from error
    try:
        _copy(db, target)
    except (sqlite3.Error, OSError) as error:
        _remove(target)
        raise BackupFailed(f"no copy was made: {error}") from error
    except BaseException:
        _remove(target)
        raise
    return target.stat().st_size


def _copy(db: Database, target: Path) -> None:
    made = sqlite3.connect(target, isolation_level=None)
    try:
        db.connection().backup(made)
        # A copy in WAL mode is a file and two more beside it once somebody opens it; `connection` turns it on again.
        made.execute("PRAGMA journal_mode=DELETE")
        problems = [row[0] for row in made.execute("PRAGMA integrity_check")]
        broken = made.execute("PRAGMA foreign_key_check").fetchall()
    finally:
        made.close()
    if problems != ["ok"] or broken:
        raise BackupFailed(f"the copy is not sound, and so the database may not be: {problems[:3]} {broken[:3]}")
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _remove(target: Path) -> None:
    for suffix in ("", "-journal", "-wal", "-shm"):
        Path(f"{target}{suffix}").unlink(missing_ok=True)
