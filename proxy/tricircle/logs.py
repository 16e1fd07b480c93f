"""Where log lines go, what they look like, and those of them that programs read."""
import json
import logging
import sys
from collections.abc import Callable
from typing import Any

from tricircle import trace

TEXT = "%(asctime)s %(process)d %(levelname)s %(name)s %(message)s"
NOISY = ("urllib3", "keystoneauth", "keystonemiddleware", "stevedore", "oslo_policy", "dogpile")


class Json(logging.Formatter):
    """A line is one JSON object; the fields of a line that programs read are fields of it."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        seen = {"time": self.formatTime(record), "process": record.process, "level": record.levelname,
                "logger": record.name}
        seen |= record.args if isinstance(record.args, dict) else {"message": record.getMessage()}
        if record.exc_info:
            seen["exception"] = self.formatException(record.exc_info)
        return json.dumps(seen)


def to_stderr(debug: bool, form: str) -> None:
    """Logs go to stderr; systemd's journal keeps them.

    Args:
        debug: calls to pods as well.
        form: `text` or `json`.
    """
    logging._srcfile = None   # nobody reads the line of code, and finding it takes as long as writing the message
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Json() if form == "json" else logging.Formatter(TEXT))
    logging.basicConfig(level=logging.DEBUG if debug else logging.INFO, handlers=[handler])
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _writer(name: str, *fields: str) -> Callable[[dict[str, Any]], None]:
    """A function that writes lines with these fields, as `name=value` or as JSON."""
    logger, text = logging.getLogger(name), " ".join(f"{field}=%({field})s" for field in fields)
    return lambda values: logger.info(text, values)


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
