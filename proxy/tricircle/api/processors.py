"""One processor for each API process.

A process's threads run one at a time, since Python's lock lets only one of them run. On two processors they hand that
lock, and their caches, from one to the other: a request costs nearly twice the processor's time. So each process is
kept on one, and moved when another one has less to do.
"""
import contextlib
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

# An idle process counts as that share of a processor for its siblings: they shall not meet as soon as both are asked.
LEAST = 0.5
# By how much another processor must be better; a move costs the caches.
MARGIN = 0.25
TICK = os.sysconf("SC_CLK_TCK")
IDLE = (3, 4)   # /proc/stat: of a processor's figures those that tell idle time (proc_stat(5): idle, iowait)


def choose(busy: Mapping[int, float], own: Mapping[int, float], places: Mapping[int, int]) -> dict[int, int]:
    """Choose a processor for each process.

    Args:
        busy: {processor that is allowed: share of the time in which it had something to do}.
        own: {process: share of a processor that it has used}.
        places: {process: processor}, as they are; a process that is not named gets a place now.

    Returns:
        {process: processor}, for all in `own`; of those that have a place one at most is moved.
    """
    placed = {process: places[process] for process in own if places.get(process) in busy}
    others = {at: share - sum(own[process] for process in placed if placed[process] == at)
              for at, share in busy.items()}

    def cost(process: int, at: int) -> float:
        return max(0.0, others[at]) + sum(max(LEAST, own[each]) for each in placed
                                          if each != process and placed[each] == at)

    def best(process: int) -> int:
        return min(busy, key=lambda at: (cost(process, at), at))

    if placed.keys() == own.keys():
        gains = [(cost(process, placed[process]) - cost(process, best(process)), process) for process in placed]
        gain, process = max(gains, default=(0.0, 0))
        if gain > MARGIN:
            placed[process] = best(process)
    for process in sorted(own.keys() - placed.keys()):
        placed[process] = best(process)
    return placed


class Processors:
    """Keeps processes on the processors on which this one may run.

    Args:
        proc: where the kernel tells what processors and processes do; tests have their own.
    """

    def __init__(self, proc: Path = Path("/proc")):
        self._proc = proc
        self._places: dict[int, int] = {}
        self._before: tuple[float, dict[int, int], dict[int, int]] = (0.0, {}, {})

    def settle(self, processes: Iterable[int]) -> None:
        """Give every process its processor: a new one any, of the others one at most another one than before.

        Where the kernel does not tell, or allows one processor only, nothing is done.

        Args:
            processes: ids of all of them; of those that have ended nothing is kept.
        """
        with contextlib.suppress(OSError, ValueError, IndexError):   # also: one has ended just now
            allowed = os.sched_getaffinity(0)
            if len(allowed) < 2:
                return
            busy, own = self._loads(allowed, list(processes))
            self._places = choose(busy, own, self._places)
            for process, at in self._places.items():
                self._pin(process, at)

    def _loads(self, allowed: set[int], processes: list[int]) -> tuple[dict[int, float], dict[int, float]]:
        """Since the last time: what is used of each processor, and by each process."""
        idle = {at: ticks for at, ticks in self._idle().items() if at in allowed}
        used = {process: self._used(process) for process in processes}
        now = time.monotonic()
        before, idle_before, used_before = self._before
        self._before = now, idle, used
        passed = max(1.0, (now - before) * TICK)
        busy = {at: min(1.0, max(0.0, 1 - (ticks - idle_before[at]) / passed)) if at in idle_before else 0.0
                for at, ticks in idle.items()}
        return busy, {process: (ticks - used_before.get(process, ticks)) / passed for process, ticks in used.items()}

    def _idle(self) -> dict[int, int]:
        found = {}
        for line in (self._proc / "stat").read_text().splitlines():
            name, *figures = line.split()
            if name.startswith("cpu") and name != "cpu":
                found[int(name[3:])] = sum(int(figures[place]) for place in IDLE)
        return found

    def _used(self, process: int) -> int:
        """Ticks of all its threads (proc_pid_stat(5): utime, stime); the name before may hold anything."""
        fields = (self._proc / str(process) / "stat").read_text().rpartition(") ")[2].split()
        return int(fields[11]) + int(fields[12])

    def _pin(self, process: int, at: int) -> None:
        """Every thread has a place of its own; a new one has that of the thread which has begun it."""
        for thread in (self._proc / str(process) / "task").iterdir():
            with contextlib.suppress(ProcessLookupError):
                if os.sched_getaffinity(int(thread.name)) != {at}:
                    os.sched_setaffinity(int(thread.name), {at})
