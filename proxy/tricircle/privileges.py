"""Root works as the user who owns the state: in a folder of somebody else a link may lead root anywhere."""
import contextlib
import os
import pwd
from pathlib import Path
from typing import TextIO

from tricircle.errors import TricircleError


def give_up(folder: Path) -> None:
    """Become the owner of a folder for good, where root runs this and the folder is not root's.

    Args:
        folder: the state; where it is yet to be made, the owner of the folder around it counts.

    Raises:
        TricircleError: the owner has no account.
    """
    owner = _keeper(folder) if os.geteuid() == 0 else 0
    if not owner:
        return
    try:
        account = pwd.getpwuid(owner)
    except KeyError as error:
        raise TricircleError(f"{folder} belongs to user {owner}, who has no account: give it to the user who shall "
                             "run Tricircle (chown)") from error
    os.initgroups(account.pw_name, account.pw_gid)
    os.setgid(account.pw_gid)
    os.setuid(owner)
    os.environ.update(HOME=account.pw_dir, USER=account.pw_name, LOGNAME=account.pw_name)


def _keeper(folder: Path) -> int:
    """Number of the user, other than root, who can put something else in a file's place there; 0: nobody can."""
    for path in (folder, *folder.parents, *folder.resolve().parents):
        with contextlib.suppress(FileNotFoundError):
            if owner := path.stat().st_uid:
                return owner
    return 0


def open_lock(path: Path) -> TextIO:
    """Open a lock file, made where there is none.

    Raises:
        TricircleError: it is a link, or somebody else's.
    """
    try:
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "r+")
    except OSError as error:
        raise TricircleError(f"{path} cannot be opened: {error.strerror}; it shall be a file of the user who runs "
                             "Tricircle: remove what is there") from error
