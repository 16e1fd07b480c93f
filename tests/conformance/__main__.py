"""OpenStack's own API tests, straight at a pod and through the gateway.

    python -m tests.conformance run        run them, then print the table
    python -m tests.conformance table      print the table of what was run so far

playbooks/conformance.yml has to come first: it writes the configuration of each way.
"""
import sys
from pathlib import Path

import click
from rich.console import Console

from tests.conformance.table import EXCEPTIONS, SHARE, broken, exceptions, table
from tests.conformance.tempest import FAILED, GROUPS, PASSED, Way, short

FOLDER = Path(".conformance")
WAYS = ("pod", "one", "two")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """OpenStack's own API tests, straight at a pod and through the gateway."""


@main.command()
@click.option("--way", "ways", multiple=True, type=click.Choice(WAYS), default=WAYS, help="Which ways to go.")
@click.option("--group", "groups", multiple=True, type=click.Choice(list(GROUPS)), default=list(GROUPS),
              help="Which tests.")
@click.option("--smoke", is_flag=True, help="Only Tempest's smoke set.")
@click.option("--failed", is_flag=True, help="Only what has not passed yet.")
@click.option("--match", default="", help="Only tests whose name contains this.")
@click.option("--jobs", default=2, show_default=True, help="Processes.")
def run(ways: tuple[str, ...], groups: tuple[str, ...], smoke: bool, failed: bool, match: str, jobs: int) -> None:
    """Run the tests; exit status 1 when one fails that should pass."""
    excused = exceptions(EXCEPTIONS.read_text())
    wrong = False
    for name in ways:
        way = Way(FOLDER / name)
        tests = [test for test in way.listed(groups, smoke) if match in test]
        if failed:
            before = way.results()
            tests = [test for test in tests if before.get(short(test)) == FAILED]
        outcomes = _run_twice(way, tests, jobs)
        wrong |= name != WAYS[0] and any(state == FAILED and test not in excused for test, state in outcomes.items())
        click.echo(f"{name}: {sum(state == PASSED for state in outcomes.values())} of {len(outcomes)} passed")
    _print_table()
    sys.exit(wrong)


def _run_twice(way: Way, tests: list[str], jobs: int) -> dict[str, str]:
    """What fails beside others is tried once more alone: a busy machine is not a broken API."""
    outcomes = way.run(tests, jobs) if tests else {}
    again = [test for test in tests if outcomes[short(test)] == FAILED]
    return outcomes | (way.run(again, 1) if again else {})


@main.command("table")
def show() -> None:
    """Print the table, and what should pass and does not."""
    _print_table()


def _print_table() -> None:
    excused = exceptions(EXCEPTIONS.read_text())
    results = {name: Way(FOLDER / name).results() for name in WAYS if (FOLDER / name).exists()}
    if WAYS[0] not in results:
        raise click.ClickException(f"nothing was run at the pod itself (way {WAYS[0]}) so far: run it first")
    Console(width=120).print(table(results, excused))
    for way, tests in broken(results, excused).items():
        for test in tests:
            click.echo(f"{way}: {test}")
    due = sum(state == PASSED for state in results[WAYS[0]].values())
    if due and len(excused) > SHARE * due:
        raise click.ClickException(f"{len(excused)} exceptions are more than {SHARE:.0%} of {due} tests")


if __name__ == "__main__":
    main()
