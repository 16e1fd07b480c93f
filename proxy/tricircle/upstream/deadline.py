"""How long a call may still take, all in all: a pod that drips one byte a second must not hold a thread for ever."""
import time


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
