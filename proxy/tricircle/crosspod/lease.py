"""The lease file of a job: how a playbook that outlived its worker learns that the job is no longer its own.

Killing a worker does not kill the Ansible processes it has started. They look into this file before each step.
"""
import os
import time
from pathlib import Path


def write(path: Path, fence: int, until: float) -> None:
    """State who holds the job.

    Args:
        path: the file; replaced in one go.
        fence: number of the claim.
        until: seconds since the epoch.
    """
    part = path.with_name(f"{path.name}.{fence}")
    part.write_text(f"{fence} {until}")
    os.replace(part, path)


def stands(path: Path, fence: int) -> bool:
    """Whether the job still belongs to the claim with this fence."""
    try:
        holder, until = path.read_text().split()
    except (OSError, ValueError):
        return False
    return int(holder) == fence and time.time() < float(until)
