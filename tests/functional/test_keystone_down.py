"""Keystone or memcached fails: who is known goes on, the others are told to come again, and jobs wait."""
import shutil
import signal
import socket
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest

from tests.functional.gateway import Gateway, until
from tests.functional.standin.ports import free_port
from tests.functional.user import User

SLACK = 15.0  # seconds, for a busy machine
# One try again after half a second, each of twice the connect_deadline.
WITHIN = 2 * 2 * 1 + 0.5 + SLACK

BELIEVED = "Keystone's catalogue is believed as it was"


@pytest.fixture(scope="module")
def gateway(cloud, tmp_path_factory):
    """One that soon forgets endpoints; its memcached is not there, so that it knows a token for five seconds."""
    made = Gateway(cloud, tmp_path_factory.mktemp("keystone"), processes=1, threads=8, connect_deadline=1,
                   authtoken="memcached_servers = 127.0.0.1:9", pods="catalogue_seconds = 0.2")
    yield made.start().register()
    made.stop()


def fail(cloud, how):
    """Keystone begins to fail."""
    if how == "refuses":
        cloud.keystone.refuse()
    else:
        setattr(cloud.keystone.faults, how, 502 if how == "html" else True)


def new(gateway, path="/networks"):
    """What somebody with a token that nobody knows gets, and after how many seconds."""
    user, began = User(gateway), monotonic()
    return user.network.get(path), monotonic() - began


def known(gateway):
    """Users whose tokens are known from now on, each with a network."""
    user = User(gateway)
    network = user.net("az1")
    assert user.network.get(f"/networks/{network}").status == 200
    return user, network


@pytest.mark.parametrize("how", ["refuses", "silent", "html"])
def test_keystone_is_down(cloud, gateway, how):
    user, network = known(gateway)
    fail(cloud, how)
    log = gateway.folder / "api.log"
    before = log.read_text().count(BELIEVED)
    shown = until(lambda: (answer := user.network.get(f"/networks/{network}")) and
                  (answer.status != 200 or log.read_text().count(BELIEVED) > before) and answer, 4)
    assert shown.status == 200, "who is known goes on, though the endpoints' time is over"
    answer, seconds = new(gateway)
    assert (answer.status, answer["NeutronError"]["type"]) == (503, "ServiceUnavailable")
    assert "Keystone" in answer["NeutronError"]["message"]
    assert int(answer.headers["Retry-After"]) > 0
    assert seconds < WITHIN
    cloud.recover()
    assert until(lambda: new(gateway)[0].status == 200)
    assert user.network.get(f"/networks/{network}").status == 200


def test_a_silent_keystone_leaves_threads_for_who_is_known(cloud, gateway):
    """Half of the threads may wait for it; when that has failed often enough nobody does."""
    user, network = known(gateway)
    cloud.keystone.faults.silent, cloud.keystone.faults.calls[:] = True, []
    with ThreadPoolExecutor(24) as pool:
        strangers = [pool.submit(new, gateway) for _ in range(24)]
        assert {call.result()[0].status for call in strangers} == {503}
    assert len(cloud.keystone.faults.calls) < 30, "of 48: each who waits for it asks twice"
    cloud.recover()
    assert until(lambda: new(gateway)[0].status == 200)
    assert user.network.get(f"/networks/{network}").status == 200


def owed(cloud, gateway):
    """A quota that Pod2 has not been told: (the job's resource, how to look at the job)."""
    admin, project = gateway.client("network", "admin"), cloud.identity.newcomer().project.id
    cloud["Pod2"].network.server.refuse()
    admin.ok("PUT", f"/quotas/{project}", {"quota": {"network": 7}})
    jobs = gateway.client("admin", "admin")
    found = lambda: jobs.ok("GET", f"/jobs?kind=quota&resource_id=network/quotas/{project}")["jobs"][0]  # noqa: E731
    assert found()["state"] == "queued"
    # Of a job that gives up after ten attempts this would be the last but one.
    with sqlite3.connect(gateway.folder / "state" / "tricircle.sqlite", timeout=10) as db:
        db.execute("UPDATE jobs SET attempts = 9, not_before = 0 WHERE state = 'queued'")
    return project, found


@pytest.mark.parametrize(("how", "words"), [
    ("keystone", "Keystone did not serve Tricircle's own account"),
    ("region", "network of pod Pod2: Keystone's catalogue has no endpoint of it"),
    ("pod", "network of pod Pod2: does not accept connections")])
def test_a_job_waits_and_says_why(cloud, gateway, how, words):
    project, job = owed(cloud, gateway)
    if how == "keystone":
        cloud.keystone.refuse()
    if how == "region":
        cloud["Pod2"].network.server.accept()
        cloud["Pod2"].withdraw()
    worker = gateway.worker()
    try:
        failed = until(lambda: (row := _row(gateway, project))["last_error"] and row)
        assert words in failed["last_error"]
        assert failed["state"] == "queued", "it waits for as long as it takes"
        cloud.recover()
        # The next attempt is minutes away by now.
        until(lambda: gateway.hasten_jobs() or job()["state"] == "done", 60, 0.3)
    finally:
        worker.stop()
    limits = gateway.client("network", "admin").ok("GET", f"/quotas/{project}", headers={"X-Tricircle-Pod": "Pod2"})
    assert limits["quota"]["network"] == 7


def _row(gateway, project):
    """The job as it is in the store: Keystone cannot be asked who we are."""
    with sqlite3.connect(gateway.folder / "state" / "tricircle.sqlite", timeout=10) as db:
        db.row_factory = sqlite3.Row
        return db.execute("SELECT * FROM jobs WHERE resource_id LIKE ?", (f"%{project}",)).fetchone()


@pytest.fixture
def memcached(tmp_path):
    """Starts memcached on one port, again and again."""
    program = shutil.which("memcached")
    if not program:
        pytest.skip("memcached is not installed")
    port, running = free_port(), []

    def start():
        running.append(subprocess.Popen([program, "-u", "nobody", "-l", "127.0.0.1", "-p", str(port)]))
        return running[-1]

    start.port = port
    yield start
    for each in running:
        each.kill()
        each.wait()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_memcached_dies(cloud, tmp_path, memcached, how):
    """Who is known goes on, who is not is asked of Keystone; nobody waits for longer than a time-out for memcached."""
    process = memcached()
    until(lambda: socket.socket().connect_ex(("127.0.0.1", memcached.port)) == 0)
    own = Gateway(cloud, tmp_path, processes=1, threads=4,
                  authtoken=f"memcached_servers = 127.0.0.1:{memcached.port}\nmemcache_pool_socket_timeout = 1")
    own.start().register()
    try:
        user, network = known(own)
        process.send_signal(how)
        began, before = monotonic(), _checks(cloud)
        with ThreadPoolExecutor(12) as pool:
            said = [pool.submit(new, own) for _ in range(12)]
            assert user.network.get(f"/networks/{network}").status == 200
            assert [call.result()[0].status for call in said] == [200] * 12
        assert monotonic() - began < 12 / 4 * 2 * 1 + SLACK, "two time-outs for each, and four threads"
        assert _checks(cloud) - before == 12
        again = [new(own) for _ in range(5)]
        assert [answer.status for answer, _ in again] == [200] * 5
        assert sum(seconds for _, seconds in again) < 2, "a memcached that is dead is left alone for a while"
    finally:
        own.stop()


def _checks(cloud):
    """How often Keystone was asked for a token."""
    return sum(method == "GET" and path == "/v3/auth/tokens" for method, path in cloud.keystone_calls)
