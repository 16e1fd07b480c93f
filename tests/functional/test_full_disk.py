"""The disk of `state_path` is full: nothing is half done, what needs no room goes on, and all is well when there is."""
import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.functional.client import Client
from tests.functional.failures import Town
from tests.functional.gateway import SERVICES, TRICIRCLE, Gateway, Process, children, until
from tests.functional.user import User

# A file system of its own needs no root in a user namespace of its own.
NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")
MOUNT = 'mount -t tmpfs -o size=4m tmpfs "$0/state" && "$1" db upgrade --config-file "$0/tricircle.conf" && exec "$@"'


class Small(Gateway):
    """A gateway whose state is on a file system of four megabytes."""

    def start(self):
        self.command = (*NAMESPACE, "sh", "-c", MOUNT, str(self.folder), str(TRICIRCLE))
        return super().start()

    @property
    def state(self) -> Path:
        """The folder, as the gateway sees it."""
        return Path(f"/proc/{self.api.process.pid}/root{self.folder}/state")

    def fill(self):
        """Until not a byte more goes in."""
        with (self.state / "filler").open("wb", buffering=0) as file:
            for size in (1 << 16, 1 << 8, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(size))

    def make_room(self):
        """Somebody has noticed."""
        (self.state / "filler").unlink()

    def inside(self) -> tuple[str, ...]:
        """What a command begins with that is to see this file system."""
        return ("nsenter", "--preserve-credentials", "--user", "--mount", "--target", str(self.api.process.pid))

    def worker(self):
        return Process("worker", "--config-file", str(self.conf), log=self.folder / "worker.log",
                       command=(*self.inside(), str(TRICIRCLE)))

    def rows(self, sql):
        """Of the database, as its text. From outside SQLite follows the link in /proc to a file of this side."""
        code = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchall())"
        path = f"{self.folder}/state/tricircle.sqlite"
        return subprocess.run([*self.inside(), sys.executable, "-c", code, path, sql], check=True, text=True,
                              capture_output=True, timeout=20).stdout.strip()


@pytest.fixture(scope="module")
def small(cloud, tmp_path_factory):
    """A gateway that a test may fill up."""
    if subprocess.run([*NAMESPACE, "true"], capture_output=True, timeout=10).returncode:
        pytest.skip("this machine gives no user namespace to a user")
    made = Small(cloud, tmp_path_factory.mktemp("small"), processes=1, api="max_body_bytes = 4096")
    yield made.start().register()
    made.stop()


def test_the_disk_is_full(cloud, small):
    town, newcomer = Town(small), User(small)
    born, calls = children(small.api.process.pid), town.calls()
    unknown = _unknown(cloud, newcomer)
    small.fill()
    for what, call in calls.items():
        if what.startswith(("list", "show")):
            assert call().status == 200, what
    with cloud.unchanged():
        for what, call in calls.items():
            if what.startswith("create"):
                answer = call()
                assert answer.status == 503, what
                error, = answer.body.values()
                assert error["message"] == "Tricircle's database cannot take a write now: try again"
    assert town.user.network.get("/security-groups").status == 200
    assert newcomer.network.get("/networks").status == 200
    assert newcomer.network.get(f"/networks/{unknown}").status == 200, "where it lives is found, and not remembered"
    # What was made before can be changed and goes: the pod does it, and the memory of it is of no account.
    assert calls["change networks in Pod2"]().status == 200
    assert calls["delete volumes in Pod2"]().status == 202
    assert calls["delete volumes in Pod2"]().status == 404
    _answers_of_all_kinds(small)
    assert children(small.api.process.pid) == born, "a process was killed for a figure that had no room"
    small.make_room()
    for what, call in calls.items():
        if what.startswith("create"):
            assert call().status < 300, what
    assert small.rows("SELECT 1 FROM quota_claims WHERE ended_at IS NULL") == "[]"
    assert "database or disk is full" in (small.folder / "api.log").read_text()


def _unknown(cloud, user):
    """Id of a network that a user has made in Pod2 behind the gateway's back."""
    pod = cloud["Pod2"].network
    made = Client(f"{pod.server.url}/v2.0", user.token.id).ok("POST", "/networks", {"network": {"name": "behind"}})
    return made["network"]["id"]


def _answers_of_all_kinds(gateway):
    """More figures than the pages have room for that were in use before."""
    for service in SERVICES:
        client = gateway.client(service, "admin")
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"):
            for path in ("/nothing", "/networks/x", "/servers/x", "/volumes/x", "/pods/x", "/jobs"):
                assert client.call(method, path).status != 500
            assert client.call(method, "/networks", raw=bytes(5000)).status != 500


def test_a_worker_on_a_full_disk_waits(cloud, small):
    project = cloud.identity.newcomer().project.id
    cloud["Pod2"].network.server.refuse()
    small.client("network", "admin").ok("PUT", f"/quotas/{project}", {"quota": {"network": 7}})
    small.fill()
    worker = small.worker()
    try:
        until(lambda: "no job could be claimed: database or disk is full" in worker.log.read_text())
        cloud.recover()
        assert worker.running
        small.make_room()
        jobs = small.client("admin", "admin")
        until(lambda: [job["state"] for job in jobs.ok("GET", f"/jobs?resource_id=network/quotas/{project}")["jobs"]]
              == ["done"])
    finally:
        worker.stop()
