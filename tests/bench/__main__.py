"""Every figure beside its baseline, taken in the same run. `python -m tests.bench [name ...]`, or `lab` (see there)."""
import sys
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from tests.bench import convergence, empty_pods, fairness, lab, latency, lookup, memory, merge, throughput
from tests.bench.world import world

SERVED = {"latency": latency, "throughput": throughput, "memory": memory}
ALONE = {"merge": merge, "lookup": lookup, "convergence": convergence, "fairness": fairness,
         "empty_pods": empty_pods}


def main(names: list[str]) -> None:
    """Run some, or all."""
    if names[:1] == ["lab"]:
        show(lab.rows(names[1:]))
        return
    names = names or [*SERVED, *ALONE]
    unknown = set(names) - SERVED.keys() - ALONE.keys()
    if unknown:
        sys.exit(f"no bench {', '.join(sorted(unknown))}; there are {', '.join([*SERVED, *ALONE])}")
    rows = [row for name in names if name in ALONE for row in ALONE[name].run()]
    served = [name for name in names if name in SERVED]
    if served:
        with world() as here:
            if not here.cached:
                print("there is no memcached: every request asks Keystone for its token")
            for name in served:
                rows += SERVED[name].run(here)
    show(rows)


def show(rows: Iterable[tuple[str, ...]]) -> None:
    """Print the table."""
    table = Table("bench", "what", "how much", "baseline", "goal or ratio")
    for row in rows:
        print("; ".join(row), file=sys.stderr)   # some take minutes
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 140).print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
