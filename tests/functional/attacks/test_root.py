"""Whoever is the service user, after a break-in, gets nothing of what root may do by the command `tricircle`."""
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has what is to be kept from others")
SERVICE = 65534      # nobody stands for the service user
NO_ACCOUNT = 54321
PRECIOUS = "root's own\n"


class Host:
    """A state folder of the service user, the configuration, and a file that only root may write."""

    def __init__(self, root):
        root.chmod(0o755)
        self.root, self.state, self.conf = root, root / "state", root / "tricircle.conf"
        self.precious = root / "precious"
        self.precious.write_text(PRECIOUS)
        self.precious.chmod(0o600)
        self.folder("state")
        self.conf.write_text(f"[DEFAULT]\nstate_path = {self.state}\n")

    def folder(self, name, owner=SERVICE):
        """Make a folder; of its owner alone."""
        path = self.root / name
        path.mkdir(mode=0o700)
        os.chown(path, owner, owner)
        return path

    def tricircle(self, *words):
        """Run the command as root."""
        return subprocess.run([sys.executable, "-m", "tricircle.cli", *words, "--config-file", str(self.conf)],
                              capture_output=True, text=True, timeout=60, check=False)

    def untouched(self):
        """Whether root's file is as it was."""
        found = self.precious.stat()
        return (self.precious.read_text(), found.st_uid, found.st_mode & 0o777) == (PRECIOUS, 0, 0o600)

    def owners(self):
        """Users who own something in the state folder, itself among it."""
        return {path.lstat().st_uid for path in (self.state, *self.state.rglob("*"))}


@pytest.fixture
def host():
    # Not tmp_path: the folders around that are closed to everybody but root.
    root = Path(tempfile.mkdtemp(dir="/tmp"))
    yield Host(root)
    shutil.rmtree(root)


@pytest.mark.parametrize("name", ["tricircle.sqlite.upgrade", "tricircle.sqlite", "tricircle.sqlite-wal"])
def test_a_link_in_the_state_folder_leads_root_nowhere(host, name):
    (host.state / name).symlink_to(host.precious)
    done = host.tricircle("db", "upgrade")
    assert host.untouched()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["tricircle.sqlite.upgrade", "tricircle.sqlite"])
def test_a_link_makes_root_create_nothing(host, name):
    (host.state / name).symlink_to(host.root / "made")
    assert host.tricircle("db", "upgrade").returncode == 2
    assert not (host.root / "made").exists()


def test_what_root_makes_is_the_service_users(host):
    assert host.tricircle("db", "upgrade").returncode == 0
    for words in (("pod", "list"), ("job", "list")):
        done = host.tricircle(*words)
        assert done.returncode == 0, done.stderr
    assert host.owners() == {SERVICE}


def test_a_state_folder_that_is_not_there_is_made_by_the_owner_of_the_one_around(host):
    host.conf.write_text(f"[DEFAULT]\nstate_path = {host.state}/deeper/still\n")
    assert host.tricircle("db", "upgrade").returncode == 0
    assert (host.state / "deeper" / "still" / "tricircle.sqlite").exists()
    assert host.owners() == {SERVICE}


def test_a_state_folder_that_is_a_link_of_the_service_user_gives_it_no_file_elsewhere(host):
    """Root's own folder at the end of the link changes nothing: who has made the link says where it leads."""
    (host.state / "deeper").symlink_to(host.folder("closed", owner=0))
    host.conf.write_text(f"[DEFAULT]\nstate_path = {host.state}/deeper\n")
    assert host.tricircle("db", "upgrade").returncode == 2
    assert list((host.root / "closed").iterdir()) == []


def test_root_keeps_its_own_state_folder(host):
    os.chown(host.state, 0, 0)
    assert host.tricircle("db", "upgrade").returncode == 0
    assert host.owners() == {0}


def test_an_owner_without_account_is_refused_before_anything_is_made(host):
    os.chown(host.state, NO_ACCOUNT, NO_ACCOUNT)
    done = host.tricircle("db", "upgrade")
    assert done.returncode == 2
    assert f"user {NO_ACCOUNT}, who has no account" in done.stderr
    assert list(host.state.iterdir()) == []


def test_a_backup_is_the_service_users_and_goes_where_that_user_may_write(host):
    host.tricircle("db", "upgrade")
    refused = host.tricircle("backup", str(host.root / "backup.sqlite"))
    assert refused.returncode == 2
    assert "Permission denied" in refused.stderr
    assert "name a file in a folder of that user" in " ".join(refused.stderr.split())
    assert not (host.root / "backup.sqlite").exists()
    target = host.folder("backups") / "backup.sqlite"
    done = host.tricircle("backup", str(target))
    assert done.returncode == 0, done.stderr
    assert (target.stat().st_uid, target.stat().st_mode & 0o777) == (SERVICE, 0o600)


def test_a_link_in_place_of_a_backup_leads_nowhere(host):
    host.tricircle("db", "upgrade")
    target = host.folder("backups") / "backup.sqlite"
    target.symlink_to(host.precious)
    assert host.tricircle("backup", str(target)).returncode == 2
    assert host.untouched()
