"""Threads that several askers share: each has at most a part of them, and those who wait take turns."""
import threading
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class Turns:
    """Runs what it is given, in parallel.

    There is an entry for an asker only while something of theirs runs or waits, and whoever has given it waits for it.

    Args:
        threads: of all.
        most: of them for one asker.
        name: of the threads.
    """

    def __init__(self, threads: int, most: int, name: str):
        self._pool, self._free, self._most = ThreadPoolExecutor(threads, name), threads, most
        self._lock = threading.Lock()
        self._running: Counter[str | None] = Counter()
        self._waiting: dict[str | None, deque[tuple[Future, Callable[[], Any]]]] = {}   # in the order of the turns

    def submit(self, asker: str | None, call: Callable[[], Any]) -> Future:
        """Run something as soon as it is the asker's turn.

        Args:
            asker: for whom; None: for ourselves, who need no bound.
            call: without arguments.
        """
        future: Future = Future()
        with self._lock:
            self._waiting.setdefault(asker, deque()).append((future, call))
            self._begin()
        return future

    def _begin(self) -> None:
        """Start whatever has its turn and a thread."""
        while self._free and (ready := list(filter(self._may, self._waiting))):
            self._start(ready[0])

    def _may(self, asker: str | None) -> bool:
        return asker is None or self._running[asker] < self._most

    def _start(self, asker: str | None) -> None:
        tasks = self._waiting.pop(asker)
        future, call = tasks.popleft()
        if tasks:
            self._waiting[asker] = tasks   # behind all others
        self._free -= 1
        self._running[asker] += 1
        self._pool.submit(self._run, asker, future, call)

    def _run(self, asker: str | None, future: Future, call: Callable[[], Any]) -> None:
        try:
            future.set_result(call())
        except BaseException as error:   # noqa: BLE001 - it is raised again where somebody waits for it
            future.set_exception(error)
        finally:
            with self._lock:
                self._free += 1
                self._running[asker] -= 1
                if not self._running[asker]:
                    del self._running[asker]
                self._begin()
