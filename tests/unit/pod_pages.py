"""Pods whose lists can be paged, as far as the paging of many needs them: own order, own markers, rows that vanish."""
from tricircle.upstream import paging


class Pod:
    """One pod.

    Args:
        name: its place among equals.
        reverse: lists are read from the end.
        exact: how this pod sorts: the whole sort key of a row; what its answers show may be coarser, or in another
            alphabet.
    """

    def __init__(self, name, exact, reverse=False, cap=1000):
        self.name, self.exact, self.reverse, self.cap = name, exact, reverse, cap
        self.rows, self.calls = {}, 0

    def ask(self, marker, size):
        """A batch, see paging.Ask. Every fifth row is a replica: it counts, and is not shown."""
        self.calls += 1
        rows = sorted(self.rows.values(), key=self.exact, reverse=self.reverse)
        ids = [row["id"] for row in rows]
        if marker is not None:
            if marker not in ids:
                raise paging.Declined(404)
            rows = rows[ids.index(marker) + 1:]
        cut = rows[:min(size, self.cap)]
        last = cut[-1]["id"] if len(cut) < len(rows) else None
        return paging.Batch([row for row in cut if not row["hidden"]], last)


def read(pods, order, count, marker=None, known=None):
    """One page as api/listing.py makes it: ([(pod, row)], cursor)."""
    tails = paging.tails({pod.name: pod.ask for pod in pods}, order, count, known, marker)
    for tail in tails.values():
        tail.fill()
    shown = paging.merge(tails, order, count)
    return shown, (paging.cursor(tails, order, shown, known) if shown else None)
