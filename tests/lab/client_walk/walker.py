"""One walk: a project of its own, one way to a pod, the commands one after the other."""
import os
import re
import shlex
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.lab.client_walk.shell import Shell
from tests.lab.client_walk.table import Names, Said, Step, walk

PATIENCE = 120   # seconds for `until`
ROUNDS = 3       # of taking away what was made
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGq0u1yEB1rUe0jvTn5vYz4d8eCkBqW1c0Wq0K1xJb0Z walk"
ENDS = ("error", "ERROR")


@dataclass(frozen=True)
class Way:
    """One way to a pod.

    Args:
        region: that is asked.
        zone: what the pod's things are in, as that region calls it.
        outer: what the hint of an external network says there.
        prefix: of the names.
        login: options of the client that every command has.
        member, admin: user names.
        names: placeholders.
        versions: options that name microversions.
        environment: what the client reads of it.
        topics: which tables.
    """

    region: str
    zone: str
    outer: str
    prefix: str
    login: dict[str, str]
    member: str
    admin: str
    names: dict[str, str]
    versions: dict[str, str]
    environment: dict[str, str]
    topics: tuple[str, ...]


def go(way: Way) -> list[dict[str, Any]]:
    """Walk.

    Returns:
        For each step its line, what came of it, and what the placeholders stood for in the end of its topic.
    """
    for name in [name for name in os.environ if name.startswith("OS_")]:
        del os.environ[name]
    os.environ.update(way.environment)
    walker = Walker(way)
    done = []
    try:
        for topic in way.topics:
            said = [(step, walker.take(step)) for step in walk(topic)]
            done += [{"step": asdict(step), "said": asdict(each), "names": dict(walker.names)} for step, each in said]
            walker.clear()
    finally:
        walker.clear()
    return done


class Walker:
    """Who walks.

    Args:
        way: which way.
    """

    def __init__(self, way: Way):
        options = {**way.login, **way.versions, "os-region-name": way.region}
        self._member = Shell({**options, "os-username": way.member})
        self._admin = Shell({**options, "os-username": way.admin})
        self.names = Names(way.names, p=way.prefix, zone=way.zone, hint=f"--availability-zone-hint {way.zone}",
                           outer=f"--availability-zone-hint {way.outer}", keyfile=self._keyfile())
        self._made: list[tuple[str, str]] = []   # [(words before `create`, id)]

    @staticmethod
    def _keyfile() -> str:
        path = Path(tempfile.mkdtemp()) / "key.pub"
        path.write_text(KEY + "\n")
        return str(path)

    def take(self, step: Step) -> Said:
        """Take a step, and keep the id of what it made or showed."""
        shell = self._admin if step.admin else self._member
        words = step.words(self.names)
        end = time.monotonic() + PATIENCE
        said = shell.run(words)
        while step.how == "until" and not reached(step.value, said) and time.monotonic() < end:
            time.sleep(1)
            said = shell.run(words)
        known = identity(said.out)
        if step.name and known:
            self.names[step.name] = known
        if known and not said.code and "create" in words:
            self._made.append((" ".join(words[:words.index("create")]), known))
        if "delete" in words and not said.code:
            self._made = [each for each in self._made if each[1] not in words]
        return said

    def clear(self) -> None:
        """Take away what is still there, the youngest first."""
        for _ in range(ROUNDS):
            left = []
            for kind, known in reversed(self._made):
                if kind == "router":
                    self._empty(known)
                if self._admin.run([*shlex.split(kind), "delete", known]).code:
                    left.insert(0, (kind, known))
            # What is gone cannot be deleted, either.
            self._made = [(kind, known) for kind, known in left
                          if not self._admin.run([*shlex.split(kind), "show", known]).code]
            if not self._made:
                return
            time.sleep(2)

    def _empty(self, router: str) -> None:
        ports = self._admin.run(["port", "list", "--router", router]).out
        for port in ports if isinstance(ports, list) else []:
            self._admin.run(["router", "remove", "port", router, port["ID"]])


def reached(value: str, said: Said) -> bool:
    """Whether what came is what is waited for, or never will be."""
    if value == "gone" or said.code:
        return said.code != 0
    field, how, wanted = re.fullmatch(r"([^=~]+)([=~])(.*)", value).groups()
    shown = {name.lower(): value for name, value in said.out.items()} if isinstance(said.out, dict) else {}
    found = str(shown.get(field.lower()))
    return found in ENDS or (wanted in found if how == "~" else found == wanted)


def identity(out: Any) -> str:
    """The id of what was printed; of a list that of its first row."""
    if isinstance(out, list):
        out = out[0] if out else None
    if not isinstance(out, dict):
        return ""
    return str(next((out[key] for key in ("id", "ID", "Id") if out.get(key)), ""))
