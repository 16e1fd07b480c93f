"""What the commands have in common: their configuration, the database, tables."""
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path

import click
from oslo_config import cfg
from rich.console import Console
from rich.table import Table

from tricircle import config, privileges
from tricircle.errors import TricircleError
from tricircle.store import Database

DEFAULT_FILE = "/etc/tricircle/tricircle.conf"
as_form = click.option("-f", "--format", "form", type=click.Choice(["table", "json"]), default="table",
                       show_default=True)


class Failed(click.ClickException):
    """One line, and an exit code that no answer has."""

    exit_code = 2


def with_file(command: Callable) -> Callable:
    """Give a command `--config-file` and read the file for it; print Tricircle's errors as one line.

    Run by root, the command works as the user who owns the state.
    """
    @click.option("--config-file", default=DEFAULT_FILE, show_default=True, envvar="TRICIRCLE_CONFIG_FILE",
                  help="Configuration.")
    @wraps(command)
    def run(config_file: str, **arguments: object) -> object:
        try:
            conf = config.load(config_file)
            privileges.give_up(Path(conf.state_path).absolute())
            return command(conf, **arguments)
        except cfg.Error as error:
            raise Failed(f"{config_file}: {error}") from error
        except TricircleError as error:
            raise Failed(str(error)) from error
    return run


def database(conf: cfg.ConfigOpts) -> Database:
    """The database; none is made."""
    path = config.database_path(conf)
    if not path.exists():
        raise Failed(f"there is no database at {path}: run `tricircle db upgrade`, or check state_path")
    found = Database(path)
    found.check()
    return found


def show(rows: list[dict], fields: tuple[str, ...], form: str) -> None:
    """Print rows as a table or (form `json`) as JSON."""
    if form == "json":
        click.echo(json.dumps([{field: row[field] for field in fields} for row in rows], indent=2))
        return
    table = Table(*fields)
    for row in rows:
        table.add_row(*(cell(field, row[field]) for field in fields))
    console().print(table)


def console() -> Console:
    """Where tables and progress go; wide enough for whoever reads a pipe."""
    return Console(width=None if sys.stdout.isatty() else 200)


def cell(field: str, value: object) -> str:
    """A value as a table shows it."""
    if isinstance(value, float) and (field.endswith("_at") or field in ("at", "not_before", "lease_until")):
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return "" if value is None else str(value)
