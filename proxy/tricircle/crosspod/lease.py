"""The lease file of a job: how a playbook that outlived its worker learns that the job is no longer its own.

Killing a worker does not kill the Ansible processes it has started. They look into this file before each step.
"""
import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from tricircle.errors import LeaseLost


def name(job_id: str) -> str:
    """Of a job's lease file."""
    return f"{job_id}.lease"


def write(path: Path, fence: int, until: float) -> None:
    """State who holds the job.

    Args:
        path: the file; replaced in one go.
        fence: number of the claim.
        until: seconds since the epoch.

    Raises:
        LeaseLost: a later claim has written there.
    """
    # Locked: a heartbeat that has renewed its lease just before somebody took it must not write over him.
    with _locked(path.parent):
        if _read(path)[0] > fence:
            raise LeaseLost(f"{path.name} belongs to a later claim now")
        part = path.with_name(f"{path.name}.{fence}")
        part.write_text(f"{fence} {until}")
        os.replace(part, path)


def revoke(path: Path, fence: int) -> None:
    """From the return of this on no step is begun for an earlier claim, be it that its file is yet to be written.

    Args:
        path: the file.
        fence: a number after that of the claim.
    """
    # No folder: no worker has ever run on this machine. A later claim has revoked the earlier ones by itself.
    with contextlib.suppress(FileNotFoundError, LeaseLost):
        write(path, fence, 0.0)


def end(path: Path, fence: int) -> None:
    """The claim is over; the file of a later one stays."""
    with _locked(path.parent):
        if _read(path)[0] == fence:
            path.unlink()


def tidy(folder: Path, before: float) -> None:
    """Remove the files that nobody has renewed since a time: those of revoked claims and of killed workers."""
    for path in folder.glob("*.lease*"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < before:
                path.unlink()


def stands(path: Path, fence: int) -> bool:
    """Whether the job still belongs to the claim with this fence."""
    holder, until = _read(path)
    return holder == fence and time.time() < until


def _read(path: Path) -> tuple[int, float]:
    try:
        holder, until = path.read_text().split()
        return int(holder), float(until)
    except (OSError, ValueError):
        return -1, 0.0


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """The folder itself is what is locked: a lock file would be one more thing to tidy."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
