"""Ask several pods at once."""
from collections.abc import Callable, Iterable
from contextvars import copy_context
from functools import partial
from typing import TypeVar

from tricircle import trace
from tricircle.errors import PodUnreachable
from tricircle.upstream.turns import Turns

Result = TypeVar("Result")
# Threads wait on sockets, they do not compute. The calls carry their own deadlines, so no thread stays for ever.
THREADS = 128
_TURNS = Turns(THREADS, THREADS // 2, "scatter")   # half of them for one project


def scatter(pods: Iterable[str], call: Callable[[str], Result]) -> tuple[dict[str, Result], dict[str, Exception]]:
    """Run `call(pod)` for every pod in parallel.

    Args:
        pods: pods' names.
        call: must have its own deadline.

    Returns:
        ({pod: result}, {pod: why it gave none}), each in the order of `pods`.

    Raises:
        whatever `call` raises beyond PodUnreachable, after all have ended.
    """
    names = list(pods)
    if len(names) == 1:
        futures = None
        outcomes = [_outcome(call, names[0])]
    else:
        # In a context of its own each, which knows the request: one cannot be entered twice at a time.
        futures = [_TURNS.submit(trace.project(), partial(copy_context().run, _outcome, call, name)) for name in names]
        outcomes = [future.result() for future in futures]
    results, failures = {}, {}
    for name, (result, error) in zip(names, outcomes, strict=True):
        if error is None:
            results[name] = result
        else:
            failures[name] = error
    return results, failures


def _outcome(call, name):
    try:
        return call(name), None
    except PodUnreachable as error:
        return None, error
