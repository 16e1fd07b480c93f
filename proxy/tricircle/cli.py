"""The command `tricircle`."""
import json
import sys
from pathlib import Path

import click
from oslo_config import cfg

from tricircle import config, logs
from tricircle.cli_drift import drift
from tricircle.store import Database, jobs, pods
from tricircle.store.backup import copy
from tricircle.terminal import Failed, as_form, cell, console, database, show, with_file

POD_FIELDS = ("pod_id", "pod_name", "az_name", "pod_az_name", "dc_name", "status", "disabled_reason")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tricircle")
def main() -> None:
    """Several OpenStack sites as one big region."""


@main.command()
@with_file
def serve(conf: cfg.ConfigOpts) -> None:
    """Run the four APIs: admin, compute, volume, network."""
    from tricircle.api import serve as api
    logs.to_stderr(conf.debug, conf.log_format)
    Database(config.database_path(conf)).upgrade()
    sys.exit(api.run(conf))


@main.command()
@with_file
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
@with_file
def db_upgrade(conf: cfg.ConfigOpts) -> None:
    """Make the database, or bring its schema up to date."""
    done = Database(config.database_path(conf)).upgrade()
    click.echo(f"{config.database_path(conf)}: " + (", ".join(done) if done else "up to date"))


@main.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@with_file
def backup(conf: cfg.ConfigOpts, file: Path) -> None:
    """Copy the database into FILE, which must not exist, while the gateway serves."""
    click.echo(f"{file}: {copy(database(conf), file)} bytes, checked")


@main.command()
@click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing.")
@with_file
def rebuild(conf: cfg.ConfigOpts, dry_run: bool) -> None:
    """Make the database agree with what the pods have, after it was lost or is from a backup."""
    from tricircle import recovery
    sys.exit(0 if recovery.run(conf, database(conf), console(), dry_run) else 1)


@main.group()
def pod() -> None:
    """Pods."""


@pod.command("list")
@as_form
@with_file
def pod_list(conf: cfg.ConfigOpts, form: str) -> None:
    """The registered pods."""
    show(pods.list_all(database(conf)), POD_FIELDS, form)


@pod.command("set")
@click.argument("name")
@click.option("--enable", "status", flag_value=pods.ENABLED, help="New things may be placed there again.")
@click.option("--disable", "status", flag_value=pods.DISABLED, help="Maintenance: nothing new is placed there.")
@click.option("--drain", "status", flag_value=pods.DRAINING,
              help="The same, and projects are bound to other pods of the zone; says what is living there still.")
@click.option("--reason", help="Why, for users to read.")
@with_file
def pod_set(conf: cfg.ConfigOpts, name: str, status: str | None, reason: str | None) -> None:
    """Say whether something new may be placed in a pod."""
    given = {"status": status, "disabled_reason": reason}
    changes = {field: value for field, value in given.items() if value is not None}
    if not changes:
        raise click.UsageError("give --enable, --disable, --drain or --reason")
    found = pods.update(database(conf), _pod(conf, name)["pod_id"], changes)
    click.echo(f"pod {name} is {found['status']}")
    if found["status"] == pods.DRAINING:
        _show_living(conf, found, "table")


@pod.command("show")
@click.argument("name")
@as_form
@with_file
def pod_show(conf: cfg.ConfigOpts, name: str, form: str) -> None:
    """What is living in a pod: servers, volumes, networks and routers of each project."""
    _show_living(conf, _pod(conf, name), form)


def _pod(conf: cfg.ConfigOpts, name: str) -> dict:
    found = pods.by_name(database(conf)).get(name)
    if not found:
        raise Failed(f"there is no pod {name}")
    return found


def _show_living(conf: cfg.ConfigOpts, found: dict, form: str) -> None:
    from tricircle.crosspod import living
    from tricircle.upstream.account import Account
    from tricircle.upstream.client import Upstream
    counts = living.living(database(conf), Upstream(conf, Account(conf)), found)
    bound = {binding["tenant_id"] for binding in pods.bindings(database(conf), pod_id=found["pod_id"])}
    rows = [{"project_id": project, **dict.fromkeys(living.LISTS, 0), **counts.get(project, {}),
             "bound": project in bound} for project in sorted(bound | counts.keys())]
    show(rows, ("project_id", *living.LISTS, "bound"), form)
    if form == "table" and not counts:
        click.echo(f"nothing is living in pod {found['pod_name']}")


@main.group()
def job() -> None:
    """Jobs: cross-pod work that is owed, running, done or has failed."""


@job.command("list")
@click.option("--state", type=click.Choice(jobs.STATES))
@click.option("--kind", help="router, network, security_group ...")
@click.option("--resource", "resource_id", help="Id of a router or group; of a quota, service/collection/owner.")
@click.option("--project", "project_id", help="Id of the project that owns the resource.")
@click.option("--limit", type=click.IntRange(1, jobs.MOST), default=jobs.MOST, show_default=True,
              help="At most so many.")
@click.option("--marker", help="Id of a job: those that are listed after it.")
@as_form
@with_file
def job_list(conf: cfg.ConfigOpts, form: str, **wanted: object) -> None:
    """Jobs, the newest first."""
    show(jobs.list_all(database(conf), **wanted),
          ("id", "kind", "resource_id", "state", "attempts", "created_at", "finished_at", "last_error"), form)


@job.command("show")
@click.argument("job_id")
@as_form
@with_file
def jobshow(conf: cfg.ConfigOpts, job_id: str, form: str) -> None:
    """One job, with the log of its tasks."""
    found, lines = jobs.show(database(conf), job_id), jobs.log_of(database(conf), job_id)
    if form == "json":
        click.echo(json.dumps({**found, "log": lines}, indent=2))
        return
    show([{"field": name, "value": cell(name, value)} for name, value in found.items()], ("field", "value"), form)
    for line in lines:
        click.echo(f"{cell('at', line['at'])}  {line['pod']:10}  {line['text']}")


@job.command("redo")
@click.argument("job_id")
@with_file
def job_redo(conf: cfg.ConfigOpts, job_id: str) -> None:
    """Run a failed, dead or cancelled job again."""
    click.echo(f"job {jobs.redo(database(conf), job_id)['id']} is queued")


@job.command("cancel")
@click.argument("job_id")
@with_file
def job_cancel(conf: cfg.ConfigOpts, job_id: str) -> None:
    """Take a job off the queue, or from the worker that runs it; deal with a dead one."""
    from tricircle.jobs import queue
    click.echo(f"job {queue.cancel(conf, database(conf), job_id)['id']} is cancelled")


main.add_command(drift)


if __name__ == "__main__":
    main()
