"""Ask several pods at once."""
from collections.abc import Callable, Iterable
from concurrent.futures import wait
from contextvars import ContextVar, copy_context
from functools import partial
from typing import TypeVar

from tricircle import trace
from tricircle.errors import PodUnreachable
from tricircle.upstream.turns import Turns

Result = TypeVar("Result")
# Threads wait on sockets, they do not compute. The calls carry their own deadlines, so no thread stays for ever.
THREADS = 128
# A part of a question may ask pods itself, and holds its thread meanwhile: were the inner question to wait for the same
# threads, as many outer ones as there are would wait for ever. So each depth has threads of its own, half of them for
# one project, and what is asked deeper still is asked by the thread that asks.
_FLOORS = (Turns(THREADS, THREADS // 2, "scatter"), Turns(THREADS, THREADS // 2, "scatter-within"))
_DEPTH: ContextVar[int] = ContextVar("depth", default=0)


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
    names, depth = list(pods), _DEPTH.get()
    if len(names) == 1 or depth == len(_FLOORS):
        outcomes = [_outcome(call, name) for name in names]
    else:
        # In a context of its own each, which knows the request: one cannot be entered twice at a time.
        futures = [_FLOORS[depth].submit(trace.project(), partial(copy_context().run, _part, depth, call, name))
                   for name in names]
        wait(futures)
        outcomes = [future.result() for future in futures]
    results, failures = {}, {}
    for name, (result, error) in zip(names, outcomes, strict=True):
        if error is None:
            results[name] = result
        else:
            failures[name] = error
    return results, failures


def _part(depth, call, name):
    _DEPTH.set(depth + 1)
    return _outcome(call, name)


def _outcome(call, name):
    try:
        return call(name), None
    except PodUnreachable as error:
        return None, error
