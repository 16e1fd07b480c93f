"""The command `tricircle`."""
import json
import sys

import click
from oslo_config import cfg

from tricircle import config
from tricircle.cli_drift import drift
from tricircle.store import Database, jobs, pods
from tricircle.terminal import as_form, cell, database, show, with_file


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tricircle")
def main() -> None:
    """Several OpenStack sites as one big region."""


@main.command()
@with_file
def serve(conf: cfg.ConfigOpts) -> None:
    """Run the four APIs: admin, compute, volume, network."""
    from tricircle.api import serve as api
    from tricircle.api.wsgi import log_to_stderr
    log_to_stderr(conf.debug)
    Database(config.database_path(conf)).upgrade()
    sys.exit(api.run(conf))


@main.command()
@with_file
def worker(conf: cfg.ConfigOpts) -> None:
    """Run the jobs: converge routers and security groups over the pods."""
    from tricircle.api.wsgi import log_to_stderr
    from tricircle.jobs import worker as loop
    log_to_stderr(conf.debug)
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


@main.group()
def pod() -> None:
    """Pods."""


@pod.command("list")
@as_form
@with_file
def pod_list(conf: cfg.ConfigOpts, form: str) -> None:
    """The registered pods."""
    show(pods.list_all(database(conf)), ("pod_id", "pod_name", "az_name", "pod_az_name", "dc_name"), form)


@main.group()
def job() -> None:
    """Jobs: cross-pod work that is owed, running, done or has failed."""


@job.command("list")
@click.option("--state", help="queued, running, done, failed or dead.")
@click.option("--resource", "resource_id", help="Id of a router or group; of a quota, service/collection/owner.")
@as_form
@with_file
def job_list(conf: cfg.ConfigOpts, state: str | None, resource_id: str | None, form: str) -> None:
    """Jobs, the newest first."""
    wanted = {name: value for name, value in (("state", state), ("resource_id", resource_id)) if value}
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
    """Run a failed or dead job again."""
    click.echo(f"job {jobs.redo(database(conf), job_id)['id']} is queued")


main.add_command(drift)

if __name__ == "__main__":
    main()
