"""The commands that are walked, and those that are not: what the `.txt` files beside this one say.

A line of a walk is `[how] !name = command`, where all but the command may be missing. `!` stands for an administrator
of the same project. The id of what the command prints is known as `{name}` from then on. `how` is one of

    whole               of a list all rows count, not only those that name something of this walk
    keys                which fields there are counts, not what they say
    until FIELD=VALUE   again and again until it says so; `~` for a part of the value, `until gone` until it fails
    differs REASON      it is run, and not compared
"""
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TOPICS = ("network", "compute", "volume")
# Where the client keeps the commands of these services, and of several at once.
GROUPS = ("openstack.network.v2", "openstack.network.v2.bgpvpn", "openstack.network.v2.dynamic_routing",
          "openstack.network.v2.fwaas", "openstack.network.v2.taas", "openstack.network.v2.vpnaas",
          "openstack.compute.v2", "openstack.volume.v3", "openstack.common")
LINE = re.compile(r"(?:\[(?P<how>[^]]*)\] )?(?:(?P<name>\w+) = )?(?P<admin>!)?(?P<command>.*)")


class Names(dict):
    """What placeholders stand for; one that nothing was made for stands for what does not exist."""

    def __missing__(self, name: str) -> str:
        return f"missing-{name}"


@dataclass(frozen=True)
class Step:
    """One line of a walk; the fields are those of the module's description."""

    line: str
    how: str
    value: str
    name: str
    admin: bool
    command: str

    def words(self, names: Mapping[str, str]) -> list[str]:
        """The command's words, with what the placeholders stand for."""
        return shlex.split(self.command.format_map(names))


@dataclass(frozen=True)
class Said:
    """What came of a command.

    Args:
        code: its exit status.
        out: what it printed, as data where it prints data.
        error: what it told of an error.
    """

    code: int
    out: Any
    error: str


def steps(text: str) -> list[Step]:
    """The steps of a walk."""
    lines = (line.strip() for line in text.splitlines())
    return [_step(line) for line in lines if line and not line.startswith("#")]


def _step(line: str) -> Step:
    # `!` may also stand before the name.
    parts = LINE.fullmatch(re.sub(r"^((?:\[[^]]*\] )?)!(\w+ = )", r"\1\2!", line)).groupdict()
    how, _, value = (parts["how"] or "").partition(" ")
    return Step(line, how, value, parts["name"] or "", bool(parts["admin"]), parts["command"])


def walk(topic: str) -> list[Step]:
    """The steps of a topic."""
    return steps((HERE / f"{topic}.txt").read_text())


def excused() -> dict[str, str]:
    """{command, or its beginning and ` *`: why it is not walked}.

    Raises:
        ValueError: a line without a reason.
    """
    lines = [line for line in (HERE / "excused.txt").read_text().splitlines() if line and not line.startswith("#")]
    found = {command.strip(): reason.strip() for command, _, reason in (line.partition("#") for line in lines)}
    for command, reason in found.items():
        if not reason:
            raise ValueError(f"{command}: without a reason")
    return found


def commands() -> list[str]:
    """All commands of the client for these services."""
    return sorted({entry.name.replace("_", " ") for group in GROUPS for entry in entry_points(group=group)})


def forgotten(all_commands: Iterable[str]) -> list[str]:
    """Commands that are neither walked nor excused."""
    all_commands = set(all_commands)
    walked = {_longest(step.command, all_commands) for topic in TOPICS for step in walk(topic)}
    excuses = excused()
    return sorted(command for command in all_commands - walked if command not in excuses and not any(
        excuse.endswith(" *") and command.startswith(excuse[:-1]) for excuse in excuses))


def _longest(line: str, all_commands: set[str]) -> str:
    words = line.split()
    return next((command for length in range(len(words), 0, -1)
                 if (command := " ".join(words[:length])) in all_commands), "")
