"""What passed straight at a pod, and how much of that passes through the gateway."""
from collections.abc import Mapping
from pathlib import Path

from rich.table import Table

from tests.conformance.tempest import GROUPS, PASSED

EXCEPTIONS = Path(__file__).with_name("exceptions.txt")
SHARE = 0.02     # of what passes at a pod may stand in the list


def exceptions(text: str) -> dict[str, str]:
    """{test: reason} of lines `test  # reason`.

    Raises:
        ValueError: a line without a reason.
    """
    found = {}
    for line in text.splitlines():
        test, _, reason = (part.strip() for part in line.partition("#"))
        if test and not reason:
            raise ValueError(f"{test}: every exception needs its reason")
        if test:
            found[test] = reason
    return found


def table(results: Mapping[str, Mapping[str, str]], excused: Mapping[str, str]) -> Table:
    """The table.

    Args:
        results: {way: {test: outcome}}; the first way is what the others are held against.
        excused: tests that cannot pass through the gateway.
    """
    base, *others = results
    shown = Table("group", f"listed ({base})", f"passed ({base})", *(f"of those: {way}" for way in others), "excused")
    for group, start in [*GROUPS.items(), ("all", "")]:
        mine = [test for test in results[base] if test.startswith(start)]
        passed = [test for test in mine if results[base][test] == PASSED]
        due = [test for test in passed if test not in excused]
        cells = [f"{sum(results[way].get(test) == PASSED for test in due)}/{len(due)}" for way in others]
        if mine:
            shown.add_row(group, str(len(mine)), str(len(passed)), *cells, str(len(passed) - len(due)))
    return shown


def broken(results: Mapping[str, Mapping[str, str]], excused: Mapping[str, str]) -> dict[str, list[str]]:
    """{way: tests that pass at the pod, are not excused, and do not pass that way}; those not run do not count."""
    base, *others = results
    return {way: sorted(test for test, outcome in results[way].items()
                        if outcome != PASSED and test not in excused and results[base].get(test) == PASSED)
            for way in others}
