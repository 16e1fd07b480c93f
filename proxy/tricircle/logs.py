"""Where log lines go, what they look like, and those of them that programs read."""
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from tricircle import trace

TEXT = "%(asctime)s %(process)d %(levelname)s %(name)s %(message)s"
_STDERR: list[logging.StreamHandler] = []   # the one that writes there, once `to_stderr` was called
NOISY = ("urllib3", "keystoneauth", "keystonemiddleware", "stevedore", "oslo_policy", "dogpile")


class Text(logging.Formatter):
    """A line of text. The time's second is written out once, and not for each line."""

    _second: tuple[int, str] = (0, "")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """Return the time of a record, as logging.Formatter does."""
        return self._time(record.created)

    def line(self, logger: str, text: str, values: dict[str, Any]) -> str:
        """Return a line of level INFO, written now.

        Args:
            logger: its name.
            text: the message, with the fields' places.
            values: of the fields.
        """
        return f"{self._time(time.time())} {os.getpid()} INFO {logger} {text % values}"

    def _time(self, at: float) -> str:
        second, text = self._second
        if second != int(at):
            second = int(at)
            text = time.strftime(self.default_time_format, self.converter(second))
            self._second = second, text   # both at once: other threads read them
        return self.default_msec_format % (text, (at - second) * 1000)


class Json(Text):
    """A line is one JSON object; the fields of a line that programs read are fields of it."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        seen = {"time": self.formatTime(record), "process": record.process, "level": record.levelname,
                "logger": record.name}
        seen |= record.args if isinstance(record.args, dict) else {"message": record.getMessage()}
        if record.exc_info:
            seen["exception"] = self.formatException(record.exc_info)
        return json.dumps(seen)

    def line(self, logger: str, text: str, values: dict[str, Any]) -> str:
        """Return a line, as `Text.line` does."""
        return json.dumps({"time": self._time(time.time()), "process": os.getpid(), "level": "INFO", "logger": logger,
                           **values})


def to_stderr(debug: bool, form: str) -> None:
    """Logs go to stderr; systemd's journal keeps them.

    Args:
        debug: calls to pods as well.
        form: `text` or `json`.
    """
    # What nobody reads, and takes as long to find out as to write the message: the line of code, the names of threads
    # and processes (docs.python.org/3/howto/logging.html#optimization).
    logging._srcfile, logging.logThreads, logging.logMultiprocessing = None, False, False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Json() if form == "json" else Text(TEXT))
    _STDERR.append(handler)
    logging.basicConfig(level=logging.DEBUG if debug else logging.INFO, handlers=[handler])
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("urllib3.connection").setLevel(logging.ERROR)   # warns of a pod's odd header with the whole URL
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)   # a line for each request that waits for a thread


def _writer(name: str, *fields: str) -> Callable[[dict[str, Any]], None]:
    """A function that writes lines with these fields, as `name=value` or as JSON."""
    logger, text = logging.getLogger(name), " ".join(f"{field}=%({field})s" for field in fields)

    def write(values: dict[str, Any]) -> None:
        if not _STDERR:
            logger.info(text, values)
            return
        # Straight: a LogRecord and its way through the loggers take four times as long as the line.
        handler = _STDERR[-1]
        # The end of a line sends it off: stderr is line-buffered (docs.python.org/3/library/sys.html#sys.stderr).
        try:   # and not contextlib.suppress: this is done for each request
            with handler.lock:
                handler.stream.write(handler.formatter.line(name, text, values) + "\n")
        except (OSError, ValueError):
            return

    return write


request = _writer("tricircle.request", "request_id", "global_request_id", "pod_request_id", "service", "method", "path",
                  "status", "seconds", "project", "user", "pods")
_audit = _writer("tricircle.audit", "cause", "pod", "method", "path", "status")


def audit(pod: str, method: str, path: str, status: int | str) -> None:
    """Tricircle's own account has changed something in a pod, or has tried to. Never with a body: keys are in some.

    Args:
        pod, method, path: of the call.
        status: the pod's; `unsent`: it surely never reached the pod; `unanswered`: nobody knows what became of it.
    """
    _audit({"cause": trace.cause(), "pod": pod, "method": method, "path": path, "status": status})
