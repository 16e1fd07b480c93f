"""How long a call may still take, all in all: a pod that drips one byte a second must not hold a thread for ever."""
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tricircle.errors import Unavailable

Item = TypeVar("Item")


class Deadline:
    """A point in time.

    Args:
        seconds: from now on.
    """

    def __init__(self, seconds: float):
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that are left; zero or less when it has passed."""
        return self._end - time.monotonic()

    def passed(self) -> bool:
        """Whether it is over."""
        return self.left() <= 0

    def each(self, items: Iterable[Item]) -> Iterator[Item]:
        """What one request has to have done, item by item, as long as there is time.

        Raises:
            Unavailable: it has passed, and there is another item.
        """
        for item in items:
            if self.passed():
                raise Unavailable(f"what the request refers to could not be brought to its pod in {self.seconds:g} "
                                  "seconds: repeat it, what is there by now stays")
            yield item
