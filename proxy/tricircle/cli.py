"""The command `tricircle`."""
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps

import click
from oslo_config import cfg
from rich.console import Console
from rich.table import Table

from tricircle import config, logs
from tricircle.errors import TricircleError
from tricircle.store import Database, jobs, pods

DEFAULT_FILE = "/etc/tricircle/tricircle.conf"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tricircle")
def main() -> None:
    """Several OpenStack sites as one big region."""


def _with_file(command: Callable) -> Callable:
    """Give a command `--config-file`, read the file for it, and print Tricircle's errors as one line."""
    @click.option("--config-file", default=DEFAULT_FILE, show_default=True, envvar="TRICIRCLE_CONFIG_FILE",
                  help="Configuration.")
    @wraps(command)
    def run(config_file: str, **arguments: object) -> object:
        try:
            return command(config.load(config_file), **arguments)
        except cfg.Error as error:
            raise click.ClickException(f"{config_file}: {error}") from error
        except TricircleError as error:
            raise click.ClickException(str(error)) from error
    return run


@main.command()
@_with_file
def serve(conf: cfg.ConfigOpts) -> None:
    """Run the four APIs: admin, compute, volume, network."""
    from tricircle.api import serve as api
    logs.to_stderr(conf.debug, conf.log_format)
    Database(config.database_path(conf)).upgrade()
    sys.exit(api.run(conf))


@main.command()
@_with_file
def worker(conf: cfg.ConfigOpts) -> None:
    """Run the jobs: converge routers and security groups over the pods."""
    from tricircle.jobs import worker as loop
    logs.to_stderr(conf.debug, conf.log_format)
    Database(config.database_path(conf)).upgrade()
    sys.exit(loop.run(conf))


@main.group()
def db() -> None:
    """The database."""


@db.command("upgrade")
@_with_file
def db_upgrade(conf: cfg.ConfigOpts) -> None:
    """Make the database, or bring its schema up to date."""
    done = Database(config.database_path(conf)).upgrade()
    click.echo(f"{config.database_path(conf)}: " + (", ".join(done) if done else "up to date"))


@main.group()
def pod() -> None:
    """Pods."""


@pod.command("list")
@click.option("-f", "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@_with_file
def pod_list(conf: cfg.ConfigOpts, form: str) -> None:
    """The registered pods."""
    _show(pods.list_all(_db(conf)), ("pod_id", "pod_name", "az_name", "pod_az_name", "dc_name"), form)


@main.group()
def job() -> None:
    """Jobs: cross-pod work that is owed, running, done or has failed."""


@job.command("list")
@click.option("--state", help="queued, running, done, failed or dead.")
@click.option("--resource", "resource_id", help="Id of a router or group; of a quota, service/collection/owner.")
@click.option("-f", "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@_with_file
def job_list(conf: cfg.ConfigOpts, state: str | None, resource_id: str | None, form: str) -> None:
    """Jobs, the newest first."""
    wanted = {name: value for name, value in (("state", state), ("resource_id", resource_id)) if value}
    _show(jobs.list_all(_db(conf), **wanted),
          ("id", "kind", "resource_id", "state", "attempts", "created_at", "finished_at", "last_error"), form)


@job.command("show")
@click.argument("job_id")
@click.option("-f", "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@_with_file
def job_show(conf: cfg.ConfigOpts, job_id: str, form: str) -> None:
    """One job, with the log of its tasks."""
    found, lines = jobs.show(_db(conf), job_id), jobs.log_of(_db(conf), job_id)
    if form == "json":
        click.echo(json.dumps({**found, "log": lines}, indent=2))
        return
    _show([{"field": name, "value": _cell(name, value)} for name, value in found.items()], ("field", "value"), form)
    for line in lines:
        click.echo(f"{_cell('at', line['at'])}  {line['pod']:10}  {line['text']}")


@job.command("redo")
@click.argument("job_id")
@_with_file
def job_redo(conf: cfg.ConfigOpts, job_id: str) -> None:
    """Run a failed or dead job again."""
    click.echo(f"job {jobs.redo(_db(conf), job_id)['id']} is queued")


def _db(conf: cfg.ConfigOpts) -> Database:
    path = config.database_path(conf)
    if not path.exists():
        raise click.ClickException(f"there is no database at {path}: run `tricircle db upgrade`, or check state_path")
    return Database(path)


def _show(rows: list[dict], fields: tuple[str, ...], form: str) -> None:
    if form == "json":
        click.echo(json.dumps([{field: row[field] for field in fields} for row in rows], indent=2))
        return
    table = Table(*fields)
    for row in rows:
        table.add_row(*(_cell(field, row[field]) for field in fields))
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _cell(field: str, value: object) -> str:
    if isinstance(value, float) and (field.endswith("_at") or field in ("at", "not_before", "lease_until")):
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return "" if value is None else str(value)


if __name__ == "__main__":
    main()
