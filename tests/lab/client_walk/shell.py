"""The `openstack` client in this process: its start costs a second, which is paid once for all commands."""
import contextlib
import io
import json
import logging
from typing import Any

from cliff.display import DisplayCommandBase
from openstackclient.shell import OpenStackShell
from osc_lib.clientmanager import ClientCache
from tests.lab.client_walk.table import Said


def _own(manager: type) -> type:
    """A class of its own for a shell: osc_lib keeps the clients of services at the class, for whoever came first."""
    caches = {name: ClientCache(cache.factory) for each in reversed(manager.__mro__)
              for name, cache in vars(each).items() if isinstance(cache, ClientCache)}
    return type(manager.__name__, (manager,), caches)


class Kept(logging.StreamHandler):
    """What a shell hears of errors."""


class Shell:
    """A client that has logged in.

    Args:
        options: global ones, {name without dashes: value}.
    """

    def __init__(self, options: dict[str, str]):
        self._shell = OpenStackShell()
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        self._shell.options, _ = self._shell.parser.parse_known_args(words)
        self._shell.configure_logging()
        self._shell.initialize_app([])
        self._shell.client_manager.__class__ = _own(type(self._shell.client_manager))
        self._errors = io.StringIO()
        handler = Kept(self._errors)
        handler.setLevel(logging.ERROR)
        root = logging.getLogger()   # several shells in a process hear each other; each keeps what is said in its `run`
        root.handlers = [*(each for each in root.handlers if isinstance(each, Kept)), handler]

    def run(self, words: list[str]) -> Said:
        """Run a command as `openstack WORDS` does."""
        out, err = io.StringIO(), io.StringIO()
        self._errors.seek(0)
        self._errors.truncate()
        self._shell.stdout = out
        data = self._prints_data(words)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = self._shell.run_subcommand([*words, *(["-f", "json"] if data else [])])
            except SystemExit as error:   # words that the parser does not take
                code = int(error.code or 0)
        error = self._errors.getvalue() or (err.getvalue() if code else "")
        return Said(code or 0, _data(out.getvalue()) if data and not code else out.getvalue(), error.strip())

    def _prints_data(self, words: list[str]) -> bool:
        try:
            command, _, _ = self._shell.command_manager.find_command(words)
        except ValueError:
            return False
        return issubclass(command, DisplayCommandBase)


def _data(text: str) -> Any:
    """What was printed as JSON, behind words of progress; some options print text in its place, as a key alone."""
    try:
        return json.loads(text.removeprefix("Complete\n"))
    except ValueError:
        return text
