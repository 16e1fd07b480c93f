"""Rows 5, 6, 13, 16: what an attacker can make grow, and what root would read of a gateway that was broken into."""
import json
import os
import socket
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from tests.lab.attacks.scene import NEWER, PODS, Scene, boot

MIB = 1 << 20
NODE = Path("/var/lib/tricircle-lab/nodes/node1/root")
STATE, ROOTS = "var/lib/tricircle", ("opt/tricircle", "etc/tricircle")
ARCHIVES = (".tar", ".whl", ".sh", ".py", ".gz", ".zip")


def taken(s: Scene, service: str, mib: int, head: bytes = b"") -> tuple[int, bytes]:
    """Send a body that says it is 1 GiB: MiB until there was an answer, and how the answer begins."""
    parts = urlsplit(getattr(s.nobody, service).url)
    with socket.create_connection((parts.hostname, parts.port), 10) as client:
        client.sendall(b"POST %s/x HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n%s"
                       b"Content-Length: %d\r\n\r\n" % (parts.path.encode(), head, 1 << 30))
        client.settimeout(0.02)
        for sent in range(mib):
            try:
                client.settimeout(10)
                client.sendall(b"x" * MIB)
                client.settimeout(0.02)
                return sent + 1, client.recv(100)
            except TimeoutError:
                continue
            except OSError as error:
                return sent + 1, repr(error).encode()
    return mib, b""


def uploads(s: Scene) -> None:
    """Nobody sends a body of 1 GiB: it is refused before much of it is taken."""
    for service in ("compute", "volume", "network", "admin"):
        for head in (b"", b"Expect: 100-continue\r\n"):
            mib, answer = taken(s, service, 24, head)
            s.check(mib < 24, f"{service} takes {mib} MiB and more of a body without a token {answer!r}")


def references(s: Scene) -> None:
    """A body with 5,000 ids that nobody knows."""
    ids = [str(uuid.uuid4()) for _ in range(5000)]
    net = s.make(s.b.network, "networks", name="attacks-b", availability_zone_hints=["az1"])
    for client, path, body in (
            (s.b.network, "/ports", {"port": {"network_id": net["id"], "security_groups": ids}}),
            (s.b.network, "/ports", {"ports": [{"network_id": id} for id in ids]}),
            (s.b.compute, "/servers", boot(s, networks=[{"uuid": id} for id in ids])),
            (s.b.compute, "/servers", boot(s, security_groups=[{"name": id} for id in ids]))):
        begun = time.monotonic()
        s.refused(client.post(path, body, headers=NEWER if client is s.b.compute else None))
        s.check(time.monotonic() - begun < 5, f"POST {path} took {time.monotonic() - begun:.1f} s")
    deep = b'{"port": ' + b'[' * 3000 + b']' * 3000 + b'}'
    for raw in (deep, b'{"port": {"x": ' + b"9" * 5000 + b'}}', json.dumps({"port": {}}).encode("utf-16")):
        s.refused(s.b.network.call("POST", "/ports", raw=raw))


def cut_off(s: Scene) -> None:
    """Eight uploads at once, each of which a pod cuts off early, close no pod to anybody."""
    parts = urlsplit(s.b.compute.url)

    def push(number: int) -> None:
        head = (f"POST {parts.path}/servers/{uuid.uuid4()}/x{number} HTTP/1.1\r\nHost: x\r\n"
                f"X-Auth-Token: {s.b.token}\r\n"
                f"Content-Type: application/octet-stream\r\nContent-Length: {8 * MIB}\r\n\r\n")
        with socket.create_connection((parts.hostname, parts.port), 10) as client:
            try:
                client.sendall(head.encode() + b"x" * 8 * MIB)
                client.settimeout(20)
                client.recv(1000)
            except OSError:
                return   # cut off: what A sees afterwards counts

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(push, range(16)))
    for _ in range(8):
        for client, path in ((s.a.compute, "/servers"), (s.a.network, "/networks"), (s.a.volume, "/volumes")):
            answer = client.get(path)
            missing = answer.headers.get("X-Tricircle-Unreachable-Pods", "")
            s.check(answer.status == 200 and not missing, f"A's GET {path}: {answer.status}, unreachable: {missing}")
    for pod in PODS:
        s.check(s.a.pods[pod]["compute"].get("/servers").status == 200, f"{pod} itself does not answer")


def owned(s: Scene) -> None:
    """Root runs and unpacks nothing that the service's user can write, and writes nothing where that user may."""
    uid, gid = next(map(int, line.split(":")[2:4]) for line in (NODE / "etc/passwd").read_text().splitlines()
                    if line.startswith("tricircle:"))
    for root in ROOTS:
        for path in (NODE / root, *(NODE / root).rglob("*")):
            facts = path.lstat()
            writable = facts.st_uid == uid or facts.st_mode & 0o002 or (facts.st_gid == gid and facts.st_mode & 0o020)
            s.check(path.is_symlink() or not writable, f"/{path.relative_to(NODE)} can be written by tricircle")
    for path in (NODE / STATE).rglob("*"):
        s.check(not path.name.endswith(ARCHIVES) or "site-packages" in str(path),
                f"/{path.relative_to(NODE)}: an archive that root may read")
        s.check(path.lstat().st_uid == uid or path.is_dir(), f"root has written /{path.relative_to(NODE)}")
    s.check(os.geteuid() == 0, "not tried: only root sees the node's files")


ATTACKS = {"5 uploads without a token": uploads,
           "6 five thousand references": references,
           "16 uploads that a pod cuts off": cut_off,
           "13 what root reads": owned}
